//! Why something happened, or has not happened yet.

use lockgate_model::plan::Metric;
use serde::{Deserialize, Serialize};

use crate::judge;

/// What a judge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// Not enough is known. Never a pass.
    Insufficient,
}

/// A verdict with the numbers behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// What was measured; `None` for commands and faults.
    pub metric: Option<Metric>,
    /// What the judge said.
    pub verdict: Option<Verdict>,
    /// Samples behind it.
    pub n: Option<u64>,
    /// The estimate, in the metric's unit.
    pub value: Option<f64>,
    /// The same for the stable version, when it was compared.
    pub baseline: Option<f64>,
    /// Where the true value lies, when the judge gives an interval.
    pub interval: Option<[f64; 2]>,
    /// What it was compared with.
    pub threshold: Option<String>,
    /// Which rule: `gate error_rate of stage 1`, `trigger p95_ms`, `command abort by …`.
    pub rule: String,
    /// In one sentence.
    pub text: String,
    /// Who said so, if someone did: rule and text are then that person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Cause {
    /// A cause without numbers.
    pub fn plain(rule: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            metric: None,
            verdict: None,
            n: None,
            value: None,
            baseline: None,
            interval: None,
            threshold: None,
            rule: rule.into(),
            text: text.into(),
            by: None,
        }
    }

    /// A cause that someone gave.
    pub fn said(by: &str, rule: impl Into<String>, text: impl Into<String>) -> Self {
        Self { by: Some(by.to_owned()), ..Self::plain(rule, text) }
    }

    /// The sentence, and where the true value lies if that is known.
    pub fn told(&self) -> String {
        let Some([low, high]) = self.interval else { return self.text.clone() };
        let (low, high) = (judge::number(low), judge::number(high));
        format!("{}; its true value lies between {low} and {high}", self.text)
    }
}

/// One step on a release's way, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// Milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// The phase before.
    pub from: String,
    /// The phase after.
    pub to: String,
    /// Index of the stage after.
    pub stage: usize,
    /// The candidate's share after, basis points.
    pub weight_bp: u32,
    /// Time in the stage that was left, under a confirmed weight.
    pub dwell_ms: u64,
    /// Why. The first one decided; others were true in the same tick.
    pub causes: Vec<Cause>,
    /// What would have led elsewhere, or will lead on from here.
    pub would_change: String,
}
