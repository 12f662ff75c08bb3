//! The keys of persons whom the audit log names, opened when they are needed.
//!
//! A vault that cannot be opened keeps no record from being written but those that need it: what Lockgate does by
//! itself goes on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lockgate_audit::{AuditError, Entry, Personal, Vault};

use crate::serve::{blocking, keys};

/// Says that there is a vault, so that one that was taken away is not begun anew.
const MARKER: &str = "audit-vault";

/// Where a vault is, and the vault once it is open.
#[derive(Debug)]
pub(super) struct Persons {
    dir: PathBuf,
    keys: PathBuf,
    origin: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    vault: Option<Arc<Vault>>,
    /// Why it is not open, as far as that is known without trying.
    trouble: Option<String>,
}

impl Persons {
    /// The vault of this log. Blocks; one that does not open is tried again when it is needed.
    pub(super) fn new(dir: &Path, keys: &Path, origin: &str) -> Self {
        let persons = Self {
            dir: dir.to_owned(),
            keys: keys.to_owned(),
            origin: origin.to_owned(),
            state: Mutex::default(),
        };
        match persons.vault() {
            Ok(vault) => tracing::info!(persons = vault.len(), "the audit log's vault is open"),
            Err(error) => {
                tracing::error!(%error, "what people do is refused until the audit log's vault opens");
            }
        }
        persons
    }

    /// The vault. Blocks when it is not open yet.
    pub(super) fn vault(&self) -> Result<Arc<Vault>, AuditError> {
        let mut state = self.state();
        if let Some(vault) = &state.vault {
            return Ok(Arc::clone(vault));
        }
        let opened = self.begin().and_then(|()| Vault::open(&self.dir, &self.origin));
        state.trouble = opened.as_ref().err().map(ToString::to_string);
        let vault = Arc::new(opened?);
        state.vault = Some(Arc::clone(&vault));
        Ok(vault)
    }

    /// Why what people do is refused.
    pub(super) fn trouble(&self) -> Option<String> {
        self.state().trouble.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a vault where there never was one.
    fn begin(&self) -> Result<(), AuditError> {
        let marker = self.keys.join(MARKER);
        let is_there = self.dir.join("log").exists();
        if !is_there && marker.exists() {
            return Err(AuditError::Vault {
                path: self.dir.clone(),
                why: format!(
                    "it is gone, and with it who did what; put it back from a backup, or remove {} to go on without what it opened",
                    marker.display()
                ),
            });
        }
        Vault::create(&self.dir, &self.origin)?;
        if !marker.exists() {
            let made = keys::write(&self.keys, MARKER, &self.origin);
            made.map_err(|error| AuditError::Io {
                what: "write",
                path: marker,
                why: error.to_string(),
                kind: error.kind(),
            })?;
        }
        Ok(())
    }

    /// Takes what is personal out of an entry.
    pub(super) async fn seal(
        self: &Arc<Self>,
        entry: Entry,
        personal: Vec<Personal>,
    ) -> Result<Entry, AuditError> {
        if personal.is_empty() {
            return Ok(entry);
        }
        let open = self.state().vault.clone();
        if let Some(vault) = open
            && vault.knows(&personal)
        {
            return vault.seal(entry, &personal);
        }
        let this = Arc::clone(self);
        blocking(move || {
            let sealed = this.vault()?.seal(entry, &personal);
            // A full disk shows here first: a new person's key is written.
            if !matches!(sealed, Err(AuditError::Unwritable { .. })) {
                this.state().trouble = sealed.as_ref().err().map(ToString::to_string);
            }
            sealed
        })
        .await
    }
}
