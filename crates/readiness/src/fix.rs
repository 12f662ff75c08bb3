//! Starter files for what is missing, as a diff to review. Nothing that is there is changed, nothing is offered that would
//! move no check, and what a person has to fill in is marked and shows nothing until then.

mod diff;
mod starter;

use std::collections::BTreeMap;

use self::starter::{Starter, starters};
use crate::assess::{Assessment, Facts, assess};
use crate::catalog::CATALOG;
use crate::finding::Outcome;
use crate::tree::{Contents, Tree};

pub use self::diff::unified;

/// A file that is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Where it would be.
    pub path: String,
    /// Its text; ends with a line end.
    pub text: String,
    /// Checks that pass with it as it is.
    pub passes: Vec<&'static str>,
    /// Checks that pass only once people have filled in what is marked.
    pub waits: Vec<&'static str>,
    /// What that is.
    pub fill_in: Vec<&'static str>,
}

/// What is offered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fixes {
    /// The files, each with what it brings beside those before it.
    pub files: Vec<Offered>,
    /// Why something is not offered.
    pub notes: Vec<String>,
}

/// The files that would move a check, found by assessing the tree with them. Without attestations: they change nothing here.
pub fn fix(tree: &Tree, facts: &Facts) -> Fixes {
    let mut fixes = Fixes::default();
    let mut before = outcomes(&assess(tree, facts));
    let fails = |id: &str| before.get(id) == Some(&Outcome::Fail);
    let (offers, notes) = starters(tree, facts, &fails);
    fixes.notes = notes;
    let mut tree = tree.clone();
    for Starter { files, fill_in } in offers {
        if let Some(file) = files.iter().find(|file| tree.has(&file.path)) {
            fixes.notes.push(format!("{} is there, and is not changed", file.path));
            continue;
        }
        let with = |filled: bool| {
            let mut tree = tree.clone();
            for file in &files {
                let text = if filled { &file.filled } else { &file.text };
                tree.insert(file.path.clone(), Contents::Text(text.as_str().into()));
            }
            let after = outcomes(&assess(&tree, facts));
            (tree, after)
        };
        let (with_it, after) = with(false);
        let passes = passing(&before, &after);
        let waits = if fill_in.is_empty() { Vec::new() } else { passing(&after, &with(true).1) };
        let worse = CATALOG.iter().any(|entry| is_worse(before.get(entry.id), after.get(entry.id)));
        if worse || passes.is_empty() && waits.is_empty() {
            continue;
        }
        (tree, before) = (with_it, after);
        for (at, file) in files.into_iter().enumerate() {
            let first = at == 0;
            fixes.files.push(Offered {
                path: file.path,
                text: file.text,
                passes: if first { passes.clone() } else { Vec::new() },
                waits: if first { waits.clone() } else { Vec::new() },
                fill_in: if first { fill_in.clone() } else { Vec::new() },
            });
        }
    }
    fixes
}

type Outcomes = BTreeMap<&'static str, Outcome>;

fn outcomes(assessment: &Assessment) -> Outcomes {
    let checks = CATALOG.iter().filter_map(|entry| assessment.check(entry.id));
    checks.map(|check| (check.id, check.outcome)).collect()
}

/// Checks that pass now, and did not before.
fn passing(before: &Outcomes, after: &Outcomes) -> Vec<&'static str> {
    let turned = |id: &&str| {
        before.get(id).is_some_and(|outcome| *outcome != Outcome::Pass)
            && after.get(id) == Some(&Outcome::Pass)
    };
    CATALOG.iter().map(|entry| entry.id).filter(turned).collect()
}

/// A file that takes a check away from where it was is none to offer.
fn is_worse(before: Option<&Outcome>, after: Option<&Outcome>) -> bool {
    before == Some(&Outcome::Pass) && after != Some(&Outcome::Pass)
        || before == Some(&Outcome::Unknown) && after == Some(&Outcome::Fail)
}
