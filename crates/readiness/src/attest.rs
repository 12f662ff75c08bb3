//! What people say where no file shows it, and which findings they accept for a time: `lockgate.attest.yaml`.
//!
//! A word is no proof: what is attested stays unknown and is told beside it. What files show to be false stays false.

mod read;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use crate::catalog::Dimension;
use crate::finding::{Check, Outcome, Place};
use crate::path::catalog::step_of;
use crate::pipeline::glob_matches;
use crate::tree::Tree;

pub(crate) use read::is_link;

/// Where it is written, at the root of what is assessed.
pub const FILE: &str = "lockgate.attest.yaml";

/// Somebody's word for what no file shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attestation {
    /// Who answers for it.
    pub owner: String,
    /// Where it can be looked up.
    pub link: String,
    /// The last day on which it counts.
    pub until: Date,
    /// Why it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A finding that its team accepts. It stays what it is, and is not asked for again until the day has passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suppression {
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it counts.
    pub until: Date,
    /// The files that it is about, as a pattern; none for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What is said of a check, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry<T> {
    check: &'static str,
    place: Place,
    said: T,
}

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    attested: Vec<Entry<Attestation>>,
    suppressed: Vec<Entry<Suppression>>,
    /// What is wrong with it.
    errors: Vec<String>,
}

impl Said {
    /// Puts what is said beside the checks that it is said of. Returns what there is to tell.
    pub(crate) fn apply(
        self,
        checks: &mut BTreeMap<Dimension, Vec<Check>>,
        today: Option<Date>,
    ) -> Vec<String> {
        let mut notes = self.errors;
        if self.attested.is_empty() && self.suppressed.is_empty() {
            return notes;
        }
        let Some(today) = today else {
            notes.push(format!("{FILE}: the date is not known, so that nothing in it counts"));
            return notes;
        };
        let mut all: Vec<&mut Check> = checks.values_mut().flatten().collect();
        for entry in self.attested {
            notes.extend(found(&mut all, entry.check).and_then(|check| entry.attest(check, today)));
        }
        for entry in self.suppressed {
            notes.extend(
                found(&mut all, entry.check).and_then(|check| entry.suppress(check, today)),
            );
        }
        notes
    }
}

/// What people say of the steps of paths, by step.
pub(crate) fn of_steps(
    tree: &Tree,
    today: Option<Date>,
) -> (BTreeMap<&'static str, Attestation>, Vec<String>) {
    let (mut words, mut notes) = (BTreeMap::new(), Vec::new());
    let of_steps =
        Said::read(tree).attested.into_iter().filter(|entry| step_of(entry.check).is_some());
    for entry in of_steps {
        match today {
            Some(today) if entry.said.until >= today => drop(words.insert(entry.check, entry.said)),
            Some(_) => notes.push(entry.note(&format!(
                "the attestation of {} ended on {} and counts for nothing",
                entry.check, entry.said.until
            ))),
            None => notes.push(entry.note("the date is not known, so that it does not count")),
        }
    }
    (words, notes)
}

fn found<'a>(checks: &'a mut [&mut Check], id: &str) -> Option<&'a mut Check> {
    checks.iter_mut().find(|check| check.id == id).map(|check| &mut **check)
}

impl<T> Entry<T> {
    fn note(&self, text: &str) -> String {
        format!("{FILE}:{}:{}: {text}", self.place.line, self.place.column)
    }
}

impl Entry<Attestation> {
    fn attest(self, check: &mut Check, today: Date) -> Option<String> {
        let id = check.id;
        if self.said.until < today {
            let until = self.said.until;
            return Some(self.note(&format!(
                "the attestation of {id} ended on {until} and counts for nothing"
            )));
        }
        match check.outcome {
            Outcome::Unknown => {
                check.attested = Some(self.said);
                None
            }
            Outcome::Fail => Some(self.note(&format!(
                "{id} is attested, but it is not so, and stays that way: {}",
                check.reason
            ))),
            Outcome::Pass => {
                Some(self.note(&format!("{id} is shown by files; its attestation is not needed")))
            }
            Outcome::NotApplicable => Some(
                self.note(&format!("{id} is not applicable here; its attestation is not needed")),
            ),
        }
    }
}

impl Entry<Suppression> {
    fn suppress(self, check: &mut Check, today: Date) -> Option<String> {
        let id = check.id;
        if self.said.until < today {
            let until = self.said.until;
            return Some(
                self.note(&format!("the suppression of {id} ended on {until}; it is told again")),
            );
        }
        if matches!(check.outcome, Outcome::Pass | Outcome::NotApplicable) {
            return Some(self.note(&format!("{id} has no finding to suppress")));
        }
        // A finding without a line, or with one elsewhere, is another one than the one that was accepted.
        let is_meant = self.said.path.as_deref().is_none_or(|pattern| {
            !check.evidence.is_empty()
                && check.evidence.iter().all(|one| glob_matches(pattern, &one.file))
        });
        if !is_meant {
            return Some(
                self.note(&format!("the finding of {id} is not in these files alone, and is told")),
            );
        }
        // The one that lasts longest says how long.
        if check.suppressed.as_ref().is_none_or(|other| other.until < self.said.until) {
            check.suppressed = Some(self.said);
        }
        None
    }
}
