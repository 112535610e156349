//! What may change while requests flow: a plugin, a policy; and what may not: a broken one.

use super::Scene;
use super::client::{Answer, Ask, ClientError};
use super::load::{self, Load};
use super::report::{Row, Share};
use http::StatusCode;
use serde_json::Value;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The plugin that decides who may call: on every request of the demo, and the worst one to lose.
const PLUGIN: &str = "authz";
const SAVES: u32 = 20;
/// 500 requests a second.
const PERIOD: Duration = Duration::from_millis(2);
/// Of callers that must stay refused.
const DENIED_PERIOD: Duration = Duration::from_millis(20);
/// Served alone for this long, each version meets some fifty requests.
const BETWEEN_SAVES: Duration = Duration::from_millis(100);
/// How long a saved file may take to serve.
const TAKES_EFFECT_MAX: Duration = Duration::from_secs(5);
/// How long a broken file is left in place.
const BROKEN_FOR: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(10);

/// Why a swap could not be tried.
#[derive(Debug, thiserror::Error)]
enum SwapError {
    #[error("{0}")]
    File(#[from] io::Error),
    #[error("/plugins: {0}")]
    Admin(#[from] ClientError),
    #[error("/plugins says nothing of {PLUGIN}")]
    Unlisted,
    #[error("save {save} was not served in {TAKES_EFFECT_MAX:?}")]
    NoEffect { save: u32 },
    #[error("there is no built-in {PLUGIN}")]
    Missing,
}

pub(super) async fn plugin(scene: &Scene<'_>) -> Vec<Row> {
    let allowed = Load::start(&scene.frontend, Ask::CANARY, PERIOD, |a| a.is_from("v2"));
    let denied = Load::start(&scene.stranger, Ask::CANARY, DENIED_PERIOD, Answer::is_denied);
    let swapped = swap_often(scene).await;
    let (allowed, denied) = (allowed.stop().await, denied.stop().await);
    let swaps = match swapped {
        Ok((from, to)) => {
            let seen = format!("{SAVES} saves, generation {from} -> {to}; {allowed}");
            Row::new("authz.wasm swapped at 500 requests/s", seen, allowed.held())
        }
        Err(error) => Row::broken("authz.wasm swapped at 500 requests/s", error),
    };
    vec![swaps, Row::new("and stranger stays denied meanwhile", denied.to_string(), denied.held())]
}

/// Saves the plugin again and again, each time with other bytes, and waits until each one serves.
/// Returns the first and the last generation.
async fn swap_often(scene: &Scene<'_>) -> Result<(u64, u64), SwapError> {
    let module = builtin()?;
    let first = generation(scene).await?;
    let mut last = first;
    for save in 1..=SAVES {
        let bytes = with_section(module, save);
        save_plugin(scene, &bytes, save)?;
        last = newer_than(scene, last).await?.ok_or(SwapError::NoEffect { save })?;
        sleep(BETWEEN_SAVES).await;
    }
    Ok((first, last))
}

/// Half of the saves replace the file, as build tools do, half write over it, as editors do.
fn save_plugin(scene: &Scene<'_>, bytes: &[u8], save: u32) -> io::Result<()> {
    let file = scene.running.plugins.join(format!("{PLUGIN}.wasm"));
    if save.is_multiple_of(2) {
        return fs::write(file, bytes);
    }
    let whole = scene.running.plugins.join(format!(".{PLUGIN}.new"));
    fs::write(&whole, bytes)?;
    fs::rename(whole, file)
}

pub(super) async fn broken(scene: &Scene<'_>) -> Vec<Row> {
    const PROMISE: &str = "a broken plugin or policy changes nothing";
    let allowed = Load::start(&scene.frontend, Ask::CANARY, PERIOD, |a| a.is_from("v2"));
    let denied = Load::start(&scene.stranger, Ask::CANARY, DENIED_PERIOD, Answer::is_denied);
    let tried = break_both(scene).await;
    let (allowed, denied) = (allowed.stop().await, denied.stop().await);
    let held = allowed.held() && denied.held();
    vec![match tried {
        Ok(()) => Row::new(PROMISE, format!("{allowed}; stranger: {denied}"), held),
        Err(error) => Row::broken(PROMISE, error),
    }]
}

/// Cuts the plugin in half and makes a policy unreadable, then mends both.
async fn break_both(scene: &Scene<'_>) -> Result<(), SwapError> {
    let module = builtin()?;
    let before = generation(scene).await?;
    let (half, _) = module.split_at(module.len() / 2);
    save_plugin(scene, half, 0)?;
    let policy = scene.running.policies.join("authorization-policy.yaml");
    let text = fs::read_to_string(&policy)?;
    fs::write(&policy, text.replace("rules:", "rulez: ["))?;
    sleep(BROKEN_FOR).await;
    fs::write(&policy, text)?;
    save_plugin(scene, &with_section(module, SAVES + 1), 1)?;
    newer_than(scene, before).await?.ok_or(SwapError::NoEffect { save: SAVES + 1 })?;
    Ok(())
}

pub(super) async fn policy(scene: &Scene<'_>) -> Vec<Row> {
    const PROMISE: &str = "a split saved as 50/50 at 500 requests/s";
    const REQUESTS: usize = 1000;
    let served = |answer: &Answer| answer.status == StatusCode::OK || answer.is_abort();
    let load = Load::start(&scene.frontend, Ask::STABLE, PERIOD, served);
    let edited = edit_split(&scene.running.policies.join("virtual-service.yaml"));
    let share = match edited {
        Ok(()) => {
            even_split(scene).await;
            v2_share(scene, REQUESTS).await
        }
        Err(error) => {
            load.stop().await;
            return vec![Row::broken(PROMISE, error)];
        }
    };
    let tally = load.stop().await;
    vec![
        Row::new(PROMISE, format!("v2 {share}"), share.is_expected()),
        Row::new("and no request fails meanwhile", tally.to_string(), tally.held()),
    ]
}

fn edit_split(file: &Path) -> io::Result<()> {
    let text = fs::read_to_string(file)?;
    let even = text.replace("weight: 90", "weight: 50").replace("weight: 10", "weight: 50");
    if even == text {
        return Err(io::Error::other("virtual-service.yaml has no weights 90 and 10"));
    }
    fs::write(file, even)
}

/// Waits until v2 gets far more than before, or long enough.
async fn even_split(scene: &Scene<'_>) {
    const PROBES: usize = 100;
    let end = Instant::now() + TAKES_EFFECT_MAX;
    while Instant::now() < end {
        let share = v2_share(scene, PROBES).await;
        if share.hits * 3 > share.of {
            return;
        }
    }
}

async fn v2_share(scene: &Scene<'_>, count: usize) -> Share {
    let answers = load::all(&scene.frontend, &Ask::STABLE, count).await;
    let from = |version| answers.iter().flatten().filter(|a| a.is_from(version)).count();
    let hits = from("v2");
    Share { hits, of: hits + from("v1"), expected: 0.5 }
}

fn builtin() -> Result<&'static [u8], SwapError> {
    weir_plugins::builtin(PLUGIN).ok_or(SwapError::Missing)
}

/// `module` with one more custom section, which means nothing but makes it another file.
pub(super) fn with_section(module: &[u8], number: u32) -> Vec<u8> {
    const NAME: &[u8] = b"weir-demo";
    let number = number.to_le_bytes();
    // All lengths are below 128: one byte of LEB128 each.
    let content = NAME.len() + number.len();
    let header = [0, content as u8 + 1, NAME.len() as u8];
    [module, &header, NAME, &number].concat()
}

/// Waits for a generation above `old`; `None` when none came in time.
async fn newer_than(scene: &Scene<'_>, old: u64) -> Result<Option<u64>, SwapError> {
    let end = Instant::now() + TAKES_EFFECT_MAX;
    while Instant::now() < end {
        let now = generation(scene).await?;
        if now > old {
            return Ok(Some(now));
        }
        sleep(POLL).await;
    }
    Ok(None)
}

/// The number that /plugins gives to what serves as `PLUGIN`; each version has a higher one.
async fn generation(scene: &Scene<'_>) -> Result<u64, SwapError> {
    let ask = Ask { path: "/plugins", ..Ask::STABLE };
    let answer = scene.admin.send(&ask).await?;
    let listed = serde_json::from_slice(&answer.body).ok();
    listed.as_ref().and_then(|listed| find_generation(listed, PLUGIN)).ok_or(SwapError::Unlisted)
}

/// The `generation` of the object whose `name` is that of the built-in, wherever it stands.
pub(super) fn find_generation(listed: &Value, plugin: &str) -> Option<u64> {
    let builtin = format!("builtin:{plugin}");
    match listed {
        Value::Array(items) => items.iter().find_map(|item| find_generation(item, plugin)),
        Value::Object(fields) => {
            let named = fields.get("name").and_then(Value::as_str) == Some(&builtin);
            let number = fields.get("generation").and_then(Value::as_u64);
            match (named, number) {
                (true, Some(number)) => Some(number),
                _ => fields.values().find_map(|field| find_generation(field, plugin)),
            }
        }
        _ => None,
    }
}
