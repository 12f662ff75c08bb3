//! Beside a log and never in it: who a pseudonym is, and the keys of what is sealed.
//!
//! `log` the log's origin · `lock` held by whoever records · `subjects/NAME` a person's name and key, one file each,
//! called by the pseudonym · `erased/NAME` says that this person's file was destroyed · `holds.json` what forbids that.
//!
//! A record holds nothing of a person but what these files open. Destroy a person's file, and the records stay as they
//! were signed, and say nothing of the person any more.

mod files;
mod holds;
mod seal;
mod subject;

use std::collections::{HashMap, HashSet};
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::disk::read_text;
use crate::error::AuditError;
pub use holds::Hold;
pub use seal::{Disclosed, ERASED, Kept, Opened, Personal, Seal};
use subject::{Subject, is_pseudonym};

/// The longest name of a person, in bytes.
const NAME_MAX_BYTES: usize = 1024;

/// The persons of one log.
pub struct Vault {
    dir: PathBuf,
    state: RwLock<State>,
    /// Held while files are changed; `None` for readers, who change none.
    writing: Option<Mutex<File>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("dir", &self.dir).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    /// The key that a person's next record is sealed with.
    by_name: HashMap<String, Arc<Subject>>,
    /// All keys. A name has several when one was put back from a backup.
    by_pseudonym: HashMap<String, Arc<Subject>>,
    erased: HashSet<String>,
    /// Names of those who are erased and whose file could not be destroyed yet, by their pseudonyms.
    left: HashMap<String, String>,
    holds: Vec<Hold>,
}

impl State {
    fn add(&mut self, subject: Arc<Subject>) {
        self.by_pseudonym.insert(subject.pseudonym().to_owned(), Arc::clone(&subject));
        self.by_name.insert(subject.name().to_owned(), subject);
    }

    fn remove(&mut self, pseudonym: &str) -> Option<Arc<Subject>> {
        let subject = self.by_pseudonym.remove(pseudonym)?;
        if self.by_name.get(subject.name()).is_some_and(|one| one.pseudonym() == pseudonym) {
            self.by_name.remove(subject.name());
            let other = self.by_pseudonym.values().find(|one| one.name() == subject.name());
            if let Some(other) = other.cloned() {
                self.by_name.insert(other.name().to_owned(), other);
            }
        }
        Some(subject)
    }
}

impl Vault {
    /// Begins the vault of a log. Does nothing to one that is there.
    pub fn create(dir: &Path, origin: &str) -> Result<(), AuditError> {
        for directory in [dir.to_owned(), dir.join("subjects"), dir.join("erased")] {
            files::make_directory(&directory)?;
        }
        let path = dir.join("log");
        if path.exists() {
            return Ok(());
        }
        holds::create(dir)?;
        // Last: a vault without it is none.
        files::write(&path, format!("{origin}\n").as_bytes())
    }

