//! Legal holds: while one lasts, nobody is erased and nothing is pruned.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Vault, files};
use crate::error::AuditError;

/// Holds at a time.
const HOLDS_MAX: usize = 1_000;
const NAME_MAX_CHARS: usize = 63;

/// A reason to keep everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// What people call it, such as a case's number.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Who placed it.
    pub by: String,
    /// When: milliseconds since the Unix epoch.
    pub at_ms: i64,
}

impl Vault {
    /// The holds that last, oldest first.
    pub fn holds(&self) -> Vec<Hold> {
        self.state().holds.clone()
    }

    /// Whether this could be placed: names are 1 to 63 printable characters, and each is given once.
    pub fn may_hold(&self, name: &str) -> Result<(), AuditError> {
        let refuse = |why: String| Err(AuditError::Missing(why));
        let printable = !name.chars().any(is_unprintable);
        if matches!(name.trim(), "" | "." | "..")
            || name.chars().count() > NAME_MAX_CHARS
            || !printable
        {
            return refuse(format!("a hold's name has 1 to {NAME_MAX_CHARS} printable characters"));
        }
        let state = self.state();
        if state.holds.iter().any(|hold| hold.name == name) {
            return refuse(format!("there is a hold `{name}` already"));
        }
        if state.holds.len() >= HOLDS_MAX {
            return refuse(format!("there are {HOLDS_MAX} holds"));
        }
        Ok(())
    }

    /// Places a hold; it is on disk when this returns.
    pub fn hold(&self, hold: Hold) -> Result<(), AuditError> {
        let _writing = self.write_lock()?;
        self.may_hold(&hold.name)?;
        let mut holds = self.holds();
        holds.push(hold);
        self.keep(holds)
    }

    /// Lifts a hold; `false` when there is none of this name.
    pub fn lift(&self, name: &str) -> Result<bool, AuditError> {
        let _writing = self.write_lock()?;
        let mut holds = self.holds();
        let before = holds.len();
        holds.retain(|hold| hold.name != name);
        if holds.len() == before {
            return Ok(false);
        }
        self.keep(holds)?;
        Ok(true)
    }

    /// The right to let something go, while nobody can place a hold; refused when there is one.
    pub fn unless_held(&self) -> Result<impl Drop, AuditError> {
        let lock = self.write_lock()?;
        match self.state().holds.first() {
            Some(hold) => Err(AuditError::Held { hold: hold.name.clone() }),
            None => Ok(lock),
        }
    }

    fn keep(&self, holds: Vec<Hold>) -> Result<(), AuditError> {
        let text = serde_json::to_string_pretty(&holds).expect("texts can be written");
        files::write(&path(&self.dir), format!("{text}\n").as_bytes())?;
        self.state_mut().holds = holds;
        Ok(())
    }
}

/// No hold. Without the file nobody knows whether one lasts.
pub(super) fn create(dir: &Path) -> Result<(), AuditError> {
    files::write(&path(dir), b"[]\n")
}

pub(super) fn read(dir: &Path) -> Result<Vec<Hold>, AuditError> {
    let path = path(dir);
    let why = match files::read(&path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(holds) => return Ok(holds),
            Err(error) => error.to_string(),
        },
        Err(AuditError::Io { kind: ErrorKind::NotFound, .. }) => {
            "it is gone, and with it what must be kept; put it back from a backup".into()
        }
        Err(error) => return Err(error),
    };
    Err(AuditError::Vault { path, why })
}

/// Characters that a terminal obeys, or that change the order in which others are shown.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn path(dir: &Path) -> PathBuf {
    dir.join("holds.json")
}
