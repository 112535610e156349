//! The rules of ARCHITECTURE.md that a machine can check, checked on the source tree.
//!
//! Every rule is a table or one condition; a violation names its file, line and rule. A new host
//! module gets a row in `LAYERS`.
#![cfg(test)]

mod paths;
mod source;

use source::Source;
use std::fmt;
use std::path::{Path, PathBuf};

/// Host module, and the siblings it may import. `lib` is their root; `main` and `cli` are another
/// crate, which sees them as `weir::…`.
const LAYERS: &[(&str, &[&str])] = &[
    ("plan", &[]),
    ("exchange", &[]),
    ("telemetry", &[]),
    ("policy", &["plan"]),
    ("wasm", &["exchange", "telemetry", "plan"]),
    ("filter", &["wasm", "exchange", "plan", "telemetry"]),
    ("upstream", &["plan", "wasm", "exchange", "telemetry"]),
    ("snapshot", &["plan", "wasm", "filter", "upstream", "telemetry", "exchange"]),
    ("http", &["snapshot", "filter", "upstream", "exchange", "telemetry", "plan", "wasm"]),
    (
        "admin",
        &[
            "http",
            "snapshot",
            "filter",
            "upstream",
            "policy",
            "wasm",
            "plan",
            "exchange",
            "telemetry",
        ],
    ),
    (
        "server",
        &[
            "admin",
            "http",
            "snapshot",
            "filter",
            "upstream",
            "policy",
            "wasm",
            "plan",
            "exchange",
            "telemetry",
        ],
    ),
];

/// What does I/O on purpose.
const PERFORMERS: &[&str] = &["http", "upstream", "server", "admin", "snapshot", "cli", "main"];

/// Crate, and the host modules (with what is below them) that may name it.
const CRATES: &[(&str, &[&str])] = &[
    ("tokio", PERFORMERS),
    ("hyper", PERFORMERS),
    ("hyper_util", PERFORMERS),
    ("socket2", PERFORMERS),
    ("notify", PERFORMERS),
    ("wasmtime", &["wasm", "snapshot::build"]),
    ("saphyr_parser", &["policy"]),
    ("weir_plugins", &["cli", "main"]),
    ("weir_sdk", &[]),
    ("clap", &["cli", "main"]),
    ("anyhow", &["cli", "main"]),
];

/// The only crates a plugin may depend on, tests included.
const PLUGIN_DEPENDENCIES: &[&str] = &["weir-sdk", "weir-abi", "serde", "serde_json", "regex-lite"];

/// Crates of the host's side, which what runs inside a plugin must not see.
const HOST_CRATES: &[&str] = &["weir", "weir-plugins"];

const FILE_LINES_MAX: usize = 600;

/// Names of unfinished work: macros, and words of comments.
const UNFINISHED_MACROS: &[&str] = &["todo", "unimplemented"];
const UNFINISHED_WORDS: &[&str] = &["TODO", "FIXME", "XXX"];

