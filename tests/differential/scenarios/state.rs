//! What outlives a stream: shared data, queues, metrics, contexts; and calls about the host itself.

use crate::differential::scenario::Scenario;

pub(super) fn all() -> Vec<Scenario> {
    let state = |what: &str, script: &str| Scenario::new(format!("state.{what}")).filter(script);
    vec![
        state("shared-data", SHARED),
        state("shared-data-between-filters", "on request_headers shared set between 1 any")
            .filter("on request_headers shared get between"),
        state(
            "shared-data-between-requests",
            "on request_headers shared get kept
             on response_headers shared set kept 1 any",
        )
        .get("/1")
        .get("/2"),
        state("queue", QUEUE),
        state("counter", COUNTER),
        state("gauge", GAUGE),
        state("histogram", HISTOGRAM),
        state("metric-kinds", KINDS),
        state("foreign-functions", FOREIGN),
        state("effective-context", EFFECTIVE),
        state("continue-without-pause", CONTINUE),
        state("done", "on request_headers done\non done done\non log done"),
    ]
}

const SHARED: &str = "on request_headers shared get none
     on request_headers shared set key one any
     on request_headers shared get key
     on request_headers shared set key two same
     on request_headers shared get key
     on request_headers shared set key three other
     on request_headers shared get key
     on request_headers shared set key four any
     on request_headers shared get key
     on request_headers shared set fresh one other
     on request_headers shared get fresh
     on request_headers shared set hollow  any
     on request_headers shared get hollow";

const QUEUE: &str = "on request_headers queue q1 take
     on request_headers queue q1 put one
     on request_headers queue q1 put two
     on request_headers queue q1 take
     on request_headers queue q1 take
     on request_headers queue q1 take";

const COUNTER: &str = "on request_headers metric 0 d_counter define
     on request_headers metric 0 d_counter get
     on request_headers metric 0 d_counter increment 2
     on request_headers metric 0 d_counter get
     on request_headers metric 0 d_counter record 3
     on request_headers metric 0 d_counter get
     on request_headers metric 0 d_counter increment 0
     on request_headers metric 0 d_counter increment -1
     on request_headers metric 0 d_counter get
     on request_headers metric 0 d_counter unknown";

const GAUGE: &str = "on request_headers metric 1 d_gauge increment 5
     on request_headers metric 1 d_gauge get
     on request_headers metric 1 d_gauge increment -3
     on request_headers metric 1 d_gauge get
     on request_headers metric 1 d_gauge increment 0
     on request_headers metric 1 d_gauge increment -10
     on request_headers metric 1 d_gauge get
     on request_headers metric 1 d_gauge record 7
     on request_headers metric 1 d_gauge get
     on request_headers metric 1 d_gauge unknown";

const HISTOGRAM: &str = "on request_headers metric 2 d_histogram define
     on request_headers metric 2 d_histogram record 5
     on request_headers metric 2 d_histogram increment 1
     on request_headers metric 2 d_histogram get
     on request_headers metric 2 d_histogram unknown";

const KINDS: &str = "on request_headers metric 0 d_kind define
     on request_headers metric 1 d_kind define
     on request_headers metric 9 d_odd define
     on request_headers metric 0 d.dotted define
     on request_headers metric 0 d_kind define";

const FOREIGN: &str = "on request_headers foreign nothing x
     on request_headers foreign clear_route_cache ";

const EFFECTIVE: &str = "on request_headers effective 999999
     on request_headers property request/path
     on request_headers effective 0
     on request_headers property request/path";

/// Envoy 1.40 dies when a response is continued that has not come yet.
const CONTINUE: &str = "on request_headers continue 0
     on request_headers continue 2
     on request_headers continue 3
     on request_headers continue 4
     on response_headers continue 1";
