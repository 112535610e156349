//! What the policies promise about single requests: where they go, which fail, who is refused.

use super::Scene;
use super::client::{Answer, Ask, Client, ClientError};
use super::load;
use super::report::{Row, Share};
use http::{Method, StatusCode};
use std::rc::Rc;
use std::time::Duration;

const CANARY_REQUESTS: usize = 200;
/// Enough to tell 10 % from 8 % and from 12 %.
const SPLIT_REQUESTS: usize = 4000;
const DENIED_REQUESTS: usize = 50;
/// `fixedDelay` of the quickstart.
const DELAY: Duration = Duration::from_millis(200);

pub(super) async fn canary(scene: &Scene<'_>) -> Vec<Row> {
    let answers = load::all(&scene.frontend, &Ask::CANARY, CANARY_REQUESTS).await;
    vec![every("header canary: true goes to v2", &answers, |answer| answer.is_from("v2"))]
}

pub(super) async fn split_and_fault(scene: &Scene<'_>) -> Vec<Row> {
    let answers = load::all(&scene.frontend, &Ask::STABLE, SPLIT_REQUESTS).await;
    let count = |hit: fn(&Answer) -> bool| answers.iter().flatten().filter(|a| hit(a)).count();
    let v2 = count(|answer| answer.is_from("v2"));
    let served = v2 + count(|answer| answer.is_from("v1"));
    let aborted = count(Answer::is_abort);
    let delayed = count(|answer| answer.elapsed >= DELAY);
    let tenth = |hits, of| Share { hits, of, expected: 0.1 };
    let row = |promise, share: Share| Row::new(promise, share.to_string(), share.is_expected());
    let strange = answers.len() - served - aborted;
    vec![
        row("the others split 90/10: v2 gets 10 %", tenth(v2, served)),
        row("fault: 10 % aborted with 503", tenth(aborted, answers.len())),
        row("fault: 10 % delayed by 200 ms", tenth(delayed, answers.len())),
        Row::new(
            "and nothing else happens to them",
            format!("{strange} other answers"),
            strange == 0,
        ),
    ]
}

pub(super) async fn authorization(scene: &Scene<'_>) -> Vec<Row> {
    let ask = |method| Ask { method, ..Ask::CANARY };
    let send =
        async |client: &Rc<Client>, method| load::all(client, &ask(method), DENIED_REQUESTS).await;
    let is_served = |answer: &Answer| answer.status == StatusCode::OK;
    vec![
        every("stranger is denied", &send(&scene.stranger, Method::GET).await, Answer::is_denied),
        every(
            "a caller without identity is denied",
            &send(&scene.direct, Method::GET).await,
            Answer::is_denied,
        ),
        every(
            "frontend may not DELETE",
            &send(&scene.frontend, Method::DELETE).await,
            Answer::is_denied,
        ),
        every("frontend may GET", &send(&scene.frontend, Method::GET).await, is_served),
        every("frontend may POST", &send(&scene.frontend, Method::POST).await, is_served),
    ]
}

/// Holds if every answer is as it should be; names the first that is not.
fn every(
    promise: &'static str,
    answers: &[Result<Answer, ClientError>],
    right: fn(&Answer) -> bool,
) -> Row {
    let is_right = |answer: &&Result<Answer, ClientError>| answer.as_ref().is_ok_and(right);
    let hits = answers.iter().filter(is_right).count();
    let mut seen = format!("{hits} of {}", answers.len());
    if let Some(wrong) = answers.iter().find(|answer| !is_right(answer)) {
        let wrong = wrong.as_ref().map_or_else(ToString::to_string, |answer| {
            let version = answer.version.as_deref().unwrap_or("the proxy");
            format!("{} from {version}", answer.status)
        });
        seen.push_str(&format!(" (else: {wrong})"));
    }
    Row::new(promise, seen, hits == answers.len())
}
