//! What events came to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::event::{Arm, What};
use crate::rollup::Votes;

/// Visitors of one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// All of them.
    pub visitors: u64,
    /// Those who bought or signed up.
    pub converted: u64,
}

/// Both groups of a comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// Served by the agent.
    pub agent: Group,
    /// Served as before.
    pub control: Group,
}

/// Counts of events. Merging adds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Answers to surveys.
    pub votes: Votes,
    /// Minutes saved, over all tasks.
    #[serde(with = "crate::amount::stored")]
    pub saved_minutes: Amount,
    /// Those tasks.
    pub saved_tasks: u64,
    /// Reports of time saved.
    pub saved_reports: u64,
    /// Conversions.
    pub groups: Groups,
    /// Charges that add to the cost, by currency.
    pub charges: BTreeMap<String, Amount>,
    /// Charges for tokens that interactions already have as their cost, by currency.
    pub billed_tokens: BTreeMap<String, Amount>,
    /// Errors that were found later.
    pub errors_introduced: u64,
}

impl Tally {
    /// The kinds of events of which nothing is needed but their sums over a time.
    pub const KINDS: [&'static str; 4] = ["survey", "conversion", "time_saved", "error_introduced"];

    /// Counts an event of one of these [`Self::KINDS`]; others change nothing.
    pub fn count(&mut self, what: &What) {
        match what {
            What::Survey { score } => self.votes.answer(*score),
            What::TimeSaved { minutes, tasks, .. } => {
                self.saved_minutes = self.saved_minutes + minutes.times(*tasks);
                self.saved_tasks = self.saved_tasks.saturating_add(*tasks);
                self.saved_reports += 1;
            }
            What::Conversion { arm, visitors, converted } => {
                let group = match arm {
                    Arm::Agent => &mut self.groups.agent,
                    Arm::Control => &mut self.groups.control,
                };
                group.visitors = group.visitors.saturating_add(*visitors);
                group.converted = group.converted.saturating_add(*converted);
            }
            What::ErrorIntroduced { count, .. } => {
                self.errors_introduced = self.errors_introduced.saturating_add(*count);
            }
            _ => {}
        }
    }

    pub(super) fn charge(&mut self, currency: &str, amount: Amount, is_model_usage: bool) {
        let charges = if is_model_usage { &mut self.billed_tokens } else { &mut self.charges };
        let sum = charges.entry(currency.to_owned()).or_default();
        *sum = *sum + amount;
    }

    /// Whether it counts anything of the agent at work: time saved, or errors found later.
    pub fn shows_work(&self) -> bool {
        self.saved_reports > 0 || self.errors_introduced > 0
    }

    /// Takes back an event that was counted before.
    pub fn take_back(&mut self, what: &What) {
        let mut one = Self::default();
        one.count(what);
        self.votes.take_back(&one.votes);
        self.saved_minutes = self.saved_minutes - one.saved_minutes;
        self.saved_tasks = self.saved_tasks.saturating_sub(one.saved_tasks);
        self.saved_reports = self.saved_reports.saturating_sub(one.saved_reports);
        for (mine, less) in [
            (&mut self.groups.agent, one.groups.agent),
            (&mut self.groups.control, one.groups.control),
        ] {
            mine.visitors = mine.visitors.saturating_sub(less.visitors);
            mine.converted = mine.converted.saturating_sub(less.converted);
        }
        self.errors_introduced = self.errors_introduced.saturating_sub(one.errors_introduced);
    }

    /// Adds what `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.votes.merge(&other.votes);
        self.saved_minutes = self.saved_minutes + other.saved_minutes;
        self.saved_tasks = self.saved_tasks.saturating_add(other.saved_tasks);
        self.saved_reports += other.saved_reports;
        for (mine, more) in [
            (&mut self.groups.agent, other.groups.agent),
            (&mut self.groups.control, other.groups.control),
        ] {
            mine.visitors = mine.visitors.saturating_add(more.visitors);
            mine.converted = mine.converted.saturating_add(more.converted);
        }
        for (currency, amount) in &other.charges {
            self.charge(currency, *amount, false);
        }
        for (currency, amount) in &other.billed_tokens {
            self.charge(currency, *amount, true);
        }
        self.errors_introduced = self.errors_introduced.saturating_add(other.errors_introduced);
    }
}
