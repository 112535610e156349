//! Every code a diagnostic can have. A code is never given a second meaning.
//!
//! `E` stops the load, `W` does not, `N` is accepted but not enforced yet, `I` informs.

use super::Severity;
use serde::{Serialize, Serializer};

/// Identity of a kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    id: &'static str,
    title: &'static str,
}

impl Code {
    /// E.g. `W0104`.
    pub fn id(self) -> &'static str {
        self.id
    }

    /// One line that says what the code stands for.
    pub fn title(self) -> &'static str {
        self.title
    }

    pub fn severity(self) -> Severity {
        match self.id.as_bytes().first() {
            Some(b'E') => Severity::Error,
            Some(b'W') => Severity::Warning,
            Some(b'N') => Severity::NotEnforced,
            _ => Severity::Info,
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}

macro_rules! codes {
    ($($name:ident = $id:literal, $title:literal;)*) => {
        $(pub const $name: Code = Code { id: $id, title: $title };)*
        /// The whole table, in order.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    SYNTAX = "E0001", "not valid YAML";
    DUPLICATE_KEY = "E0002", "a key is given twice";
    LIMIT = "E0003", "larger or deeper than any policy needs";
    NOT_A_RESOURCE = "E0004", "a document without apiVersion and kind";
    UNKNOWN_KIND_STRICT = "E0005", "unknown kind, in strict mode";
    UNKNOWN_FIELD_STRICT = "E0006", "unknown field, in strict mode or in a security policy";
    WRONG_TYPE = "E0007", "a value of the wrong type";
    MISSING_FIELD = "E0008", "a required field is missing";
    INVALID_VALUE = "E0009", "a value that is not allowed";
    EXCLUSIVE_FIELDS = "E0010", "fields that exclude each other";
    INVALID_REGEX = "E0011", "a regular expression that does not compile";
    REFUSED_KIND = "E0012", "a kind that cannot work here";
    NO_PROXY = "E0013", "no document says where to listen";
    UNKNOWN_PLUGIN = "E0014", "no such plugin";
    DUPLICATE_LISTENER = "E0015", "two listeners with one name or address";
    UNSAFE_TO_IGNORE = "E0016", "ignoring this would open access";
    MISSING_NAME = "E0017", "a document without metadata.name";
    PLUGIN_REFUSED = "E0018", "a plugin that cannot be loaded, or refuses its configuration";

    UNKNOWN_FIELD = "W0101", "unknown field, ignored";
    UNKNOWN_KIND = "W0102", "unknown kind, ignored";
    MISPLACED_DEFAULT = "W0103", "spec-level field that belongs into each http rule";
    MISPLACED_OUTLIER = "W0104", "outlier detection field written under connectionPool";
    DEPRECATED = "W0105", "deprecated field or value";
    FAULT_IN_PRODUCTION = "W0106", "fault injection that looks like something else";
    UNKNOWN_PROVIDER = "W0107", "provider that is not defined";
    MISSING_SERVICE = "W0108", "a host that no document defines";
    MISSING_SUBSET = "W0109", "a subset that no DestinationRule defines";
    NO_ENDPOINTS = "W0110", "nothing can take the traffic";
    UNREACHABLE_RULE = "W0111", "a rule that no request can reach";
    HOST_TAKEN = "W0112", "a host that an older document already has";
    REDEFINED = "W0113", "a document that replaces another of the same name";
    CUSTOM_DENIED = "W0114", "action CUSTOM denies until its provider is supported";
    MISSING_GATEWAY = "W0115", "a gateway that no document defines";
    MISSING_DELEGATE = "W0116", "a delegate that no document defines";
    AMBIGUOUS_PORT = "W0117", "a destination with several ports and none chosen";
    MISSING_WORKLOAD = "W0118", "no workload or endpoint carries these labels";
    CONFLICTING_MATCH = "W0119", "a match that cannot hold together with its root";
    NOT_ATTACHED = "W0120", "a route or ListenerSet that its parent does not take";
    NOT_PERMITTED = "W0121", "a reference to another namespace without a ReferenceGrant";
    INVALID_REFERENCE = "W0122", "a reference to something that cannot be used there";

    NOT_ENFORCED_FIELD = "N0201", "field accepted, not enforced yet";
    NOT_ENFORCED_KIND = "N0202", "kind accepted, not enforced yet";
    NOT_ENFORCED_PROTOCOL = "N0203", "protocol accepted, not served yet";

    IGNORED_KIND = "I0301", "a kind that carries no policy";
    SMALL_PERCENTAGE = "I0302", "a percentage below one per cent";
    RETRY_COST = "I0303", "what these retries amount to";
    IMPLICIT_LISTENER = "I0304", "compiled for an implicit listener";
    WORKLOAD_SCOPE = "I0305", "a policy with a selector is about workloads";
    EJECTION_SHARE = "I0306", "how many endpoints may be ejected";
    SHORT_CONNECTIONS = "I0307", "connections closed after few requests";
    MESH_MTLS = "I0308", "callers without a mesh identity are refused";
}
