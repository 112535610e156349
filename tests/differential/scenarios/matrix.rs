//! Every callback and what a filter can do in it, on a request and a response that have everything:
//! a body in two pieces and trailers.

use crate::differential::scenario::Scenario;

/// Callback, its direction, its header map and its body buffer.
struct At {
    callback: &'static str,
    direction: &'static str,
    map: u32,
    buffer: u32,
}

const CALLBACKS: [At; 6] = [
    At { callback: "request_headers", direction: "request", map: 0, buffer: 0 },
    At { callback: "request_body", direction: "request", map: 0, buffer: 0 },
    At { callback: "request_trailers", direction: "request", map: 1, buffer: 0 },
    At { callback: "response_headers", direction: "response", map: 2, buffer: 1 },
    At { callback: "response_body", direction: "response", map: 2, buffer: 1 },
    At { callback: "response_trailers", direction: "response", map: 3, buffer: 1 },
];

/// A request and an answer with everything. Their trailers are announced: see `bodies` for those that
/// are not.
pub(super) fn full(name: &str) -> Scenario {
    let request = "POST / HTTP/1.1\r\nhost: test.local\r\nte: trailers\r\n\
                   trailer: x-request-sum\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\ntrailer: x-response-sum\r\ntransfer-encoding: chunked\r\n\r\n";
    let (sum, total) = ("0\r\nx-request-sum: 12\r\n\r\n", "0\r\nx-response-sum: 7\r\n\r\n");
    Scenario::new(name).send(&[request, "6\r\nfirst \r\n", "6\r\nsecond\r\n", sum]).answer(&[
        answer,
        "4\r\none \r\n",
        "3\r\ntwo\r\n",
        total,
    ])
}

pub(super) fn all() -> Vec<Scenario> {
    let mut all = vec![full("matrix.continue").filter(""), full("matrix.no-filter")];
    for At { callback, direction, map, buffer } in CALLBACKS {
        let named = |what: &str| full(&format!("matrix.{callback}.{what}"));
        all.push(named("pause").filter(&format!(
            "on configure tick 5
             on {callback} pause
             on tick resume {direction}"
        )));
        all.push(named("pause-and-resume-at-once").filter(&format!(
            "on {callback} continue {}
             on {callback} pause",
            u32::from(direction == "response")
        )));
        all.push(named("reply").filter(&format!("on {callback}/first reply 418 teapot")));
        all.push(named("reply-while-paused").filter(&format!(
            "on configure tick 5
             on {callback}/first pause
             on tick reply 418 teapot"
        )));
        all.push(named("edit-body").filter(&format!(
            "on {callback} body {buffer} 0 100
             on {callback} splice {buffer} 0 0 <
             on {callback} splice {buffer} 100 0 >
             on {callback} body {buffer} 0 100"
        )));
        all.push(named("edit-headers").filter(&format!(
            "on {callback} add {map} x-added 1
             on {callback} replace {map} x-replaced 2
             on {callback} remove {map} x-{direction}-sum"
        )));
        all.push(named("trap").filter(&format!("on {callback} trap")));
        // Envoy 1.40 dies of a segmentation fault when a filter closes the stream in this callback.
        if callback != "response_trailers" {
            all.push(named("close").filter(&format!(
                "on {callback}/first close {}",
                u32::from(direction == "response")
            )));
        }
    }
    all
}
