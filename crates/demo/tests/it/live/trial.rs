//! Which version each trigger is there for.

use lockgate_demo::{RELEASED, VersionSpec};
use lockgate_model::plan::{Action, Metric};

/// One release, and what it must come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    /// The agent, its plan and its path: named after the only trigger that is armed.
    pub(super) name: &'static str,
    /// The version that is released.
    pub(super) version: VersionSpec,
    /// Requests per second.
    pub(super) rate: u32,
    /// Whether its process is killed once it has users.
    pub(super) crashes: bool,
    pub(super) end: End,
}

/// How a release must end.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Promoted,
    /// By the trigger on this metric; `None` for the hard limit, which has none.
    TakenBack {
        metric: Option<Metric>,
        action: Action,
    },
}

impl Trial {
    /// What the explanation must name.
    pub(super) fn rule(&self) -> String {
        match self.end {
            End::Promoted => format!("gate {} of stage 100%", Metric::ErrorRate),
            End::TakenBack { metric: None, .. } => "fuse of a gateway".into(),
            End::TakenBack { .. } => format!("trigger {}", self.name),
        }
    }
}

/// The trial of all triggers at once.
pub(super) const IDENTICAL: &str = "identical";
/// The hard limit, which the gateway enforces.
pub(super) const IN_A_ROW: &str = "consecutive_errors";

/// Every trigger with its bound, as plans write them.
pub(super) const TRIGGERS: [(&str, &str); 9] = [
    ("error_rate", "> 5%"),
    ("errors_vs_baseline", "> baseline"),
    ("p95_ms", "> baseline + 20%"),
    ("cost_usd", "> baseline + 30%"),
    ("nps", "< 0"),
    ("satisfied_share", "< 80%"),
    ("negative_share", "> 5%"),
    ("security_events", "> 0"),
    ("health", "= 0"),
];

/// The promotion first: it takes longest.
pub(super) fn trials() -> Vec<Trial> {
    let good = released("good");
    // Far beyond what a busy machine adds to an answer that takes about 100 ms; and what it adds,
    // it adds to the stable version beside it as well.
    let slow = VersionSpec { flags: &["--delay-ms", "300"], ..released("slow") };
    let broken = VersionSpec { flags: &["--fail-share", "1"], ..released("errors") };
    let identical =
        Trial { name: IDENTICAL, version: good, rate: 40, crashes: false, end: End::Promoted };
    vec![
        identical,
        // Means are judged after 200 requests of known cost, which others need not wait for.
        Trial { rate: 40, ..alone("cost_usd", Metric::CostUsd, Action::Stop, released("costly")) },
        alone("error_rate", Metric::ErrorRate, Action::Stop, released("errors")),
        alone("errors_vs_baseline", Metric::ErrorRate, Action::Stop, released("errors")),
        alone("p95_ms", Metric::P95Ms, Action::Switch, slow),
        alone("nps", Metric::Nps, Action::Switch, released("unloved")),
        alone("satisfied_share", Metric::SatisfiedShare, Action::Switch, released("unloved")),
        alone("negative_share", Metric::NegativeShare, Action::Switch, released("unloved")),
        alone(
            "security_events",
            Metric::SecurityEvents,
            Action::StopImmediately,
            released("insecure"),
        ),
        Trial { crashes: true, ..alone("health", Metric::Health, Action::Stop, good) },
        Trial {
            end: End::TakenBack { metric: None, action: Action::Stop },
            ..alone(IN_A_ROW, Metric::ErrorRate, Action::Stop, broken)
        },
    ]
}

fn alone(name: &'static str, metric: Metric, action: Action, version: VersionSpec) -> Trial {
    let end = End::TakenBack { metric: Some(metric), action };
    Trial { name, version, rate: 25, crashes: false, end }
}

fn released(name: &str) -> VersionSpec {
    RELEASED.into_iter().find(|version| version.name == name).unwrap()
}
