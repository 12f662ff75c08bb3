//! Runs the tests beside the rules, and says which rules no test has seen at work.

use std::collections::HashSet;

use serde::Serialize;

use crate::bundle::Bundle;
use crate::case::Case;
use crate::decide::{Decision, Verdict};
use crate::names::RuleId;

/// How one test came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// The file that it is in.
    pub file: String,
    /// The line where it starts.
    pub line: u32,
    /// What had to come out.
    pub expect: Verdict,
    /// What came out.
    pub decision: Decision,
    /// What is not as it should be; nothing when the test passed.
    pub wrong: Vec<String>,
}

/// How all tests came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tested {
    /// Each test, in the order of the files.
    pub outcomes: Vec<Outcome>,
    /// Rules that decided no test that passed, in the order of the files.
    pub untested: Vec<RuleId>,
    /// How many rules there are.
    pub rules: usize,
}

impl Tested {
    /// How many tests failed.
    pub fn failed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| !outcome.wrong.is_empty()).count()
    }
}

impl Bundle {
    /// Runs the tests beside the rules.
    pub fn test(&self) -> Tested {
        let mut seen: HashSet<RuleId> = HashSet::new();
        let mut outcomes = Vec::new();
        for case in &self.cases {
            let outcome = self.run(case);
            if outcome.wrong.is_empty() {
                let Decision { rules, allowed_by, obligations, .. } = &outcome.decision;
                seen.extend(rules.iter().chain(allowed_by).cloned());
                seen.extend(obligations.iter().map(|one| one.rule.clone()));
            }
            outcomes.push(outcome);
        }
        let ids = self.rules.iter().map(|rule| &rule.id);
        let untested = ids.filter(|id| !seen.contains(*id)).cloned().collect();
        Tested { outcomes, untested, rules: self.rules.len() }
    }

    fn run(&self, case: &Case) -> Outcome {
        let circumstances = case.asked.circumstances();
        let decision = self.decide(&case.asked.request(&circumstances));
        let mut wrong = Vec::new();
        if decision.verdict != case.expect {
            let (expect, got) = (case.expect.as_str(), decision.verdict.as_str());
            wrong.push(format!("{got} came out, not {expect}"));
        }
        if let Some(expected) = &case.rules {
            let [expected, got] = [expected, &decision.rules].map(|rules| {
                let mut rules: Vec<&str> = rules.iter().map(RuleId::as_str).collect();
                rules.sort_unstable();
                rules
            });
            if expected != got {
                let shown = |rules: Vec<&str>| {
                    if rules.is_empty() { "no rule".to_owned() } else { rules.join(", ") }
                };
                wrong.push(format!("decided by {}, not {}", shown(got), shown(expected)));
            }
        }
        let Case { name, file, line, expect, .. } = case;
        let (name, file) = (name.clone(), file.clone());
        Outcome { name, file, line: *line, expect: *expect, decision, wrong }
    }
}