    /// Opens the vault of a log for recording. One process at a time has it.
    pub fn open(dir: &Path, origin: &str) -> Result<Self, AuditError> {
        belongs_to(dir, origin)?;
        let path = dir.join("lock");
        let lock = File::create(&path).map_err(AuditError::io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(AuditError::Locked { path: dir.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(AuditError::io("lock", &path)(error)),
        }
        let mut state = State { erased: erased(dir)?, ..State::default() };
        for name in files::list(&dir.join("subjects"))? {
            let path = dir.join("subjects").join(&name);
            // What a crash left half made or half destroyed.
            if files::is_unfinished(&name) || state.erased.contains(&pseudonym_of_file(&name)) {
                files::destroy(&path)?;
            } else if is_pseudonym(&pseudonym_of_file(&name)) {
                state.add(Arc::new(read(&path, &name)?));
            } else {
                tracing::warn!(path = %path.display(), "a file that is no person's lies in the vault");
            }
        }
        state.holds = holds::read(dir)?;
        let state = RwLock::new(state);
        Ok(Self { dir: dir.to_owned(), state, writing: Some(Mutex::new(lock)) })
    }

    /// Opens the vault of a log for reading, beside whoever records; `None` when there is none.
    pub fn read(dir: &Path, origin: &str) -> Result<Option<Self>, AuditError> {
        match belongs_to(dir, origin) {
            Err(AuditError::Io { kind: ErrorKind::NotFound, .. }) => return Ok(None),
            other => other?,
        }
        let mut state = State { erased: erased(dir)?, ..State::default() };
        for name in files::list(&dir.join("subjects"))? {
            let pseudonym = pseudonym_of_file(&name);
            // Whoever is marked is erased, also while the file is still there.
            if !is_pseudonym(&pseudonym) || state.erased.contains(&pseudonym) {
                continue;
            }
            match read(&dir.join("subjects").join(&name), &name) {
                Ok(subject) => state.add(Arc::new(subject)),
                // Erased while it was read.
                Err(_) if dir.join("erased").join(&name).exists() => {}
                Err(error) => return Err(error),
            }
        }
        state.holds = holds::read(dir)?;
        Ok(Some(Self { dir: dir.to_owned(), state: RwLock::new(state), writing: None }))
    }

    /// Whether all of these have their keys, so that [`Vault::seal`] does not block.
    pub fn knows(&self, personal: &[Personal]) -> bool {
        let state = self.state();
        personal.iter().all(|one| state.by_name.contains_key(&one.of))
    }

    /// The pseudonym that a person has now.
    pub fn pseudonym(&self, name: &str) -> Option<String> {
        self.state().by_name.get(name).map(|subject| subject.pseudonym().to_owned())
    }

    /// How many persons have a key.
    pub fn len(&self) -> usize {
        self.state().by_pseudonym.len()
    }

    /// Whether nobody has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All pseudonyms that a person's keys stand behind, those among them whose file is still to be destroyed.
    pub fn pseudonyms(&self, name: &str) -> Vec<String> {
        let state = self.state();
        let here = state.by_pseudonym.values().filter(|one| one.name() == name);
        let left = state.left.iter().filter(|(_, of)| *of == name);
        let all = here.map(|one| one.pseudonym()).chain(left.map(|(pseudonym, _)| &pseudonym[..]));
        all.map(str::to_owned).collect()
    }

    /// Destroys what opens the records with this pseudonym, for good; `false` when there is nothing to destroy.
    ///
    /// Refused while a hold lasts. Cut off at any point, the person is as before or erased at the next start. After an
    /// error the person is erased or as before, and a second try destroys what is left.
    pub fn erase(&self, pseudonym: &str) -> Result<bool, AuditError> {
        let _free = self.unless_held()?;
        if self.key_of(pseudonym).is_err() && !self.state().left.contains_key(pseudonym) {
            return Ok(false);
        }
        let file = file_name(pseudonym);
        // From here on the person is erased, whatever happens.
        files::write(&self.dir.join("erased").join(file), b"")?;
        {
            let mut state = self.state_mut();
            if let Some(subject) = state.remove(pseudonym) {
                state.left.insert(pseudonym.to_owned(), subject.name().to_owned());
            }
            state.erased.insert(pseudonym.to_owned());
        }
        files::destroy(&self.dir.join("subjects").join(file))?;
        self.state_mut().left.remove(pseudonym);
        Ok(true)
    }

    /// The person of this name; a new key when there is none, on disk when this returns.
    fn subject(&self, name: &str) -> Result<Arc<Subject>, AuditError> {
        let known = |vault: &Self| vault.state().by_name.get(name).cloned();
        if let Some(subject) = known(self) {
            return Ok(subject);
        }
        if name.is_empty() || name.len() > NAME_MAX_BYTES {
            let why = format!("a person's name has 1 to {NAME_MAX_BYTES} bytes");
            return Err(AuditError::Unwritable { why });
        }
        let _writing = self.write_lock()?;
        if let Some(subject) = known(self) {
            return Ok(subject);
        }
        let subject = Arc::new(Subject::generate(name)?);
        let path = self.dir.join("subjects").join(file_name(subject.pseudonym()));
        files::write(&path, subject.to_text().as_bytes())?;
        self.state_mut().add(Arc::clone(&subject));
        Ok(subject)
    }

    /// The key behind a pseudonym, or why there is none.
    fn key_of(&self, pseudonym: &str) -> Result<Arc<Subject>, Opened> {
        let state = self.state();
        match state.by_pseudonym.get(pseudonym) {
            Some(subject) => Ok(Arc::clone(subject)),
            None if state.erased.contains(pseudonym) => Err(Opened::Erased),
            None => Err(Opened::NoKey),
        }
    }

    /// Whether this is the pseudonym of someone here, erased or not.
    fn is_known(&self, pseudonym: &str) -> bool {
        !matches!(self.key_of(pseudonym), Err(Opened::NoKey))
    }

    /// The right to change files, one at a time.
    fn write_lock(&self) -> Result<MutexGuard<'_, File>, AuditError> {
        let writing = self.writing.as_ref();
        let writing = writing.ok_or_else(|| AuditError::Locked { path: self.dir.clone() })?;
        Ok(writing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A vault of another log would give names to pseudonyms that are not its own.
fn belongs_to(dir: &Path, origin: &str) -> Result<(), AuditError> {
    let path = dir.join("log");
    let text = read_text(&path).map_err(AuditError::io("read", &path))?;
    if text.trim_end() == origin {
        return Ok(());
    }
    Err(AuditError::Vault {
        path: dir.to_owned(),
        why: format!("it is of the log `{}`, and this one is `{origin}`", text.trim_end()),
    })
}

/// A pseudonym without the part that all have.
fn file_name(pseudonym: &str) -> &str {
    pseudonym.rsplit(':').next().unwrap_or_default()
}

fn pseudonym_of_file(name: &str) -> String {
    format!("subject:{name}")
}

fn erased(dir: &Path) -> Result<HashSet<String>, AuditError> {
    let names = files::list(&dir.join("erased"))?;
    Ok(names
        .iter()
        .filter(|name| !files::is_unfinished(name))
        .map(|name| pseudonym_of_file(name))
        .collect())
}

fn read(path: &Path, name: &str) -> Result<Subject, AuditError> {
    let bytes = files::read(path)?;
    let damaged = |why: String| AuditError::Vault {
        path: path.to_owned(),
        why: format!(
            "{why}; put it back from a backup, or move it away: what it opens then stays sealed"
        ),
    };
    let subject = Subject::parse(&bytes).map_err(damaged)?;
    if file_name(subject.pseudonym()) != name {
        return Err(damaged("its name and key do not give its pseudonym".into()));
    }
    Ok(subject)
}
