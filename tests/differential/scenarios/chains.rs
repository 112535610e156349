//! Three filters: requests pass them in order, responses in reverse.

use super::matrix::full;
use crate::differential::scenario::{Scenario, Vms};

const MARK: &str = "on request_headers add 0 x-order 1
     on response_headers add 2 x-order 1
     on request_body/first splice 0 100 0 !
     on response_body/first splice 1 100 0 !";

pub(super) fn all() -> Vec<Scenario> {
    let mut all = vec![
        full("chain.order").filter("").filter("").filter(""),
        full("chain.order-in-vms-of-their-own").filter("").filter("").filter("").vms(Vms::Each),
        Scenario::new("chain.order-without-bodies").filter("").filter("").filter(""),
        full("chain.edits-add-up").filter(MARK).filter(MARK).filter(MARK),
        full("chain.all-pause-headers").filter(&pause("headers")).filter(&pause("headers")),
        full("chain.all-pause-bodies").filter(&pause("body")).filter(&pause("body")),
        full("chain.all-buffer").filter(BUFFER).filter(BUFFER).filter(BUFFER),
        full("chain.middle-buffers").filter("").filter(BUFFER).filter(""),
        full("chain.two-reply").filter("").filter(REPLY).filter(REPLY),
    ];
    let phases = ["request_headers", "request_body", "response_headers", "response_body"];
    for phase in phases {
        for position in 0..3 {
            let mut scenario = full(&format!("chain.reply-in-{phase}-of-{position}"));
            for at in 0..3 {
                let script = format!("on {phase}/first reply 418 from-{position}");
                scenario = scenario.filter(if at == position { &script } else { "" });
            }
            all.push(scenario);
        }
    }
    for phase in ["request_headers", "response_headers"] {
        let script = format!("on {phase} trap");
        all.push(
            full(&format!("chain.trap-in-{phase}-of-the-middle"))
                .filter("")
                .filter(&script)
                .filter("")
                .vms(Vms::Each),
        );
        all.push(
            full(&format!("chain.trap-in-{phase}-of-a-shared-vm"))
                .filter("")
                .filter(&script)
                .filter(""),
        );
    }
    all
}

const BUFFER: &str = "on request_body/more pause
     on response_body/more pause
     on request_body/end body 0 0 100
     on response_body/end body 1 0 100";

const REPLY: &str = "on request_headers reply 418 teapot";

fn pause(what: &str) -> String {
    format!(
        "on configure tick 5
         on request_{what}/first pause
         on tick resume request
         on response_{what}/first pause
         on tick resume response"
    )
}
