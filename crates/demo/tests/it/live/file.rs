//! The configuration of a round: an agent and a plan for each trial.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lockgate_demo::{FIRST, VersionSpec};

use super::trial::{End, IDENTICAL, IN_A_ROW, TRIGGERS, Trial};

/// Errors in a row that the hard limit allows.
pub(super) const IN_A_ROW_MAX: u32 = 10;

/// The file for players at `endpoints`.
pub(super) fn text(trials: &[Trial], endpoints: &BTreeMap<String, String>) -> String {
    let agents: String = trials.iter().map(|trial| agent(trial, endpoints)).collect();
    let plans: String = trials.iter().map(plan).collect();
    format!(
        "listen: {{ingress: \"127.0.0.1:0\", egress: \"127.0.0.1:0\", api: \"127.0.0.1:0\"}}\nagents:\n{agents}plans:\n{plans}{PRICES}"
    )
}

/// As the demo has them: the costly version calls the larger model.
const PRICES: &str = "prices:
  - {model: lock-keeper-small, input_usd_per_mtok: 0.2, output_usd_per_mtok: 0.8}
  - {model: lock-keeper-large, input_usd_per_mtok: 0.5, output_usd_per_mtok: 2.0}
";

/// The player that stands for a trial's stable version. The identical version is compared with a
/// process that does nothing else, as its own does; the others share one.
pub(super) fn stable_player(trial: &Trial) -> &'static str {
    if trial.name == IDENTICAL { "stable-of-identical" } else { "stable" }
}

fn agent(trial: &Trial, endpoints: &BTreeMap<String, String>) -> String {
    let name = trial.name;
    let mut text = format!(
        "  - name: {name}
    match: [{{path: /{name}, strip_path: true}}]
    sticky: {{header: x-user}}
    protocol: openai
    signals: [feedback, cost]
    latency: total
    health: {{path: /healthz, interval: 1s, timeout: 900ms, unhealthy_after: 5, healthy_after: 1}}
    plan: {name}
    versions:
"
    );
    let version = |text: &mut String, spec: &VersionSpec, player: &str| {
        let (name, model, url) = (spec.name, spec.model, &endpoints[player]);
        let _ = writeln!(
            text,
            "      - {{name: {name}, endpoint: \"{url}\", test_endpoint: \"{url}\", model: {model}}}"
        );
    };
    version(&mut text, &FIRST, stable_player(trial));
    version(&mut text, &trial.version, name);
    text
}

fn plan(trial: &Trial) -> String {
    let name = trial.name;
    let mut text = format!(
        "  - name: {name}
    tick: 500ms
    drain: 1s
    progress_deadline: 10m
    stages:
      - {{weight: 0, duration: 1s, extension_max: 60s}}
"
    );
    match trial.end {
        End::Promoted => text.push_str(
            "      - {weight: 25, duration: 6s, extension_max: 60s}
      - {weight: 50, duration: 6s, extension_max: 60s}
      - {weight: 100, duration: 4s, extension_max: 60s}
    gates:
      error_rate: {bound: \"< 0.5%\", min_samples: 40}
      p95_ms: {bound: \"< 2s\", min_samples: 40}
      nps: {bound: \"> 50\", min_samples: 15}
      security_events: \"= 0\"
",
        ),
        // Half of the users at once and for long: the trigger decides, not the stage's end.
        End::TakenBack { .. } => text.push_str(
            "      - {weight: 50, duration: 60s}
      - {weight: 75, duration: 5s}
      - {weight: 100}
    gates: {security_events: \"= 0\"}
",
        ),
    }
    if [IDENTICAL, IN_A_ROW].contains(&name) {
        let _ = writeln!(text, "    hard_limits: {{consecutive_errors: {IN_A_ROW_MAX}}}");
    }
    text.push_str("    triggers:\n");
    for (trigger, bound) in TRIGGERS {
        // The one on security events cannot be switched off, and two are off unless written.
        if name == IDENTICAL || name == trigger || trigger == "security_events" {
            let _ = writeln!(text, "      {trigger}: \"{bound}\"");
        } else if !["nps", "health"].contains(&trigger) {
            let _ = writeln!(text, "      {trigger}: {{off_because: {name} stands alone}}");
        }
    }
    text
}
