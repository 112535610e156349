//! One rule: OR of sources AND OR of operations AND every condition.

use weir_sdk::{
    Error, Result,
    attribute::{self, Attribute},
};

use crate::{
    address::Block,
    config::{Operation, RuleConfig, Source, When},
    facts::Facts,
    pattern::Pattern,
    template::Template,
};

/// A compiled rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Empty: any source.
    from: Vec<Vec<Test>>,
    /// Empty: any operation.
    to: Vec<Vec<Test>>,
    when: Vec<Test>,
}

/// Values of one field. `negated` is the `not…` field: none of the values.
#[derive(Debug)]
struct Test {
    values: Values,
    negated: bool,
}

#[derive(Debug)]
enum Values {
    Principal(Vec<Pattern>),
    PeerIp(Vec<Block>),
    RemoteIp(Vec<Block>),
    DestinationIp(Vec<Block>),
    Host(Vec<Pattern>),
    Port(Vec<u16>),
    Method(Vec<Pattern>),
    Path(Vec<PathForm>),
    Header(Vec<u8>, Vec<Pattern>),
    Attribute(Attribute, Vec<Pattern>),
}

#[derive(Debug)]
enum PathForm {
    Pattern(Pattern),
    Template(Template),
}

/// What the patterns of a policy mean where it lives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub namespace: &'a str,
    pub trust_domain: &'a str,
}

impl Rule {
    /// # Errors
    /// Names the field and what is wrong with it.
    pub(crate) fn compile(rule: &RuleConfig, scope: Scope<'_>) -> Result<Self> {
        let from = entries("from", rule.from.as_ref(), |from| source(&from.source, scope))?;
        let to = entries("to", rule.to.as_ref(), |to| operation(&to.operation))?;
        let when = rule.when.iter().flatten().map(|when| condition(when, scope));
        let when = when.collect::<Result<Vec<_>>>()?;
        Ok(Self { from, to, when: when.into_iter().flatten().collect() })
    }

    /// # Errors
    /// The host refused to tell something the answer depends on.
    pub(crate) fn matches(&self, facts: &Facts<'_, '_>) -> Result<bool> {
        Ok(any(&self.from, facts)? && any(&self.to, facts)? && all(&self.when, facts)?)
    }
}

fn any(entries: &[Vec<Test>], facts: &Facts<'_, '_>) -> Result<bool> {
    for entry in entries {
        if all(entry, facts)? {
            return Ok(true);
        }
    }
    Ok(entries.is_empty())
}

