//! Attributes in their typed encoding. What differs from run to run is shown by its length.

use super::matrix::full;
use crate::differential::scenario::Scenario;

const REQUEST: [&str; 17] = [
    "request/path",
    "request/url_path",
    "request/host",
    "request/scheme",
    "request/method",
    "request/protocol",
    "request/query",
    "request/referer",
    "request/useragent",
    "request/headers/x-two",
    "request/headers/:path",
    "request/headers/x-none",
    "request/size",
    "request/nothing",
    "request",
    "nothing",
    "request/path/more",
];

const LENGTHS: [&str; 12] = [
    "request/time",
    "request/id",
    "request/duration",
    "request/headers_bytes",
    "request/total_size",
    "connection/id",
    "connection_id",
    "source/address",
    "source/port",
    "destination/port",
    "upstream/port",
    "upstream/local_address",
];

const CONNECTION: [&str; 16] = [
    "connection/mtls",
    "connection/requested_server_name",
    "connection/tls_version",
    "connection/subject_peer_certificate",
    "connection/uri_san_peer_certificate",
    "connection/sha256_peer_certificate_digest",
    "connection/transport_failure_reason",
    "connection/termination_details",
    "connection/nothing",
    "connection",
    "source",
    "source/nothing",
    "destination/address",
    "upstream/address",
    "upstream/num_endpoints",
    "upstream/nothing",
];

const RESPONSE: [&str; 14] = [
    "response/code",
    "response/code_details",
    "response/flags",
    "response/grpc_status",
    "response/size",
    "response/headers/content-length",
    "response/headers/x-two",
    "response/trailers/x-response-sum",
    "response/nothing",
    "response",
    "upstream/address",
    "upstream/request_attempt_count",
    "upstream/transport_failure_reason",
    "upstream/tls_version",
];

const NAMES: [&str; 18] = [
    "plugin_name",
    "plugin_root_id",
    "xds/route_name",
    "xds/cluster_name",
    "xds/virtual_host_name",
    "xds/listener_direction",
    "xds/filter_chain_name",
    "xds/nothing",
    "xds",
    "route_name",
    "cluster_name",
    "listener_direction",
    "node/id",
    "node/cluster",
    "node",
    "metadata",
    "filter_state",
    "x_request_id",
];

fn show(callback: &str, paths: &[&str], action: &str) -> String {
    paths.iter().map(|path| format!("on {callback} {action} {path}\n")).collect()
}

pub(super) fn all() -> Vec<Scenario> {
    let request = "GET /a/b?c=d HTTP/1.1\r\nhost: test.local:80\r\nreferer: http://r/\r\n\
                   user-agent: curl\r\nx-two: 1\r\nx-two: 2\r\n\r\n";
    let property = |what: &str| Scenario::new(format!("property.{what}")).send(&[request]);
    let mut all = vec![
        property("request").filter(&show("request_headers", &REQUEST, "property")),
        property("request-in-the-response").filter(&show("response_headers", &REQUEST, "property")),
        property("request-in-log").filter(&show("log", &REQUEST, "property")),
        property("lengths").filter(&show("request_headers", &LENGTHS, "length")),
        property("lengths-in-the-response").filter(&show("response_headers", &LENGTHS, "length")),
        property("lengths-in-log").filter(&show("log", &LENGTHS, "length")),
        property("connection").filter(&show("request_headers", &CONNECTION, "property")),
        property("connection-in-log").filter(&show("log", &CONNECTION, "property")),
        property("names").filter(&show("request_headers", &NAMES, "property")),
        property("names-in-log").filter(&show("log", &NAMES, "property")),
        property("names-in-configure").filter(
            "on configure set-property a b
             on configure property request/path",
        ),
        full("property.response-too-early").filter(&show("request_headers", &RESPONSE, "property")),
        full("property.response").filter(&show("response_headers", &RESPONSE, "property")),
        full("property.response-in-log").filter(&show("log", &RESPONSE, "property")),
        full("property.sizes-in-log").filter(
            "on log property request/size
             on log property response/size
             on log length response/total_size
             on log length response/headers_bytes
             on log length response/backend_latency
             on log length request/duration",
        ),
    ];
    let stored = "on request_headers set-property mine one
         on request_headers property mine
         on request_headers set-property mine two
         on request_headers property mine
         on request_headers set-property deep/path three
         on request_headers property deep/path
         on request_headers property deep
         on request_headers set-property empty 
         on request_headers property empty
         on log property mine";
    let read = "on request_headers property mine\non response_headers property mine";
    all.push(property("stored").filter(stored).filter(read));
    let reserved = "on request_headers set-property request/path /x
         on request_headers property request/path
         on request_headers set-property request x
         on request_headers property request";
    all.push(property("stored-under-a-known-name").filter(reserved));
    all
}
