//! `lockgate record`

use clap::Args;
use lockgate_model::ids::{AgentName, VersionName};
use lockgate_value::event::{Draft, What};
use lockgate_value::import::{Defaults, written};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::charged::AlsoCharged;
use crate::client::{Client, ServerArgs};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};

const FIELDS: &str = "\
Kinds and their fields ([] may be left out):
  survey            score=0..10
  baseline          measure=minutes_per_task|minutes_with_agent|labour_cost_per_hour|error_rate_by_hand|
                    cost_per_error|yearly_cost|nps|investment value=N unit=minutes|percent|points|USD as_of=DAY
  headcount         [employees=N] [knowledge_workers=N] [seats=N]
  time_saved        minutes=N [tasks=N] [user=HASH]
  conversion        arm=agent|control visitors=N converted=N
  incident          detected=TIME [recovered=TIME] [caused_by=VERSION] [release=ID]
  external_cost     billed_cost=N billing_currency=USD charge_period_start=TIME charge_period_end=TIME
                    service_name=TEXT [provider_name=TEXT] [charge_category=TEXT] [model_usage=true]
  use_case, system  name=TEXT stage=test|production|retired
  deployment        outcome=succeeded|failed finished=TIME [committed=TIME] [detected=TIME] [recovered=TIME]
                    [release=ID]
  replacement_check interaction=ID verified=true|false
  error_introduced  [count=N] [detail=TEXT]
  withdrawn         reason=TEXT, with --corrects

Times are in RFC 3339, such as 2026-03-01T09:30:00Z.";

/// Records what Lockgate does not see by itself: a survey's answer, a baseline, an incident, a cost.
///
/// What was recorded is never changed. To correct it, record it anew with --corrects and the key of the one before.
#[derive(Debug, Args)]
#[command(after_help = FIELDS)]
pub(crate) struct Record {
    /// What it is: survey, baseline, headcount and others, see below
    #[arg(value_name = "KIND")]
    kind: String,
    /// Its fields
    #[arg(value_name = "FIELD=VALUE", value_parser = field)]
    fields: Vec<(String, String)>,
    /// The agent; left out, all of them
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
    /// The version, where it is about one
    #[arg(long, value_name = "NAME", requires = "agent")]
    version: Option<VersionName>,
    /// Where it is from, such as "survey of March"
    #[arg(long, value_name = "TEXT")]
    source: String,
    /// When it was so [default: when the one was that it corrects, else now]
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// Tells it from others; the same key is recorded once [default: a new one]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// The key of the one that it takes the place of
    #[arg(long, value_name = "KEY")]
    corrects: Option<String>,
    /// Only say whether it would be recorded
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// What the server says of events.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Told {
    pub(super) new: u64,
    pub(super) known: u64,
    /// When each of them was so.
    at_wall_ms: Vec<i64>,
    pub(super) also_charged: Vec<AlsoCharged>,
}

impl Record {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        let draft = self.draft()?;
        let client = Client::new(&self.server)?;
        let body = json!({ "events": [draft], "dry_run": self.dry_run });
        let told: Told = serde_json::from_value(client.post(&["value", "events"], &body).await?)
            .map_err(|error| CliError::new(Exit::Failed, error))?;
        AlsoCharged::warn(&told.also_charged);
        let at_wall_ms = told.at_wall_ms.first().copied().unwrap_or_default();
        match format {
            Format::Json => output::print_json(&json!({
                "key": draft.key(), "at_wall_ms": at_wall_ms, "new": told.new == 1,
                "dry_run": self.dry_run,
            }))?,
            Format::Text => output::print(&self.said(&draft, &told, &output::time(at_wall_ms)))?,
        }
        Ok(Exit::Done)
    }

    fn said(&self, draft: &Draft, told: &Told, at: &str) -> String {
        let key = draft.key();
        match (told.new, self.dry_run) {
            (0, _) => format!("{key} is recorded already, as of {at}, with the same content"),
            (_, true) => format!("{key} would be recorded, as of {at}; nothing was"),
            (_, false) => format!("recorded as {key}, as of {at}"),
        }
    }

    /// What is sent. Without a time, so that the server can say which is the right one.
    fn draft(&self) -> CliResult<Draft> {
        if !What::KINDS.contains(&self.kind.as_str()) {
            return Err(CliError::usage(format!("there is no kind `{}`", self.kind))
                .hint(format!("use one of {}", What::KINDS.join(", "))));
        }
        let key = self.key.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
        let version = self.version.as_ref().map(VersionName::to_string);
        let common = [
            ("key", Some(key)),
            ("at", self.at.map(|at| at.to_string())),
            ("kind", Some(self.kind.clone())),
            ("source", Some(self.source.clone())),
            ("version", version),
            ("corrects", self.corrects.clone()),
        ];
        let common = common.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let own = self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let defaults = Defaults { agent: self.agent.clone(), ..Defaults::default() };
        written(common.chain(own), defaults).map_err(|invalid| {
            CliError::usage(invalid.to_string())
                .hint("`lockgate record --help` lists the fields of each kind")
        })
    }
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as FIELD=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
