//! What a person can try while the demo runs, ready to be pasted.

use super::Running;
use std::fmt;

/// One thing to try: what it shows, and how.
struct Trial {
    shows: &'static str,
    command: String,
}

/// Prints as the list that `weir demo` shows.
pub(crate) struct Guide<'a>(pub(crate) &'a Running);

impl Guide<'_> {
    fn requests(&self) -> Vec<Trial> {
        let Running { data, stranger, inbound, .. } = self.0;
        let trial = |shows, command| Trial { shows, command };
        let curl = "curl -s -H 'host: user-service'";
        vec![
            trial(
                "the canary header: always v2",
                format!("{curl} -H 'canary: true' http://{data}/"),
            ),
            trial(
                "everybody else: 90 % v1, 10 % v2; 10 % fail, 10 % wait 200 ms",
                format!(
                    "for i in $(seq 50); do {curl} http://{data}/ | cut -c1-40; done | sort | uniq -c"
                ),
            ),
            trial(
                "a caller without the right: 403",
                format!("{curl} -i -H 'canary: true' http://{stranger}/"),
            ),
            trial(
                "a method that frontend may not use: 403",
                format!("{curl} -i -H 'canary: true' -X DELETE http://{data}/"),
            ),
            trial("a caller without an identity: 403", format!("{curl} -i http://{inbound}/")),
            trial(
                "a status of the origin itself (/delay/SECONDS waits)",
                format!("{curl} -i -H 'canary: true' http://{data}/status/418"),
            ),
        ]
    }

    fn views(&self) -> Vec<Trial> {
        let admin = self.0.admin;
        let trial =
            |shows, path: &str| Trial { shows, command: format!("curl -s http://{admin}{path}") };
        vec![
            trial("every route with its chain of plugins", "/plan"),
            trial("the plugins, their generation and their errors", "/plugins"),
            trial("istio_* and the proxy's own metrics", "/metrics"),
        ]
    }
}

impl fmt::Display for Guide<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Running { data, stranger, policies, plugins, .. } = self.0;
        writeln!(
            f,
            "user-service v1 and v2, and two callers: frontend ({data}), stranger ({stranger})"
        )?;
        writeln!(f, "\nTry")?;
        self.requests().iter().try_for_each(|trial| write!(f, "{trial}"))?;
        writeln!(f, "\nLook inside")?;
        self.views().iter().try_for_each(|trial| write!(f, "{trial}"))?;
        writeln!(f, "\nChange it while it runs: saved is served")?;
        writeln!(f, "  policies   {}", policies.display())?;
        writeln!(
            f,
            "  plugins    {}   (a file fault.wasm replaces the built-in fault)",
            plugins.display()
        )?;
        writeln!(
            f,
            "\nStop with ctrl-c. `weir demo --tour` sends this traffic itself and checks the answers."
        )
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  # {}\n  {}", self.shows, self.command)
    }
}