struct Violation {
    path: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

fn violation(source: &Source, line: usize, rule: impl Into<String>) -> Violation {
    Violation { path: source.path.clone(), line, rule: rule.into() }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn texts() -> Vec<(String, String)> {
    source::files(&root()).iter().filter_map(|file| source::read(&root(), file)).collect()
}

fn rust_sources() -> Vec<Source> {
    let rust = texts().into_iter().filter(|(path, _)| path.ends_with(".rs"));
    rust.map(|(path, text)| Source::new(&path, &text)).collect()
}

fn assert_none(violations: impl IntoIterator<Item = Violation>) {
    let lines: Vec<String> = violations.into_iter().map(|each| each.to_string()).collect();
    assert!(lines.is_empty(), "{} violations\n{}", lines.len(), lines.join("\n"));
}

fn imports_upwards(source: &Source) -> Vec<Violation> {
    let Some(module) = source.host_module() else { return Vec::new() };
    let top = module[0];
    if matches!(top, "lib" | "main" | "cli") {
        return Vec::new();
    }
    let Some((_, below)) = LAYERS.iter().find(|(layer, _)| *layer == top) else {
        return vec![violation(
            source,
            1,
            format!("`{top}` has no row in LAYERS of tests/tidy.rs"),
        )];
    };
    let used = paths::siblings(source, module.len()).into_iter();
    used.filter(|used| used.name != top && !below.contains(&used.name.as_str()))
        .map(|used| violation(source, used.line, format!("`{top}` may not import `{}`", used.name)))
        .collect()
}

fn misplaced_crates(source: &Source) -> Vec<Violation> {
    let Some(module) = source.host_module().filter(|_| !source.is_test()) else {
        return Vec::new();
    };
    let module = module.join("::");
    let within = |home: &&str| {
        module.strip_prefix(*home).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let foreign = CRATES.iter().filter(|(_, homes)| !homes.iter().any(&within));
    foreign
        .flat_map(|(name, homes)| {
            let lines = paths::uses_of_crate(source, name).into_iter();
            let homes = homes.join(", ");
            lines.map(move |line| (line, format!("`{name}` may be used only in: {homes}")))
        })
        .map(|(line, rule)| violation(source, line, rule))
        .collect()
}

/// Keys below `[dependencies]` and its like, and what a `package = "…"` renames.
fn dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (number, line) in (1..).zip(manifest.lines().map(str::trim)) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table.ends_with("dependencies");
            if let Some((_, name)) = table.split_once("dependencies.") {
                found.push((number, name.to_owned()));
            }
        } else if inside && line.starts_with(|first: char| first.is_alphabetic()) {
            let key = line.split(['.', '=', ' ']).next().unwrap_or_default();
            let renamed =
                line.split_once("package = \"").and_then(|(_, rest)| rest.split('"').next());
            found.push((number, renamed.unwrap_or(key).to_owned()));
        }
    }
    found
}

fn host_in_guest(path: &str, manifest: &str) -> Vec<Violation> {
    let plugin = path.strip_prefix("plugins/").is_some_and(|rest| rest.contains('/'));
    let allowed = |name: &str| match plugin {
        true => PLUGIN_DEPENDENCIES.contains(&name),
        false => !HOST_CRATES.contains(&name),
    };
    dependencies(manifest)
        .into_iter()
        .filter(|(_, name)| !allowed(name))
        .map(|(line, name)| Violation {
            path: path.to_owned(),
            line,
            rule: match plugin {
                true => {
                    format!("a plugin may not depend on `{name}`, only on {PLUGIN_DEPENDENCIES:?}")
                }
                false => format!("the guest's side may not depend on `{name}`"),
            },
        })
        .collect()
}

fn misshapen(source: &Source) -> Option<Violation> {
    let lines = source.text.lines().count();
    if source.path.ends_with("/mod.rs") {
        return Some(violation(source, 1, "`foo.rs` beside `foo/`, never mod.rs"));
    }
    let rule = format!("{lines} lines, more than {FILE_LINES_MAX}: split it by noun");
    (lines > FILE_LINES_MAX).then(|| violation(source, lines, rule))
}

fn unfinished(source: &Source) -> Vec<Violation> {
    let code = source::tokens(&source.code);
    let macros = code
        .windows(2)
        .filter(|pair| UNFINISHED_MACROS.contains(&pair[0].text) && pair[1].text == "!");
    let macros = macros.map(|pair| (pair[0].line, format!("`{}!` is not code", pair[0].text)));
    let comments = (1..).zip(source.comments.lines()).filter_map(|(line, text)| {
        let word = source::tokens(text).into_iter().find(|t| UNFINISHED_WORDS.contains(&t.text))?;
        let issue =
            text.split('#').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        (!issue).then(|| (line, format!("`{}` without the number of its issue", word.text)))
    });
    macros.chain(comments).map(|(line, rule)| violation(source, line, rule)).collect()
}

fn undocumented(source: &Source) -> Option<Violation> {
    let documented = source.text.starts_with("//!");
    (!source.is_test() && !documented)
        .then(|| violation(source, 1, "a module begins with `//!`: what, why, what it must not do"))
}

