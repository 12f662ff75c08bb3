//! `lockgate audit export` and `check-bundle`: records for other programs, and evidence for people.

mod cloudevents;
mod csv;
mod ocsf;
mod range;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use lockgate_audit::{AuditError, Disclosure, Reader, Record, check_bundle, write_bundle};
use serde_json::json;

use super::{LogArgs, NeededKeyArgs, People, unusable};
use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output::{self, Format};
use range::RangeArgs;
pub(super) use range::{in_order, time};

/// Records read at once.
const CHUNK: u64 = 256;
/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    range: RangeArgs,
    /// How records are written
    #[arg(long, value_enum, default_value_t, conflicts_with = "bundle")]
    format: As,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
    out: Option<PathBuf>,
    /// Write evidence to this new directory instead: records, proofs, checkpoint, keys, and how to check them
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Name people and show their words in the evidence, each with what shows that the signed record says so:
    /// `principal`, `reason`, or any place such as `/detail/name`. Whoever has the evidence can prove it to others, also
    /// after the person was erased here
    #[arg(long, value_name = "PLACE", value_delimiter = ',', requires = "bundle", value_parser = place)]
    disclose: Vec<String>,
    #[command(flatten)]
    log: LogArgs,
}

/// A place in records, by its short name or as a JSON pointer.
fn place(text: &str) -> Result<String, String> {
    match text {
        "principal" | "object" => Ok(format!("/{text}")),
        "reason" => Ok("/detail/reason".to_owned()),
        "/principal" | "/object" => Ok(text.to_owned()),
        _ if text.starts_with("/detail/") => Ok(text.to_owned()),
        _ => Err("write `principal`, `reason`, or a place such as `/detail/name`".to_owned()),
    }
}

/// The forms that records take outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum As {
    // Plain comments: help then lists the values in one line.
    // One record a line, byte for byte as it was signed.
    #[default]
    Jsonl,
    // A table; cells that a spreadsheet would run as formulas begin with an apostrophe.
    Csv,
    // CloudEvents 1.0, one a line.
    Cloudevents,
    // OCSF 1.6, one event a line.
    Ocsf,
}

impl Export {
    pub(super) fn run(self, format: Format) -> CliResult {
        let log = self.log.open()?;
        let failed = |error| unusable(error, &self.log.path());
        if let Some(dir) = &self.bundle {
            return self.bundle(&log, dir, format);
        }
        self.range.check()?;
        let wanted = self.range.resolve(&log).map_err(failed)?;
        self.note_pruned(&log);
        // JSON lines are what was signed, with nobody's name in it.
        let people = self.log.people(&log)?;
        let Some(path) = &self.out else {
            return match self.write(&log, &wanted, &people, io::stdout().lock()) {
                // The reader has seen enough, as with `lockgate … | head`.
                Err(Stopped::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                    Ok(Exit::Done)
                }
                other => self.ended(other, "standard output"),
            };
        };
        let shown = path.display().to_string();
        // Whole or not there: half an export looks like a whole one.
        let mut beside = path.clone().into_os_string();
        beside.push(".part");
        // It may hold names: nobody else's to read.
        let file = private(&beside).or_exit(Exit::Usage, format!("cannot write {shown}"))?;
        let written = self.write(&log, &wanted, &people, file).and_then(|(file, count)| {
            file.sync_all().and_then(|()| fs::rename(&beside, path)).map_err(Stopped::Write)?;
            Ok(((), count))
        });
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        self.ended(written, &shown)
    }

    /// Says where an export begins that was to begin earlier.
    fn note_pruned(&self, log: &Reader) {
        let first = log.first();
        if first > 0 && self.range.begins_before(first) {
            let since = log
                .record(first)
                .map_or_else(|_| output::UNKNOWN.into(), |record| output::time(record.at_ms));
            output::note(format!(
                "begins at record {first}, {since}: those before it were pruned by policy"
            ));
        }
    }

    fn ended<T>(&self, written: Result<(T, u64), Stopped>, shown: &str) -> CliResult {
        match written {
            Ok((_, count)) => {
                output::note(format!("{} records", output::count(count)));
                Ok(Exit::Done)
            }
            Err(Stopped::Read(error)) => Err(unusable(error, &self.log.path())),
            Err(Stopped::Write(error)) => {
                Err(CliError::new(Exit::Failed, error).context(format!("cannot write {shown}")))
            }
        }
    }

    /// Writes records as they are read, a chunk at a time.
    fn write<W: Write>(
        &self,
        log: &Reader,
        wanted: &range::Wanted,
        people: &People,
        out: W,
    ) -> Result<(W, u64), Stopped> {
        let mut sheet = match self.format {
            As::Jsonl => Sheet::Lines(BufWriter::new(out), |_, _, bytes| Ok(bytes.to_vec())),
            As::Cloudevents => Sheet::Lines(BufWriter::new(out), cloudevents::line),
            As::Ocsf => Sheet::Lines(BufWriter::new(out), ocsf::line),
            As::Csv => Sheet::Table(Box::new(csv::Table::begin(out)?)),
        };
        let origin = log.keys().first().map(|key| key.origin().to_owned()).unwrap_or_default();
        let mut count = 0;
        let mut at = wanted.seqs.start;
        while at < wanted.seqs.end {
            let until = ((at / CHUNK + 1) * CHUNK).min(wanted.seqs.end);
            for bytes in log.records(at..until)? {
                let record = Record::parse(&bytes)?;
                if wanted.takes(&record) {
                    sheet.row(&origin, &people.reveal(record), &bytes)?;
                    count += 1;
                }
            }
            at = until;
        }
        Ok((sheet.end()?, count))
    }

