//! Rules for text values.

/// What a text must look like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text {
    Any,
    /// In characters.
    Length(usize, usize),
    /// The value of a label selector: at most 63 characters, no wildcard.
    LabelValue,
    /// 64 lower-case hexadecimal digits, or empty.
    Sha256,
    /// DNS name of an API group, or empty.
    ApiGroup,
    /// Name of a kind.
    KindName,
    /// Must be left empty: references do not cross namespaces.
    OwnNamespace,
    /// `http://` or `https://`.
    HttpUrl,
    /// Where a Wasm module is fetched from.
    ModuleUrl,
    HeaderName,
    /// A header or query parameter name of Gateway API: a token of RFC 9110.
    Token,
    /// A DNS name in lower case.
    Host,
    /// A DNS name in lower case, perhaps after `*.`.
    HostPattern,
    /// A host that is more than a bare `*`.
    NotEverything,
    /// IP, DNS name or `unix://` path of an endpoint.
    Address,
    /// Scheme of a probe.
    ProbeScheme,
    Base64,
}

impl Text {
    pub(super) fn problem(self, text: &str) -> Option<String> {
        let fits = match self {
            Self::Any => true,
            Self::Length(min, max) => return length_problem(text, min, max),
            Self::LabelValue => !text.contains('*') && text.chars().count() <= 63,
            Self::Sha256 => text.is_empty() || (text.len() == 64 && text.bytes().all(is_hex)),
            Self::ApiGroup => text.is_empty() || (text.len() <= 253 && is_dns_name(text)),
            Self::KindName => (1..=63).contains(&text.len()) && is_word(text, b"-"),
            Self::OwnNamespace => text.is_empty(),
            Self::HttpUrl => is_http_url(text),
            Self::ModuleUrl => is_module_url(text),
            Self::HeaderName => !text.is_empty() && text.bytes().all(is_header_byte),
            Self::Token => !text.is_empty() && text.bytes().all(is_token_byte),
            Self::Host => is_lower_name(text),
            Self::HostPattern => is_lower_name(text.strip_prefix("*.").unwrap_or(text)),
            Self::NotEverything => text != "*",
            Self::Address => is_address(text),
            Self::ProbeScheme => ["", "HTTP", "HTTPS"].contains(&text),
            Self::Base64 => decode_base64(text).is_some(),
        };
        (!fits).then(|| self.wanted().to_owned())
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Any | Self::Length(..) => "must be text",
            Self::LabelValue => "must be at most 63 characters without a wildcard",
            Self::Sha256 => "must be 64 lower-case hexadecimal digits",
            Self::ApiGroup => "must be the DNS name of an API group",
            Self::KindName => "must be the name of a kind",
            Self::OwnNamespace => "must be empty: a reference cannot leave its namespace",
            Self::HttpUrl => "must be a URL with the scheme http or https",
            Self::ModuleUrl => "must be a URL with the scheme file, oci, http or https",
            Self::HeaderName => "must be a header name",
            Self::Token => "must be letters, digits and any of !#$%&'*+-.^_`|~",
            Self::Host => "must be a DNS name in lower case",
            Self::HostPattern => "must be a DNS name in lower case, or `*.` and such a name",
            Self::NotEverything => "must not be a bare wildcard",
            Self::Address => "must be an IP address, a DNS name or an absolute unix:// path",
            Self::ProbeScheme => "must be HTTP or HTTPS",
            Self::Base64 => "must be base64",
        }
    }
}

fn length_problem(text: &str, min: usize, max: usize) -> Option<String> {
    let length = text.chars().count();
    if length < min {
        return Some("must not be empty".to_owned());
    }
    (length > max).then(|| format!("must have at most {max} characters"))
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

fn is_header_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// IP addresses are no names.
fn is_lower_name(text: &str) -> bool {
    is_dns_name(text)
        && !text.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'_')
        && text.parse::<std::net::IpAddr>().is_err()
}

fn is_word(text: &str, also: &[u8]) -> bool {
    let edges = [text.bytes().next(), text.bytes().next_back()];
    edges.iter().all(|edge| edge.is_some_and(|byte| byte.is_ascii_alphanumeric()))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte))
}

/// Labels of letters, digits and inner hyphens, joined with dots.
pub(crate) fn is_dns_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_label)
}

/// One label of a DNS name, at most 63 characters.
pub(crate) fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && is_word(text, b"-_")
}

pub(super) fn is_port_name(text: &str) -> bool {
    text.len() < 63 && is_word(text, b"-")
}

fn is_http_url(text: &str) -> bool {
    let authority = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    authority.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && is_url_text(rest))
}

fn is_url_text(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

fn is_module_url(text: &str) -> bool {
    if text.is_empty() || !is_url_text(text) || text.starts_with('#') {
        return false;
    }
    match text.split_once("://") {
        Some((scheme, _)) => ["", "http", "https", "oci", "file"].contains(&scheme),
        None => true,
    }
}

fn is_address(text: &str) -> bool {
    match text.strip_prefix("unix://") {
        Some(path) => path.starts_with(['/', '@']) && !path.ends_with('/'),
        None => text.len() <= 256,
    }
}

/// Standard base64 with padding.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let bytes: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if !bytes.len().is_multiple_of(4) {
        return None;
    }
    let mut decoded = Vec::with_capacity(bytes.len() / 4 * 3);
    for (index, group) in bytes.chunks(4).enumerate() {
        let padding = group.iter().rev().take_while(|byte| **byte == b'=').count();
        if padding > 2 || (padding > 0 && (index + 1) * 4 != bytes.len()) {
            return None;
        }
        let mut bits = 0_u32;
        for byte in group.iter().take(4 - padding) {
            bits = bits << 6 | sextet(*byte)?;
        }
        bits <<= 6 * padding;
        decoded.extend(bits.to_be_bytes().iter().skip(1).take(3 - padding));
    }
    Some(decoded)
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}
