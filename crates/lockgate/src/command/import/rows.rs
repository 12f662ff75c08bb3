//! The events of a file, one after the other. Only one row is in memory.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use jiff::Timestamp;
use lockgate_model::ids::AgentName;
use lockgate_model::version::Digest;
use lockgate_value::event::{Event, Text};
use lockgate_value::import::{Columns, Defaults, FocusColumns, LINE_BYTES_MAX, RowError, jsonl};

use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::text_file;

/// Rows that are told to be wrong; of more only the first are.
const WRONG_MAX: usize = 20;

/// What rows a file has.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// CSV with columns called like the fields of events.
    Csv(Defaults),
    /// A JSON object in each line.
    Jsonl(Defaults),
    /// A bill.
    Focus { agent: Option<AgentName>, source: Text, model_usage: bool },
}

/// What a file holds, seen once from end to end.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) digest: Digest,
    pub(super) rows: u64,
}

/// Reads all of a file. Tells every row that is wrong, up to a number of them.
pub(super) fn look(path: &Path, kind: &Kind) -> CliResult<Looked> {
    let mut sum = Sum::default();
    let mut wrong = Vec::new();
    for row in Rows::open(path, kind)? {
        match row? {
            Ok(event) => sum.add(&event)?,
            Err(error) => wrong.push(error),
        }
        if wrong.len() > WRONG_MAX {
            break;
        }
    }
    if !wrong.is_empty() {
        return Err(told(path, &wrong));
    }
    if sum.rows == 0 {
        return Err(CliError::usage(format!("{} holds no event", path.display())));
    }
    Ok(Looked { rows: sum.rows, digest: sum.digest })
}

fn told(path: &Path, wrong: &[RowError]) -> CliError {
    let shown: Vec<String> = wrong.iter().take(WRONG_MAX).map(ToString::to_string).collect();
    let more = if wrong.len() > WRONG_MAX { "\n  and more" } else { "" };
    CliError::usage(format!(
        "{} cannot be imported:\n  {}{more}",
        path.display(),
        shown.join("\n  ")
    ))
    .hint("nothing was imported; mend these lines and run it again")
}

/// The digest of events in their order: each with the one before.
pub(super) struct Sum {
    pub(super) digest: Digest,
    pub(super) rows: u64,
}

impl Default for Sum {
    fn default() -> Self {
        Self { digest: Digest::of(b""), rows: 0 }
    }
}

impl Sum {
    pub(super) fn add(&mut self, event: &Event) -> CliResult<()> {
        let text = serde_json::to_vec(event).or_exit(Exit::Failed, "cannot write an event")?;
        self.digest = Digest::of(&[self.digest.as_str().as_bytes(), &text].concat());
        self.rows += 1;
        Ok(())
    }
}

/// Whether a row could be read; inside, whether it is an event.
type Row = CliResult<Result<Event, RowError>>;

/// The rows of a file.
pub(super) struct Rows {
    reader: Reader,
    now_wall_ms: i64,
}

enum Reader {
    Csv { records: csv::StringRecordsIntoIter<File>, columns: Which },
    Jsonl { lines: BufReader<File>, line: u64, defaults: Defaults, name: String },
}

enum Which {
    Events(Columns),
    Bill(FocusColumns),
    /// The header is wrong; said once.
    Wrong(Option<RowError>),
}

impl Rows {
    pub(super) fn open(path: &Path, kind: &Kind) -> CliResult<Self> {
        let now_wall_ms = Timestamp::now().as_millisecond();
        let name = path.display().to_string();
        // It is read twice: what a pipe gives is gone after once.
        let file = text_file::open(path)?;
        let defaults = match kind {
            Kind::Jsonl(defaults) => {
                let lines = BufReader::new(file);
                let reader = Reader::Jsonl { lines, line: 0, defaults: defaults.clone(), name };
                return Ok(Self { reader, now_wall_ms });
            }
            Kind::Csv(defaults) => Some(defaults.clone()),
            Kind::Focus { .. } => None,
        };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
        let header = reader.headers().or_exit(Exit::Usage, format!("cannot read {name}"))?.clone();
        let columns = match (kind, defaults) {
            (Kind::Focus { agent, source, model_usage }, _) => {
                FocusColumns::of(&header, agent.clone(), source.clone(), *model_usage)
                    .map(Which::Bill)
            }
            (_, defaults) => Columns::of(&header, defaults.unwrap_or_default()).map(Which::Events),
        };
        let columns = columns.unwrap_or_else(|error| Which::Wrong(Some(error)));
        let reader = Reader::Csv { records: reader.into_records(), columns };
        Ok(Self { reader, now_wall_ms })
    }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let now_wall_ms = self.now_wall_ms;
        match &mut self.reader {
            Reader::Csv { columns: Which::Wrong(error), .. } => {
                error.take().map(|error| Ok(Err(error)))
            }
            Reader::Csv { records, columns } => {
                let record = match records.next()? {
                    Ok(record) => record,
                    Err(error) => return Some(Err(CliError::new(Exit::Usage, error))),
                };
                let line = record.position().map_or(0, csv::Position::line);
                let event = match columns {
                    Which::Bill(columns) => columns.event(line, &record),
                    Which::Events(columns) => columns.event(line, &record),
                    Which::Wrong(_) => return None,
                };
                Some(Ok(past(event, line, now_wall_ms)))
            }
            Reader::Jsonl { lines, line, defaults, name } => {
                let row = next_line(lines, line, defaults, name)?;
                Some(row.map(|event| past(event, *line, now_wall_ms)))
            }
        }
    }
}

/// Refuses what is yet to come.
fn past(event: Result<Event, RowError>, line: u64, now_wall_ms: i64) -> Result<Event, RowError> {
    let event = event?;
    let told = event.what.check_past(Some(event.at_wall_ms), now_wall_ms);
    told.map_err(|invalid| RowError { line, invalid })?;
    Ok(event)
}

fn next_line(
    lines: &mut BufReader<File>,
    line: &mut u64,
    defaults: &Defaults,
    name: &str,
) -> Option<Row> {
    loop {
        let mut bytes = Vec::new();
        let most = LINE_BYTES_MAX as u64 + 2;
        let read = lines.take(most).read_until(b'\n', &mut bytes);
        let failed = |text: String| Some(Err(CliError::usage(format!("{name}: {text}"))));
        *line += 1;
        match read {
            Err(error) => return failed(error.to_string()),
            Ok(0) => return None,
            Ok(_) if bytes.len() > LINE_BYTES_MAX && bytes.last() != Some(&b'\n') => {
                return failed(format!("line {line}: a line has at most {LINE_BYTES_MAX} bytes"));
            }
            Ok(_) => {}
        }
        let Ok(text) = String::from_utf8(bytes) else {
            return failed(format!("line {line}: this is no UTF-8"));
        };
        match jsonl(*line, &text, defaults) {
            Ok(None) => {}
            Ok(Some(event)) => return Some(Ok(Ok(event))),
            Err(error) => return Some(Ok(Err(error))),
        }
    }
}
