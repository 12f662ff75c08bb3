//! `lockgate value score`

use clap::Args;
use lockgate_value::measured::Missing;
use lockgate_value::render;
use lockgate_value::score::score;

use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output::{self, Format};

/// Works out the composite score, raw and on a scale of 0 to 100, with every term.
///
/// A term that is not given is named as missing. The others are never weighed anew: the score is then unknown, and its
/// range says where it can lie.
#[derive(Debug, Args)]
pub(crate) struct Score {
    /// Successful deployments, percent of those that finished
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true)]
    deployment_success: Option<f64>,
    /// Interactions that needed no person, percent
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true)]
    replacement: Option<f64>,
    /// Hours saved in a week for each seat
    #[arg(long, value_name = "HOURS", allow_negative_numbers = true)]
    hours_per_week: Option<f64>,
    /// Saving of a year, percent of what the work cost before
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true)]
    cost_saving: Option<f64>,
    /// Net promoter score, -100 to 100
    #[arg(long, value_name = "POINTS", allow_negative_numbers = true)]
    nps: Option<f64>,
}

impl Score {
    pub(crate) fn run(&self, format: Format) -> CliResult {
        let given = [
            (self.deployment_success, "--deployment-success"),
            (self.replacement, "--replacement"),
            (self.hours_per_week, "--hours-per-week"),
            (self.cost_saving, "--cost-saving"),
            (self.nps, "--nps"),
        ];
        let values = given.map(|(value, flag)| {
            value.ok_or_else(|| Missing { why: "not given".into(), how: vec![flag.to_owned()] })
        });
        let scored = score(values).map_err(CliError::usage)?;
        match format {
            Format::Json => {
                let text =
                    render::score_json(&scored).or_exit(Exit::Failed, "cannot print as JSON")?;
                output::print_exact(&text)?;
            }
            Format::Text => output::print(&render::score_text(&scored))?,
        }
        Ok(Exit::Done)
    }
}
