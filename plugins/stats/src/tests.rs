use weir_sdk::{
    attribute,
    testing::{Request, Response, Stream, Test},
};

use super::Stats;

const SOURCE: &str = r#"{"reporter":"source","workload":{"workload":"web","namespace":"default",
    "principal":"spiffe://cluster.local/ns/default/sa/web","app":"web","version":"v1",
    "cluster":"Kubernetes","canonical_service":"web","canonical_revision":"v1"}"#;

fn run(test: &Test<Stats>, request: Request, prepare: impl Fn(&Stream<Stats>)) {
    let stream = test.open(request);
    stream.set_text(&attribute::WEIR_RESPONSE_FLAGS, "-");
    stream.set_i64(&attribute::REQUEST_DURATION, 12_345_678);
    stream.set_i64(&attribute::REQUEST_TOTAL_SIZE, 100);
    stream.set_i64(&attribute::RESPONSE_TOTAL_SIZE, 2_000);
    let workload =
        [("workload", "api"), ("namespace", "shop"), ("service", "api.shop.svc.cluster.local")];
    stream.set_pairs(&attribute::WEIR_DESTINATION, &workload);
    prepare(&stream);
    _ = stream.request();
    _ = stream.respond(&Response::new(200));
    stream.close();
}

#[test]
fn labels_of_the_source_in_istio_order() {
    let test = Test::<Stats>::new(&format!("{SOURCE}}}")).unwrap();
    run(&test, Request::get("/"), |_| {});
    let labels = concat!(
        r#"{reporter="source",source_workload="web",source_canonical_service="web","#,
        r#"source_canonical_revision="v1",source_workload_namespace="default","#,
        r#"source_principal="spiffe://cluster.local/ns/default/sa/web",source_app="web","#,
        r#"source_version="v1",source_cluster="Kubernetes",destination_workload="api","#,
        r#"destination_workload_namespace="shop",destination_principal="unknown","#,
        r#"destination_app="unknown",destination_version="unknown","#,
        r#"destination_service="api.shop.svc.cluster.local","#,
        r#"destination_canonical_service="unknown",destination_canonical_revision="unknown","#,
        r#"destination_service_name="unknown",destination_service_namespace="unknown","#,
        r#"destination_cluster="unknown",request_protocol="http",response_code="200","#,
        r#"grpc_response_status="",response_flags="-",connection_security_policy="unknown"}"#,
    );
    let host = test.host();
    assert_eq!(host.metric(&format!("istio_requests_total{labels}")), Some(1));
    let recorded = |family: &str| host.recorded(&format!("{family}{labels}"));
    assert_eq!(recorded("istio_request_duration_milliseconds"), [12]);
    assert_eq!(recorded("istio_request_bytes"), [100]);
    assert_eq!(recorded("istio_response_bytes"), [2_000]);
}

#[test]
fn a_series_is_defined_once_and_then_costs_few_host_calls() {
    let test = Test::<Stats>::new(&format!("{SOURCE}}}")).unwrap();
    run(&test, Request::get("/"), |_| {});
    assert_eq!(test.host().series().len(), 4);
    test.host().take_calls();
    run(&test, Request::get("/"), |_| {});
    assert_eq!(test.host().take_calls(), 11);
    assert_eq!(test.host().series().len(), 4);
    run(&test, Request::get("/"), |stream| {
        stream.set_text(&attribute::WEIR_RESPONSE_FLAGS, "UH");
    });
    assert_eq!(test.host().series().len(), 8);
}

