//! `lockgate policy decide --policies DIR --request FILE`

use std::path::PathBuf;

use clap::Args;
use lockgate_policy::Verdict;

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
