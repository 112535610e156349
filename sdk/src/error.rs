//! What can go wrong in a plugin: the host said no, or the plugin did.

use std::{borrow::Cow, fmt};

use weir_abi::Status;

/// Outcome of anything that talks to the host.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal by the host, or a reason of the plugin's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The host answered `call` with something other than `Ok`.
    Host { call: &'static str, status: Status },
    /// A reason in words: lower case, no full stop.
    Reason(Cow<'static, str>),
}

impl Error {
    /// An error in the plugin's own words, e.g. why it refuses its configuration.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Reason(reason.into())
    }

    /// True when the host says that the thing asked for is not there, or that it does not know
    /// the call at all.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Host { status: Status::NotFound | Status::Unimplemented, .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { call, status } => write!(f, "{call}: host answered {status:?}"),
            Self::Reason(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Error {}

/// Turns a wire status into a `Result`; a number the ABI does not define counts as
/// `InternalFailure`.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "the fake host has no codes"))]
pub(crate) fn check(call: &'static str, code: u32) -> Result<()> {
    match Status::from_code(code) {
        Some(Status::Ok) => Ok(()),
        Some(status) => Err(Error::Host { call, status }),
        None => Err(Error::Host { call, status: Status::InternalFailure }),
    }
}
