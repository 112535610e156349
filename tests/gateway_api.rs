//! Gateway API's conformance suite against a live proxy.
//!
//! `WEIR_SHARED=DIR cargo test --test suite gateway -- --ignored` runs every case that is data
//! rather than Go code; DIR holds the suite's manifests and cases, which are not part of this
//! repository. The score by feature is printed, and one pass less than [`FLOOR`] fails.

mod case;
mod corpus;

use crate::harness::client::Request;
use crate::harness::origin::{Answer, Received};
use crate::harness::{Proxy, Running};
use corpus::Test;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Cases that passed when this was last changed.
const FLOOR: usize = 0;

/// The method of the suite's weight test.
const GRPC_ECHO: &str = "/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/Echo";

#[test]
#[ignore = "needs the conformance suite's files, named by WEIR_SHARED"]
fn shared_gateway_conformance() {
    let shared = std::env::var("WEIR_SHARED").expect("WEIR_SHARED names a folder");
    let shared = Path::new(&shared);
    let mut score = Score::default();
    for test in corpus::tests(shared) {
        let runnable: Vec<usize> = (0..test.cases.len())
            .filter(|index| match case::obstacle(&test, *index) {
                Some(why) => {
                    score.left_out(&test, why);
                    false
                }
                None => true,
            })
            .collect();
        if runnable.is_empty() {
            continue;
        }
        let running = start(shared, &test);
        for index in runnable {
            if test.name == "HTTPRouteReferenceGrant" && index == 1 {
                // The suite deletes the grants in between.
                running.publish(|| running.write("manifests-2.yaml", &without_grants(&test)));
            }
            score.add(&test, index, run(&running, &test, index));
        }
    }
    let report = score.report();
    println!("{report}");
    assert!(score.passed >= FLOOR, "{} passed, {FLOOR} did before", score.passed);
}

/// A proxy for each Gateway of the base manifests and the test's own, an origin for each deployment.
fn start(shared: &Path, test: &Test) -> Running {
    let paths = corpus::base(shared).into_iter().chain(test.manifests.clone());
    let texts: Vec<String> = paths.map(|path| fs::read_to_string(path).unwrap()).collect();
    let gateways: Vec<_> = texts.iter().flat_map(|text| corpus::gateways(text)).collect();
    let mut proxy = Proxy::with(&corpus::proxies(&gateways));
    proxy = proxy.file("endpoints.yaml", &corpus::endpoints());
    for (index, text) in texts.iter().enumerate() {
        proxy = proxy.file(&format!("manifests-{index}.yaml"), text);
    }
    for (namespace, deployment) in corpus::deployments() {
        proxy = proxy.origin_with(deployment, move |request| echo(namespace, deployment, request));
    }
    proxy.start()
}

fn without_grants(test: &Test) -> String {
    let text = fs::read_to_string(&test.manifests[0]).unwrap();
    let documents = text.split("\n---");
    let kept: Vec<&str> =
        documents.filter(|document| !document.contains("kind: ReferenceGrant")).collect();
    kept.join("\n---")
}

/// The suite's `echo-basic`: the request as JSON, after `delay` and with the headers asked for.
fn echo(namespace: &str, deployment: &str, request: &Received) -> Answer {
    let names: BTreeSet<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    let headers: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!(request.header_all(name)))).collect();
    let body = json!({
        "path": request.target,
        "host": request.header("host"),
        "method": request.method,
        "proto": "HTTP/1.1",
        "headers": headers,
        "namespace": namespace,
        "pod": format!("{deployment}-7d4b"),
    });
    let mut answer = Answer::new(200, body.to_string()).header("content-type", "application/json");
    for header in request.header("x-echo-set-header").unwrap_or_default().split(',') {
        if let Some((name, value)) = header.split_once(':') {
            answer = answer.header(name.trim(), value.trim());
        }
    }
    if request.target.contains("delay=1s") { answer.delay(Duration::from_secs(1)) } else { answer }
}

fn run(running: &Running, test: &Test, index: usize) -> Result<(), String> {
    let case = &test.cases[index]["case"];
    if test.name.ends_with("Weight") {
        return weights(running, test, case);
    }
    for listener in listeners(test, index) {
        case::run(running, &listener, case)?;
    }
    Ok(())
}

