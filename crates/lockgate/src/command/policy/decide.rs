//! `lockgate policy decide --policies DIR --request FILE`

use std::path::PathBuf;

use clap::Args;
use lockgate_policy::{Decision, Reason, RuleId, Verdict};

use crate::error::{CliResult, Exit};
use crate::{output, policy_files};

/// Decides one request.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The directory of policy files
    #[arg(long, value_name = "DIR")]
    policies: PathBuf,
    /// The request, a JSON file
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
}

impl Decide {
    pub(crate) fn run(self) -> CliResult {
        let bundle = policy_files::read(&self.policies)?;
        let asked = super::request(&self.request)?;
        let circumstances = asked.circumstances();
        let decision = bundle.decide(&asked.request(&circumstances));
        output::print_json(&decision)?;
        Ok(match decision.verdict {
            Verdict::Allow => Exit::Done,
            Verdict::Deny => Exit::Failed,
            Verdict::Ask => Exit::NeedsPerson,
        })
    }
}

/// Why a decision came out so, in words.
pub(super) fn reason(decision: &Decision) -> String {
    let rules: Vec<&str> = decision.rules.iter().map(RuleId::as_str).collect();
    match &decision.reason {
        Reason::Rules => format!("by {}", rules.join(", ")),
        Reason::NoRule => "no rule allows it".to_owned(),
        Reason::Unknown => {
            format!("a rule might allow it, but unknown: {}", decision.unknown.join(", "))
        }
        Reason::UndeclaredTool => "the tool is not declared".to_owned(),
        Reason::UndeclaredAction => "the tool has no such action".to_owned(),
        Reason::UndeclaredArgument { argument } => {
            format!("the action has no argument {}", argument.escape_debug())
        }
        Reason::MissingArgument { argument } => format!("the argument {argument} is missing"),
        Reason::Malformed { what } => (*what).to_owned(),
        Reason::Failed { failures } => {
            let failed = failures.iter().map(|failure| {
                let rule = failure.rule.as_ref().map_or("the request", RuleId::as_str);
                format!("{rule}: {}", failure.error)
            });
            format!("a policy failed: {}", failed.collect::<Vec<_>>().join("; "))
        }
    }
}