#[test]
fn the_destination_knows_mtls_and_the_peer() {
    let test =
        Test::<Stats>::new(r#"{"reporter":"destination","workload":{"app":"api"}}"#).unwrap();
    run(&test, Request::get("/"), |stream| {
        stream.set_bool(&attribute::CONNECTION_MTLS, true);
        stream.set_pairs(&attribute::WEIR_SOURCE, &[("workload", "web"), ("app", "we\"b")]);
    });
    let series = test.host().series().concat();
    for label in [
        r#"reporter="destination""#,
        r#"source_workload="web""#,
        r#"source_app="we\"b""#,
        r#"destination_app="api""#,
        r#"destination_workload="unknown""#,
        r#"destination_service="api.shop.svc.cluster.local""#,
        r#"connection_security_policy="mutual_tls""#,
    ] {
        assert!(series.contains(label), "{label}: {series}");
    }
}

#[test]
fn grpc() {
    let test = Test::<Stats>::new(&format!("{SOURCE}}}")).unwrap();
    run(&test, Request::get("/").header("content-type", "application/grpc+proto"), |stream| {
        stream.set_i64(&attribute::RESPONSE_GRPC_STATUS, 14);
    });
    let series = test.host().series().concat();
    assert!(
        series.contains(r#"request_protocol="grpc",response_code="200",grpc_response_status="14""#)
    );
}

#[test]
fn overrides() {
    let configuration = format!(
        r#"{SOURCE},"overrides":[
            {{"metric":"request_bytes","disabled":true}},
            {{"metric":"requests_total","tags":{{
                "request_host":{{"operation":"UPSERT","value":"request.host"}},
                "tier":{{"operation":"UPSERT","value":"'gold'"}},
                "who":{{"operation":"UPSERT","value":"request.headers['X-User']"}},
                "response_code":{{"operation":"UPSERT","value":"response.code"}}}}}},
            {{"tags":{{"source_app":{{"operation":"REMOVE"}}}}}}]}}"#
    );
    let test = Test::<Stats>::new(&configuration).unwrap();
    run(&test, Request::get("/"), |_| {});
    let series = test.host().series();
    assert_eq!(series.len(), 3);
    assert!(series.iter().all(|name| !name.contains("source_app")));
    assert!(!series.concat().contains("istio_request_bytes"));
    let requests = series.first().unwrap();
    for label in [
        r#"request_host="example.com""#,
        r#"tier="gold""#,
        r#"who="unknown""#,
        r#"response_code="200""#,
    ] {
        assert!(requests.contains(label), "{label}: {requests}");
    }
    assert!(!series.get(1).unwrap().contains("request_host"));
}

#[test]
fn what_the_host_does_not_tell_is_unknown_or_not_recorded() {
    let test = Test::<Stats>::new(r#"{"reporter":"source"}"#).unwrap();
    let stream = test.open(Request::get("/"));
    _ = stream.request();
    stream.close();
    let series = test.host().series();
    assert!(series.concat().contains(r#"response_code="0""#));
    assert!(series.iter().all(|name| test.host().recorded(name).is_empty()));
}

#[test]
fn the_cache_is_bounded() {
    let configuration = r#"{"reporter":"source","overrides":[{"metric":"requests_total","tags":
        {"p":{"operation":"UPSERT","value":"request.path"}}}]}"#;
    let test = Test::<Stats>::new(configuration).unwrap();
    for n in 0..1_100 {
        run(&test, Request::get(&format!("/{n}")), |_| {});
    }
    run(&test, Request::get("/0"), |_| {});
    let first = test.host().series().first().cloned().unwrap();
    assert_eq!(test.host().metric(&first), Some(2));
}

#[test]
fn refused_configurations() {
    let tag = |value: &str| {
        format!(
            r#"{{"reporter":"source","overrides":[{{"tags":{{"t":{{"operation":"UPSERT"{value}}}}}}}]}}"#
        )
    };
    for configuration in [
        "{}".to_owned(),
        r#"{"reporter":"client"}"#.to_owned(),
        r#"{"reporter":"source","overrides":[{"metric":"nope"}]}"#.to_owned(),
        tag(""),
        tag(r#","value":"request.host + 'x'""#),
        tag(r#","value":"nope.nope""#),
        tag(r#","value":"'a' + 'b'""#),
    ] {
        assert!(Test::<Stats>::new(&configuration).is_err(), "{configuration}");
    }
}
