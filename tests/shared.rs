//! The documents of others, as they are: the folder in `WEIR_SHARED`, which is no part of this
//! repository. `WEIR_SHARED=/path cargo test -- --ignored shared`.

use crate::harness::Proxy;
use crate::harness::Running;
use crate::harness::client::Client;
use crate::harness::origin::Answer;
use crate::routing::is_share;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn shared(path: &str) -> PathBuf {
    let root = std::env::var_os("WEIR_SHARED").expect("WEIR_SHARED names the shared folder");
    let path = PathBuf::from(root).join(path);
    assert!(path.exists(), "{} does not exist", path.display());
    path
}

const CALLER: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: caller, namespace: default}
spec:
  workload: {serviceAccount: frontend, labels: {app: frontend}}
  listeners: [{name: out, role: outbound, bind: "127.0.0.1:{main}"}]
"#;

/// A service whose versions are origins of these names.
fn service(name: &str, port: u16, versions: &[&str]) -> String {
    let mut out = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}, namespace: default}}\nspec:\n  hosts: [{name}.default.svc.cluster.local]\n  location: MESH_INTERNAL\n  resolution: STATIC\n  ports: [{{number: {port}, name: http, protocol: HTTP}}]\n  endpoints:\n"
    );
    for version in versions {
        out += &format!(
            "  - {{address: 127.0.0.1, ports: {{http: {{{name}-{version}}}}}, labels: {{app: {name}, version: {version}}}, serviceAccount: {name}}}\n"
        );
    }
    out
}

fn with_origins(mut proxy: Proxy, name: &str, versions: &[&str]) -> Proxy {
    for version in versions {
        let origin = format!("{name}-{version}");
        let answer = origin.clone();
        proxy = proxy.origin_with(&origin, move |_| Answer::new(200, answer.clone()));
    }
    proxy
}

/// Who answers how often.
fn answers(
    proxy: &Running,
    host: &str,
    header: Option<(&str, &str)>,
    count: u32,
) -> BTreeMap<String, u32> {
    let mut client = Client::connect(proxy.address("main"));
    let mut request = proxy.request("GET", "/").host(host);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let mut found = BTreeMap::new();
    for _ in 0..count {
        *found.entry(client.send(&request).text()).or_default() += 1;
    }
    found
}

#[test]
#[ignore = "needs WEIR_SHARED"]
fn shared_seed_routes_as_istio_says() {
    let versions = ["v1", "v2"];
    let proxy = Proxy::with(CALLER)
        .path(shared("seed"))
        .file("registry.yaml", &service("user-service", 80, &versions));
    let proxy = with_origins(proxy, "user-service", &versions).start();
    let canary = answers(&proxy, "user-service", Some(("canary", "true")), 200);
    let (v1, v2) = ("user-service-v1", "user-service-v2");
    assert!(canary.keys().all(|who| who == v2 || who == "fault filter abort"), "{canary:?}");
    // The seed delays 0.1 % of requests by 5 s; two thousand would take their time.
    let all = answers(&proxy, "user-service", None, 1000);
    let served = all.get(v1).unwrap_or(&0) + all.get(v2).unwrap_or(&0);
    assert!(served >= 990, "{all:?}");
    assert!(is_share(*all.get(v2).unwrap_or(&0), served, 0.1), "{all:?}");
}

