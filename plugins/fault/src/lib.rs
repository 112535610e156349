//! `builtin:fault`: delays and aborts a share of the requests.
//!
//! Both are drawn independently and at once; a delayed request may be aborted afterwards, as in
//! Envoy's fault filter.

mod grpc;

use std::time::Duration;

use serde::Deserialize;
use weir_sdk::{
    ConfigDuration, EndOfStream, Error, Exchange, Flow, Percentage, Plugin, Reply, Setup, Timer,
};

weir_sdk::export!(Fault, [on_request_headers, on_timer]);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    delay: Option<Delay>,
    abort: Option<Abort>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Delay {
    #[serde(default)]
    percentage: Percentage,
    fixed_delay: ConfigDuration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Abort {
    #[serde(default)]
    percentage: Percentage,
    http_status: Option<u16>,
    grpc_status: Option<String>,
}

pub struct Fault {
    delay: Option<(Percentage, Duration)>,
    abort: Option<(Percentage, Reply<'static>)>,
}

/// What was drawn for one request.
#[derive(Default)]
pub struct Drawn {
    delayed: Option<Timer>,
    abort: bool,
}

impl Plugin for Fault {
    type Config = Config;
    type Stream = Drawn;

    fn new(config: Config, _: &mut Setup) -> weir_sdk::Result<Self> {
        if config.delay.is_none() && config.abort.is_none() {
            return Err(Error::new("neither delay nor abort is given"));
        }
        let delay = config.delay.map(|delay| (delay.percentage, delay.fixed_delay.0));
        let abort = match config.abort {
            Some(abort) => Some((abort.percentage, reply(&abort)?)),
            None => None,
        };
        Ok(Self { delay, abort })
    }

    fn on_request_headers(
        &self,
        drawn: &mut Drawn,
        exchange: &mut Exchange<'_>,
        _: EndOfStream,
    ) -> Flow {
        drawn.abort = self.abort.as_ref().is_some_and(|(share, _)| exchange.sample(*share));
        let delay = self.delay.as_ref().filter(|(share, _)| exchange.sample(*share));
        if let Some((_, delay)) = delay.filter(|(_, delay)| !delay.is_zero()) {
            match exchange.set_timer(*delay) {
                Ok(timer) => {
                    drawn.delayed = Some(timer);
                    exchange.add_response_flag("DI");
                    return Flow::Pause;
                }
                // A fault that cannot be injected must not break the request.
                Err(error) => weir_sdk::warn!("request not delayed: {error}"),
            }
        }
        self.proceed(drawn, exchange)
    }

    fn on_timer(&self, drawn: &mut Drawn, exchange: &mut Exchange<'_>, timer: Timer) {
        if drawn.delayed != Some(timer) {
            return;
        }
        drawn.delayed = None;
        if self.proceed(drawn, exchange) == Flow::Continue
            && let Err(error) = exchange.resume_request()
        {
            weir_sdk::error!("delayed request not resumed: {error}");
        }
    }
}

impl Fault {
    fn proceed(&self, drawn: &Drawn, exchange: &Exchange<'_>) -> Flow {
        match &self.abort {
            Some((_, reply)) if drawn.abort => {
                exchange.add_response_flag("FI");
                exchange.reply(reply)
            }
            _ => Flow::Continue,
        }
    }
}

fn reply(abort: &Abort) -> weir_sdk::Result<Reply<'static>> {
    let reply = match (abort.http_status, &abort.grpc_status) {
        (Some(status @ 200..=599), None) => {
            let headers = [("content-type", b"text/plain".as_slice())];
            Reply::new(status).headers(headers.into_iter()).body(b"fault filter abort".as_slice())
        }
        (Some(status), None) => {
            return Err(Error::new(format!("abort.httpStatus {status} is not in 200..599")));
        }
        (None, Some(name)) => {
            let code = grpc::code(name).ok_or_else(|| {
                Error::new(format!("abort.grpcStatus {name:?} is not a gRPC status"))
            })?;
            let text = code.to_string();
            let headers = [
                ("content-type", b"application/grpc".as_slice()),
                ("grpc-status", text.as_bytes()),
                ("grpc-message", b"fault filter abort".as_slice()),
            ];
            Reply::new(200).headers(headers.into_iter()).grpc_status(code)
        }
        _ => return Err(Error::new("abort needs either httpStatus or grpcStatus")),
    };
    Ok(reply.details("fault_filter_abort"))
}

#[cfg(test)]
mod tests;
