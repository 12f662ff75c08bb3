//! `lockgate audit verify`

use std::fs;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use lockgate_audit::{Found, Known, verify};
use serde_json::json;

use super::{KeyArgs, unusable};
use crate::error::{CliResult, Exit, OrExit as _};
use crate::output::{self, Format};

/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// Damage that is listed; the rest is counted.
const LISTED_MAX: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The log's directory: `audit` in the server's data directory, or a copy of it
    #[arg(default_value = "lockgate-data/audit")]
    dir: PathBuf,
    #[command(flatten)]
    keys: KeyArgs,
    /// A checkpoint that was kept elsewhere, from `lockgate audit checkpoint`; may be given several times
    #[arg(long = "known-checkpoint", value_name = "FILE")]
    known: Vec<PathBuf>,
}

impl Verify {
    pub(super) fn run(self, format: Format) -> CliResult {
        let known: CliResult<Vec<Known>> = self
            .known
            .iter()
            .map(|path| {
                let note = fs::read(path).or_exit(
                    Exit::Usage,
                    format!("cannot read the checkpoint {}", path.display()),
                )?;
                Ok(Known { note })
            })
            .collect();
        let mut progress = progress();
        let found = verify(&self.dir, &self.keys.read()?, &known?, &mut progress)
            .map_err(|error| unusable(error, &self.dir))?;
        match format {
            Format::Json => {
                let mut value = json!(found);
                value["intact"] = found.intact().into();
                output::print_json(&value)?;
            }
            Format::Text => output::print(&text(&found))?,
        }
        Ok(if found.intact() { Exit::Done } else { Exit::Failed })
    }
}

/// Says on a terminal how far it is.
pub(super) fn progress() -> impl FnMut(u64, u64) {
    let mut told = Instant::now();
    let is_terminal = std::io::stderr().is_terminal();
    move |done, all| {
        if is_terminal && told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            let percent = done.saturating_mul(100) / all.max(1);
            output::note(format!(
                "{} of {} records, {percent} %",
                output::count(done),
                output::count(all)
            ));
        }
    }
}

fn text(found: &Found) -> String {
    let mut lines = vec![if found.intact() { "intact".to_owned() } else { "DAMAGED".to_owned() }];
    for damage in found.damage.iter().take(LISTED_MAX) {
        lines.push(format!("  {damage}"));
    }
    if found.damage.len() > LISTED_MAX {
        lines.push(format!("  and {} more", found.damage.len() - LISTED_MAX));
    }
    let mut say = |name: &str, value: String| lines.push(format!("{name:<17} {value}"));
    if !found.root.is_empty() {
        say("log", found.origin.clone());
        say("records", format!("{} signed, {} not yet", output::count(found.size), found.unsigned));
        say("root", found.root.clone());
    }
    if found.is_copy {
        let why = "a copy of what is signed; records after the checkpoint are not in it";
        say("write-ahead log", why.into());
    }
    if found.beyond_checkpoint > 0 {
        let why = "copying was cut off, or an older checkpoint was put back";
        say(
            "not covered",
            format!("{} files that no checkpoint signs: {why}", found.beyond_checkpoint),
        );
    }
    if found.torn_bytes > 0 {
        say(
            "torn",
            format!(
                "{} bytes of a frame that a crash cut off; nobody was told that it was recorded",
                found.torn_bytes
            ),
        );
    }
    if let Some(pruned) = found.pruned {
        let (last, seq) = (pruned.to.saturating_sub(1), pruned.told_at);
        say("pruned", format!("records 0 to {last} by policy, recorded at {seq}"));
    }
    if found.open_intents > 0 {
        say("open intents", format!("{}, closed at the next start", found.open_intents));
    }
    if let Some(seq) = found.clock_back_at {
        say("clock", format!("went back at record {seq}; the order of records stands"));
    }
    match found.unanchored_from {
        _ if found.root.is_empty() => {}
        None => say(
            "unanchored_since",
            "nothing is: a checkpoint kept elsewhere covers every record".into(),
        ),
        Some(seq) => {
            let since =
                found.unanchored_since_ms.map_or_else(|| output::UNKNOWN.into(), output::time);
            let why = "from there on only this log's own key vouches for it";
            say("unanchored_since", format!("record {seq}, {since}: {why}"));
        }
    }
    if found.keys_from_log {
        say("key", "read from the log itself; give --key to check against the one you know".into());
    }
    lines.join("\n")
}
