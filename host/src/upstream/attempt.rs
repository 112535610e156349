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

/// Sends `request`. A connection that turns out to be closed before anything was written to it is
/// replaced; once bytes have left, the request is never sent again from here.
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
        match lease.connection.sender.try_send_request(request).await {
            Ok(response) => return Ok(Answer { response, lease, active }),
            Err(mut refused) => match refused.take_message() {
                Some(unsent) if lease.reused => request = unsent,
                _ => return Err(classify(refused.into_error())),
            },
        }
    }
}

fn classify(error: hyper::Error) -> UpstreamError {
    if error.is_parse() || error.is_parse_status() {
        UpstreamError::Protocol(error)
    } else {
        UpstreamError::Reset(error)
    }
}
