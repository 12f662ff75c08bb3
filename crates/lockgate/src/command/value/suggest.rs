//! `lockgate value suggest`

mod told;

use std::path::PathBuf;

use clap::Args;
use jiff::civil::Date;
use lockgate_model::ids::AgentName;
use lockgate_value::suggest::Suggestions;
use lockgate_value::suggest::question::{Asked, Found};
use serde::Serialize;

use super::plan_change::{self, File};
use super::policy_change::Policies;
use crate::client::{Client, ServerArgs};
use crate::config_file;
use crate::error::{CliResult, Exit, OrExit as _};
use crate::output::{self, Format};

/// Suggests rollback thresholds and rules of policies from what was seen, with what they would have done.
///
/// Nothing is changed: each suggestion is printed as a patch, with the commands that check it and apply it.
#[derive(Debug, Args)]
pub(crate) struct Suggest {
    /// The agent; left out, all of them
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
    /// The first day [default: 179 days before the last]
    #[arg(long, value_name = "DAY")]
    from: Option<Date>,
    /// The last day [default: today]
    #[arg(long, value_name = "DAY")]
    to: Option<Date>,
    /// Whose days, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// The configuration file that patches are made for
    #[arg(long, value_name = "FILE", default_value = config_file::DEFAULT)]
    config: PathBuf,
    /// The directory of policies that patches are made for
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

/// A suggestion as a person can accept it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Acceptable {
    /// The agent whose releases speak for it; none for a rule of policies.
    agent: Option<AgentName>,
    /// What it changes: `trigger p95_ms`, `rule refund-asks`.
    rule: String,
    /// Where that is, if it was found.
    place: Option<String>,
    /// What to change, as a patch; none when it cannot be made line by line.
    patch: Option<String>,
    /// The same as a part of a file, or in words.
    change: String,
    /// How to check and apply it.
    commands: Vec<String>,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    suggestions: &'a Suggestions,
    changes: &'a [Acceptable],
}

impl Suggest {
    pub(super) async fn run(self, format: Format) -> CliResult {
        let client = Client::new(&self.server)?;
        let mut url = client.url(&["value", "suggestions"])?;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("time_zone", &self.time_zone);
            let given = [
                ("agent", self.agent.as_ref().map(AgentName::to_string)),
                ("from", self.from.map(|day| day.to_string())),
                ("to", self.to.map(|day| day.to_string())),
            ];
            for (name, value) in given {
                if let Some(value) = value {
                    query.append_pair(name, &value);
                }
            }
        }
        let answer = client.get_url(url).await?;
        let suggestions: Suggestions =
            serde_json::from_value(answer).or_exit(Exit::Failed, "cannot read the answer")?;
        let changes = self.changes(&suggestions);
        match format {
            Format::Json => {
                let printed = Printed { suggestions: &suggestions, changes: &changes };
                let text = lockgate_value::render::canonical(&printed)
                    .or_exit(Exit::Failed, "cannot print as JSON")?;
                output::print_exact(&text)?;
            }
            Format::Text => output::print(&told::text(&suggestions, &changes))?,
        }
        Ok(Exit::Done)
    }

    fn changes(&self, suggestions: &Suggestions) -> Vec<Acceptable> {
        let file = File::read(&self.config);
        let policies = self.policies.as_deref().and_then(Policies::read);
        let mut changes = Vec::new();
        for agent in &suggestions.agents {
            for threshold in &agent.thresholds {
                let Some(change) = &threshold.change else { continue };
                let name = self.config.display();
                changes.push(Acceptable {
                    agent: Some(agent.agent.clone()),
                    rule: threshold.rule.clone(),
                    place: Some(format!("plans.{}.{}", change.plan, change.path)),
                    patch: file.as_ref().and_then(|file| file.patch(change)),
                    change: plan_change::snippet(change),
                    commands: vec![
                        format!("lockgate check {name}"),
                        format!("lockgate diff {name}"),
                        format!("lockgate apply {name} --reason \"WHY\""),
                    ],
                });
            }
        }
        let asked = suggestions.questions.iter();
        changes.extend(asked.filter_map(|asked| of_rule(asked, policies.as_ref())));
        changes
    }
}

fn of_rule(asked: &Asked, policies: Option<&Policies>) -> Option<Acceptable> {
    let rule = &asked.rule;
    let change = match asked.finding {
        Found::Narrow => {
            format!(
                "Take these actions out of the rule `{rule}`: {}. What other rules allow is then done without a question. If none is left, take the rule away.",
                asked.actions.join(", ")
            )
        }
        Found::Deny => format!("Write `effect: deny` in the rule `{rule}`, without its `ask`."),
        Found::AnswerLater => format!(
            "Name more people in `ask.from` of the rule `{rule}`, or give questions more time with `approvals.expires` of the configuration file. How many would then be answered, nobody knows."
        ),
        Found::Insufficient | Found::Fine | Found::Kept => return None,
    };
    let directory =
        policies.map_or_else(|| "DIR".into(), |one| one.directory().display().to_string());
    Some(Acceptable {
        agent: None,
        rule: format!("rule {rule}"),
        place: policies.and_then(|policies| policies.place(rule)),
        patch: policies.and_then(|policies| policies.patch(asked)),
        change,
        commands: vec![
            format!("lockgate policy check {directory}"),
            format!("lockgate policy test {directory}"),
            "start `lockgate serve` again, or send it SIGHUP, with these policies".into(),
        ],
    })
}
