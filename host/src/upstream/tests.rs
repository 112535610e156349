//! Who is picked.

use super::cluster::Cluster;
use crate::plan;
use crate::plan::cluster::{Address, Workload};
use std::sync::Arc;
use std::time::Duration;

fn cluster(weights: &[u32]) -> Arc<Cluster> {
    let endpoint = |(port, weight): (u16, &u32)| plan::cluster::Endpoint {
        address: Address::Socket(([127, 0, 0, 1], port).into()),
        weight: *weight,
        workload: Workload::default(),
    };
    Arc::new(Cluster::new(&plan::cluster::Cluster {
        name: "test".into(),
        service: None,
        endpoints: (1..).zip(weights).map(endpoint).collect(),
        connect_timeout: Duration::from_secs(1),
    }))
}

/// Port of the endpoint picked when these numbers are drawn, in turn.
fn port(picked: Option<&super::cluster::ActiveRequest>) -> u16 {
    match picked.and_then(|active| active.endpoint()).map(|endpoint| &endpoint.address) {
        Some(Address::Socket(address)) => address.port(),
        _ => 0,
    }
}

fn drawing(numbers: &[u64]) -> impl FnMut(u64) -> u64 + '_ {
    let mut numbers = numbers.iter().copied().cycle();
    move |below| {
        let number = numbers.next().unwrap();
        assert!(number < below, "{number} is not below {below}");
        number
    }
}

#[test]
fn nobody_is_picked_from_nothing() {
    assert!(cluster(&[]).pick(drawing(&[0])).is_none());
}

#[test]
fn the_less_busy_of_two_is_picked() {
    let cluster = cluster(&[1, 1, 1]);
    let first = cluster.pick(drawing(&[0, 0]));
    assert_eq!(port(first.as_ref()), 1);
    let second = cluster.pick(drawing(&[0, 1]));
    assert_eq!(port(second.as_ref()), 2, "the first is busy");
    let third = cluster.pick(drawing(&[2, 1]));
    assert_eq!(port(third.as_ref()), 3, "of equals the one drawn first");
    drop(first);
    assert_eq!(
        port(cluster.pick(drawing(&[1, 0])).as_ref()),
        1,
        "a request that ended is forgotten"
    );
}

#[test]
fn draws_follow_the_weights() {
    let cluster = cluster(&[1, 3, 0, 2]);
    // A weight of nothing counts as one.
    let ports: Vec<u16> =
        (0..7).map(|drawn| port(cluster.pick(drawing(&[drawn])).as_ref())).collect();
    assert_eq!(ports, [1, 2, 2, 2, 3, 4, 4]);
}

#[test]
fn load_spreads_evenly_while_requests_stay() {
    let cluster = cluster(&[1, 1, 1, 1]);
    let mut random = fastrand::Rng::with_seed(7);
    let picked: Vec<_> =
        (0..400).map(|_| cluster.pick(|below| random.u64(..below)).unwrap()).collect();
    for endpoint in 1..=4 {
        let count = picked.iter().filter(|active| port(Some(active)) == endpoint).count();
        assert!((80..=120).contains(&count), "{endpoint}: {count}");
    }
}
