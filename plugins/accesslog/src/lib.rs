//! `builtin:accesslog`: one line a request, in Envoy's format strings.
//!
//! The default is Istio's text format, byte for byte. Values cannot break a line: in text they are
//! escaped as nginx does (Envoy writes them raw), JSON is always valid UTF-8.

use std::collections::BTreeMap;

use serde::Deserialize;
use weir_sdk::{
    Error, Exchange, Plugin, Setup,
    access_log::AccessLog as Sink,
    format::{Format, Style, Subject, write_json_string},
};

weir_sdk::export!(AccessLog, [on_log]);

/// Istio's default (`telemetry_logging.go`).
const ISTIO_TEXT: &str = concat!(
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" ",
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% ",
    "%CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" ",
    "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% ",
    "\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" ",
    "\"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% ",
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% ",
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n",
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default = "standard_output")]
    path: String,
    format: Option<Written>,
}

fn standard_output() -> String {
    "/dev/stdout".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Written {
    Text(String),
    Json(BTreeMap<String, String>),
}

enum Compiled {
    Text(Format),
    /// Keys as JSON strings, in order.
    Json(Vec<(Vec<u8>, Format)>),
}

pub struct AccessLog {
    sink: Sink,
    compiled: Compiled,
    request_headers: usize,
}

impl Plugin for AccessLog {
    type Config = Config;
    type Stream = ();

    fn new(config: Config, _: &mut Setup) -> weir_sdk::Result<Self> {
        if config.path.is_empty() || config.path.contains('\0') {
            return Err(Error::new("path is not a file name"));
        }
        let (compiled, request_headers) = match config.format {
            None => text(ISTIO_TEXT)?,
            Some(Written::Text(format)) => text(&format)?,
            Some(Written::Json(fields)) => json(&fields)?,
        };
        Ok(Self { sink: Sink::new(&config.path), compiled, request_headers })
    }

    fn on_log(&self, _: &mut (), exchange: &mut Exchange<'_>) {
        let exchange = &*exchange;
        self.sink.write(exchange, |line| {
            let subject = Subject::new(exchange, self.request_headers);
            match &self.compiled {
                Compiled::Text(format) => format.write(&subject, Style::Log, line),
                Compiled::Json(fields) => write_object(fields, &subject, line),
            }
        });
    }
}

fn text(format: &str) -> weir_sdk::Result<(Compiled, usize)> {
    let format = Format::parse(format).map_err(|e| Error::new(format!("format.text: {e}")))?;
    let request_headers = format.request_headers();
    Ok((Compiled::Text(format), request_headers))
}

fn json(fields: &BTreeMap<String, String>) -> weir_sdk::Result<(Compiled, usize)> {
    let mut compiled = Vec::with_capacity(fields.len());
    for (key, format) in fields {
        let format = Format::parse(format)
            .map_err(|error| Error::new(format!("format.json.{key}: {error}")))?;
        let mut quoted = Vec::new();
        write_json_string(key.as_bytes(), &mut quoted);
        compiled.push((quoted, format));
    }
    let request_headers = compiled.iter().map(|(_, format)| format.request_headers()).sum();
    Ok((Compiled::Json(compiled), request_headers))
}

fn write_object(fields: &[(Vec<u8>, Format)], subject: &Subject<'_, '_>, line: &mut Vec<u8>) {
    line.push(b'{');
    for (index, (key, format)) in fields.iter().enumerate() {
        if index > 0 {
            line.push(b',');
        }
        line.extend_from_slice(key);
        line.push(b':');
        format.write_json(subject, line);
    }
    line.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests;
