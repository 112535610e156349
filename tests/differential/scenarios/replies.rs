//! Local replies: their form, and what the way back makes of them.

use crate::differential::scenario::Scenario;

pub(super) fn all() -> Vec<Scenario> {
    let reply = |what: &str, script: &str| Scenario::new(format!("reply.{what}")).filter(script);
    let show = "on response_headers get 2 content-type
         on response_headers get 2 content-length
         on response_headers get 2 :status
         on response_body body 1 0 100
         on log property response/code
         on log property response/code_details
         on log property response/flags";
    vec![
        reply("without-body", "on request_headers reply 403 "),
        reply("200", "on request_headers reply 200 fine"),
        reply("204", "on request_headers reply 204 ignored"),
        reply("304", "on request_headers reply 304 ignored"),
        reply("503", "on request_headers reply 503 "),
        reply("599", "on request_headers reply 599 odd"),
        reply("100", "on request_headers reply 100 early"),
        reply("0", "on request_headers reply 0 nothing"),
        reply("70000", "on request_headers reply 70000 huge"),
        reply("details", "on request_headers reply-details 401 who are you").filter(show),
        reply("to-head", "on request_headers reply 403 hidden")
            .send(&["HEAD / HTTP/1.1\r\nhost: test.local\r\n\r\n"]),
        reply("seen-on-the-way-back", show).filter("on request_headers reply 403 no"),
        reply("changed-on-the-way-back", CHANGE).filter("on request_headers reply 403 no"),
        reply("paused-on-the-way-back", PAUSE).filter("on request_headers reply 403 no"),
        reply("answered-on-the-way-back", "on response_headers reply 418 other")
            .filter("on request_headers reply 403 no"),
        reply("twice", "on request_headers reply 403 first\non request_headers reply 404 second"),
        reply("and-pause", "on request_headers reply 403 no\non request_headers pause"),
        reply("and-continue", "on request_headers reply 403 no\non request_headers continue 0"),
        reply("then-next-request", "on request_headers reply 403 no").get("/1").get("/2"),
        reply("before-the-body", "on request_headers reply 403 no").post(&["abc", "def"]),
        reply("binary", "on request_headers reply 200 \\x00\\xff\\x80"),
        reply("no-upstream-response", show)
            .answer(&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"])
            .closing(),
        reply("upstream-closes", show).answer(&[""]).closing(),
        reply("upstream-talks-nonsense", show).answer(&["nonsense\r\n\r\n"]).closing(),
        // Replies in `on_log` and `on_done` have no scenario. Envoy 1.40 calls `on_log` again, and
        // again, until its stack overflows; after one in `on_done` it uses the stream it has freed.
    ]
}

const CHANGE: &str = "on response_headers replace 2 :status 402
     on response_headers add 2 x-added yes
     on response_headers remove 2 content-length
     on response_body splice 1 0 100 changed";

const PAUSE: &str = "on configure tick 5
     on response_headers pause
     on tick resume response";
