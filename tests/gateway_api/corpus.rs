//! The conformance suite as files: tests with their cases, and the documents they are run on.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// One test of the suite that has cases.
pub(super) struct Test {
    pub(super) name: String,
    pub(super) features: Vec<String>,
    pub(super) manifests: Vec<PathBuf>,
    pub(super) cases: Vec<Value>,
}

pub(super) fn tests(shared: &Path) -> Vec<Test> {
    let folder = shared.join("oracles/gateway-api-conformance/cases");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let suite = shared.join("corpus/gateway-api/conformance");
    let read = |path: &PathBuf| {
        let test: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let texts = |key: &str| -> Vec<String> {
            let list = test[key].as_array().unwrap().iter();
            list.map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        Test {
            name: test["shortName"].as_str().unwrap().to_owned(),
            features: texts("features")
                .iter()
                .map(|feature| feature.trim_start_matches("Support").to_owned())
                .collect(),
            manifests: texts("manifests").iter().map(|manifest| suite.join(manifest)).collect(),
            cases: test["cases"].as_array().unwrap().clone(),
        }
    };
    paths.iter().map(read).filter(|test| !test.cases.is_empty()).collect()
}

/// What always applies.
pub(super) fn base(shared: &Path) -> Vec<PathBuf> {
    let suite = shared.join("corpus/gateway-api/conformance");
    vec![suite.join("base/manifests.yaml"), suite.join("mesh/manifests.yaml")]
}

/// Services of the manifests and the deployments behind each.
pub(super) const BACKENDS: &[(&str, &str, &[&str])] = &[
    ("gateway-conformance-infra", "infra-backend-v1", &["infra-backend-v1"]),
    ("gateway-conformance-infra", "infra-backend-v2", &["infra-backend-v2"]),
    ("gateway-conformance-infra", "infra-backend-v3", &["infra-backend-v3"]),
    ("gateway-conformance-infra", "grpc-infra-backend-v1", &["grpc-infra-backend-v1"]),
    ("gateway-conformance-infra", "grpc-infra-backend-v2", &["grpc-infra-backend-v2"]),
    ("gateway-conformance-infra", "grpc-infra-backend-v3", &["grpc-infra-backend-v3"]),
    ("gateway-conformance-app-backend", "app-backend-v1", &["app-backend-v1"]),
    ("gateway-conformance-app-backend", "app-backend-v2", &["app-backend-v2"]),
    ("gateway-conformance-web-backend", "web-backend", &["web-backend"]),
    ("gateway-conformance-infra", "manual-endpointslices", &["infra-backend-v1"]),
    ("gateway-conformance-infra", "headless", &["infra-backend-v1"]),
    ("gateway-conformance-infra", "headless-manual-endpointslices", &["infra-backend-v1"]),
    ("gateway-conformance-mesh", "echo", &["echo-v1", "echo-v2"]),
    ("gateway-conformance-mesh", "echo-v1", &["echo-v1"]),
    ("gateway-conformance-mesh", "echo-v2", &["echo-v2"]),
];

/// Deployments of the base manifests with their namespaces: the origins.
pub(super) fn deployments() -> BTreeSet<(&'static str, &'static str)> {
    let backends = BACKENDS.iter();
    backends
        .flat_map(|(namespace, _, pods)| pods.iter().map(move |pod| (*namespace, *pod)))
        .collect()
}

/// Which origin serves which service, on whichever port.
pub(super) fn endpoints() -> String {
    let mut documents = String::new();
    for (namespace, service, pods) in BACKENDS {
        let _ = write!(
            documents,
            "---\napiVersion: v1\nkind: Endpoints\n\
             metadata: {{name: {service}, namespace: {namespace}}}\nsubsets:\n"
        );
        for pod in *pods {
            documents += "- addresses: [{ip: 127.0.0.1}]\n  ports:\n";
            for name in ["\"\"", "first-port", "second-port", "third-port", "http", "http-alt"] {
                let _ = writeln!(documents, "  - {{name: {name}, port: {{{pod}}} }}");
            }
        }
    }
    documents
}

/// A Gateway of some documents, and its ports.
pub(super) struct Gateway {
    pub(super) name: String,
    namespace: String,
    ports: BTreeSet<String>,
}

/// Gateways as the suite writes them: block style, two blanks deep.
pub(super) fn gateways(documents: &str) -> Vec<Gateway> {
    let is_gateway = |document: &&str| document.lines().any(|line| line == "kind: Gateway");
    let documents = documents.split("\n---").filter(is_gateway);
    let value = |document: &str, key: &str| {
        let line = document.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default().trim().to_owned()
    };
    documents
        .map(|document| Gateway {
            name: value(document, "  name:"),
            namespace: value(document, "  namespace:"),
            ports: document
                .lines()
                .filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("port:"))
                .map(|port| port.trim().to_owned())
                .collect(),
        })
        .collect()
}

/// A proxy for each Gateway, and one for callers in each namespace of the mesh.
pub(super) fn proxies(gateways: &[Gateway]) -> String {
    let mut documents = String::new();
    for Gateway { name, namespace, ports } in gateways {
        let _ = write!(
            documents,
            "---\napiVersion: weir.dev/v1\nkind: Proxy\n\
             metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  workload:\n    \
             labels: {{gateway.networking.k8s.io/gateway-name: {name}}}\n  listeners:\n  \
             - name: edge\n    role: gateway\n    ports:\n"
        );
        for port in ports {
            let _ = writeln!(documents, "      {port}: \"127.0.0.1:{{{name}-{port}}}\"");
        }
    }
    for namespace in ["gateway-conformance-mesh", "gateway-conformance-mesh-consumer"] {
        let _ = write!(
            documents,
            "---\napiVersion: weir.dev/v1\nkind: Proxy\n\
             metadata: {{name: {namespace}, namespace: {namespace}}}\nspec:\n  listeners:\n  \
             - {{name: out, role: outbound, bind: \"127.0.0.1:{{{namespace}}}\"}}\n"
        );
    }
    documents
}
