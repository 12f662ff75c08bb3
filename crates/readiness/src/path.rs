//! The paths from prototype to production: steps, each evaluated from what a repository shows and what a running server
//! knows, what stands in the way, and what comes next.
//!
//! Unknown is a state of its own and passes nothing. What people say opens a step and stays a word.

pub mod catalog;
mod evaluate;
mod gate;
mod markdown;
mod repository;
mod server;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::civil::Date;
use lockgate_model::config::Scenario;
use serde::{Deserialize, Serialize};

use crate::finding::{Evidence, Outcome};

pub use self::catalog::{Phase, STEPS, Sees, Step, steps};
pub use self::evaluate::{Evaluated, Evaluation, evaluate};
pub use self::gate::{
    Asked, Posted, REPORT_MAX_AGE_MS, Release, check_report, release, says_blocked,
};
pub use self::markdown::markdown;
pub use self::repository::{Seen, repository};
pub use self::server::server;

/// The version of the JSON that an evaluation becomes.
pub const SCHEMA: u32 = 1;

/// Most characters of a reason or an excerpt that is kept.
const TEXT_CHARS_MAX: usize = 600;

/// Somebody's word for what no file shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// What it is said of: a step, or a check of one.
    pub of: String,
    /// Who answers for it.
    pub owner: String,
    /// Where it can be looked up.
    pub link: String,
    /// The last day on which it counts.
    pub until: Date,
}

/// What shows something, and where: `file:line`, or a part of the server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// The place.
    #[serde(rename = "where")]
    pub place: String,
    /// What stands there.
    pub text: String,
}

impl From<&Evidence> for Shown {
    fn from(evidence: &Evidence) -> Self {
        Self { place: format!("{}:{}", evidence.file, evidence.line), text: evidence.text.clone() }
    }
}

/// How one side came to a step: what a repository shows of it, or what a server knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// How it came out.
    pub outcome: Outcome,
    /// Why.
    pub reason: String,
    /// What shows it, or shows why not.
    #[serde(default)]
    pub evidence: Vec<Shown>,
    /// Who says that it is so, where nothing shows it. It stays unknown.
    #[serde(default)]
    pub attested: Vec<Word>,
    /// Only a release, or time after it, can show it: nothing is wrong meanwhile.
    #[serde(default)]
    pub awaited: bool,
}

impl Finding {
    fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        let reason = whole_words(&reason.into());
        Self { outcome, reason, evidence: Vec::new(), attested: Vec::new(), awaited: false }
    }

    fn pass(reason: impl Into<String>) -> Self {
        Self::new(Outcome::Pass, reason)
    }

    fn fail(reason: impl Into<String>) -> Self {
        Self::new(Outcome::Fail, reason)
    }

    fn unknown(reason: impl Into<String>) -> Self {
        Self::new(Outcome::Unknown, reason)
    }

    /// Nothing is wrong, and only a release or time can show it.
    fn awaited(reason: impl Into<String>) -> Self {
        Self { awaited: true, ..Self::unknown(reason) }
    }

    fn at(mut self, place: impl Into<String>, text: impl Into<String>) -> Self {
        self.evidence.push(Shown { place: place.into(), text: text.into() });
        self
    }

    fn with<'a>(mut self, evidence: impl IntoIterator<Item = &'a Evidence>) -> Self {
        for one in evidence {
            let shown = Shown::from(one);
            if self.evidence.len() < crate::finding::EVIDENCE_MAX && !self.evidence.contains(&shown)
            {
                self.evidence.push(shown);
            }
        }
        self
    }

    /// How far it is from a pass: the greatest decides where two sides must both show a step.
    fn rank(&self) -> u8 {
        match self.outcome {
            Outcome::Fail => 5,
            Outcome::Unknown if self.attested.is_empty() && !self.awaited => 4,
            Outcome::Unknown if self.attested.is_empty() => 3,
            Outcome::Unknown => 2,
            Outcome::Pass => 1,
            Outcome::NotApplicable => 0,
        }
    }
}

/// A text of one line that ends behind a word where it is too long.
fn whole_words(text: &str) -> String {
    let cut = crate::finding::cut(text, TEXT_CHARS_MAX);
    match cut.strip_suffix('…').and_then(|kept| kept.rsplit_once(' ')) {
        Some((kept, _)) if text.chars().count() > TEXT_CHARS_MAX => format!("{kept} …"),
        _ => cut,
    }
}

/// Reasons in a row, as many as there is room for, and how many are left out.
fn listed(all: &[String]) -> String {
    let mut told = String::new();
    for (at, one) in all.iter().enumerate() {
        // Room for the words behind it stays.
        if at > 0 && told.chars().count() + one.chars().count() + 30 > TEXT_CHARS_MAX {
            let _ = write!(told, "; and {} more", all.len() - at);
            break;
        }
        let between = if at > 0 { "; " } else { "" };
        let _ = write!(told, "{between}{one}");
    }
    told
}

impl From<crate::finding::Finding> for Finding {
    fn from(found: crate::finding::Finding) -> Self {
        Self::new(found.outcome, found.reason).with(&found.evidence)
    }
}

/// Findings by the ids of their steps.
pub type Findings = BTreeMap<String, Finding>;

/// The path that a shape of agents takes. The two rooms name the same three shapes.
pub fn of_scenario(scenario: Scenario) -> crate::Scenario {
    match scenario {
        Scenario::Monolith => crate::Scenario::Monolith,
        Scenario::Microservices => crate::Scenario::Microservices,
        Scenario::Serverless => crate::Scenario::Serverless,
    }
}

#[cfg(test)]
mod tests;