/// File, then for each host and user who may answer, and `v: share` where it is a split.
type Expectation = (&'static str, &'static [(&'static str, bool, &'static [(&'static str, f64)])]);

const BOOKINFO: &[Expectation] = &[
    (
        "virtual-service-all-v1.yaml",
        &[
            ("productpage", false, &[("productpage-v1", 1.0)]),
            ("reviews", false, &[("reviews-v1", 1.0)]),
            ("ratings", false, &[("ratings-v1", 1.0)]),
            ("details", false, &[("details-v1", 1.0)]),
        ],
    ),
    ("virtual-service-details-v2.yaml", &[("details", false, &[("details-v2", 1.0)])]),
    (
        "virtual-service-ratings-db.yaml",
        &[("reviews", false, &[("reviews-v3", 1.0)]), ("ratings", false, &[("ratings-v2", 1.0)])],
    ),
    (
        "virtual-service-ratings-mysql.yaml",
        &[
            ("reviews", false, &[("reviews-v3", 1.0)]),
            ("ratings", false, &[("ratings-v2-mysql", 1.0)]),
        ],
    ),
    (
        "virtual-service-ratings-mysql-vm.yaml",
        &[("ratings", false, &[("no healthy upstream", 1.0)])],
    ),
    (
        "virtual-service-ratings-test-abort.yaml",
        &[
            ("ratings", true, &[("fault filter abort", 1.0)]),
            ("ratings", false, &[("ratings-v1", 1.0)]),
        ],
    ),
    ("virtual-service-ratings-test-delay.yaml", &[("ratings", false, &[("ratings-v1", 1.0)])]),
    (
        "virtual-service-reviews-50-v3.yaml",
        &[("reviews", false, &[("reviews-v1", 0.5), ("reviews-v3", 0.5)])],
    ),
    (
        "virtual-service-reviews-80-20.yaml",
        &[("reviews", false, &[("reviews-v1", 0.8), ("reviews-v2", 0.2)])],
    ),
    (
        "virtual-service-reviews-90-10.yaml",
        &[("reviews", false, &[("reviews-v1", 0.9), ("reviews-v2", 0.1)])],
    ),
    (
        "virtual-service-reviews-jason-v2-v3.yaml",
        &[("reviews", true, &[("reviews-v2", 1.0)]), ("reviews", false, &[("reviews-v3", 1.0)])],
    ),
    (
        "virtual-service-reviews-test-v2.yaml",
        &[("reviews", true, &[("reviews-v2", 1.0)]), ("reviews", false, &[("reviews-v1", 1.0)])],
    ),
    (
        "virtual-service-reviews-v2-v3.yaml",
        &[("reviews", false, &[("reviews-v2", 0.5), ("reviews-v3", 0.5)])],
    ),
    ("virtual-service-reviews-v3.yaml", &[("reviews", false, &[("reviews-v3", 1.0)])]),
];

#[test]
#[ignore = "needs WEIR_SHARED"]
fn shared_bookinfo_routes_as_istio_would() {
    let folder = shared("corpus/istio-samples/samples/bookinfo/networking");
    let there = std::fs::read_dir(&folder).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("virtual-service-")
    });
    assert_eq!(there.count(), BOOKINFO.len(), "every sample is tried");
    let services: [(&str, &[&str]); 4] = [
        ("productpage", &["v1"]),
        ("details", &["v1", "v2"]),
        ("reviews", &["v1", "v2", "v3"]),
        ("ratings", &["v1", "v2", "v2-mysql"]),
    ];
    for (file, expectations) in BOOKINFO {
        let mut proxy = Proxy::with(CALLER)
            .path(folder.join(file))
            .path(folder.join("destination-rule-all.yaml"));
        for (name, versions) in services {
            proxy = proxy.file(&format!("{name}.yaml"), &service(name, 9080, versions));
            proxy = with_origins(proxy, name, versions);
        }
        let proxy = proxy.start();
        for (host, jason, shares) in *expectations {
            let user = jason.then_some(("end-user", "jason"));
            let count = if shares.len() == 1 { 10 } else { 600 };
            let found = answers(&proxy, &format!("{host}:9080"), user, count);
            for (who, share) in *shares {
                let hits = found.get(*who).copied().unwrap_or_default();
                assert!(is_share(hits, count, *share), "{file} {host}: {found:?}");
            }
            assert_eq!(found.len(), shares.len(), "{file} {host}: {found:?}");
        }
    }
}
