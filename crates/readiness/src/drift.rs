//! What programs that compare templates with what runs came back with, judged: none, drifted, or unknown. Pure: who runs
//! them is `collectors`.
//!
//! Values are shown nowhere, since any of them may be a secret: only which things differ, and in which attributes.

pub mod kubernetes;
pub mod own;
pub mod terraform;

use lockgate_model::drift::{Difference, Drift, LISTED_MAX, Root, RootKind};

use crate::finding::cut;

/// Longest text of a report that came from outside, in characters.
const TEXT_CHARS_MAX: usize = 240;

/// Names of attributes that are told of one thing.
const ATTRIBUTES_MAX: usize = 20;

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Exited(i32),
    /// By a signal that it was not sent from here.
    Killed,
    /// It was ended with its children after so many seconds.
    TimedOut(u64),
    /// It was not started; why.
    NotStarted(String),
}

/// What a program did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// It wrote more than is read: what is here is its beginning.
    pub cut: bool,
}

impl Ran {
    /// One that was never started.
    pub fn not_started(why: impl Into<String>) -> Self {
        Self {
            ended: Ended::NotStarted(why.into()),
            stdout: String::new(),
            stderr: String::new(),
            cut: false,
        }
    }

    /// Why it says nothing, when it did not end by itself or wrote too much.
    fn useless(&self, program: &str) -> Option<String> {
        match &self.ended {
            Ended::Exited(_) if self.cut => Some(format!("{program} wrote more than is read")),
            Ended::Exited(_) => None,
            Ended::Killed => Some(format!("{program} was killed")),
            Ended::TimedOut(seconds) => {
                Some(format!("{program} was not done after {seconds} s, and was ended"))
            }
            Ended::NotStarted(why) => Some(format!("{program} was not started: {why}")),
        }
    }
}

/// A root that came out so, without a difference.
fn root(kind: RootKind, path: &str, outcome: Drift, reason: impl Into<String>) -> Root {
    Root {
        kind,
        path: path.to_owned(),
        outcome,
        reason: cut(&reason.into(), TEXT_CHARS_MAX),
        program: None,
        changes_total: 0,
        changes: Vec::new(),
        noise_total: 0,
        noise: Vec::new(),
    }
}

/// A root of which nothing is known.
pub fn unknown(kind: RootKind, path: &str, why: impl Into<String>) -> Root {
    root(kind, path, Drift::Unknown, why)
}

/// The same with none of these texts in what a program said.
#[must_use]
pub fn without(mut root: Root, secrets: &[String]) -> Root {
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let cut = |text: &mut String| {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), "(not shown)");
            }
        };
        cut(&mut root.reason);
        for one in root.changes.iter_mut().chain(&mut root.noise) {
            cut(&mut one.what);
            cut(&mut one.how);
            one.attributes.iter_mut().for_each(cut);
        }
    }
    root
}

/// Counts all and keeps the first, each within bounds.
fn listed(all: Vec<Difference>) -> (u64, Vec<Difference>) {
    let total = all.len() as u64;
    let first = all.into_iter().take(LISTED_MAX).map(|one| Difference {
        what: cut(&one.what, TEXT_CHARS_MAX),
        how: cut(&one.how, TEXT_CHARS_MAX),
        attributes: one
            .attributes
            .iter()
            .take(ATTRIBUTES_MAX)
            .map(|name| cut(name, TEXT_CHARS_MAX))
            .collect(),
    });
    (total, first.collect())
}

/// So many of something.
fn counted(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let mut said = unknown(RootKind::Terraform, "infra", "no such token: hunter2-example");
        let [what, how] = ["a.b[\"hunter2-example\"]", "moves"].map(str::to_owned);
        said.changes.push(Difference { what, how, attributes: vec!["hunter2-example".into()] });
        let shown = without(said, &["hunter2-example".into(), String::new()]);
        assert_eq!(shown.reason, "no such token: (not shown)");
        assert_eq!(shown.changes[0].what, "a.b[\"(not shown)\"]");
        assert_eq!(shown.changes[0].attributes, ["(not shown)"]);
    }
}
