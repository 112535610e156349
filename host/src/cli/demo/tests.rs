use super::guide::Guide;
use super::origin::{self, requested};
use super::workspace::{Ports, QUICKSTART, prepare};
use http::StatusCode;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use std::{fs, io, path::Path};

/// Ports of one test each: below the range the system hands out to clients, and disjoint.
const BASES: [u16; 2] = [23_080, 21_080];

#[test]
fn every_quickstart_file_is_embedded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/quickstart");
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let embedded: Vec<&str> = QUICKSTART.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, embedded);
}

#[test]
fn a_workspace_holds_the_policies_on_the_ports_asked_for() {
    let workspace = prepare(Ports::from_base(BASES[0]).unwrap()).unwrap();
    let read = |name: &str| fs::read_to_string(workspace.policies.join(name)).unwrap();
    assert!(read("proxy.yaml").contains("bind: 127.0.0.1:23080\n"));
    assert!(read("proxy.yaml").contains("app: 127.0.0.1:24092\n"));
    assert!(read("registry.yaml").contains("http: 24081\n"));
    assert!(read("registry.yaml").contains("number: 80\n"));
    assert!(read("virtual-service.yaml").contains("weight: 90"));
    assert_eq!(workspace.running().admin.port(), 30_000);

    workspace.silence_access_log().unwrap();
    assert!(!read("telemetry.yaml").contains("name: envoy"));
    assert!(read("telemetry.yaml").contains("disabled: true"));

    let printed = Guide(&workspace.running()).to_string();
    assert!(
        printed.contains("http://127.0.0.1:23080/") && !printed.contains("8080/ "),
        "{printed}"
    );

    let (policies, plugins) = (workspace.policies.clone(), workspace.plugins.clone());
    workspace.remove().unwrap();
    assert!(!policies.exists() && !plugins.exists());
}

#[test]
fn the_ports_as_written_are_the_base() {
    let ports = Ports::from_base(Ports::BASE).unwrap();
    assert_eq!(ports.data().port(), 8080);
    assert_eq!(ports.admin().port(), 15_000);
    for base in [0, 60_000] {
        let error = Ports::from_base(base).unwrap_err();
        assert!(error.to_string().contains("1 to 58615"), "{error}");
    }
}

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let ports = Ports::from_base(BASES[1]).unwrap();
    let _taken = TcpListener::bind(ports.stranger()).unwrap();
    let error = prepare(ports).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let message = error.to_string();
    assert!(message.contains("127.0.0.1:21081") && message.contains("--port-base"), "{message}");
}

#[test]
fn an_origin_answers_what_the_path_asks() {
    let answer = |path| requested(path).map(|answer| (answer.status.as_u16(), answer.delay));
    let at_once = Duration::ZERO;
    assert_eq!(answer("/"), Ok((200, at_once)));
    assert_eq!(answer("/status/503"), Ok((503, at_once)));
    assert_eq!(answer("/delay/0.25"), Ok((200, Duration::from_millis(250))));
    assert_eq!(answer("/delay/1e9"), Ok((200, Duration::from_secs(60))));
    for path in ["/status/99", "/status/100", "/status/x", "/delay/-1", "/delay/nan", "/delay/"] {
        assert_eq!(answer(path), Err(StatusCode::BAD_REQUEST), "{path}");
    }
}

#[test]
fn an_origin_echoes_the_request_and_keeps_the_connection() {
    let address = origin::spawn("v2", SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for _ in 0..2 {
        let request =
            "POST /a?b=c HTTP/1.1\r\nhost: x\r\nx-a: 1\r\nx-a: 2\r\ncontent-length: 2\r\n\r\nhi";
        stream.write_all(request.as_bytes()).unwrap();
        let answer = read_answer(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("x-version: v2\r\n"), "{answer}");
        let body = concat!(
            r#"{"service":"user-service","version":"v2","method":"POST","path":"/a?b=c","#,
            r#""headers":{"content-length":"2","host":"x","x-a":"1, 2"},"body":"hi"}"#
        );
        assert!(answer.ends_with(body), "{answer}");
    }
}

fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    let mut buffer = [0; 1024];
    while !answer.ends_with('}') {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    answer
}