    fn bundle(&self, log: &Reader, dir: &Path, format: Format) -> CliResult {
        let failed = |error| unusable(error, &self.log.path());
        self.range.check()?;
        let wanted = self.range.resolve(log).map_err(failed)?;
        self.note_pruned(log);
        let seqs = wanted.covering(log).map_err(failed)?;
        let signed = log.checkpoint().size;
        let left_out = seqs.end.saturating_sub(signed.max(seqs.start));
        let seqs = seqs.start..seqs.end.min(signed);
        if seqs.is_empty() {
            return Err(CliError::usage("no signed record is in that range")
                .hint("a checkpoint follows a record within a second; `lockgate audit tail` shows what there is"));
        }
        let mut told = Instant::now();
        let mut progress = |done: u64, all: u64| {
            if told.elapsed() >= TOLD_EVERY {
                told = Instant::now();
                output::note(format!("{} of {} records", output::count(done), output::count(all)));
            }
        };
        let people = self.log.people(log)?;
        let disclosure = match &people.0 {
            _ if self.disclose.is_empty() => None,
            Some(vault) => Some(Disclosure { vault, places: &self.disclose }),
            None => {
                return Err(CliError::usage("nobody can be named without the keys of people")
                    .hint("give the server's directory with --data-dir, not a copy of the log"));
            }
        };
        let digest =
            write_bundle(log, seqs.clone(), dir, disclosure, &mut progress).map_err(|error| {
                match error {
                    AuditError::Missing(_) => CliError::new(Exit::Usage, error)
                        .hint("give a directory that is not there yet"),
                    error => failed(error),
                }
            })?;
        if left_out > 0 {
            output::note(format!(
                "{left_out} records are not signed yet and were left out; export again in a moment"
            ));
        }
        match format {
            Format::Json => output::print_json(&json!({
                "bundle": dir, "first": seqs.start, "end": seqs.end, "size": signed,
                "manifest_sha256": digest, "not_signed_yet": left_out,
            }))?,
            Format::Text => output::print(&format!(
                "records {} to {} of {signed}\nmanifest {digest}",
                seqs.start,
                seqs.end - 1
            ))?,
        }
        Ok(Exit::Done)
    }
}

/// A new file that its owner alone can read.
fn private(path: &std::ffi::OsStr) -> io::Result<File> {
    // One that was left behind may be anyone's to read.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Why an export ended early.
enum Stopped {
    Read(AuditError),
    Write(io::Error),
}

impl From<AuditError> for Stopped {
    fn from(error: AuditError) -> Self {
        Self::Read(error)
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// Turns a record into a line: origin of the log, record, its canonical bytes.
type Line = fn(&str, &Record, &[u8]) -> io::Result<Vec<u8>>;

enum Sheet<W: Write> {
    Lines(BufWriter<W>, Line),
    Table(Box<csv::Table<W>>),
}

impl<W: Write> Sheet<W> {
    fn row(&mut self, origin: &str, record: &Record, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Lines(out, line) => {
                out.write_all(&line(origin, record, bytes)?)?;
                out.write_all(b"\n")
            }
            Self::Table(table) => table.row(record),
        }
    }

    fn end(self) -> io::Result<W> {
        match self {
            Self::Lines(out, _) => out.into_inner().map_err(io::IntoInnerError::into_error),
            Self::Table(table) => table.end(),
        }
    }
}

/// Milliseconds since the epoch as RFC 3339; times that no calendar has stay away.
fn rfc3339(at_ms: i64) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(at_ms).ok()?;
    Some(format!("{at:.3}"))
}

#[derive(Debug, Args)]
pub(crate) struct CheckBundle {
    /// The directory, from `lockgate audit export --bundle`
    dir: PathBuf,
    #[command(flatten)]
    keys: NeededKeyArgs,
}

impl CheckBundle {
    pub(super) fn run(self, format: Format) -> CliResult {
        let keys = self.keys.read()?;
        if keys.is_empty() {
            return Err(CliError::usage("a bundle is worth nothing without the log's public key")
                .hint(
                    "give it with --key, as text or as a file; it must not come from the bundle",
                ));
        }
        let checked = check_bundle(&self.dir, &keys);
        match (format, &checked) {
            (Format::Json, Ok(found)) => {
                output::print_json(&json!({ "holds": true, "found": found }))?;
            }
            (Format::Json, Err(bad)) => {
                output::print_json(&json!({ "holds": false, "bad": bad }))?;
            }
            (Format::Text, Ok(found)) => output::print(&format!(
                "holds: records {} to {} of {} that {} signed\n{} names and texts disclosed\nmanifest {}",
                found.first,
                found.end - 1,
                output::count(found.size),
                found.origin,
                output::count(found.disclosed),
                found.manifest_sha256
            ))?,
            // A file may be called anything, also two lines.
            (Format::Text, Err(bad)) => {
                output::print(&output::plain(&format!("DOES NOT HOLD: {bad}")))?;
            }
        }
        Ok(if checked.is_ok() { Exit::Done } else { Exit::Failed })
    }
}
