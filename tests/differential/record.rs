//! Committed transcripts, one file for each scenario: Envoy's, and Weir's where it differs on purpose.

use super::scenario::Scenario;
use super::transcript::Transcript;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential")).join(name)
}

pub(super) fn names(of: &str) -> Vec<String> {
    let files = fs::read_dir(folder(of)).unwrap().map(|entry| entry.unwrap().file_name());
    files
        .filter_map(|name| name.into_string().unwrap().strip_suffix(".txt").map(str::to_owned))
        .collect()
}

/// A scenario that was never recorded has an empty transcript.
pub(super) fn read(of: &str, scenarios: &[Scenario]) -> BTreeMap<String, Transcript> {
    let text = |name: &str| fs::read_to_string(folder(of).join(format!("{name}.txt")));
    scenarios
        .iter()
        .map(|it| (it.name.clone(), Transcript(text(&it.name).unwrap_or_default())))
        .collect()
}

pub(super) fn write<'a>(of: &str, transcripts: impl Iterator<Item = (&'a String, &'a Transcript)>) {
    let folder = folder(of);
    fs::create_dir_all(&folder).unwrap();
    for (name, transcript) in transcripts {
        fs::write(folder.join(format!("{name}.txt")), transcript.to_string()).unwrap();
    }
}