/// Where the suite's Go code sends a case: that is not in the data.
fn listeners(test: &Test, index: usize) -> Vec<String> {
    let case = &test.cases[index];
    let line = case["line"].as_u64().unwrap_or_default();
    if test.features.iter().any(|feature| feature == "Mesh") {
        let consumer = test.name == "MeshConsumerRoute" && index == 0;
        let suffix = if consumer { "-consumer" } else { "" };
        return vec![format!("gateway-conformance-mesh{suffix}")];
    }
    let gateway = match test.name.as_str() {
        "HTTPRouteCrossNamespace" => "backend-namespaces",
        "HTTPRouteMultipleGateways" if index >= 2 => "all-namespaces",
        "HTTPRouteRedirectPortAndScheme" if index >= 6 => {
            return vec!["same-namespace-with-http-listener-on-8080-8080".to_owned()];
        }
        "HTTPRouteHostnameIntersection" if line >= 326 => "httproute-hostname-intersection-all",
        // The same table for two Gateways.
        "GatewayHTTPListenerIsolation" => {
            let names = ["", "-with-hostname-intersection"].iter();
            return names.map(|name| format!("http-listener-isolation{name}-80")).collect();
        }
        _ => return vec![own_listener(test, case)],
    };
    vec![format!("{gateway}-80")]
}

/// The Gateway of the test's manifest, else the base's; the port that Host names, else 80.
fn own_listener(test: &Test, case: &Value) -> String {
    let manifests = test.manifests.iter().map(|path| fs::read_to_string(path).unwrap());
    let gateways: Vec<_> = manifests.flat_map(|text| corpus::gateways(&text)).collect();
    let other = test.name == "HTTPRouteRedirectPortAndScheme";
    let own = gateways.first().filter(|_| !other).map(|gateway| gateway.name.as_str());
    let host = case["case"]["Request"]["Host"].as_str().unwrap_or_default();
    let port = match host.split_once(':') {
        Some((_, port)) if test.name == "HTTPRouteListenerPortMatching" => port,
        _ => "80",
    };
    format!("{}-{port}", own.unwrap_or("same-namespace"))
}

/// 70, 30 and 0 of 100, give or take 5, over 500 requests.
fn weights(running: &Running, test: &Test, case: &Value) -> Result<(), String> {
    const REQUESTS: usize = 500;
    let listener = &listeners(test, 0)[0];
    let mut counts = BTreeMap::<String, usize>::new();
    let method = if test.name.starts_with("GRPC") { "POST" } else { "GET" };
    let mut client = running.connect(listener);
    for _ in 0..REQUESTS {
        let request = match method {
            "GET" => case::request(running, listener, case),
            _ => Request::new(running.address(listener), "POST", GRPC_ECHO)
                .header("content-length", "0"),
        };
        let response = client.send(&request);
        if response.status != 200 {
            return Err(format!("status {}", response.status));
        }
        let pod = case::echo(&response)?["pod"].as_str().unwrap_or_default().to_owned();
        *counts.entry(pod).or_default() += 1;
    }
    for (version, percent) in [("v1", 70.0), ("v2", 30.0), ("v3", 0.0)] {
        let of_version = counts.iter().filter(|(pod, _)| pod.contains(version));
        let found: usize = of_version.map(|(_, count)| *count).sum();
        let share = found as f64 * 100.0 / REQUESTS as f64;
        if (share - percent).abs() > 5.0 {
            return Err(format!("{version} got {share} of 100 requests, expected {percent}"));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Score {
    passed: usize,
    /// Passed and run, by feature.
    features: BTreeMap<String, (usize, usize)>,
    failures: Vec<String>,
    /// Cases by what they need and this proxy has not.
    left_out: BTreeMap<&'static str, (usize, BTreeSet<String>)>,
}

impl Score {
    fn add(&mut self, test: &Test, index: usize, outcome: Result<(), String>) {
        self.passed += usize::from(outcome.is_ok());
        for feature in &test.features {
            let (passed, run) = self.features.entry(feature.clone()).or_default();
            *passed += usize::from(outcome.is_ok());
            *run += 1;
        }
        if let Err(why) = outcome {
            let request = &test.cases[index]["case"]["Request"];
            self.failures.push(format!("{} {}: {why}; {request}", test.name, index));
        }
    }

    fn left_out(&mut self, test: &Test, why: &'static str) {
        let (count, names) = self.left_out.entry(why).or_default();
        *count += 1;
        names.insert(test.name.clone());
    }

    fn report(&self) -> String {
        let mut text = String::new();
        for (feature, (passed, run)) in &self.features {
            let _ = writeln!(text, "{passed:>4} of {run:>4}  {feature}");
        }
        for failure in &self.failures {
            let _ = writeln!(text, "failed: {failure}");
        }
        for (why, (count, names)) in &self.left_out {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let _ = writeln!(text, "not run: {count} need {why}: {}", names.join(", "));
        }
        let run = self.passed + self.failures.len();
        let _ = writeln!(text, "{} of {run} cases passed", self.passed);
        text
    }
}
