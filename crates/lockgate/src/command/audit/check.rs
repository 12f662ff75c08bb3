//! `lockgate audit verify`

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use lockgate_audit::{Found, Witnessed, verify_against};
use serde_json::json;

use super::KeyArgs;
use super::outside::OutsideArgs;
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format, plain};

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
    #[command(flatten)]
    outside: OutsideArgs,
}

impl Verify {
    pub(super) async fn run(self, format: Format) -> CliResult {
        let keys = self.keys.read()?;
        if keys.is_empty() {
            need_log(&self.dir, false)?;
        }
        let (outside, silent) = self.outside.known(&self.dir, &keys).await?;
        need_log(&self.dir, !keys.is_empty() || !outside.known.is_empty())?;
        let mut progress = progress();
        let mut found = verify_against(&self.dir, &keys, &outside, &mut progress)
            .map_err(|error| CliError::new(Exit::Failed, error))?;
        for error in &silent {
            output::note(format!("not answered: {:#}", error.source));
        }
        self.outside.name_wrong(&self.dir, &keys, &mut found);
        match format {
            Format::Json => {
                let mut value = json!(found);
                value["intact"] = found.intact().into();
                value["cosigned_enough"] = found.cosigned_enough().into();
                output::print_json(&value)?;
            }
            Format::Text => output::print(&text(&found))?,
        }
        if found.intact() && !found.cosigned_enough() {
            return Err(CliError::text(Exit::Failed, not_enough(&found)).hint(
                "files in the log's `cosigned` may be missing or taken away; ask the witnesses themselves with --ask URL",
            ));
        }
        if found.intact()
            && let Some(error) = silent.into_iter().next_back()
        {
            // What is said above does not hold what that witness knows.
            return Err(error.hint("what is said above is without what this witness remembers"));
        }
        Ok(if found.intact() { Exit::Done } else { Exit::Failed })
    }
}

/// Files of which a log has at least one, whatever was taken out of it.
const OF_A_LOG: [&str; 4] = ["checkpoint", "tile", "wal", "log.keys"];

/// Tells a directory that is no log from a log that is damaged. One that is empty may have been a log, and so may any where
/// something is known of it (`is_known`).
fn need_log(dir: &Path, is_known: bool) -> CliResult<()> {
    let is_log = |dir: &Path| OF_A_LOG.iter().any(|name| dir.join(name).exists());
    let below = dir.join("audit");
    let is_below = is_log(&below);
    let may_be = || {
        let first = fs::read_dir(dir).map(|mut files| files.next().is_none());
        first.is_ok_and(|is_empty| is_empty || is_known)
    };
    if is_log(dir) || (!is_below && may_be()) {
        return Ok(());
    }
    let what = if dir.exists() { "is no audit log" } else { "does not exist" };
    let error = CliError::usage(format!("{} {what}", dir.display()));
    Err(if is_below {
        error.hint(format!("did you mean {}?", below.display()))
    } else {
        error.hint("give the directory `audit` of the server's data directory, or a copy of it")
    })
}

fn not_enough(found: &Found) -> String {
    let cosigned = found.witnesses.iter().filter(|witness| witness.size.is_some()).count();
    format!(
        "{cosigned} of the {} witnesses that must vouch for the log have cosigned it",
        found.cosignatures_min
    )
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
    let mut lines = vec![match (found.intact(), found.cosigned_enough()) {
        (true, true) => "intact".to_owned(),
        (true, false) => "intact, and NOT COSIGNED as it should be".to_owned(),
        (false, _) => "DAMAGED".to_owned(),
    }];
    for damage in found.damage.iter().take(LISTED_MAX) {
        // A file may be called anything, also two lines.
        lines.push(plain(&format!("  {damage}")));
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
    for witness in &found.witnesses {
        say("witness", witnessed(witness));
    }
    if !found.root.is_empty() {
        say("unanchored_since", unanchored(found));
    }
    if found.keys_from_log {
        say("key", "read from the log itself; give --key to check against the one you know".into());
    }
    lines.join("\n")
}

fn witnessed(witness: &Witnessed) -> String {
    let at_ms = witness.at_s.and_then(|at_s| i64::try_from(at_s).ok()?.checked_mul(1_000));
    match witness.size {
        Some(size) => format!(
            "{} cosigned {} records, {}",
            witness.name,
            output::count(size),
            at_ms.map_or_else(|| output::UNKNOWN.into(), output::time)
        ),
        None => format!("{} cosigned nothing that is here", witness.name),
    }
}

/// The window that nothing outside the log vouches for.
fn unanchored(found: &Found) -> String {
    let Some(seq) = found.unanchored_from else {
        return "nothing is: a checkpoint kept elsewhere covers every record".into();
    };
    let since = found.unanchored_since_ms.map_or_else(|| output::UNKNOWN.into(), output::time);
    let all = found.size + found.unsigned;
    let records = output::count(all.saturating_sub(seq));
    let who = match found.cosignatures_min {
        0 | 1 => "only this log's own key vouches".to_owned(),
        min => format!("fewer than {min} witnesses vouch"),
    };
    format!("record {seq}, {since}; for {records} of {} records {who}", output::count(all))
}
