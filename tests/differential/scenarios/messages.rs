//! Messages whose form decides which callbacks come.

use crate::differential::scenario::Scenario;

pub(super) fn all() -> Vec<Scenario> {
    let message = |what: &str| Scenario::new(format!("message.{what}")).filter("");
    let head = |path: &str| format!("HEAD {path} HTTP/1.1\r\nhost: test.local\r\n\r\n");
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
    vec![
        message("get"),
        message("head").send(&[&head("/")]).answer(&[length]),
        message("head-chunked")
            .send(&[&head("/")])
            .answer(&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"]),
        message("204").answer(&["HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n"]),
        message("304").answer(&["HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n"]),
        message("304-with-length")
            .answer(&["HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n"]),
        message("404").answer(&["HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n", "no"]),
        message("keep-alive").get("/1").get("/2").get("/3"),
        message("keep-alive-with-bodies").post(&["one"]).post(&["two"]).get("/"),
        message("keep-alive-after-buffering")
            .filter("on request_body/more pause")
            .post(&["one"])
            .post_chunked(&["two"], ""),
        message("client-closes")
            .send(&["GET / HTTP/1.1\r\nhost: test.local\r\nconnection: close\r\n\r\n"]),
        message("query").get("/a/b?c=d&e=%20f"),
        message("options").send(&["OPTIONS /x HTTP/1.1\r\nhost: test.local\r\n\r\n"]),
        message("put")
            .send(&["PUT /x HTTP/1.1\r\nhost: test.local\r\ncontent-length: 1\r\n\r\n", "a"]),
        message("delete").send(&["DELETE /x HTTP/1.1\r\nhost: test.local\r\n\r\n"]),
        message("own-method").send(&["BREW /x HTTP/1.1\r\nhost: test.local\r\n\r\n"]),
        message("host-with-port").send(&["GET / HTTP/1.1\r\nhost: test.local:8080\r\n\r\n"]),
    ]
}
