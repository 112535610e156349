//! `weir demo --tour`: the promises of the quickstart, checked on live traffic.
//!
//! Everything goes through sockets and files, as a user would do it; a row of the printed table is
//! a promise, what was seen, and whether it held. Random shares may be off by four standard
//! deviations: a right proxy fails such a row once in 16,000 runs.

mod client;
mod load;
pub(crate) mod report;
mod requests;
mod swap;

use super::Running;
use client::Client;
use report::{Report, Row};
use std::io::{self, Write as _};
use std::rc::Rc;
use tokio::task::LocalSet;

/// The demo's proxy as its users see it.
struct Scene<'a> {
    running: &'a Running,
    frontend: Rc<Client>,
    stranger: Rc<Client>,
    /// Straight to the inbound listener: a caller without an identity.
    direct: Rc<Client>,
    admin: Rc<Client>,
}

/// Sends the traffic, prints the table as it fills, and returns what held. Takes less than 40 s.
///
/// Must be called outside of any tokio runtime: it brings its own, on the calling thread.
pub(crate) fn tour(running: &Running) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => LocalSet::new().block_on(&runtime, visit(running)),
        Err(error) => {
            let rows = vec![Row::broken("the tour starts", error)];
            show(&rows);
            Report::from(rows)
        }
    }
}

async fn visit(running: &Running) -> Report {
    let scene = Scene {
        running,
        frontend: Client::new(running.data),
        stranger: Client::new(running.stranger),
        direct: Client::new(running.inbound),
        admin: Client::new(running.admin),
    };
    let mut rows = Vec::new();
    let mut add = |found: Vec<Row>| {
        show(&found);
        rows.extend(found);
    };
    show(&[Row::heading()]);
    add(requests::canary(&scene).await);
    add(requests::split_and_fault(&scene).await);
    add(requests::authorization(&scene).await);
    add(swap::plugin(&scene).await);
    add(swap::broken(&scene).await);
    add(swap::policy(&scene).await);
    Report::from(rows)
}

/// A closed stdout (`| head`) must not end the tour: its verdict is the exit code.
fn show(rows: &[Row]) {
    let mut stdout = io::stdout().lock();
    for row in rows {
        writeln!(stdout, "{row}").ok();
    }
    stdout.flush().ok();
}

#[cfg(test)]
mod tests;
