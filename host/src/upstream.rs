//! Performs what routing and plugins decided: picks an endpoint, connects, sends one attempt.

pub mod attempt;
pub mod body;
pub mod cluster;
pub mod connect;
pub mod peers;
pub mod pool;

use hyper::StatusCode;
use std::io;
use std::time::Duration;
use weir_abi::flags::ResponseFlag;

/// Why there is no response from upstream.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error("remote connection failure")]
    Connect(#[source] io::Error),
    #[error("connection timeout after {0:?}")]
    ConnectTimeout(Duration),
    /// The connection ended before a response came.
    #[error("connection termination")]
    Reset(#[source] hyper::Error),
    /// The response was not HTTP.
    #[error("protocol error")]
    Protocol(#[source] hyper::Error),
}

impl UpstreamError {
    pub fn flag(&self) -> ResponseFlag {
        match self {
            Self::Connect(_) | Self::ConnectTimeout(_) => ResponseFlag::UpstreamConnectionFailure,
            Self::Reset(_) => ResponseFlag::UpstreamConnectionTermination,
            Self::Protocol(_) => ResponseFlag::UpstreamProtocolError,
        }
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::Protocol(_) => StatusCode::BAD_GATEWAY,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Envoy's local reply body.
    pub fn body(&self) -> &'static str {
        match self {
            Self::Connect(_) => {
                "upstream connect error or disconnect/reset before headers. \
                 reset reason: remote connection failure"
            }
            Self::ConnectTimeout(_) => {
                "upstream connect error or disconnect/reset before headers. \
                 reset reason: connection timeout"
            }
            Self::Reset(_) => {
                "upstream connect error or disconnect/reset before headers. \
                 reset reason: connection termination"
            }
            Self::Protocol(_) => {
                "upstream connect error or disconnect/reset before headers. \
                 reset reason: protocol error"
            }
        }
    }

    /// Envoy's `%RESPONSE_CODE_DETAILS%`.
    pub fn details(&self) -> String {
        let reason = match self {
            Self::Connect(_) => "remote_connection_failure",
            Self::ConnectTimeout(_) => "connection_timeout",
            Self::Reset(_) => "connection_termination",
            Self::Protocol(_) => "protocol_error",
        };
        let transport = self.transport_failure().map(|reason| format!("|{reason}"));
        format!(
            "upstream_reset_before_response_started{{{reason}{}}}",
            transport.unwrap_or_default()
        )
    }

    /// Envoy's `%UPSTREAM_TRANSPORT_FAILURE_REASON%`, for what happened below HTTP.
    pub fn transport_failure(&self) -> Option<String> {
        match self {
            Self::Connect(error) => {
                // Envoy names the error without the system's number.
                let text = error.to_string();
                let reason = text.split(" (os error").next().unwrap_or_default();
                Some(format!("delayed_connect_error:_{}", reason.replace(' ', "_")))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
