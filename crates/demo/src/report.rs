//! What the demo found.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config_file::P95_MS_MAX;

/// A version that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// Which.
    pub version: String,
    /// The metric whose trigger, or the rule which decided.
    pub trigger: String,
    /// What was done with its traffic.
    pub action: String,
    /// Requests that it had been assigned when the trigger fired.
    pub requests_to_detect: u64,
    /// From the decision until every gateway had confirmed a share of zero.
    pub ms_to_zero: u64,
}

/// What became of every version that was released, and what users saw of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DemoReport {
    /// Versions that went all the way, in order.
    pub promoted: Vec<String>,
    /// Versions that were taken back, in order.
    pub rolled_back: Vec<RolledBack>,
    /// Requests that users sent.
    pub requests: u64,
    /// Of those, answered with another status than 2xx, or broken off.
    pub errors_seen_by_users: u64,
    /// The release that nobody was there to resume, and why it was held.
    #[serde(skip)]
    pub held: Option<String>,
    /// Stopped by hand at any point, so that nothing is expected of it.
    #[serde(skip)]
    pub open_ended: bool,
    /// The highest p95 that the stable version had at the end of a release, milliseconds.
    #[serde(skip)]
    pub stable_p95_ms: Option<f64>,
}

/// What each version deserves: the trigger and the action that should take it back.
const DESERVED: [(&str, &str, &str); 5] = [
    ("errors", "error_rate|errors_vs_baseline", "stop"),
    ("slow", "p95_ms", "switch"),
    ("costly", "cost_usd", "stop"),
    ("unloved", "satisfied_share|negative_share", "switch"),
    ("insecure", "security_events", "stop_immediately"),
];

impl DemoReport {
    /// Whether the good version was promoted and each bad one was taken back by the trigger and
    /// the action that it deserves.
    pub fn as_expected(&self) -> bool {
        self.surprises().is_empty()
    }

    /// Takes note of the stable version's p95 at the end of a release.
    pub(crate) fn saw_stable(&mut self, p95_ms: Option<f64>) {
        self.stable_p95_ms = self.stable_p95_ms.into_iter().chain(p95_ms).reduce(f64::max);
    }

    /// Why nothing went as expected, when the machine is to blame: the stable version itself does
    /// not keep the plan's latency, so that no version can show what it is worth.
    pub fn too_busy(&self) -> Option<String> {
        let p95_ms = self.stable_p95_ms.filter(|p95_ms| *p95_ms >= f64::from(P95_MS_MAX))?;
        (!self.as_expected()).then(|| {
            format!(
                "this machine is too busy for that many users: the stable version itself had a p95 of {p95_ms:.0} ms, and the plan asks for less than {P95_MS_MAX}; run it with a lower --rate, or with less beside it"
            )
        })
    }

    /// What is not as expected, one sentence each.
    pub fn surprises(&self) -> Vec<String> {
        let mut surprises = Vec::new();
        if self.open_ended {
            return surprises;
        }
        if let Some(held) = &self.held {
            return vec![held.clone()];
        }
        if self.promoted != ["good"] {
            surprises.push(format!("promoted: {:?} instead of `good` alone", self.promoted));
        }
        for (version, triggers, action) in DESERVED {
            let Some(seen) = self.rolled_back.iter().find(|seen| seen.version == version) else {
                surprises.push(format!("`{version}` was not taken back"));
                continue;
            };
            if !triggers.split('|').any(|trigger| trigger == seen.trigger) {
                surprises.push(format!(
                    "`{version}` was taken back by {}, not {triggers}",
                    seen.trigger
                ));
            }
            if seen.action != action {
                surprises
                    .push(format!("`{version}` was taken back by {}, not {action}", seen.action));
            }
        }
        if self.rolled_back.len() > DESERVED.len() {
            surprises.push(format!("{} versions were taken back", self.rolled_back.len()));
        }
        surprises
    }
}

impl fmt::Display for DemoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for version in &self.promoted {
            writeln!(f, "promoted     {version}")?;
        }
        for seen in &self.rolled_back {
            writeln!(
                f,
                "rolled back  {:<9} by {} ({}) after {} requests, zero share {} ms later",
                seen.version, seen.trigger, seen.action, seen.requests_to_detect, seen.ms_to_zero
            )?;
        }
        write!(
            f,
            "{} requests, {} errors seen by users",
            self.requests, self.errors_seen_by_users
        )?;
        for surprise in self.surprises() {
            write!(f, "\nnot as expected: {surprise}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> DemoReport {
        let rolled_back = DESERVED
            .iter()
            .map(|(version, triggers, action)| RolledBack {
                version: (*version).into(),
                trigger: triggers.split('|').next().unwrap_or_default().into(),
                action: (*action).into(),
                requests_to_detect: 1,
                ms_to_zero: 1,
            })
            .collect();
        DemoReport { promoted: vec!["good".into()], rolled_back, ..DemoReport::default() }
    }

    #[test]
    fn a_machine_that_is_too_busy_is_named_when_something_went_wrong() {
        let mut failed = expected();
        failed.rolled_back.remove(1);
        failed.saw_stable(Some(150.0));
        failed.saw_stable(None);
        assert_eq!(failed.too_busy(), None, "the stable version keeps the plan's latency");
        failed.saw_stable(Some(612.4));
        failed.saw_stable(Some(180.0));
        let why = failed.too_busy().expect("the stable version was too slow");
        assert!(why.contains("p95 of 612 ms") && why.contains("--rate"), "{why}");
        let held = DemoReport {
            stable_p95_ms: Some(255.0),
            held: Some("the release of `good` is held by plan".into()),
            ..DemoReport::default()
        };
        assert_eq!(held.surprises(), held.held.iter().cloned().collect::<Vec<_>>());
        assert!(held.too_busy().is_some(), "no further release is looked at");
        let well = DemoReport { stable_p95_ms: Some(612.4), ..expected() };
        assert_eq!(well.too_busy(), None, "all the same it went well");
    }

    #[test]
    fn only_the_deserved_trigger_and_action_are_as_expected() {
        assert!(expected().as_expected());
        assert!(!DemoReport::default().as_expected());
        for index in 0..DESERVED.len() {
            let mut other = expected();
            other.rolled_back[index].trigger = "gate".into();
            assert_eq!(other.surprises().len(), 1, "{other}");
            let mut missing = expected();
            missing.rolled_back.remove(index);
            assert_eq!(missing.surprises().len(), 1, "{missing}");
        }
        let mut twice = expected();
        twice.promoted.push("slow".into());
        assert!(!twice.as_expected());
    }
}
