//! `lockgate audit …`: reading and checking an audit log. No server is asked; a copied directory will do.

mod anchored;
mod check;
mod erase;
mod export;
mod look;
mod outside;
mod proof;
mod rotate;
mod search;
mod witness;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lockgate_audit::{AuditError, CosignerKey, Reader, Record, Vault, VerifierKey};
use lockgate_model::ledger::PARTS;

use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output::Format;

/// Look at, check and prove what was recorded
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Print the newest records
    Tail(look::Tail),
    /// Find records, the newest first
    ///
    /// The first search of a log builds an index beside it. The index can be removed at any time; nothing that it says is
    /// shown before the record itself was read.
    Search(Box<search::Search>),
    /// Print one record
    Show(look::Show),
    /// Check that nothing was changed, taken out or put in
    ///
    /// Reads everything: records, tree, checkpoint, write-ahead log. Works on a copy of the directory, and needs the
    /// log's public key only. Without --known-checkpoint or --witness nobody but the log's own key vouches for the log: the
    /// answer says since when.
    ///
    /// The exit code is 1 when something is damaged, or fewer witnesses cosigned the log than were asked for.
    Verify(check::Verify),
    /// Forget a person: destroy the keys that open what the log says of them
    ///
    /// Records and proofs stay as they are; names and texts of the person can no longer be read by anyone. Asks the running
    /// server, or works on the directory of a stopped one with --data-dir. Refused while a legal hold lasts. What backups and
    /// exports hold is not touched. A token of the person stays valid: revoke it first, or a new pseudonym begins.
    Erase(erase::Erase),
    /// Keep everything as it is while a case lasts
    #[command(subcommand)]
    Hold(erase::Hold),
    /// Print the signed checkpoint; kept elsewhere, it keeps the log from being rewritten
    Checkpoint(look::Checkpoint),
    /// Print the log's public keys, oldest first
    Keys(look::Keys),
    /// Write a proof that a record is in the log
    Prove(proof::Prove),
    /// Check such a proof, with a public key and without the log
    CheckProof(proof::CheckProof),
    /// Write records for other programs, or as evidence for an auditor
    ///
    /// Records are read and written a part at a time. JSON lines are the bytes that were signed. With --bundle the records come
    /// with what proves them; only signed records are in it.
    Export(export::Export),
    /// Check such evidence, with a public key and without the log
    ///
    /// The exit code is 1 when it does not hold; the first bad file or record is named.
    CheckBundle(export::CheckBundle),
    /// Cosign checkpoints of other servers' logs, so that those cannot be rewritten (c2sp.org/tlog-witness)
    ///
    /// Runs until it is told to stop. It remembers the newest checkpoint of each log that it follows and cosigns the next one
    /// only when that goes on from there. Let it run on another machine than the log's, under other people's hands.
    Witness(witness::Witness),
}

impl Audit {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        match self {
            Self::Tail(tail) => tail.run(format),
            Self::Search(search) => search.run(format).await,
            Self::Show(show) => show.run(),
            Self::Verify(verify) => verify.run(format).await,
            Self::Erase(erase) => erase.run(format).await,
            Self::Hold(hold) => hold.run(format).await,
            Self::Checkpoint(checkpoint) => checkpoint.run(format),
            Self::Keys(keys) => keys.run(format),
            Self::Prove(prove) => prove.run(),
            Self::CheckProof(check) => check.run(format),
            Self::Export(export) => export.run(format),
            Self::CheckBundle(check) => check.run(format),
            Self::Witness(witness) => witness.run(format).await,
        }
    }
}

/// Which log, and whose.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The server's data directory; names and texts of people are shown [default: lockgate-data]
    #[arg(long, value_name = "DIR", conflicts_with = "dir")]
    data_dir: Option<PathBuf>,
    /// A copy of the log's directory instead; people are shown by their pseudonyms
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
}

/// The keys that signatures are checked with.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The log's public key, or a file that holds one or several; without it, the log's own word is taken
    #[arg(long = "key", value_name = "KEY|FILE")]
    keys: Vec<String>,
}

/// Where state is kept unless someone says otherwise.
const DATA_DIR_DEFAULT: &str = "lockgate-data";

impl LogArgs {
    /// The log's directory.
    fn path(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| self.data_dir().join("audit"))
    }

    fn data_dir(&self) -> &Path {
        self.data_dir.as_deref().unwrap_or(Path::new(DATA_DIR_DEFAULT))
    }

    /// Opens the log for reading.
    fn open(&self) -> CliResult<Reader> {
        let path = self.path();
        Reader::open(&path, self.keys.read()?).map_err(|error| unusable(error, &path))
    }

    /// What gives names and texts back, if it is at hand.
    fn people(&self, log: &Reader) -> CliResult<People> {
        if self.dir.is_some() {
            return Ok(People(None));
        }
        let origin = log.keys().first().map(VerifierKey::origin).unwrap_or_default();
        let vault = Vault::read(&self.data_dir().join("audit-vault"), origin);
        let doing = "people cannot be named";
        let hint = "`--dir` with the log's directory shows them by their pseudonyms";
        vault.or_exit(Exit::Failed, doing).map(People).map_err(|error| error.hint(hint))
    }
}

