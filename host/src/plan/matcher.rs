//! Conditions on a request. Every given field must hold.

use serde::Serialize;

/// Istio `HTTPMatchRequest`, Gateway API `HTTPRouteMatch`: AND of what is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteMatch {
    pub path: Option<PathMatch>,
    pub method: Option<StringMatch>,
    pub authority: Option<StringMatch>,
    pub scheme: Option<StringMatch>,
    pub headers: Vec<HeaderMatch>,
    pub query: Vec<QueryMatch>,
}

/// Compared with the path without its query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PathMatch {
    Exact {
        value: String,
        ignore_case: bool,
    },
    /// Istio's: a prefix of characters, so `/foo` takes `/foobar`.
    Prefix {
        value: String,
        ignore_case: bool,
    },
    /// Gateway API's: a prefix of path segments, so `/foo` takes `/foo` and `/foo/x` only.
    SegmentPrefix(String),
    /// Full match.
    Regex(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StringMatch {
    Exact(String),
    Prefix(String),
    /// Full match, linear time, on bytes.
    Regex(String),
    /// There is a value, whatever it is.
    Present,
}

/// Several values of one header are compared joined with `,`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderMatch {
    /// Lower-case; pseudo-headers (`:method`) allowed.
    pub name: String,
    pub value: StringMatch,
    /// Istio `withoutHeaders`: the condition must not hold. A missing header is then compared as the
    /// empty string, except for `Present`.
    pub invert: bool,
}

/// The first value of the key is compared, as written (no percent-decoding).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryMatch {
    pub name: String,
    pub value: StringMatch,
}
