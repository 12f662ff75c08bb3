//! `lockgate import`

mod rows;
mod send;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lockgate_api::Reason;
use lockgate_model::ids::AgentName;
use lockgate_value::event::Text;
use lockgate_value::import::Defaults;
use serde_json::json;

use self::rows::{Kind, Rows};
use crate::client::{Client, ServerArgs};
use crate::command::charged::AlsoCharged;
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};

/// Where rows are from that do not say it. Not the file's name: the same events under another name are the same.
const SOURCE: &str = "an import";

/// Imports a file of events: surveys, baselines, conversions, incidents, bills in FOCUS and others.
///
/// The whole file is looked at before anything is sent, and nothing of it counts before all of it is there. An import that was
/// cut off goes on where it stopped when the same command runs again. What was recorded before counts once.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file: CSV with a header, or JSON, one event in each line
    #[arg(value_name = "FILE", required_unless_present = "digest")]
    file: Option<PathBuf>,
    /// What the file is [default: by its name: .csv, .jsonl or .ndjson]
    #[arg(long = "as", value_name = "FORMAT", value_enum)]
    as_format: Option<As>,
    /// The kind of rows that do not say it
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// The agent of rows that do not name one
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
    /// Where rows are from that do not say it [default: an import]
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// The bill is of the models' tokens, which interactions have as their cost: shown, and not added
    #[arg(long)]
    model_usage: bool,
    /// Only look whether it can be imported
    #[arg(long, conflicts_with = "discard")]
    dry_run: bool,
    /// Give up the import of this file that was not finished, and why
    #[arg(long, value_name = "REASON", value_parser = crate::reason::parse)]
    discard: Option<Reason>,
    /// The digest of the import to give up, where the file is not as it was any more
    #[arg(long, value_name = "DIGEST", requires = "discard", conflicts_with = "file")]
    digest: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum As {
    // A header, and an event in each record.
    Csv,
    // A JSON object in each line.
    Jsonl,
    // A bill: the FinOps Open Cost and Usage Specification.
    Focus,
}

impl Import {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        if let (Some(digest), Some(reason)) = (&self.digest, &self.discard) {
            return discard(&Client::new(&self.server)?, digest, reason).await;
        }
        let kind = self.kind()?;
        let looked = rows::look(self.file(), &kind)?;
        if self.dry_run {
            return self.tried(&kind, looked.rows, format).await;
        }
        let client = Client::new(&self.server)?;
        if let Some(reason) = &self.discard {
            return discard(&client, looked.digest.as_str(), reason).await;
        }
        let name = self.name();
        let sent = send::all(&client, Rows::open(self.file(), &kind)?, &looked, &name).await?;
        AlsoCharged::warn(&sent.also_charged);
        match format {
            Format::Json => output::print_json(&sent)?,
            Format::Text => output::print(&format!(
                "imported {}: {} events, {} of them recorded before",
                self.file().display(),
                output::count(sent.rows),
                output::count(sent.known)
            ))?,
        }
        Ok(Exit::Done)
    }

    async fn tried(&self, kind: &Kind, rows: u64, format: Format) -> CliResult {
        let client = Client::new(&self.server)?;
        let told = send::tried(&client, Rows::open(self.file(), kind)?).await?;
        AlsoCharged::warn(&told.also_charged);
        match format {
            Format::Json => output::print_json(&json!({
                "rows": rows, "new": told.new, "known": told.known,
                "also_charged": told.also_charged, "dry_run": true,
            }))?,
            Format::Text => output::print(&format!(
                "{} events could be imported, {} of them recorded before; nothing was",
                output::count(rows),
                output::count(told.known)
            ))?,
        }
        Ok(Exit::Done)
    }

    /// Nothing is left out but with a digest.
    fn file(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(""))
    }

    fn name(&self) -> String {
        let name = self.file().file_name().unwrap_or(self.file().as_os_str());
        output::plain(&name.to_string_lossy())
    }

    fn kind(&self) -> CliResult<Kind> {
        let source = self.source.clone().unwrap_or_else(|| SOURCE.to_owned());
        let source = Text::try_from(source)
            .map_err(|error| CliError::usage(format!("--source: {error}")))?;
        let named = self.file().extension().and_then(|extension| extension.to_str());
        let by_name = match named.map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => Some(As::Csv),
            Some("jsonl" | "ndjson") => Some(As::Jsonl),
            _ => None,
        };
        let agent = self.agent.clone();
        let defaults = Defaults { kind: self.kind.clone(), agent, source: Some(source.clone()) };
        match self.as_format.or(by_name) {
            Some(As::Csv) => Ok(Kind::Csv(defaults)),
            Some(As::Jsonl) => Ok(Kind::Jsonl(defaults)),
            Some(As::Focus) => {
                Ok(Kind::Focus { agent: self.agent.clone(), source, model_usage: self.model_usage })
            }
            None => Err(CliError::usage(format!(
                "the name of {} does not say what it is",
                self.file().display()
            ))
            .hint("say it: --as csv, --as jsonl or --as focus")),
        }
    }
}

async fn discard(client: &Client, digest: &str, reason: &Reason) -> CliResult {
    client.delete_because(&["value", "imports", digest], reason.as_str()).await?;
    output::note("what was taken of it is forgotten");
    Ok(Exit::Done)
}