/// The people in a log, as far as their names are at hand.
struct People(Option<Vault>);

impl People {
    /// A record with what can be opened of it.
    fn reveal(&self, record: Record) -> Record {
        match &self.0 {
            Some(vault) => vault.reveal(record),
            None => record,
        }
    }

    /// Refuses to look for a name where names cannot be found: nothing would be found, and that would be no answer. Parts of
    /// Lockgate stand as they are.
    fn findable(&self, name: &str) -> CliResult<()> {
        if self.0.is_some() || name.starts_with("subject:") || PARTS.contains(&name) {
            return Ok(());
        }
        Err(CliError::usage(format!("`{name}` cannot be looked up without the keys of people"))
            .hint("give the server's directory with --data-dir, or the pseudonym, `subject:…`"))
    }

    /// What a person may be called in records: the pseudonym, and before there were any the name.
    fn called(&self, name: String) -> Vec<String> {
        let pseudonym = self.0.as_ref().and_then(|vault| vault.pseudonym(&name));
        [Some(name), pseudonym].into_iter().flatten().collect()
    }
}

impl KeyArgs {
    /// The keys, each as text or from its file.
    fn read(&self) -> CliResult<Vec<VerifierKey>> {
        read_keys(&self.keys, log_key)
    }
}

/// The keys without which there is nothing to check with.
#[derive(Debug, Args)]
pub(crate) struct NeededKeyArgs {
    /// The log's public key, or a file that holds one or several; it must not come from what is checked
    #[arg(long = "key", value_name = "KEY|FILE")]
    keys: Vec<String>,
}

impl NeededKeyArgs {
    /// The keys, each as text or from its file.
    fn read(&self) -> CliResult<Vec<VerifierKey>> {
        read_keys(&self.keys, log_key)
    }
}

/// The public key of a log. That of a witness looks much the same.
fn log_key(text: &str) -> Result<VerifierKey, AuditError> {
    VerifierKey::parse(text).map_err(|error| match CosignerKey::parse(text) {
        Ok(witness) => AuditError::Malformed {
            what: "the log's public key",
            why: format!("this is the key of the witness `{}`", witness.name()),
        },
        Err(_) => error,
    })
}

/// The public key of a witness. That of a log looks much the same.
fn witness_key(text: &str) -> Result<CosignerKey, AuditError> {
    CosignerKey::parse(text).map_err(|error| match VerifierKey::parse(text) {
        Ok(log) => AuditError::Malformed {
            what: "a witness's public key",
            why: format!("this is the key of the log `{}`", log.origin()),
        },
        Err(_) => error,
    })
}

const PRINTS_KEYS: &str = "`lockgate audit keys` prints the keys of a log, `lockgate audit witness keys` that of a witness";

/// Public keys, each as text or from its file.
fn read_keys<K>(
    given: &[String],
    parse: impl Fn(&str) -> Result<K, AuditError>,
) -> CliResult<Vec<K>> {
    let mut keys = Vec::new();
    for given in given {
        let wrong = match parse(given) {
            Ok(key) => {
                keys.push(key);
                continue;
            }
            Err(error) => error,
        };
        let text = fs::read_to_string(given).map_err(|error| {
            let is_key = VerifierKey::parse(given).is_ok() || CosignerKey::parse(given).is_ok();
            let error = if is_key {
                CliError::new(Exit::Usage, wrong)
            } else {
                CliError::new(Exit::Usage, error)
                    .context(format!("`{given}` is neither a public key nor a file with one"))
            };
            error.hint(PRINTS_KEYS)
        })?;
        if text.trim().is_empty() {
            return Err(CliError::usage(format!("the key file {given} is empty")).hint(PRINTS_KEYS));
        }
        for (at, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            keys.push(parse(line.trim()).or_exit(Exit::Usage, format!("{given}:{at}"))?);
        }
    }
    Ok(keys)
}

/// An error of a log that cannot be read.
fn unusable(error: AuditError, dir: &Path) -> CliError {
    let hint = match &error {
        AuditError::Io { kind: std::io::ErrorKind::NotFound, .. } if !dir.exists() => {
            "say where the server keeps its state with --data-dir, or where the log is with --dir"
        }
        AuditError::Missing(_) => "`lockgate audit tail` shows the newest records",
        _ => "`lockgate audit verify` says what is wrong with the log",
    };
    let kind = if matches!(error, AuditError::Missing(_)) { Exit::Usage } else { Exit::Failed };
    CliError::new(kind, error).hint(hint)
}
