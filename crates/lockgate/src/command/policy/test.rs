//! `lockgate policy test DIR`

use std::path::PathBuf;

use clap::Args;
use lockgate_policy::{Outcome, Tested};
use serde_json::json;

use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};
use crate::policy_files;

/// Runs the tests beside the rules.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The directory of policy files
    directory: PathBuf,
    /// Also fail when a rule decides no test
    #[arg(long)]
    require_coverage: bool,
}

impl Test {
    pub(crate) fn run(self, format: Format) -> CliResult {
        let bundle = policy_files::read(&self.directory)?;
        let tested = bundle.test();
        let covered = tested.rules - tested.untested.len();
        match format {
            Format::Json => output::print_json(&json!({
                "tests": tested.outcomes.len(),
                "failed": tested.failed(),
                "rules": tested.rules,
                "rules_tested": covered,
                "untested": tested.untested,
                "outcomes": tested.outcomes,
            }))?,
            Format::Text => output::print(&told(&tested, covered))?,
        }
        self.verdict(&tested)
    }

    fn verdict(&self, tested: &Tested) -> CliResult {
        let failed = tested.failed();
        if tested.outcomes.is_empty() {
            let text = format!("{} has no tests", self.directory.display());
            return Err(CliError::text(Exit::Failed, text)
                .hint("write requests and what must come out under `tests` in a policy file"));
        }
        if failed > 0 {
            let text = format!("{failed} of {} tests failed", tested.outcomes.len());
            return Err(CliError::text(Exit::Failed, text)
                .hint("`lockgate policy explain` says why a request is decided as it is"));
        }
        if self.require_coverage && !tested.untested.is_empty() {
            let text =
                format!("{} of {} rules decide no test", tested.untested.len(), tested.rules);
            return Err(CliError::text(Exit::Failed, text).hint("write a test for each of them"));
        }
        Ok(Exit::Done)
    }
}

fn told(tested: &Tested, covered: usize) -> String {
    let mut parts: Vec<String> =
        tested.outcomes.iter().filter(|outcome| !outcome.wrong.is_empty()).map(failure).collect();
    let passed = tested.outcomes.len() - tested.failed();
    parts.push(format!(
        "{passed} of {} tests passed; {covered} of {} rules tested",
        tested.outcomes.len(),
        tested.rules
    ));
    if !tested.untested.is_empty() {
        let ids: Vec<&str> = tested.untested.iter().map(lockgate_policy::RuleId::as_str).collect();
        parts.push(format!("untested: {}", ids.join(", ")));
    }
    parts.join("\n")
}

/// A failed test with all that the rules could see.
fn failure(outcome: &Outcome) -> String {
    let Outcome { name, file, line, decision, wrong, .. } = outcome;
    let mut lines = vec![format!("{file}:{line}: failed: {name}")];
    lines.extend(wrong.iter().map(|wrong| format!("  {wrong}")));
    lines.push(format!("  reason: {}", decision.why()));
    if !decision.unknown.is_empty() {
        lines.push(format!("  unknown: {}", decision.unknown.join(", ")));
    }
    for (fact, value) in super::explain::facts(decision) {
        lines.push(format!("  {fact}: {value}"));
    }
    lines.push(String::new());
    lines.join("\n")
}
