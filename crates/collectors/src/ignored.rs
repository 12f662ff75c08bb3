//! What `.gitignore` files leave out, read within bounds: they are files of a stranger, as all others.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::bounded;

/// A longer one is not read.
const BYTES_MAX: u64 = 256 * 1024;

/// More lines of one are not read.
const LINES_MAX: usize = 5_000;

/// Directories above the one that is looked at, up to the repository's own.
const PARENTS_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Ignored {
    /// Where the repository begins; at most the directory that is looked at.
    top: PathBuf,
    read: Mutex<HashMap<PathBuf, Option<Arc<Gitignore>>>>,
}

impl Ignored {
    pub(crate) fn new(root: &Path) -> Self {
        let above = root.ancestors().take(PARENTS_MAX);
        let top = above.into_iter().find(|dir| dir.join(".git").exists()).unwrap_or(root);
        Self { top: top.to_owned(), read: Mutex::default() }
    }

    /// Whether something is left out, when nothing above it is.
    pub(crate) fn is(&self, path: &Path, is_dir: bool) -> bool {
        let mut above = path.ancestors().skip(1).take_while(|dir| dir.starts_with(&self.top));
        // The nearest one that says anything decides.
        let said = above.find_map(|dir| match self.of(dir)?.matched(path, is_dir) {
            Match::None => None,
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
        });
        said.unwrap_or(false)
    }

    /// Whether a file or something above it is left out.
    pub(crate) fn covers(&self, path: &Path) -> bool {
        let above = path.ancestors().skip(1).take_while(|dir| dir.starts_with(&self.top));
        self.is(path, false) || above.into_iter().any(|dir| *dir != *self.top && self.is(dir, true))
    }

    fn of(&self, dir: &Path) -> Option<Arc<Gitignore>> {
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(dir) {
            return known.clone();
        }
        let found = read(dir).map(Arc::new);
        known.insert(dir.to_owned(), found.clone());
        found
    }
}

fn read(dir: &Path) -> Option<Gitignore> {
    let path = dir.join(".gitignore");
    // Git follows no link here.
    if !fs::symlink_metadata(&path).ok()?.is_file() {
        return None;
    }
    let text = bounded::text(&path, BYTES_MAX)?;
    let mut builder = GitignoreBuilder::new(dir);
    for line in text.lines().take(LINES_MAX) {
        // A pattern that is none leaves nothing out.
        let _ = builder.add_line(None, line);
    }
    builder.build().ok()
}
