//! `lockgate value …`

mod edit;
mod plan_change;
mod policy_change;
mod score;
mod suggest;

use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;
use lockgate_model::ids::AgentName;
use lockgate_value::render;
use lockgate_value::report::ValueReport;

use crate::client::{Client, ServerArgs};
use crate::error::{CliResult, Exit, OrExit as _};
use crate::output::{self, Format};

/// Says what agents are worth.
#[derive(Debug, Subcommand)]
pub(crate) enum Value {
    /// Report every measure, what is missing, and how to record it
    Report(Box<Report>),
    /// Suggest rollback thresholds and rules of policies, with what they would have done
    Suggest(Box<suggest::Suggest>),
    /// Work out the composite score from numbers of your own; no server is asked
    Score(score::Score),
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The agent; left out, all of them
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
    /// The first day [default: 29 days before the last]
    #[arg(long, value_name = "DAY")]
    from: Option<Date>,
    /// The last day [default: today]
    #[arg(long, value_name = "DAY")]
    to: Option<Date>,
    /// Whose days, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// Put the time before beside, which is as many days
    #[arg(long)]
    compare: bool,
    /// Print it for another place instead
    #[arg(long, value_enum, conflicts_with = "output")]
    format: Option<Form>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Markdown,
    Csv,
    // A page with charts that prints well.
    Html,
}

impl Value {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        match self {
            Self::Report(report) => report.run(format).await,
            Self::Suggest(suggest) => suggest.run(format).await,
            Self::Score(score) => score.run(format),
        }
    }
}

impl Report {
    async fn run(self, format: Format) -> CliResult {
        let client = Client::new(&self.server)?;
        let mut url = client.url(&["value", "report"])?;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("time_zone", &self.time_zone);
            let compare = self.compare.then(|| "true".to_owned());
            let given = [
                ("agent", self.agent.as_ref().map(AgentName::to_string)),
                ("from", self.from.map(|day| day.to_string())),
                ("to", self.to.map(|day| day.to_string())),
                ("compare", compare),
            ];
            for (name, value) in given {
                if let Some(value) = value {
                    query.append_pair(name, &value);
                }
            }
        }
        let answer = client.get_exact(url).await?;
        let report: ValueReport =
            serde_json::from_str(&answer).or_exit(Exit::Failed, "cannot read the report")?;
        match (self.format, format) {
            (Some(Form::Markdown), _) => output::print(&render::markdown(&report))?,
            (Some(Form::Csv), _) => output::print(&render::csv(&report))?,
            (Some(Form::Html), _) => output::print(&render::html(&report))?,
            // As the server has it: whoever asks in another way gets the same bytes.
            (None, Format::Json) => output::print_exact(&answer)?,
            (None, Format::Text) => output::print(&render::text(&report))?,
        }
        Ok(Exit::Done)
    }
}
