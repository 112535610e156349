//! Header maps: reading, changing, and what goes on.

use super::matrix::full;
use crate::differential::scenario::Scenario;

pub(super) fn all() -> Vec<Scenario> {
    let headers = |what: &str, script: &str| Scenario::new(format!("header.{what}")).filter(script);
    let twice = "GET / HTTP/1.1\r\nhost: test.local\r\nx-two: 1\r\nX-Two: 2\r\ncookie: a=1\r\n\
                 cookie: b=2\r\n\r\n";
    let answered_twice = "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nX-Two: 1\r\n\
                          x-two: 2\r\ncontent-length: 0\r\n\r\n";
    vec![
        headers("several-values", SEVERAL).send(&[twice]).answer(&[answered_twice]),
        headers("replace-several", "on request_headers replace 0 x-two 3").send(&[twice]),
        headers("remove-several", "on request_headers remove 0 x-two").send(&[twice]),
        headers("add-to-several", "on request_headers add 0 x-two 3").send(&[twice]),
        headers("case", CASE),
        headers("missing", MISSING),
        headers("empty-value", EMPTY),
        headers("pseudo-read", PSEUDO),
        headers("pseudo-path", "on request_headers replace 0 :path /other?x=1"),
        headers("pseudo-method", "on request_headers replace 0 :method PUT"),
        headers("pseudo-authority", "on request_headers replace 0 :authority other.local"),
        headers("host-replaced", "on request_headers replace 0 host other.local"),
        headers("pseudo-status", "on response_headers replace 2 :status 404"),
        headers("pseudo-added", "on request_headers add 0 :path /added"),
        headers("pseudo-removed-status", "on response_headers remove 2 :status"),
        headers("pseudo-removed-path", "on request_headers remove 0 :path"),
        headers("no-utf-8", "on request_headers get 0 x-raw\non response_headers get 2 x-raw")
            .send_bytes(b"GET / HTTP/1.1\r\nhost: test.local\r\nx-raw: \xff\xfe\x80\r\n\r\n")
            .answer_bytes(b"HTTP/1.1 200 OK\r\nx-raw: \xc3\x28\r\ncontent-length: 0\r\n\r\n"),
        headers("write-no-utf-8", "on request_headers add 0 x-raw \\xff\\xfe"),
        headers("write-control-bytes", CONTROL),
        headers("write-odd-names", NAMES),
        headers("all-replaced", ALL),
        headers("forwarded-proto-removed", "on request_headers remove 0 x-forwarded-proto"),
        headers("response-replaced", "on response_headers set-pairs 2 :status=201 x-only=1"),
        headers("other-phase-reads", OTHER_READS),
        headers("other-phase-writes", OTHER_WRITES),
        headers("unknown-map", "on request_headers get 9 x\non request_headers add 9 x y"),
        headers("call-maps", "on request_headers get 6 x\non request_headers pairs 7"),
        full("header.trailers-everywhere").filter(TRAILERS),
        full("header.in-log").filter(IN_LOG),
        headers("sizes", "on request_headers size 1\non response_headers size 2")
            .answer(&["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]),
        headers("after-the-head-is-sent", LATE).post_chunked(&["abc"], ""),
        headers("after-the-response-head", "on response_body/first add 2 x-late 1")
            .answer_chunked(&["abc"], ""),
    ]
}

const SEVERAL: &str = "on request_headers get 0 x-two
     on request_headers get 0 cookie
     on response_headers get 2 set-cookie
     on response_headers get 2 x-two
     on response_headers pairs 2";

const CASE: &str = "on request_headers add 0 X-Upper A
     on request_headers get 0 x-upper
     on request_headers get 0 X-UPPER
     on request_headers get 0 HOST
     on response_headers replace 2 X-Upper B
     on response_headers remove 2 X-UPPER
     on response_headers add 2 X-Lower c";

const MISSING: &str = "on request_headers get 0 x-none
     on request_headers remove 0 x-none
     on request_headers replace 0 x-none new
     on response_headers get 2 x-none";

const EMPTY: &str = "on request_headers add 0 x-empty 
     on request_headers get 0 x-empty
     on response_headers add 2 x-empty ";

const PSEUDO: &str = "on request_headers get 0 :path
     on request_headers get 0 :method
     on request_headers get 0 :authority
     on request_headers get 0 :scheme
     on request_headers get 0 :status
     on request_headers get 0 host
     on request_headers get 0 :nothing
     on response_headers get 2 :status
     on response_headers get 2 :path";

const CONTROL: &str = "on request_headers add 0 x-nul a\\x00b
     on request_headers add 0 x-newline a\\x0d\\x0ab
     on request_headers add 0 x-tab a\\x09b";

const NAMES: &str = "on request_headers add 0 x-blank\\x20 a
     on request_headers add 0 x(odd) b
     on request_headers add 0 x_under c";

const ALL: &str = "on request_headers set-pairs 0 :method=GET :path=/all \
     :authority=all.local :scheme=http x-forwarded-proto=http x-only=1 x-only=2";

const OTHER_READS: &str = "on request_headers get 2 x
     on request_headers pairs 2
     on request_headers size 2
     on request_headers get 1 x
     on request_headers pairs 1
     on response_headers get 0 :path
     on response_headers get 0 x-none
     on response_headers size 0
     on response_headers get 3 x";

const OTHER_WRITES: &str = "on request_headers add 2 x-early 1
     on request_headers remove 2 x-early
     on request_headers add 1 x-trailer 1
     on response_headers add 0 x-late 1
     on response_headers remove 0 host
     on response_headers add 3 x-trailer 1";

const TRAILERS: &str = "on request_trailers get 1 x-request-sum
     on request_trailers pairs 1
     on request_trailers size 1
     on request_trailers add 1 x-more 2
     on request_trailers get 0 :path
     on response_trailers get 3 x-response-sum
     on response_trailers replace 3 x-response-sum 8
     on response_trailers get 2 :status";

const IN_LOG: &str = "on log get 0 :path
     on log get 2 :status
     on log get 1 x-request-sum
     on log get 3 x-response-sum
     on log get 0 x-none
     on done get 0 :path
     on done get 2 :status";

const LATE: &str = "on request_body/first add 0 x-late 1
     on request_body/first get 0 :path";
