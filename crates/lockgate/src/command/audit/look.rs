//! Looking at records.

use clap::{Args, Subcommand};
use lockgate_audit::{Record, VerifierKey};
use serde_json::json;

use super::rotate::Rotate;
use super::{LogArgs, People, anchored, unusable};
use crate::error::{CliResult, Exit, OrExit as _};
use crate::output::{self, Format, plain};

/// Characters of a name in a table.
const CELL_CHARS: usize = 48;

#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// How many
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    lines: u64,
    /// Go on with what is recorded from now on, until interrupted
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    log: LogArgs,
}

impl Tail {
    pub(super) fn run(self, format: Format) -> CliResult {
        let mut log = self.log.open()?;
        let path = self.log.path();
        let mut next = log.size().saturating_sub(self.lines).max(log.first());
        let mut head = true;
        loop {
            let records = log.records(next..log.size()).map_err(|error| unusable(error, &path))?;
            next += records.len() as u64;
            let records: Result<Vec<Record>, _> =
                records.iter().map(|bytes| Record::parse(bytes)).collect();
            let records = records.map_err(|error| unusable(error, &path))?;
            print(records, &self.log.people(&log)?, format, head)?;
            if head {
                anchored::note(&log, &path);
            }
            if !self.follow {
                return Ok(Exit::Done);
            }
            head = false;
            std::thread::sleep(std::time::Duration::from_millis(500));
            log = self.log.open()?;
        }
    }
}

/// Records as a table, or one JSON object a line.
pub(super) fn print(
    records: Vec<Record>,
    people: &People,
    format: Format,
    head: bool,
) -> CliResult<()> {
    let records: Vec<Record> = records.into_iter().map(|record| people.reveal(record)).collect();
    if format == Format::Json {
        return records.iter().try_for_each(output::print_json_line);
    }
    let rows: Vec<Vec<String>> = records.iter().map(cells).collect();
    let table = output::table(&["seq", "time", "who", "what", "to what", "labels"], &rows);
    let table =
        if head { table.as_str() } else { table.split_once('\n').map_or("", |(_, rows)| rows) };
    if table.is_empty() { Ok(()) } else { output::print(table) }
}

fn cells(record: &Record) -> Vec<String> {
    let labels: Vec<String> =
        record.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    vec![
        record.seq.to_string(),
        output::time(record.at_ms),
        short(&record.principal),
        short(&match record.step_of {
            Some(of) => format!("{} (of {of})", record.action),
            None if record.step == "intent" => format!("{} (intent)", record.action),
            None => record.action.clone(),
        }),
        short(&record.object),
        plain(&labels.join(" ")),
    ]
}

fn short(text: &str) -> String {
    let text = plain(text);
    if text.chars().count() <= CELL_CHARS {
        return text;
    }
    text.chars().take(CELL_CHARS - 1).chain(['…']).collect()
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its number
    seq: u64,
    #[command(flatten)]
    log: LogArgs,
}

impl Show {
    pub(super) fn run(self) -> CliResult {
        let log = self.log.open()?;
        let path = self.log.path();
        let record = log.record(self.seq).map_err(|error| unusable(error, &path))?;
        let at_ms = record.at_ms;
        output::print_json(&self.log.people(&log)?.reveal(record))?;
        anchored::note_of(&log, &path, self.seq);
        output::note(format!("recorded: {}", output::time(at_ms)));
        Ok(Exit::Done)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Checkpoint {
    #[command(flatten)]
    log: LogArgs,
}

impl Checkpoint {
    pub(super) fn run(self, format: Format) -> CliResult {
        let log = self.log.open()?;
        let note =
            std::str::from_utf8(log.note()).or_exit(Exit::Failed, "the checkpoint is not text")?;
        match format {
            Format::Json => {
                let keys = log.keys().iter();
                let origin = keys.map(VerifierKey::origin).next().unwrap_or_default();
                let size = log.checkpoint().size;
                output::print_json(&json!({ "origin": origin, "size": size, "note": note }))?;
            }
            Format::Text => output::print_exact(note)?,
        }
        Ok(Exit::Done)
    }
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Keys {
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    change: Option<Change>,
}

#[derive(Debug, Subcommand)]
enum Change {
    /// Pass the log on to a new key, with the server stopped
    ///
    /// The change is recorded, and both keys sign it: whoever knows the old key comes to the new one. The old private key is
    /// replaced. Cut off at any point, it is finished by the next try or the next start.
    Rotate(Rotate),
}

impl Keys {
    pub(super) fn run(self, format: Format) -> CliResult {
        if let Some(Change::Rotate(rotate)) = self.change {
            return rotate.run(format);
        }
        let log = self.log.open()?;
        let keys: Vec<String> = log.keys().iter().map(ToString::to_string).collect();
        match format {
            Format::Json => output::print_json(&json!({ "keys": keys }))?,
            Format::Text => output::print(&keys.join("\n"))?,
        }
        Ok(Exit::Done)
    }
}
