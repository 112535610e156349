//! The policy compiler on documents as people write them: `NAME.yaml` in `tests/policy/`, the plan
//! it becomes in `NAME.plan` and everything said about it in `NAME.errors`.
//!
//! `WEIR_BLESS=1 cargo test policy` rewrites the expectations; read the difference before keeping
//! it. A first line `# mode: strict` or `# mode: istio` chooses the load mode.

mod print;

use std::fs;
use std::path::{Path, PathBuf};
use weir::policy::{Loaded, Mode, Options, Source, load, render};

const BUILTINS: [&str; 9] =
    ["accesslog", "authz", "fault", "headers", "redirect", "respond", "rewrite", "split", "stats"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy")
}

fn files_with(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder of the cases");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry of the folder").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn load_text(name: &str, text: &str) -> (Loaded, Vec<Source>) {
    let mode = match text.lines().next() {
        Some("# mode: strict") => Mode::Strict,
        Some("# mode: istio") => Mode::Istio,
        _ => Mode::Compat,
    };
    let source = Source { name: name.to_owned(), base: PathBuf::new(), text: text.to_owned() };
    let options = Options { mode, builtins: &BUILTINS, ..Options::default() };
    let sources = vec![source];
    (load(&sources, &options), sources)
}

/// Compares with a file, or writes it when blessing; a mismatch is returned.
fn expect(path: &Path, found: &str) -> Option<String> {
    if std::env::var_os("WEIR_BLESS").is_some() {
        fs::write(path, found).expect("the expectation can be written");
        return None;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    (expected != found).then(|| {
        let same = |(one, other): &(&str, &str)| one == other;
        let at = expected.lines().zip(found.lines()).take_while(same).count();
        let (expected, found) = (expected.lines().nth(at), found.lines().nth(at));
        format!(
            "{} line {}:\n  expected {expected:?}\n  found    {found:?}",
            path.display(),
            at + 1
        )
    })
}

#[test]
fn every_case_becomes_its_plan_with_its_diagnostics() {
    let mut mismatches = Vec::new();
    for path in files_with(&folder(), "yaml") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (loaded, sources) = load_text(&name, &fs::read_to_string(&path).unwrap());
        let plan = loaded.plan.as_ref().map_or_else(|| "no plan\n".to_owned(), print::plan);
        let report = render(&loaded.diagnostics, &sources, false);
        mismatches.extend(expect(&path.with_extension("plan"), &plan));
        mismatches.extend(expect(&path.with_extension("errors"), &report));
    }
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
}

#[test]
fn every_expectation_has_its_case() {
    for extension in ["plan", "errors"] {
        for path in files_with(&folder(), extension) {
            assert!(path.with_extension("yaml").exists(), "{} has no case", path.display());
        }
    }
}

#[test]
fn every_code_has_a_case_that_shows_it() {
    let reports: String = files_with(&folder(), "errors")
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    // Needs a caller that wants to run, not to look; see the unit tests of `policy`.
    const SHOWN_ELSEWHERE: [&str; 2] = ["E0013", "E0018"];
    let missing: Vec<&str> = weir::policy::diagnostic::codes::ALL
        .iter()
        .map(|code| code.id())
        .filter(|id| !reports.contains(id) && !SHOWN_ELSEWHERE.contains(id))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn loading_is_deterministic() {
    for path in files_with(&folder(), "yaml") {
        let text = fs::read_to_string(&path).unwrap();
        let (one, _) = load_text("x", &text);
        let (other, _) = load_text("x", &text);
        assert_eq!(one.plan, other.plan);
        assert_eq!(one.diagnostics, other.diagnostics);
    }
}
