//! Proofs that need no log to be checked.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use lockgate_audit::{InclusionProof, Record, check_inclusion, prove_inclusion};
use serde_json::json;

use super::{LogArgs, NeededKeyArgs, unusable};
use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output::{self, Format};

#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// The record's number
    seq: u64,
    /// Write the proof to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    log: LogArgs,
}

impl Prove {
    pub(super) fn run(self) -> CliResult {
        let log = self.log.open()?;
        let proof =
            prove_inclusion(&log, self.seq).map_err(|error| unusable(error, &self.log.path()))?;
        let text = proof.to_text();
        match &self.out {
            Some(path) => fs::write(path, text)
                .or_exit(Exit::Failed, format!("cannot write the proof {}", path.display()))?,
            None => output::print_exact(&text)?,
        }
        Ok(Exit::Done)
    }
}

#[derive(Debug, Args)]
pub(crate) struct CheckProof {
    /// The proof, from `lockgate audit prove`
    proof: PathBuf,
    #[command(flatten)]
    keys: NeededKeyArgs,
}

impl CheckProof {
    pub(super) fn run(self, format: Format) -> CliResult {
        let keys = self.keys.read()?;
        if keys.is_empty() {
            return Err(CliError::usage("a proof is worth nothing without the log's public key")
                .hint(
                    "give it with --key, as text or as a file; `lockgate audit keys` prints it",
                ));
        }
        let doing = format!("cannot read the proof {}", self.proof.display());
        let text = fs::read_to_string(&self.proof).or_exit(Exit::Usage, doing)?;
        let doing = format!("{} does not hold", self.proof.display());
        let proof = InclusionProof::parse(&text).or_exit(Exit::Failed, &doing)?;
        let checkpoint = check_inclusion(&proof, &keys).or_exit(Exit::Failed, &doing)?;
        let record = Record::parse(&proof.record).or_exit(Exit::Failed, &doing)?;
        match format {
            Format::Json => output::print_json(&json!({
                "proved": true, "record": record, "size": checkpoint.size,
            }))?,
            Format::Text => output::print(&format!(
                "proved: record {} of {} that the log signed\n{}",
                proof.seq,
                output::count(checkpoint.size),
                serde_json::to_string_pretty(&record)
                    .or_exit(Exit::Failed, "cannot print the record")?,
            ))?,
        }
        Ok(Exit::Done)
    }
}