#[test]
fn imports_go_one_way() {
    assert_none(rust_sources().iter().flat_map(imports_upwards));
}

#[test]
fn crates_stay_in_their_modules() {
    assert_none(rust_sources().iter().flat_map(misplaced_crates));
}

#[test]
fn the_guest_never_sees_the_host() {
    let guest = texts().into_iter().filter(|(path, _)| {
        path.ends_with("Cargo.toml") && (path.starts_with("sdk/") || path.starts_with("plugins/"))
    });
    assert_none(guest.flat_map(|(path, manifest)| host_in_guest(&path, &manifest)));
}

#[test]
fn files_are_short_and_stand_beside_their_folder() {
    assert_none(rust_sources().iter().filter_map(misshapen));
}

#[test]
fn nothing_is_left_unfinished() {
    assert_none(rust_sources().iter().flat_map(unfinished));
}

#[test]
fn modules_say_what_they_are() {
    assert_none(rust_sources().iter().filter_map(undocumented));
}

#[test]
fn no_path_of_one_machine() {
    let needle = concat!("/wo", "rk/");
    assert_none(texts().into_iter().flat_map(|(path, text)| {
        let lines: Vec<usize> =
            (1..).zip(text.lines()).filter(|(_, t)| t.contains(needle)).map(|(n, _)| n).collect();
        let rule = format!("`{needle}` exists on one machine only");
        lines.into_iter().map(move |line| Violation {
            path: path.clone(),
            line,
            rule: rule.clone(),
        })
    }));
}

