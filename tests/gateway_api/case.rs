//! One case: the request it sends and what it expects, as the suite's Go code compares them.

use super::corpus::Test;
use crate::harness::Running;
use crate::harness::client::{Request, Response};
use serde_json::Value;

const GRPC_SERVICE: &str = "/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/";

/// Why a case cannot be run here, if so.
pub(super) fn obstacle(test: &Test, index: usize) -> Option<&'static str> {
    let tls = ["TLSRoute", "BackendTLSPolicy"].iter();
    let by_feature = tls.clone().any(|feature| test.features.iter().any(|it| it == feature));
    let by_name = test.name.contains("HTTPSListener") || test.name.contains("ClientCertificate");
    if by_feature || by_name || (test.name == "HTTPRouteRedirectPortAndScheme" && index >= 9) {
        return Some("TLS");
    }
    let case = &test.cases[index]["case"];
    let protocol = &case["Request"]["Protocol"];
    if !protocol.is_null() || test.name.starts_with("MeshGRPC") {
        return Some("HTTP/2");
    }
    if test.name == "HTTPRouteServiceTypes" {
        return None;
    }
    let mut case = case.clone();
    if let Some(response) = case["Response"].as_object_mut() {
        // Named status codes of gRPC; read below.
        response.remove("Code");
    }
    case.to_string().contains("$expr").then_some("computed by the suite")
}

/// Runs a case on one of the proxies' listeners.
pub(super) fn run(running: &Running, to: &str, case: &Value) -> Result<(), String> {
    if is_grpc(case) { grpc(running, to, case) } else { http(running, to, case) }
}

fn is_grpc(case: &Value) -> bool {
    grpc_method(case).is_some()
}

fn grpc_method(case: &Value) -> Option<&'static str> {
    let methods = [("EchoRequest", "Echo"), ("EchoTwoRequest", "EchoTwo")];
    let methods = methods.into_iter().chain([("EchoThreeRequest", "EchoThree")]);
    methods.into_iter().find(|(key, _)| case.get(*key).is_some()).map(|(_, method)| method)
}

