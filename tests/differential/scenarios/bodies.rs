//! Bodies: how callbacks see them, and what edits do to length and framing.

use super::matrix::full;
use crate::differential::scenario::Scenario;

const SHOW: &str = "on request_body body 0 0 100
     on response_body body 1 0 100";

const BUFFER: &str = "on request_body/more pause
     on response_body/more pause";

/// What authors for Envoy have to do themselves.
const NO_LENGTH: &str = "on request_headers remove 0 content-length
     on response_headers remove 2 content-length";

const REPLACE: &str = "on request_body/end splice 0 0 1000 new request
     on response_body/end splice 1 0 1000 new response";

fn body(what: &str, script: &str) -> Scenario {
    Scenario::new(format!("body.{what}")).filter(script)
}

pub(super) fn all() -> Vec<Scenario> {
    [framings(), edits()].into_iter().flatten().collect()
}

fn framings() -> Vec<Scenario> {
    let with_length = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n";
    let until_close = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let empty = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let whole = "POST / HTTP/1.1\r\nhost: test.local\r\ncontent-length: 3\r\n\r\nabc";
    vec![
        body("empty", SHOW).post(&[]).answer(&[empty]),
        body("empty-chunked", SHOW).post_chunked(&[], "").answer_chunked(&[], ""),
        body("only-trailers", SHOW)
            .post_chunked(&[], "x-sum: 0\r\n")
            .answer_chunked(&[], "x-sum: 0\r\n"),
        body("one-piece", SHOW).post(&["abc"]).answer(&[with_length, "response"]),
        body("with-the-head", SHOW).send(&[whole]).answer(&[&format!("{with_length}response")]),
        body("two-pieces", SHOW).post(&["abc", "def"]).answer(&[with_length, "resp", "onse"]),
        body("chunked", SHOW).post_chunked(&["abc"], "").answer_chunked(&["abc"], ""),
        body("many-chunks", SHOW)
            .post_chunked(&["a", "bc", "def", "g"], "")
            .answer_chunked(&["a", "bc", "def", "g"], ""),
        body("until-close", SHOW).answer(&[until_close, "resp", "onse"]).closing(),
        body("buffered", &format!("{BUFFER}\n{SHOW}")).post(&["abc", "def"]).answer(&[
            with_length,
            "resp",
            "onse",
        ]),
        body("buffered-chunks", &format!("{BUFFER}\n{SHOW}"))
            .post_chunked(&["a", "bc", "def"], "")
            .answer_chunked(&["a", "bc", "def"], ""),
        body("buffered-then-trailers", &format!("{BUFFER}\n{SHOW}"))
            .post_chunked(&["a", "bc"], "x-sum: 1\r\n")
            .answer_chunked(&["a", "bc"], "x-sum: 2\r\n"),
    ]
}

fn edits() -> Vec<Scenario> {
    let with_length = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n";
    vec![
        body("replaced", &format!("{NO_LENGTH}\n{BUFFER}\n{REPLACE}"))
            .post(&["abc", "def"])
            .answer(&[with_length, "resp", "onse"]),
        body("replaced-and-length-kept", &format!("{BUFFER}\n{REPLACE}"))
            .post(&["abc", "def"])
            .answer(&[with_length, "resp", "onse"]),
        body("replaced-by-the-same-length", &format!("{BUFFER}\n{SAME_LENGTH}"))
            .post(&["abc", "def"])
            .answer(&[with_length, "resp", "onse"]),
        body("emptied", "on request_body splice 0 0 1000 \non response_body splice 1 0 1000 ")
            .post_chunked(&["abc", "def"], "")
            .answer_chunked(&["resp", "onse"], ""),
        body("appended-at-the-end", APPEND)
            .post_chunked(&["abc"], "")
            .answer_chunked(&["resp"], ""),
        body("ranges", RANGES).post_chunked(&["abcdef"], "").answer_chunked(&["abcdef"], ""),
        body("reads", READS).post_chunked(&["abcdef"], ""),
        body("read-in-other-callbacks", OTHERS).post_chunked(&["abcdef"], ""),
        body("paused-once", PAUSED_ONCE)
            .post_chunked(&["abc", "def", "ghi"], "")
            .answer_chunked(&["abc", "def", "ghi"], ""),
        full("body.paused-at-the-end").filter(
            "on configure tick 5
             on request_body/end pause
             on tick resume request
             on response_body/end pause
             on tick resume response",
        ),
        body("trailers-added-at-the-end", ADD_TRAILERS)
            .post_chunked(&["abc"], "")
            .answer_chunked(&["abc"], ""),
        body("reply-at-the-end", "on request_body/end reply 418 teapot")
            .post_chunked(&["abc", "def"], ""),
        body("reply-at-the-end-of-a-length", "on request_body/end reply 418 teapot")
            .post(&["abc", "def"]),
        body("reply-at-the-first-piece-of-a-length", "on request_body/first reply 418 teapot")
            .post(&["abc", "def"]),
        body("reply-to-buffered", &format!("{BUFFER}\non request_body/end reply 418 teapot"))
            .post_chunked(&["abc", "def"], ""),
        body("reply-to-buffered-response", &format!("{BUFFER}\non response_body/end reply 418 t"))
            .answer_chunked(&["abc", "def"], ""),
    ]
}

const SAME_LENGTH: &str = "on request_body/end splice 0 0 3 xyz
     on response_body/end splice 1 0 4 RESP";

const APPEND: &str = "on request_body/end splice 0 0 0 -more
     on response_body/end splice 1 0 0 -more";

const RANGES: &str = "on request_body/first splice 0 1 2 XX
     on request_body/first body 0 0 100
     on request_body/first splice 0 4 100 Z
     on request_body/first body 0 0 100
     on response_body/first splice 1 2 0 ++
     on response_body/first body 1 0 100
     on response_body/first splice 1 0 3 
     on response_body/first body 1 0 100";

const READS: &str = "on request_body/first body 0 2 2
     on request_body/first body 0 5 100
     on request_body/first body 0 6 1
     on request_body/first body 0 7 1
     on request_body/first body 0 0 0
     on request_body/first body 0 4294967295 1
     on request_body/first body 1 0 100
     on request_body/first body 2 0 100
     on request_body/first body 4 0 100
     on request_body/first body 7 0 100
     on request_body/first body 99 0 100
     on request_body/first status 0
     on request_body/first status 1
     on request_body/first splice 1 0 0 x
     on request_body/first splice 7 0 0 x
     on request_body/first splice 99 0 0 x";

const OTHERS: &str = "on request_headers body 0 0 100
     on request_headers splice 0 0 0 x
     on response_headers body 0 0 100
     on response_headers body 1 0 100
     on response_headers splice 1 0 0 x
     on response_body/first body 0 0 100
     on log body 0 0 100
     on log body 1 0 100";

const PAUSED_ONCE: &str = "on configure tick 5
     on request_body body 0 0 100
     on request_body/first pause
     on tick resume request
     on response_body body 1 0 100
     on response_body/first pause
     on tick resume response";

const ADD_TRAILERS: &str = "on request_body/end add 1 x-late 1
     on response_body/end add 3 x-late 1";
