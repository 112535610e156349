//! From text to segments.

use super::{Command, HeaderName, Map, Segment, time::TimeFormat};
use crate::{
    Error, Result,
    attribute::{self, Attribute},
};

pub(super) fn segments(text: &str) -> Result<Vec<Segment>> {
    let mut segments = Vec::new();
    let mut literal = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        literal.extend_from_slice(before.as_bytes());
        if let Some(tail) = after.strip_prefix('%') {
            literal.push(b'%');
            rest = tail;
            continue;
        }
        let (body, tail) = split_command(after)
            .ok_or_else(|| Error::new(format!("unterminated command %{after}; write %% for %")))?;
        if !literal.is_empty() {
            segments.push(Segment::Literal(std::mem::take(&mut literal)));
        }
        segments.push(command(body)?);
        rest = tail;
    }
    literal.extend_from_slice(rest.as_bytes());
    if !literal.is_empty() {
        segments.push(Segment::Literal(literal));
    }
    Ok(segments)
}

/// Splits `NAME(argument):max%rest` at its closing percent sign, which may not be the first: the
/// argument of `START_TIME` has its own.
fn split_command(text: &str) -> Option<(&str, &str)> {
    let open = text.find('(');
    let percent = text.find('%')?;
    let from = match open {
        Some(open) if open < percent => {
            let argument = text.get(open..)?;
            // Whichever closes first, or a later command's end would be taken for this one's.
            let closings = [argument.find(")%"), argument.find("):")];
            open + closings.into_iter().flatten().min()?
        }
        _ => 0,
    };
    let end = from + text.get(from..)?.find('%')?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

fn command(text: &str) -> Result<Segment> {
    let malformed = || Error::new(format!("malformed command %{text}%"));
    let (name, argument, bytes_max) = match text.split_once('(') {
        None => match text.split_once(':') {
            None => (text, None, None),
            Some((name, max)) => (name, None, Some(max)),
        },
        Some((name, rest)) => {
            let (argument, max) = rest.rsplit_once(')').ok_or_else(malformed)?;
            let max = match max {
                "" => None,
                max => Some(max.strip_prefix(':').ok_or_else(malformed)?),
            };
            (name, Some(argument), max)
        }
    };
    let bytes_max = bytes_max.map(str::parse).transpose().map_err(|_| malformed())?;
    let command = match argument {
        None => plain(name),
        Some(argument) => with_argument(name, argument)?,
    };
    let command = command.ok_or_else(|| Error::new(format!("unknown command %{text}%")))?;
    Ok(Segment::Command { command, bytes_max })
}

fn plain(name: &str) -> Option<Command> {
    Some(match name {
        "START_TIME" => Command::StartTime(TimeFormat::parse("").ok()?),
        "PROTOCOL" => Command::Text(attribute::REQUEST_PROTOCOL),
        "RESPONSE_CODE" => Command::Count(attribute::RESPONSE_CODE),
        "RESPONSE_CODE_DETAILS" => Command::Text(attribute::RESPONSE_CODE_DETAILS),
        "CONNECTION_TERMINATION_DETAILS" => {
            Command::Text(attribute::CONNECTION_TERMINATION_DETAILS)
        }
        "RESPONSE_FLAGS" => Command::ResponseFlags,
        "BYTES_RECEIVED" => Command::Count(attribute::REQUEST_SIZE),
        "BYTES_SENT" => Command::Count(attribute::RESPONSE_SIZE),
        "DURATION" => Command::Milliseconds(attribute::REQUEST_DURATION),
        "GRPC_STATUS_NUMBER" => Command::Number(attribute::RESPONSE_GRPC_STATUS),
        "UPSTREAM_HOST" => Command::Text(attribute::UPSTREAM_ADDRESS),
        "UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW" => Command::Text(attribute::XDS_CLUSTER_NAME),
        "UPSTREAM_REQUEST_ATTEMPT_COUNT" => {
            Command::Count(attribute::UPSTREAM_REQUEST_ATTEMPT_COUNT)
        }
        "UPSTREAM_TRANSPORT_FAILURE_REASON" => {
            Command::Text(attribute::UPSTREAM_TRANSPORT_FAILURE_REASON)
        }
        "UPSTREAM_LOCAL_ADDRESS" => Command::Text(attribute::UPSTREAM_LOCAL_ADDRESS),
        "DOWNSTREAM_REMOTE_ADDRESS" => Command::Text(attribute::SOURCE_ADDRESS),
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Command::Address(attribute::SOURCE_ADDRESS),
        "DOWNSTREAM_LOCAL_ADDRESS" => Command::Text(attribute::DESTINATION_ADDRESS),
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => Command::Address(attribute::DESTINATION_ADDRESS),
        "DOWNSTREAM_LOCAL_PORT" => Command::Number(attribute::DESTINATION_PORT),
        "DOWNSTREAM_PEER_URI_SAN" => Command::Text(attribute::CONNECTION_URI_SAN_PEER_CERTIFICATE),
        "REQUESTED_SERVER_NAME" => Command::Text(attribute::CONNECTION_REQUESTED_SERVER_NAME),
        "ROUTE_NAME" => Command::Text(attribute::XDS_ROUTE_NAME),
        _ => return None,
    })
}

fn with_argument(name: &str, argument: &str) -> Result<Option<Command>> {
    Ok(Some(match name {
        "REQ" => header(Map::Request, argument, true)?,
        "REQ_WITHOUT_QUERY" => header(Map::Request, argument, false)?,
        "RESP" => header(Map::Response, argument, true)?,
        "TRAILER" => header(Map::Trailers, argument, true)?,
        "START_TIME" => Command::StartTime(TimeFormat::parse(argument)?),
        "FILTER_STATE" => Command::Text(Attribute::of(&[argument])),
        _ => return Ok(None),
    }))
}

/// `NAME` or `NAME?ALTERNATIVE`.
fn header(map: Map, argument: &str, query: bool) -> Result<Command> {
    let tree: &[&str] = match map {
        Map::Request => &["request", "headers"],
        Map::Response => &["response", "headers"],
        Map::Trailers => &["response", "trailers"],
    };
    let names: Vec<_> = argument
        .split('?')
        .map(|name| {
            let name = name.trim().to_ascii_lowercase();
            let attribute = Attribute::of(&[tree, &[name.as_str()]].concat());
            HeaderName { name, attribute }
        })
        .collect();
    if names.len() > 2 || names.iter().any(|header| header.name.is_empty()) {
        return Err(Error::new(format!("{argument:?} is not NAME or NAME?ALTERNATIVE")));
    }
    Ok(Command::Header { map, names, query })
}
