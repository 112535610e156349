//! One request to one endpoint.

use super::UpstreamError;
use super::body::RequestBody;
use super::cluster::{ActiveRequest, Cluster};
use super::peers::Identity;
use super::pool::{Lease, Pools};
use hyper::body::Incoming;
use hyper::{Request, Response};
use std::rc::Rc;

/// A response whose head has come. The lease and the count of active requests go with its body.
pub struct Answer {
    pub response: Response<Incoming>,
    pub lease: Lease,
    pub active: ActiveRequest,
}

/// Sends `request`, over an idle connection when there is one.
///
/// The other end may close an idle connection at the very moment it is used. A request of which
/// nothing was written goes to another connection; one that was written is sent again only if that
/// is safe (RFC 9110 §9.2.2): an idempotent method, no body, no byte of a response.
pub async fn send(
    pools: &Rc<Pools>,
    cluster: &Cluster,
    active: ActiveRequest,
    identity: Option<&Identity>,
    mut request: Request<RequestBody>,
) -> Result<Answer, UpstreamError> {
    loop {
        let Some(endpoint) = active.endpoint() else {
            let gone = std::io::Error::other("the endpoint is gone");
            return Err(UpstreamError::Connect(gone));
        };
        let mut lease = pools.checkout(cluster, endpoint, identity).await?;
        let spare = if lease.reused { repeatable(&request) } else { None };
        match lease.connection.sender.try_send_request(request).await {
            Ok(response) => return Ok(Answer { response, lease, active }),
            Err(mut refused) => match refused.take_message() {
                Some(unsent) if lease.reused => request = unsent,
                _ => {
                    let error = classify(refused.into_error());
                    match spare.filter(|_| matches!(error, UpstreamError::Reset(_))) {
                        Some(again) => request = again,
                        None => return Err(error),
                    }
                }
            },
        }
    }
}

/// A second copy of a request that may be sent twice.
fn repeatable(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    if !request.method().is_idempotent() || !matches!(request.body(), RequestBody::Empty) {
        return None;
    }
    let mut copy = Request::new(RequestBody::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

fn classify(error: hyper::Error) -> UpstreamError {
    if error.is_parse() || error.is_parse_status() {
        UpstreamError::Protocol(error)
    } else {
        UpstreamError::Reset(error)
    }
}
