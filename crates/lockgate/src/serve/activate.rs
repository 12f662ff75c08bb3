//! Puts the file's configuration in force. The newest change wins: a file that is the same as the
//! last time does not undo what was applied through the API since.

use std::path::Path;

use lockgate_model::config::{self, Config};
use lockgate_model::ledger::{Ledger, LedgerEntry, Principal};
use lockgate_model::ports::PortError;
use lockgate_store::{ConfigOrigin, JournalEntry, NewConfig, Store, StoreError};
use serde_json::json;

use crate::config_file::Read;
use crate::error::{CliError, Exit};

/// Who activates what stands in the file.
const PRINCIPAL: &str = "configuration file";

/// Why a file is not in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActivateError {
    /// The store does not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be recorded.
    #[error("it cannot be recorded")]
    Ledger(#[from] PortError),
}

/// Activates the file if it has something new to say. Returns the configuration in force.
pub(crate) async fn file(
    store: &Store,
    ledger: &dyn Ledger,
    read: &Read,
    why: &str,
) -> Result<Config, ActivateError> {
    let digest = read.config.digest.as_str();
    let before = store.active_config().await?;
    if let Some(active) = before
        && store.last_file_digest().await?.as_deref() == Some(digest)
    {
        if active.digest == digest {
            return Ok(read.config.clone());
        }
        match config::read_with("active configuration", &active.source) {
            Ok(config) => {
                tracing::info!(
                    revision = active.revision,
                    by = active.by,
                    "the file has not changed; what was applied through the API stays in force"
                );
                return Ok(config);
            }
            Err(errors) => {
                tracing::warn!(%errors, "the active configuration is not valid any more; the file replaces it");
            }
        }
    }
    let at_wall_ms = wall_ms();
    let detail = json!({ "digest": digest, "reason": why });
    let by = Principal::named(PRINCIPAL);
    let mut recorded = LedgerEntry::event(at_wall_ms, by, "config.apply", "config");
    recorded.detail = detail.clone();
    ledger.record(recorded).await?;
    let entry = JournalEntry {
        at_wall_ms,
        principal: PRINCIPAL.into(),
        action: "config.apply".into(),
        subject: "config".into(),
        detail,
    };
    store.journal(&entry).await?;
    let record = store
        .activate_config(NewConfig {
            source: &read.source,
            digest,
            by: PRINCIPAL,
            reason: why,
            at_wall_ms,
            agents: &read.config.agents,
            candidate_stale_max_ms: read.config.candidate_stale_max_ms,
            egress: &read.config.egress(),
            origin: ConfigOrigin::File,
        })
        .await?;
    tracing::info!(revision = record.revision, digest, "the file's configuration is in force");
    Ok(read.config.clone())
}

/// Whether the file, and not the store, is at fault.
pub(crate) fn refused(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::VersionChanged { .. }
            | StoreError::AgentBusy { .. }
            | StoreError::VersionBusy { .. }
    )
}

/// The error of a start whose file was refused.
pub(crate) fn refusal(path: &Path, error: StoreError) -> CliError {
    let hint = match &error {
        StoreError::VersionChanged { .. } => {
            "a version is its content: add a new version beside the old one"
        }
        _ => "end the release first, or put it back into the file",
    };
    CliError::new(Exit::Usage, error)
        .context(format!("{} cannot be applied", path.display()))
        .hint(hint)
}

/// Milliseconds since the Unix epoch.
pub(crate) fn wall_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
