//! The request body as connections take it.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Why a body ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The sender's connection ended.
    #[error("the sender's body broke off")]
    Aborted,
    /// The sender's framing broke.
    #[error("the sender's body is malformed")]
    Malformed,
    /// The stream was answered or reset while the body was still coming.
    #[error("the stream is over")]
    StreamClosed,
    /// The exchange took longer than its route allows.
    #[error("timeout")]
    Timeout,
}

impl From<hyper::Error> for BodyError {
    /// hyper reports broken chunks as `InvalidInput` and `InvalidData`; all else is the connection.
    fn from(error: hyper::Error) -> Self {
        let kind = error.source().and_then(|source| source.downcast_ref()).map(io::Error::kind);
        match kind {
            Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => Self::Malformed,
            _ => Self::Aborted,
        }
    }
}

/// A request without a body costs nothing; one with a body is boxed once.
pub enum RequestBody {
    Empty,
    Stream(Pin<Box<dyn Body<Data = Bytes, Error = BodyError>>>),
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Stream(body) => body.size_hint(),
        }
    }
}
