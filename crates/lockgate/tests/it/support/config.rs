//! Configurations with tiny durations.

use std::fmt::Write as _;

use crate::support::agent::Agent;

/// One agent called `support`, whose releases take about a second when all is well.
pub(crate) fn quick(versions: &[(&str, &Agent)]) -> String {
    with_stages(versions, "200ms")
}

/// The same with stages of another length.
pub(crate) fn with_stages(versions: &[(&str, &Agent)], duration: &str) -> String {
    let at: Vec<_> = versions.iter().map(|(name, agent)| (*name, agent.url.as_str())).collect();
    at_urls(&at, duration)
}

/// The same for versions that answer at these addresses.
pub(crate) fn at_urls(versions: &[(&str, &str)], duration: &str) -> String {
    let mut text = String::from(
        "agents:\n  - name: support\n    health: {path: /healthz, interval: 100ms, timeout: 2s, unhealthy_after: 20, healthy_after: 1}\n    plan: quick\n    versions:\n",
    );
    for (name, url) in versions {
        let _ = writeln!(text, "      - {{name: {name}, endpoint: \"{url}\"}}");
    }
    text.push_str("plans:\n  - name: quick\n    tick: 100ms\n    drain: 1s\n    stages:\n");
    for weight in [10, 25, 50] {
        let _ = writeln!(
            text,
            "      - {{weight: {weight}%, duration: {duration}, extension_max: 120s}}"
        );
    }
    text.push_str(
        "      - {weight: 100%}
    gates:
      error_rate: \"< 20%\"
    triggers:
      error_rate: {bound: \"> 30%\", judge: threshold, window: 10s, min_samples: 20}
      p95_ms: {off_because: the versions of this test answer in no time}
",
    );
    text
}
