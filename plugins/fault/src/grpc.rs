//! Names of gRPC status codes.

const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The code of a name such as `UNAVAILABLE`, or of a number.
pub(crate) fn code(name: &str) -> Option<u8> {
    let position = NAMES.iter().position(|known| *known == name);
    let position = position.or_else(|| name.parse().ok().filter(|code| *code < NAMES.len()))?;
    u8::try_from(position).ok()
}
