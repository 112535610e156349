//! Plugins that trap, and what becomes of the request and of those after it.

use super::matrix::full;
use crate::differential::scenario::{Scenario, Vms};

pub(super) fn all() -> Vec<Scenario> {
    let failure = |what: &str| Scenario::new(format!("failure.{what}"));
    vec![
        failure("create").filter("on create trap"),
        failure("log").filter("on log trap"),
        failure("done").filter("on done trap"),
        failure("tick-while-paused").filter(
            "on configure tick 5
             on request_headers pause
             on tick trap",
        ),
        failure("next-request-closed").filter("on request_headers trap").get("/1").get("/2"),
        failure("next-request-open")
            .filter("on request_headers trap")
            .fails_open()
            .get("/1")
            .get("/2"),
        failure("open-in-a-chain")
            .filter("on response_headers add 2 x-first 1")
            .filter("on request_headers trap")
            .fails_open()
            .filter("on response_headers add 2 x-last 1")
            .vms(Vms::Each),
        full("failure.response-headers-open").filter("on response_headers trap").fails_open(),
        full("failure.response-body-open").filter("on response_body trap").fails_open(),
        full("failure.after-a-reply")
            .filter("on request_headers reply 403 no\non request_headers trap"),
        full("failure.on-the-way-back-of-a-reply")
            .filter("on response_headers trap")
            .filter("on request_headers reply 403 no"),
    ]
}