#[test]
fn policies_load_without_a_message() {
    let policies = root().join("policies");
    let folders: Vec<PathBuf> = policies
        .read_dir()
        .unwrap_or_else(|e| panic!("{}: {e}", policies.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    assert!(!folders.is_empty(), "no folder under {}", policies.display());
    let messages: Vec<String> = folders.iter().flat_map(|folder| load(folder)).collect();
    assert!(messages.is_empty(), "{} messages\n{}", messages.len(), messages.join("\n"));
}

/// What the policy compiler has against `folder`: an example that is not enforced is a wrong one.
fn load(folder: &Path) -> Vec<String> {
    use weir::policy;

    let is_yaml = |path: &String| path.ends_with(".yaml") || path.ends_with(".yml");
    let sources: Vec<policy::Source> = source::files(folder)
        .iter()
        .filter_map(|file| source::read(&root(), file).map(|(name, text)| (file, name, text)))
        .filter(|(_, name, _)| is_yaml(name))
        .map(|(file, name, text)| policy::Source {
            name,
            base: file.parent().unwrap_or(folder).to_owned(),
            text,
        })
        .collect();
    let builtins = plugin_folders();
    let builtins: Vec<&str> = builtins.iter().map(String::as_str).collect();
    let options = policy::Options { builtins: &builtins, ..policy::Options::default() };
    let loaded = policy::load(&sources, &options);
    let none = loaded.plan.is_none().then(|| format!("{}: no plan", folder.display()));
    let told = loaded.diagnostics.iter().filter(|found| found.severity.as_str() != "info");
    told.map(ToString::to_string).chain(none).collect()
}

/// Every folder under `plugins/` with a manifest is a plugin; nothing lists them.
fn plugin_folders() -> Vec<String> {
    let plugins = root().join("plugins");
    let folders = plugins.read_dir().unwrap().map(|entry| entry.unwrap());
    folders
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// The rules, each on a source that breaks it and one that does not.
mod rules {
    use super::*;

    fn host(module: &str, text: &str) -> Source {
        Source::new(&format!("host/src/{module}.rs"), text)
    }

    fn found(violations: &[Violation]) -> Vec<(usize, &str)> {
        violations.iter().map(|each| (each.line, each.rule.as_str())).collect()
    }

    #[test]
    fn an_upward_import_is_seen_however_it_is_written() {
        for text in [
            "\nuse crate::upstream::pool::Pool;",
            "use crate::{\nupstream::pool::{self, Pool}, plan};",
            "\nfn f(p: &crate::upstream::Pool) {}",
            "\nuse super::super::upstream::Pool;",
            "mod sys {\n    use super::super::super::upstream; }",
        ] {
            let seen = imports_upwards(&host("wasm/vm", text));
            assert_eq!(found(&seen), [(2, "`wasm` may not import `upstream`")], "{text}");
        }
        let seen = imports_upwards(&host("news", ""));
        assert_eq!(found(&seen), [(1, "`news` has no row in LAYERS of tests/tidy.rs")]);
    }

    #[test]
    fn a_downward_import_a_comment_and_a_literal_are_not() {
        for text in [
            "use crate::{plan::plugin::Limits, exchange::{self, http}};",
            "use super::memory; pub(super) fn f() {} pub(in crate::wasm) fn g() {}",
            "mod sys { use super::super::memory; }",
            "// crate::upstream\n/* crate::http /* x */ crate::http */ /// crate::server",
            r##"const A: &str = "crate::http \" crate::http"; const B: &str = r#"" crate::http"#;"##,
            "fn f<'a>(c: char, s: &'a str) -> bool { c == '\"' || c == '\\'' }",
        ] {
            let seen = imports_upwards(&host("wasm/vm", text));
            assert!(seen.is_empty(), "{text}: {:?}", found(&seen));
        }
    }

    #[test]
    fn a_crate_away_from_home_is_seen() {
        let seen = |module: &str, text: &str| misplaced_crates(&host(module, text)).len();
        assert_eq!(seen("wasm/vm", "use tokio::time::sleep;"), 1);
        assert_eq!(seen("policy", "use hyper as h;"), 1);
        assert_eq!(seen("snapshot/watch", "use wasmtime::Engine;"), 1);
        assert_eq!(seen("http", "use weir_plugins;"), 1);
        assert_eq!(seen("snapshot/build/cache", "use wasmtime::Engine;"), 0);
        assert_eq!(seen("http/worker", "use tokio::net::TcpListener;"), 0);
        assert_eq!(seen("wasm/tests", "use tokio::time::sleep;"), 0);
        assert_eq!(seen("plan", "let tokio = crate::plan::tokio::x;"), 0);
    }

    #[test]
    fn a_guest_that_depends_on_the_host_is_seen() {
        let seen = |path: &str, text: &str| host_in_guest(path, text).len();
        assert_eq!(seen("plugins/fault/Cargo.toml", "[dependencies]\nweir.workspace = true"), 1);
        assert_eq!(
            seen("plugins/fault/Cargo.toml", "[dependencies]\nx = { package = \"weir\" }"),
            1
        );
        assert_eq!(seen("plugins/fault/Cargo.toml", "[dev-dependencies.weir]\npath = \"x\""), 1);
        assert_eq!(
            seen("plugins/fault/Cargo.toml", "[dependencies]\nweir-sdk.workspace = true"),
            0
        );
        assert_eq!(
            seen(
                "sdk/Cargo.toml",
                "[package]\nname = \"weir-sdk\"\n[dependencies]\nweir-abi.workspace = true"
            ),
            0
        );
        assert_eq!(
            seen("sdk/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nweir-plugins = \"1\""),
            1
        );
    }

    #[test]
    fn shapes_and_words_are_seen() {
        assert!(misshapen(&host("plan/mod", "")).is_some());
        assert!(misshapen(&host("plan", &"\n".repeat(FILE_LINES_MAX + 1))).is_some());
        assert!(misshapen(&host("plan", &"\n".repeat(FILE_LINES_MAX))).is_none());
        assert!(undocumented(&host("plan", "use x;")).is_some());
        assert!(undocumented(&host("plan/tests", "use x;")).is_none());
        assert_eq!(unfinished(&host("plan", "fn f() { todo!() }\n// TODO later")).len(), 2);
        assert_eq!(
            unfinished(&host("plan", "let todo = 1; // TODO(#12) later\n\"TODO\"")).len(),
            0
        );
    }
}