fn all(tests: &[Test], facts: &Facts<'_, '_>) -> Result<bool> {
    for test in tests {
        if test.values.match_any(facts)? == test.negated {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Values {
    fn match_any(&self, facts: &Facts<'_, '_>) -> Result<bool> {
        Ok(match self {
            Self::Principal(patterns) => one(patterns, facts.principal()?),
            Self::PeerIp(blocks) => in_block(blocks, facts.peer_ip()?),
            Self::RemoteIp(blocks) => in_block(blocks, facts.remote_ip()?),
            Self::DestinationIp(blocks) => in_block(blocks, facts.destination_ip()?),
            Self::Host(patterns) => one(patterns, facts.host()?.as_deref()),
            Self::Port(ports) => {
                facts.destination_port()?.is_some_and(|port| ports.contains(&port))
            }
            Self::Method(patterns) => one(patterns, facts.method()?),
            Self::Path(forms) => {
                let Some(path) = facts.path()? else { return Ok(false) };
                forms.iter().any(|form| match form {
                    PathForm::Pattern(pattern) => pattern.matches(path),
                    PathForm::Template(template) => template.matches(path),
                })
            }
            Self::Header(name, patterns) => header(patterns, name, facts)?,
            Self::Attribute(attribute, patterns) => {
                let value = facts.text(attribute)?;
                one(patterns, value) || value.is_some_and(|value| in_list(patterns, value))
            }
        })
    }
}

fn one(patterns: &[Pattern], value: Option<&[u8]>) -> bool {
    value.is_some_and(|value| patterns.iter().any(|pattern| pattern.matches(value)))
}

fn in_block(blocks: &[Block], address: Option<std::net::IpAddr>) -> bool {
    address.is_some_and(|address| blocks.iter().any(|block| block.contains(address)))
}

/// A list attribute has its items in the keys of its pairs.
fn in_list(patterns: &[Pattern], value: &[u8]) -> bool {
    attribute::decode_pairs(value)
        .is_some_and(|mut items| items.any(|(item, _)| one(patterns, Some(item))))
}

/// Every line is tested, and all of them joined by commas, which is the one thing Envoy tests.
fn header(patterns: &[Pattern], name: &[u8], facts: &Facts<'_, '_>) -> Result<bool> {
    let mut lines = 0;
    for value in facts.header_values(name)? {
        if one(patterns, Some(value)) {
            return Ok(true);
        }
        lines += 1;
    }
    if lines < 2 {
        return Ok(false);
    }
    let joined = facts.header_values(name)?.collect::<Vec<_>>().join(b",".as_slice());
    Ok(one(patterns, Some(&joined)))
}

fn entries<T>(
    field: &str,
    entries: Option<&Vec<T>>,
    compile: impl Fn(&T) -> Result<Vec<Test>>,
) -> Result<Vec<Vec<Test>>> {
    let Some(entries) = entries else { return Ok(Vec::new()) };
    if entries.is_empty() {
        return Err(Error::new(format!("{field} is empty")));
    }
    let tests = entries.iter().map(|entry| match compile(entry) {
        Ok(tests) if tests.is_empty() => Err(Error::new(format!("{field}: an entry is empty"))),
        tests => tests,
    });
    tests.collect()
}

/// The tests of a field and of its `not…` twin.
fn pair(
    field: (&str, [Option<&Vec<String>>; 2]),
    compile: &dyn Fn(&[String]) -> Result<Values>,
    tests: &mut Vec<Test>,
) -> Result<()> {
    let (name, lists) = field;
    for (list, negated) in lists.into_iter().zip([false, true]) {
        let Some(list) = list else { continue };
        if list.is_empty() || list.iter().any(String::is_empty) {
            return Err(Error::new(format!("{name} is empty or has an empty value")));
        }
        let values = compile(list).map_err(|error| Error::new(format!("{name}: {error}")))?;
        tests.push(Test { values, negated });
    }
    Ok(())
}

fn source(source: &Source, scope: Scope<'_>) -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    let field = |name,
                 values: &'_ Option<Vec<String>>,
                 not: &'_ Option<Vec<String>>,
                 compile: &dyn Fn(&[String]) -> Result<Values>| {
        pair((name, [values.as_ref(), not.as_ref()]), compile, &mut tests)
    };
    let mut field = field;
    field("principals", &source.principals, &source.not_principals, &|list| {
        principals(list, scope)
    })?;
    field(
        "requestPrincipals",
        &source.request_principals,
        &source.not_request_principals,
        &|list| Ok(claims(&["request.auth.principal"], list)),
    )?;
    field("namespaces", &source.namespaces, &source.not_namespaces, &|list| Ok(namespaces(list)))?;
    field("serviceAccounts", &source.service_accounts, &source.not_service_accounts, &|list| {
        service_accounts(list, scope)
    })?;
    field("trustDomains", &source.trust_domains, &source.not_trust_domains, &|list| {
        Ok(trust_domains(list, scope))
    })?;
    field("ipBlocks", &source.ip_blocks, &source.not_ip_blocks, &|list| {
        Ok(Values::PeerIp(blocks(list)?))
    })?;
    field("remoteIpBlocks", &source.remote_ip_blocks, &source.not_remote_ip_blocks, &|list| {
        Ok(Values::RemoteIp(blocks(list)?))
    })?;
    Ok(tests)
}

fn operation(operation: &Operation) -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    let hosts = [operation.hosts.as_ref(), operation.not_hosts.as_ref()];
    pair(("hosts", hosts), &|list| Ok(Values::Host(lowercase(list))), &mut tests)?;
    let list = [operation.ports.as_ref(), operation.not_ports.as_ref()];
    pair(("ports", list), &|list| ports(list), &mut tests)?;
    let methods = [operation.methods.as_ref(), operation.not_methods.as_ref()];
    pair(("methods", methods), &|list| Ok(Values::Method(plain(list))), &mut tests)?;
    let list = [operation.paths.as_ref(), operation.not_paths.as_ref()];
    pair(("paths", list), &|list| paths(list), &mut tests)?;
    Ok(tests)
}

fn condition(when: &When, scope: Scope<'_>) -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    let lists = [when.values.as_ref(), when.not_values.as_ref()];
    if lists == [None, None] {
        return Err(Error::new(format!("when {}: neither values nor notValues", when.key)));
    }
    pair((&when.key, lists), &|list| keyed(&when.key, list, scope), &mut tests)?;
    Ok(tests)
}

/// The values of a condition by its key.
fn keyed(key: &str, list: &[String], scope: Scope<'_>) -> Result<Values> {
    if let Some(name) = key.strip_prefix("request.headers[").and_then(|key| key.strip_suffix(']')) {
        return Ok(Values::Header(name.to_ascii_lowercase().into(), plain(list)));
    }
    if let Some(path) = key.strip_prefix("request.auth.claims[") {
        let path = path.strip_suffix(']').ok_or_else(|| Error::new("no closing bracket"))?;
        let segments: Vec<_> =
            std::iter::once("request.auth.claims").chain(path.split("][")).collect();
        return Ok(claims(&segments, list));
    }
    Ok(match key {
        "source.ip" => Values::PeerIp(blocks(list)?),
        "remote.ip" => Values::RemoteIp(blocks(list)?),
        "source.namespace" => namespaces(list),
        "source.serviceAccount" => service_accounts(list, scope)?,
        "source.trustDomain" => trust_domains(list, scope),
        "source.principal" => principals(list, scope)?,
        "request.auth.principal" | "request.auth.audiences" | "request.auth.presenter" => {
            claims(&[key], list)
        }
        "destination.ip" => Values::DestinationIp(blocks(list)?),
        "destination.port" => ports(list)?,
        "connection.sni" => {
            Values::Attribute(attribute::CONNECTION_REQUESTED_SERVER_NAME, plain(list))
        }
        _ => return Err(Error::new("unknown key")),
    })
}

fn plain(list: &[String]) -> Vec<Pattern> {
    list.iter().map(|text| Pattern::parse(text, "")).collect()
}

fn lowercase(list: &[String]) -> Vec<Pattern> {
    plain(list).iter().map(Pattern::to_lowercase).collect()
}

/// `td/ns/x/sa/y`; `cluster.local` is the mesh's own trust domain, whatever its name.
fn principals(list: &[String], scope: Scope<'_>) -> Result<Values> {
    let patterns = list.iter().map(|text| match text.split_once('/') {
        Some(("cluster.local", rest)) => {
            Pattern::parse(&format!("{}/{rest}", scope.trust_domain), "spiffe://")
        }
        _ => Pattern::parse(text, "spiffe://"),
    });
    Ok(Values::Principal(patterns.collect()))
}

fn namespaces(list: &[String]) -> Values {
    let pattern = |name: &String| Pattern::Glob(format!("*/ns/{name}/*").into());
    Values::Principal(list.iter().map(pattern).collect())
}

fn trust_domains(list: &[String], scope: Scope<'_>) -> Values {
    let pattern = |name: &String| {
        let name = if name == "cluster.local" { scope.trust_domain } else { name };
        Pattern::Glob(format!("spiffe://{name}/*").into())
    };
    Values::Principal(list.iter().map(pattern).collect())
}

/// `name` in the policy's own namespace, or `namespace/name`.
fn service_accounts(list: &[String], scope: Scope<'_>) -> Result<Values> {
    let patterns = list.iter().map(|text| {
        let (namespace, name) = text.split_once('/').unwrap_or((scope.namespace, text));
        let malformed = name.is_empty() || namespace.is_empty();
        if malformed || name.contains(['/', '*']) || namespace.contains('*') {
            return Err(Error::new(format!("{text:?} is not name or namespace/name")));
        }
        Ok(Pattern::Suffix(format!("/ns/{namespace}/sa/{name}").into()))
    });
    Ok(Values::Principal(patterns.collect::<Result<_>>()?))
}

/// What request authentication left as Istio's dynamic metadata.
fn claims(segments: &[&str], list: &[String]) -> Values {
    let path = [&["metadata", "filter_metadata", "istio_authn"], segments].concat();
    Values::Attribute(Attribute::of(&path), plain(list))
}

fn blocks(list: &[String]) -> Result<Vec<Block>> {
    list.iter().map(|text| Block::parse(text)).collect()
}

fn ports(list: &[String]) -> Result<Values> {
    let ports = list.iter().map(|text| {
        let port = text.parse().ok().filter(|port| *port != 0);
        port.ok_or_else(|| Error::new(format!("{text:?} is not a port")))
    });
    Ok(Values::Port(ports.collect::<Result<_>>()?))
}

fn paths(list: &[String]) -> Result<Values> {
    let forms = list.iter().map(|text| {
        Ok(match Template::parse(text)? {
            Some(template) => PathForm::Template(template),
            None => PathForm::Pattern(Pattern::parse(text, "")),
        })
    });
    Ok(Values::Path(forms.collect::<Result<_>>()?))
}
