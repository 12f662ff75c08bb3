//! What `.gitignore` files leave out, read within bounds: they are files of a stranger, as all others. What git has
//! nevertheless they leave in.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::bounded;
use crate::tracked::Tracked;

/// A longer one is not read.
const BYTES_MAX: u64 = 256 * 1024;

/// More lines of one are not read.
const LINES_MAX: usize = 5_000;

/// Directories above the one that is looked at, up to the repository's own.
const PARENTS_MAX: usize = 64;

/// Patterns with several stars take time for every path. So many may be asked for all paths together, each star after
/// the first counted.
const STARS_MAX: u64 = 3_000_000;

#[derive(Debug)]
pub(crate) struct Ignored {
    /// Where the repository begins; at most the directory that is looked at.
    top: PathBuf,
    tracked: Tracked,
    read: Mutex<HashMap<PathBuf, Option<Arc<Patterns>>>>,
    /// Directories that are left out but for what git has of them.
    opened: Mutex<HashSet<PathBuf>>,
    /// How many stars may still be asked for.
    left: AtomicU64,
}

/// What one file says.
#[derive(Debug)]
struct Patterns {
    all: Gitignore,
    stars: u64,
}

impl Ignored {
    pub(crate) fn new(root: &Path) -> Self {
        let above = root.ancestors().take(PARENTS_MAX);
        let top = above.into_iter().find(|dir| dir.join(".git").exists()).unwrap_or(root);
        Self {
            top: top.to_owned(),
            tracked: Tracked::of_checkout(top),
            read: Mutex::default(),
            opened: Mutex::default(),
            left: AtomicU64::new(STARS_MAX),
        }
    }

    /// Whether a directory is a part of the repository that begins above it.
    pub(crate) fn is_part(&self, dir: &Path) -> bool {
        *dir != *self.top && self.has(dir, true)
    }

    /// Whether the patterns ask for more than is looked at; what they might name was left out then.
    pub(crate) fn is_spent(&self) -> bool {
        self.left.load(Relaxed) == 0
    }

    /// Whether something is left out, when nothing above it is.
    pub(crate) fn is(&self, path: &Path, is_dir: bool) -> bool {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let is_inside =
            !opened.is_empty() && path.ancestors().skip(1).any(|dir| opened.contains(dir));
        if !is_inside && !self.is_named(path, is_dir) {
            return false;
        }
        let is_kept = self.has(path, is_dir);
        if is_kept && is_dir {
            opened.insert(path.to_owned());
        }
        !is_kept
    }

    /// Whether a file is left out, or is in something that is.
    pub(crate) fn covers(&self, path: &Path) -> bool {
        let above = path.ancestors().skip(1).take_while(|dir| dir.starts_with(&self.top));
        let mut above = above.into_iter().filter(|dir| **dir != *self.top);
        !self.has(path, false)
            && (self.is_named(path, false) || above.any(|dir| self.is_named(dir, true)))
    }

    /// Whether git's index has it, or something in it.
    fn has(&self, path: &Path, is_dir: bool) -> bool {
        let relative = path.strip_prefix(&self.top).ok().and_then(Path::to_str);
        let relative = relative.map(|path| path.replace(std::path::MAIN_SEPARATOR, "/"));
        relative.is_some_and(|path| {
            if is_dir { self.tracked.is_above(&path) } else { self.tracked.has(&path) }
        })
    }

    /// Whether a pattern names it.
    fn is_named(&self, path: &Path, is_dir: bool) -> bool {
        let mut above = path.ancestors().skip(1).take_while(|dir| dir.starts_with(&self.top));
        // The nearest one that says anything decides.
        let said = above.find_map(|dir| {
            let patterns = self.of(dir)?;
            if !self.may_ask(patterns.stars) {
                return Some(true);
            }
            match patterns.all.matched(path, is_dir) {
                Match::None => None,
                Match::Ignore(_) => Some(true),
                Match::Whitelist(_) => Some(false),
            }
        });
        said.unwrap_or(false)
    }

    fn may_ask(&self, stars: u64) -> bool {
        let take = |left: u64| Some(left.saturating_sub(stars));
        let before = self.left.fetch_update(Relaxed, Relaxed, take).unwrap_or(0);
        stars == 0 || before > stars
    }

    fn of(&self, dir: &Path) -> Option<Arc<Patterns>> {
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(dir) {
            return known.clone();
        }
        let found = read(dir).map(Arc::new);
        known.insert(dir.to_owned(), found.clone());
        found
    }
}

fn read(dir: &Path) -> Option<Patterns> {
    let path = dir.join(".gitignore");
    // Git follows no link here.
    if !fs::symlink_metadata(&path).ok()?.is_file() {
        return None;
    }
    let text = bounded::text(&path, BYTES_MAX)?;
    let mut builder = GitignoreBuilder::new(dir);
    let mut stars = 0;
    for line in text.lines().take(LINES_MAX) {
        let plain = line.trim_start_matches("**/").trim_end_matches("/**");
        stars += (plain.matches('*').count() as u64).saturating_sub(1);
        // A pattern that is none leaves nothing out.
        let _ = builder.add_line(None, line);
    }
    Some(Patterns { all: builder.build().ok()?, stars })
}
