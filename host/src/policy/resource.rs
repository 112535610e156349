//! Documents by kind, name and namespace: checked one by one, then collected.

use super::diagnostic::{Diagnostics, codes};
use super::document::{Node, Span, Value};
use super::gateway;
use super::istio;
use super::kind::{self, Found, Kind, KindRow, Treatment};
use super::native;
use super::shape::{self, Strictness};
use super::{Mode, Options};
use std::collections::{BTreeMap, HashMap};

/// One document whose kind is known.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) kind: Kind,
    pub(crate) kind_name: &'static str,
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// Of `metadata.name`.
    pub(crate) span: Span,
    /// The whole document.
    pub(crate) root: Node,
    /// `spec`; the document itself for kinds that have none.
    pub(crate) spec: Node,
}

impl Resource {
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        self.metadata("labels")
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<String> {
        self.metadata("annotations").remove(name)
    }

    fn metadata(&self, key: &str) -> BTreeMap<String, String> {
        let metadata = self.root.get("metadata");
        metadata
            .into_iter()
            .flat_map(|metadata| metadata.pairs(key))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// `metadata.creationTimestamp`, which sorts as text; empty when there is none.
    pub(crate) fn created(&self) -> &str {
        let created = self.root.at(&["metadata", "creationTimestamp"]);
        created.and_then(Node::scalar_text).unwrap_or_default()
    }

    /// `namespace/name`.
    pub(crate) fn qualified(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// All documents, each kind from the oldest to the youngest.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    resources: BTreeMap<Kind, Vec<Resource>>,
}

impl Catalog {
    pub(crate) fn of(&self, kind: Kind) -> &[Resource] {
        self.resources.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// Drops documents that a later one of the same name replaces, and orders the rest as Istio
    /// does: by `metadata.creationTimestamp`, then by the order in which they were given.
    pub(crate) fn settle(&mut self, diagnostics: &mut Diagnostics) {
        for resources in self.resources.values_mut() {
            let mut last = HashMap::new();
            for (index, resource) in resources.iter().enumerate() {
                last.insert(resource.qualified(), index);
            }
            let mut index = 0;
            resources.retain(|resource| {
                index += 1;
                let kept = last.get(&resource.qualified()).is_none_or(|last| *last + 1 == index);
                if !kept {
                    let message = format!(
                        "{} {} is replaced by a later document of the same name",
                        resource.kind_name,
                        resource.qualified()
                    );
                    diagnostics.report(codes::REDEFINED, resource.span, message).help(
                        "as `kubectl apply` would; rename one of them, or load only one of the files",
                    );
                }
                kept
            });
            resources.sort_by_cached_key(|resource| resource.created().to_owned());
        }
    }
}

/// Checks one document and adds it, or each item of a `List`, to the catalog.
pub(crate) fn admit(
    document: Node,
    options: &Options<'_>,
    catalog: &mut Catalog,
    diagnostics: &mut Diagnostics,
) {
    let mut waiting = vec![document];
    while let Some(document) = waiting.pop() {
        let kind = document.text_at("kind");
        if kind.is_some_and(|kind| kind.ends_with("List")) && document.has("items") {
            waiting.extend(document.list("items").iter().rev().cloned());
            continue;
        }
        if let Some(resource) = admit_one(document, options, diagnostics) {
            catalog.resources.entry(resource.kind).or_default().push(resource);
        }
    }
}

fn admit_one(
    mut root: Node,
    options: &Options<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Resource> {
    let row = row_of(&root, options, diagnostics)?;
    let (name, span) = name_of(&root, row, diagnostics);
    let namespace = root.at(&["metadata", "namespace"]).and_then(Node::text);
    let namespace = namespace.unwrap_or(&options.namespace).to_owned();
    istio::misplaced::relocate(row.kind, &mut root, options.mode, diagnostics);
    let strictness = Strictness { mode: options.mode, security: row.security };
    let table = match row.treatment {
        Treatment::Enforced(table) => Some(table),
        Treatment::Registry | Treatment::Ignored => None,
        Treatment::NotEnforced(table) => {
            istio::report_not_enforced(row, &root, span, diagnostics);
            table
        }
        Treatment::Refused(table, why) => {
            let message = format!("{} is refused: {why}", row.name);
            let help = "write the behaviour as a plugin: kind WasmPlugin, or a route of kind Proxy";
            diagnostics.report(codes::REFUSED_KIND, kind_span(&root), message).help(help);
            Some(table)
        }
    };
    if let Some(table) = table {
        check_top_level(&root, strictness, diagnostics);
        check_spec(&root, table, strictness, diagnostics);
    }
    let spec = root.get("spec").unwrap_or(&root).clone();
    let kind_name = row.name;
    let resource = Resource { kind: row.kind, kind_name, name, namespace, span, root, spec };
    istio::validate(&resource, diagnostics);
    gateway::validate(&resource, diagnostics);
    if resource.kind == Kind::Proxy {
        native::validate(&resource, diagnostics);
    }
    Some(resource)
}

fn kind_span(root: &Node) -> Span {
    root.get("kind").map_or(root.span, |kind| kind.span)
}

/// The kind of a document, or a report of why it is left out.
fn row_of(
    root: &Node,
    options: &Options<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<&'static KindRow> {
    let (Some(api_version), Some(kind)) = (root.text_at("apiVersion"), root.text_at("kind")) else {
        let message = match (&root.value, root.has("apiVersion"), root.has("kind")) {
            (Value::Map(_), false, false) => "this document has no apiVersion and kind",
            (Value::Map(_), false, true) => "this document has no apiVersion",
            (Value::Map(_), true, false) => "this document has no kind",
            (Value::Map(_), true, true) => "apiVersion and kind must be text",
            _ => "a document must be a map with apiVersion and kind",
        };
        diagnostics.report(codes::NOT_A_RESOURCE, root.span, message);
        return None;
    };
    let span = kind_span(root);
    let unknown = match options.mode {
        Mode::Strict => codes::UNKNOWN_KIND_STRICT,
        Mode::Compat | Mode::Istio => codes::UNKNOWN_KIND,
    };
    match kind::find(api_version, kind) {
        Found::Row(row) if matches!(row.treatment, Treatment::Ignored) => {}
        Found::Row(row) => return Some(row),
        Found::Ignored => {}
        Found::Version(row) => {
            let at = root.get("apiVersion").map_or(span, |version| version.span);
            let message = format!("`{api_version}` does not serve {kind}");
            let versions = row.versions.join(", ");
            let help = format!("{} has the versions {versions}", row.group);
            // Dropping a security policy opens access: never on a misspelt version.
            let code = if row.security { codes::UNKNOWN_KIND_STRICT } else { unknown };
            diagnostics.report(code, at, message).help(help);
            return None;
        }
        Found::Unknown(near) => {
            let code = match near {
                Some(row) if row.security => codes::UNKNOWN_KIND_STRICT,
                _ => unknown,
            };
            let done = if code == codes::UNKNOWN_KIND { "; it is ignored" } else { "" };
            let message = format!("unknown kind `{kind}` of `{api_version}`{done}");
            let reported = diagnostics.report(code, span, message);
            if let Some(row) = near {
                let version = row.versions.first().copied().unwrap_or("v1");
                let group = if row.group.is_empty() { "" } else { "/" };
                reported
                    .help(format!("did you mean `{}{group}{version}` `{}`?", row.group, row.name));
            }
            return None;
        }
    }
    let message = format!("kind {kind} carries no policy and is ignored");
    diagnostics.report(codes::IGNORED_KIND, span, message);
    None
}

fn name_of(root: &Node, row: &KindRow, diagnostics: &mut Diagnostics) -> (String, Span) {
    let metadata = root.get("metadata");
    let name =
        metadata.and_then(|metadata| metadata.get("name").or_else(|| metadata.get("generateName")));
    let Some(name) = name else {
        let at = metadata.map_or_else(|| kind_span(root), |metadata| metadata.span);
        let message = format!("this {} has no metadata.name", row.name);
        diagnostics.report(codes::MISSING_NAME, at, message);
        return (String::new(), at);
    };
    (name.scalar_text().unwrap_or_default().to_owned(), name.span)
}

fn check_top_level(root: &Node, strictness: Strictness, diagnostics: &mut Diagnostics) {
    const KNOWN: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
    let unknown = root.entries().iter().filter(|entry| !KNOWN.contains(&entry.key.as_str()));
    for entry in unknown {
        let refused = strictness.security || strictness.mode == Mode::Strict;
        let code = if refused { codes::UNKNOWN_FIELD_STRICT } else { codes::UNKNOWN_FIELD };
        let message = format!("unknown field `{}` beside `spec`", entry.key);
        let help = "fields of the policy belong under `spec:`";
        diagnostics.report(code, entry.key_span, message).help(help);
    }
}

fn check_spec(
    root: &Node,
    table: &'static shape::Shape,
    strictness: Strictness,
    diagnostics: &mut Diagnostics,
) {
    match root.entry("spec") {
        Some(entry) if entry.node.is_null() => {
            let message = "`spec` must be a map, found nothing";
            let help = "write `spec: {}` for an empty one";
            diagnostics.report(codes::WRONG_TYPE, entry.key_span, message).help(help);
        }
        Some(entry) => shape::check(&entry.node, table, "spec", strictness, diagnostics),
        None => {
            diagnostics.report(codes::MISSING_FIELD, kind_span(root), "`spec` is required");
        }
    }
}
