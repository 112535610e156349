//! Where Weir is not Envoy, on purpose. What Weir does instead is recorded under `weir`, so that a
//! further difference in the same scenario does not go unseen.

/// Scenarios that end differently for one reason.
pub(super) struct Deliberate {
    /// What is different, and why that is better.
    pub(super) reason: &'static str,
    pub(super) scenarios: &'static [&'static str],
}

/// The reason for a scenario's difference.
pub(super) fn reason(scenario: &str) -> Option<&'static str> {
    DELIBERATE.iter().find(|it| it.scenarios.contains(&scenario)).map(|it| it.reason)
}

pub(super) const DELIBERATE: &[Deliberate] = &[
    Deliberate {
        reason: "Reads at the wrong time answer what is known or NotFound, and late writes are \
                 ignored, where Envoy says BadArgument: the SDKs turn that into a trap, and with it \
                 every stream of the VM is lost.",
        scenarios: &[
            "header.after-the-head-is-sent",
            "header.after-the-response-head",
            "header.call-maps",
            "header.in-log",
            "header.other-phase-reads",
            "header.other-phase-writes",
            "header.sizes",
            "matrix.request_body.edit-headers",
            "matrix.response_body.edit-headers",
            "property.request-in-the-response",
            "property.lengths-in-the-response",
        ],
    },
    Deliberate {
        reason: "A body may be written in any callback of its direction, not only in its own, for \
                 the same reason; what is written goes out.",
        scenarios: &[
            "body.read-in-other-callbacks",
            "matrix.request_headers.edit-body",
            "matrix.request_trailers.edit-body",
            "matrix.response_headers.edit-body",
            "matrix.response_trailers.edit-body",
        ],
    },
    Deliberate {
        reason: "`proxy_set_buffer_bytes` replaces any range, as the specification says; Envoy \
                 refuses one that neither starts at 0 nor lies behind the end.",
        scenarios: &["body.ranges"],
    },
    Deliberate {
        reason: "A range that overflows 32 bits is refused, and a buffer that is not there (the \
                 response's in the request, other protocols') is not found; Envoy reads an empty one.",
        scenarios: &["body.reads"],
    },
    Deliberate {
        reason: "Content-Length is corrected when a body is edited: Envoy cuts the body at the old \
                 length, or leaves the peer waiting.",
        scenarios: &["body.replaced-and-length-kept"],
    },
    Deliberate {
        reason: "The last piece of a body waits for its end callback, so that a filter that refuses \
                 the request at its end keeps it from being whole upstream.",
        scenarios: &["body.reply-at-the-end-of-a-length"],
    },
    Deliberate {
        reason: "Over HTTP/1.1 hyper writes only trailers that a Trailer line has announced, and to \
                 a client only with `te: trailers`; those pass (see matrix.continue).",
        scenarios: &[
            "body.buffered-then-trailers",
            "body.only-trailers",
            "body.trailers-added-at-the-end",
            "header.trailers-everywhere",
            "matrix.request_trailers.edit-headers",
            "matrix.response_trailers.edit-headers",
        ],
    },
    Deliberate {
        reason: "While a filter holds the headers the body is not read, so nothing is buffered: \
                 other filters see it when the headers go on.",
        scenarios: &["reply.paused-on-the-way-back"],
    },
    Deliberate {
        reason: "A VM that trapped is replaced at once: later requests, and filters the request has \
                 not reached, get a fresh one. Envoy's FAIL_CLOSED answers 503 until the \
                 configuration changes.",
        scenarios: &["failure.next-request-closed", "chain.trap-in-request_headers-of-a-shared-vm"],
    },
    Deliberate {
        reason: "`onFailure: open` means that the failing request goes on too; Envoy's FAIL_OPEN \
                 fails it with 503 and skips the filter from then on.",
        scenarios: &[
            "failure.next-request-open",
            "failure.open-in-a-chain",
            "failure.response-body-open",
            "failure.response-headers-open",
        ],
    },
    Deliberate {
        reason: "A stream that waits for a VM that died is answered 503; in Envoy it hangs.",
        scenarios: &["failure.tick-while-paused"],
    },
    Deliberate {
        reason: "A stream closed by a filter before there was an answer is answered 503: a bare \
                 close looks like a fault of the network.",
        scenarios: &[
            "matrix.request_body.close",
            "matrix.request_headers.close",
            "matrix.request_trailers.close",
            "matrix.response_headers.close",
        ],
    },
    Deliberate {
        reason: "A callback that resumes and then answers Pause goes on: Envoy loses the wake-up, \
                 and the stream hangs.",
        scenarios: &[
            "matrix.request_body.pause-and-resume-at-once",
            "matrix.request_headers.pause-and-resume-at-once",
            "matrix.response_body.pause-and-resume-at-once",
            "matrix.response_headers.pause-and-resume-at-once",
        ],
    },
    Deliberate {
        reason: "To resume what is not paused means nothing: Envoy sends the request upstream \
                 twice. Resuming the downstream connection of a request is not implemented.",
        scenarios: &["state.continue-without-pause"],
    },
    Deliberate {
        reason: "A pseudo-header has one value and stays: Envoy joins a second path to the first, \
                 answers 404 or 502 without one.",
        scenarios: &[
            "header.pseudo-added",
            "header.pseudo-removed-path",
            "header.pseudo-removed-status",
        ],
    },
    Deliberate {
        reason: "A request keeps its route whatever its fields: Envoy finds none for one whose \
                 x-forwarded-proto a filter removed.",
        scenarios: &["header.forwarded-proto-removed"],
    },
    Deliberate {
        reason: "A name or value that may not go on the wire is refused when it is written; Envoy \
                 takes it and fails the request later.",
        scenarios: &["header.write-control-bytes", "header.write-odd-names"],
    },
    Deliberate {
        reason: "A request without a body goes upstream without Content-Length, as it came; Envoy \
                 adds `content-length: 0` for some methods.",
        scenarios: &["header.pseudo-method", "message.options"],
    },
    Deliberate {
        reason: "Answers without a body carry no framing of the body they stand for (RFC 9110 \
                 §8.6 leaves it open).",
        scenarios: &["message.304-with-length", "message.head-chunked"],
    },
    Deliberate {
        reason: "Methods of one's own pass (RFC 9110 §9.1); Envoy's parser knows a fixed list.",
        scenarios: &["message.own-method"],
    },
    Deliberate {
        reason: "`Connection` of the upstream's hop is not shown to filters.",
        scenarios: &["body.until-close"],
    },
    Deliberate {
        reason: "The number of endpoints is told once the cluster is settled: a filter may choose \
                 another.",
        scenarios: &["property.connection"],
    },
    Deliberate {
        reason: "Legacy names answer besides `xds.*`: plugins for other hosts ask for them.",
        scenarios: &["property.names", "property.names-in-log"],
    },
    Deliberate {
        reason: "Stored properties of several segments can be read again.",
        scenarios: &["property.stored"],
    },
    Deliberate {
        reason: "A local reply with a status that is no final one is refused: Envoy sends 0, 100 \
                 and 4464 to the client.",
        scenarios: &["reply.0", "reply.100", "reply.70000"],
    },
    Deliberate {
        reason: "An upstream that closes in the middle of a response has ended the connection \
                 (UC); Envoy calls it a protocol error (UPE).",
        scenarios: &["reply.no-upstream-response"],
    },
    Deliberate {
        reason: "Context 0 is none of the ABI's; in Envoy it is the VM's own.",
        scenarios: &["state.effective-context"],
    },
    Deliberate {
        reason: "`clear_route_cache` is not there yet: the route is settled before the chain runs.",
        scenarios: &["state.foreign-functions"],
    },
    Deliberate {
        reason: "One name is one metric of one kind: exposition has one type for each.",
        scenarios: &["state.metric-kinds"],
    },
];
