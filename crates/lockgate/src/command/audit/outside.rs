//! What is known of a log from elsewhere: checkpoints that were kept, witnesses, and what those remember.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use lockgate_anchor::fetch_checkpoint;
use lockgate_audit::{
    CosignerKey, DamageKind, Found, Known, Outside, Reader, VerifierKey, checkpoint_from_note,
    cosignatures, current_key,
};

use super::{read_keys, witness_key};
use crate::error::{CliError, CliResult, Exit, OrExit as _};

/// Whose word counts beside the log's.
#[derive(Debug, Args)]
pub(super) struct OutsideArgs {
    /// A checkpoint that was kept elsewhere, from `lockgate audit checkpoint` or a witness; may be given several times
    #[arg(long = "known-checkpoint", value_name = "FILE")]
    known: Vec<PathBuf>,
    /// A witness that is trusted: its public key, or a file that holds one or several; may be given several times
    #[arg(long = "witness", value_name = "KEY|FILE")]
    witnesses: Vec<String>,
    /// How many of these witnesses must vouch for a record before it counts as anchored; all of them unless given
    #[arg(long, value_name = "N", requires = "witnesses")]
    cosignatures: Option<usize>,
    /// Ask the witness at this URL what it remembers of the log; may be given several times
    #[arg(long = "ask", value_name = "URL", requires = "witnesses")]
    ask: Vec<String>,
}

impl OutsideArgs {
    /// Reads and asks. The log is read after that, so that it cannot be older than what a witness remembers. A witness that
    /// does not answer keeps nobody from checking the rest: why, is the second part.
    pub(super) async fn known(
        &self,
        dir: &Path,
        keys: &[VerifierKey],
    ) -> CliResult<(Outside, Vec<CliError>)> {
        let mut known = Vec::new();
        for path in &self.known {
            let doing = format!("cannot read the checkpoint {}", path.display());
            let note = fs::read(path).or_exit(Exit::Usage, doing)?;
            if note.is_empty() {
                return Err(CliError::usage(format!("the checkpoint {} is empty", path.display())));
            }
            known.push(Known { note });
        }
        let witnesses = read_keys(&self.witnesses, witness_key)?;
        let all = witnesses.len();
        let cosignatures_min = self.cosignatures.unwrap_or(all);
        if all > 0 && !(1..=all).contains(&cosignatures_min) {
            let why = format!("{cosignatures_min} cosignatures cannot be asked of {all} witnesses");
            return Err(CliError::usage(why)
                .hint("give more keys with --witness, or another number with --cosignatures"));
        }
        let mut silent = Vec::new();
        for url in &self.ask {
            match asked(url, &origin(dir, keys)?, &witnesses).await {
                Ok(note) => known.push(note),
                Err(error) if error.kind == Exit::Unreachable => silent.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok((Outside { known, witnesses, cosignatures_min }, silent))
    }

    /// Says which of the files that were given is not a checkpoint of this log.
    pub(super) fn name_wrong(&self, dir: &Path, keys: &[VerifierKey], found: &mut Found) {
        let own = Reader::open(dir, keys.to_vec());
        let keys = own.as_ref().map_or(keys, |log| log.keys());
        let is_wrong = |path: &&PathBuf| {
            fs::read(path).is_ok_and(|note| checkpoint_from_note(&note, keys).is_err())
        };
        let mut wrong: Vec<&PathBuf> = self.known.iter().filter(is_wrong).collect();
        if wrong.is_empty() && self.ask.is_empty() && self.known.len() == 1 {
            wrong.extend(&self.known);
        }
        let named = found.damage.iter_mut().filter(|damage| {
            damage.kind == DamageKind::WrongKey
                && damage.file.as_deref() == Some("known checkpoint")
        });
        // Both are in the order of the command line.
        for (damage, path) in named.zip(wrong) {
            damage.file = Some(format!("known checkpoint {}", path.display()));
        }
    }
}

fn origin(dir: &Path, keys: &[VerifierKey]) -> CliResult<String> {
    if let Some(key) = keys.first() {
        return Ok(key.origin().to_owned());
    }
    let own = current_key(dir).or_exit(Exit::Usage, "cannot tell which log it is");
    let own = own.map_err(|error| error.hint("give the log's public key with --key"))?;
    Ok(own.origin().to_owned())
}

/// What a witness remembers, cosigned by one whose word counts.
async fn asked(url: &str, origin: &str, witnesses: &[CosignerKey]) -> CliResult<Known> {
    let doing = format!("cannot ask the witness at {url}");
    let note = fetch_checkpoint(url, origin).await.or_exit(Exit::Unreachable, &doing)?;
    let note = note.ok_or_else(|| {
        let why = format!("the witness at {url} never cosigned the log `{origin}`");
        CliError::text(Exit::Failed, why)
            .hint("is it a witness of this log, and was the log's own key given?")
    })?;
    if cosignatures(&note, witnesses).or_exit(Exit::Failed, doing)?.is_empty() {
        let why = format!("what the witness at {url} remembers is cosigned by none of those given");
        return Err(CliError::text(Exit::Failed, why)
            .hint("`lockgate audit witness keys` prints a witness's key"));
    }
    Ok(Known { note })
}