/// Pairs of a map; a list of values is what a header of several lines comes to.
pub(super) fn pairs(map: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| match value.as_array() {
        Some(list) => {
            list.iter().map(|it| it.as_str().unwrap_or_default()).collect::<Vec<_>>().join(",")
        }
        None => value.as_str().unwrap_or_default().to_owned(),
    };
    let entries = map.as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A call carried by HTTP/1.1: the matching is the same, the framing is not looked at.
fn grpc(running: &Running, to: &str, case: &Value) -> Result<(), String> {
    let path = format!("{GRPC_SERVICE}{}", grpc_method(case).unwrap_or_default());
    let metadata = &case["RequestMetadata"];
    let mut request = Request::new(running.address(to), "POST", &path);
    if let Some(authority) = metadata["Authority"].as_str() {
        request = request.host(authority);
    }
    for (name, value) in pairs(&metadata["Metadata"]) {
        request = request.header(&name, &value);
    }
    let response = request.header("content-length", "0").send();
    let code = case["Response"]["Code"]["$expr"].as_str().unwrap_or("codes.OK");
    let status = if code == "codes.Unimplemented" { 404 } else { 200 };
    same("status", &response.status, &status)?;
    if status != 200 {
        return Ok(());
    }
    let echo = echo(&response)?;
    // Headers are not compared: of three rules with the same match the suite's data expects each to
    // act, so its own code cannot be comparing them.
    came_from(&echo, case)
}

fn http(running: &Running, to: &str, case: &Value) -> Result<(), String> {
    let response = request(running, to, case).send();
    let expected = &case["Response"];
    let statuses: Vec<u16> = match (&expected["StatusCode"], &expected["StatusCodes"]) {
        (Value::Number(code), _) => vec![code.as_u64().unwrap() as u16],
        (_, Value::Array(codes)) => codes.iter().map(|it| it.as_u64().unwrap() as u16).collect(),
        _ => vec![200],
    };
    if !statuses.contains(&response.status) {
        return Err(format!("status {}, expected {statuses:?}", response.status));
    }
    if !case["RedirectRequest"].is_null() {
        redirected(&response, case)?;
    }
    if response.status == 200 && case["Request"]["Method"] != "OPTIONS" {
        arrived(&response, case)?;
    }
    for (name, value) in pairs(&expected["Headers"]) {
        same(&name, &joined(&response, &name).as_deref(), &Some(value.as_str()))?;
    }
    for name in texts(&expected["AbsentHeaders"]) {
        same(name, &joined(&response, &name.to_ascii_lowercase()), &None)?;
    }
    for (name, values) in expected["ValidHeaderValues"].as_object().into_iter().flatten() {
        let found = joined(&response, &name.to_ascii_lowercase()).unwrap_or_default();
        if !texts(values).contains(&found.as_str()) {
            return Err(format!("{name}: {found:?}, expected one of {values}"));
        }
    }
    if !case["MirroredTo"].is_null() {
        return Err("no request is mirrored".to_owned());
    }
    Ok(())
}

/// The request of a case, as the suite's client would send it.
pub(super) fn request(running: &Running, to: &str, case: &Value) -> Request {
    let asked = &case["Request"];
    let method = asked["Method"].as_str().unwrap_or("GET");
    let path = asked["Path"].as_str().filter(|path| !path.is_empty()).unwrap_or("/");
    let mut request = Request::new(running.address(to), method, path);
    let headers = pairs(&asked["Headers"]);
    let host = headers.iter().find(|(name, _)| name == "host").map(|(_, value)| value.as_str());
    // Mesh cases are sent to this service unless they name another.
    let default = to.starts_with("gateway-conformance-mesh").then_some("echo");
    if let Some(host) = host.or(asked["Host"].as_str()).or(default) {
        request = request.host(host);
    }
    for (name, value) in headers.iter().filter(|(name, _)| name != "host") {
        request = request.header(name, value);
    }
    let set = pairs(&case["BackendSetResponseHeaders"]);
    if !set.is_empty() {
        let set: Vec<String> = set.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        request = request.header("x-echo-set-header", &set.join(","));
    }
    request
}

/// Compares what arrived at the backend.
fn arrived(response: &Response, case: &Value) -> Result<(), String> {
    let echo = echo(response)?;
    came_from(&echo, case)?;
    let expected = match &case["ExpectedRequest"]["Request"] {
        Value::Null => &case["Request"],
        expected => expected,
    };
    let field = |name: &str| {
        let own = expected[name].as_str().filter(|text| !text.is_empty());
        own.or(case["Request"][name].as_str()).filter(|text| !text.is_empty())
    };
    if let Some(path) = field("Path") {
        same("path", &echo["path"].as_str(), &Some(path))?;
    }
    if let Some(method) = field("Method") {
        same("method", &echo["method"].as_str(), &Some(method))?;
    }
    if let Some(host) = expected["Host"].as_str().filter(|host| !host.is_empty()) {
        same("host", &echo["host"].as_str(), &Some(host))?;
    }
    for (name, value) in pairs(&expected["Headers"]).iter().filter(|(name, _)| name != "host") {
        same(name, &echoed(&echo, name).as_deref(), &Some(value.as_str()))?;
    }
    for name in texts(&case["ExpectedRequest"]["AbsentHeaders"]) {
        same(name, &echoed(&echo, name), &None)?;
    }
    Ok(())
}

pub(super) fn echo(response: &Response) -> Result<Value, String> {
    serde_json::from_slice(&response.body).map_err(|error| format!("{error}: {}", response.text()))
}

fn came_from(echo: &Value, case: &Value) -> Result<(), String> {
    let pod = echo["pod"].as_str().unwrap_or_default();
    let backend = case["Backend"].as_str().unwrap_or_default();
    if !pod.starts_with(backend) {
        return Err(format!("pod {pod}, expected {backend}"));
    }
    match case["Namespace"].as_str() {
        Some(namespace) => same("namespace", &echo["namespace"].as_str(), &Some(namespace)),
        None => Ok(()),
    }
}

fn echoed(echo: &Value, name: &str) -> Option<String> {
    let lines = echo["headers"].get(name.to_ascii_lowercase())?;
    Some(texts(lines).join(","))
}

fn joined(response: &Response, name: &str) -> Option<String> {
    let lines = response.header_all(name);
    (!lines.is_empty()).then(|| lines.join(","))
}

/// Compares the location part by part; a port that is the scheme's own may be left out.
fn redirected(response: &Response, case: &Value) -> Result<(), String> {
    let location = response.header("location").ok_or("no location")?;
    let (scheme, rest) = location.split_once("://").ok_or("location has no scheme")?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let own_port = |scheme: &str| if scheme == "https" { "443" } else { "80" };
    let expected = &case["RedirectRequest"];
    let text = |name: &str| expected[name].as_str().filter(|text| !text.is_empty());
    let expected_scheme = text("Scheme").unwrap_or("http");
    same("scheme", &scheme, &expected_scheme)?;
    if let Some(expected) = text("Host") {
        same("host", &host, &expected)?;
    }
    let found = if port.is_empty() { own_port(scheme) } else { port };
    same("port", &found, &text("Port").unwrap_or(own_port(expected_scheme)))?;
    let path_before = case["Request"]["Path"].as_str().unwrap_or("/");
    same("path", &path, &text("Path").unwrap_or(path_before))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {found:?}, expected {expected:?}"))
}
