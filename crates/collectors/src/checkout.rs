//! A checkout: the files that belong to the repository, within bounds.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::{DirEntry, WalkBuilder};
use lockgate_readiness::Facts;
use lockgate_readiness::tree::{FILE_BYTES_MAX, Tree};

use crate::bounded;
use crate::gathered::{BAD_LINK, DEPTH_MAX, Gathered, NO_FILE, NOT_UTF8, TOO_DEEP, UNREADABLE};
use crate::git_dir::GitDir;
use crate::ignored::Ignored;
use crate::submodules;

/// Why a repository cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The path is none that can be looked into.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The path is a file.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// There are no files, only commits.
    #[error("{} is a bare repository, without files: name a revision with `--rev`", .0.display())]
    Bare(PathBuf),
    /// There is no repository.
    #[error("{} is neither the root of a checkout nor a bare repository", .0.display())]
    NotARepository(PathBuf),
    /// There is no such revision, or not all of it.
    #[error("cannot read the revision `{rev}`: {why}")]
    Revision {
        /// As it was asked for.
        rev: String,
        /// Why.
        why: String,
    },
}

/// What was collected.
#[derive(Debug)]
pub struct Checkout {
    /// The files.
    pub tree: Tree,
    /// What the repository's own data says.
    pub facts: Facts,
}

/// What is done with repositories in the repository that `.gitmodules` names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Submodules {
    /// They are named in a note.
    #[default]
    Named,
    /// Those that are checked out are read as if they were directories.
    Read,
}

/// Reads a checkout. Files that `.gitignore` names and git does not have are no part of it, nor are `.git` and other repositories in it; links
/// are followed to files inside only.
pub fn checkout(path: &Path) -> Result<Checkout, CollectError> {
    checkout_with(path, Submodules::Named)
}

/// The same, with what is done with submodules.
pub fn checkout_with(path: &Path, submodules: Submodules) -> Result<Checkout, CollectError> {
    let unreadable = |source| CollectError::Unreadable { path: path.to_owned(), source };
    let root = fs::canonicalize(path).map_err(unreadable)?;
    if !root.is_dir() {
        return Err(CollectError::NotADirectory(path.to_owned()));
    }
    let git = GitDir::of(&root);
    if git.as_ref().is_some_and(GitDir::is_bare) {
        return Err(CollectError::Bare(path.to_owned()));
    }
    let main_branch = git.as_ref().and_then(GitDir::main_branch);
    let commit = git.as_ref().and_then(|git| git.find("HEAD"));
    let mut walk = Walk {
        ignored: Arc::new(Ignored::new(&root)),
        read: BTreeSet::new(),
        gathered: Gathered::default(),
        root,
    };
    walk.submodules(submodules);
    walk.run();
    walk.weigh();
    let facts = Facts { main_branch, commit, ..Facts::default() };
    Ok(Checkout { tree: walk.gathered.finish(), facts })
}

struct Walk {
    root: PathBuf,
    ignored: Arc<Ignored>,
    /// Submodules that are read as directories.
    read: BTreeSet<PathBuf>,
    gathered: Gathered,
}

impl Walk {
    fn submodules(&mut self, wanted: Submodules) {
        for name in submodules::declared(&self.root) {
            let path = self.root.join(&name);
            let is_there = path.join(".git").exists();
            match wanted {
                Submodules::Read if is_there => {
                    self.read.insert(path);
                }
                Submodules::Read => {
                    let why = "is a submodule that is not checked out; what is in it is not known";
                    self.gathered.leave_out_submodule(why, &name);
                }
                Submodules::Named => {
                    let why = "is a submodule, which is not looked at; what is in it is not known";
                    self.gathered.leave_out_submodule(why, &name);
                }
            }
        }
    }

    fn run(&mut self) {
        let (read, ignored) = (self.read.clone(), Arc::clone(&self.ignored));
        let walk = WalkBuilder::new(&self.root)
            .standard_filters(false)
            .max_depth(Some(DEPTH_MAX))
            .follow_links(false)
            .filter_entry(move |entry| !is_foreign(entry, &read) && !is_ignored(entry, &ignored))
            .sort_by_file_name(std::ffi::OsStr::cmp)
            .build();
        for entry in walk {
            let Ok(entry) = entry else {
                self.gathered.leave_out_all(UNREADABLE, None);
                continue;
            };
            if entry.file_type().is_some_and(|kind| kind.is_dir()) {
                if entry.depth() == DEPTH_MAX {
                    self.gathered.leave_out_all(TOO_DEEP, entry.path().to_str());
                }
                continue;
            }
            if !self.gathered.count() {
                return;
            }
            self.entry(&entry);
        }
    }

    /// Tells what makes all of it less than it seems.
    fn weigh(&mut self) {
        if self.ignored.is_part(&self.root) {
            self.gathered.is_part(
                "this directory is a part of a repository, whose pipelines, owners and rules are above it: name the root to see them",
            );
        }
        if self.ignored.is_spent() {
            self.gathered.is_part(
                "`.gitignore` has more patterns with several stars than are compared with all files; the rest is left out",
            );
        }
        if self.gathered.is_empty() {
            self.gathered.is_part("there is no file in it");
        }
    }

    fn entry(&mut self, entry: &DirEntry) {
        let relative = entry.path().strip_prefix(&self.root).unwrap_or(entry.path());
        let Some(name) = relative.to_str() else {
            let shown = relative.to_string_lossy().into_owned();
            self.gathered.leave_out(NOT_UTF8, Some(&shown));
            return;
        };
        let name = name.replace(std::path::MAIN_SEPARATOR, "/");
        let path = if entry.path_is_symlink() {
            match fs::canonicalize(entry.path()) {
                Ok(target) if self.belongs(&target) && target.is_file() => target,
                Ok(target) if self.belongs(&target) && target.is_dir() => return,
                _ => return self.gathered.leave_out(BAD_LINK, Some(&name)),
            }
        } else if entry.file_type().is_some_and(|kind| kind.is_file()) {
            entry.path().to_owned()
        } else {
            return self.gathered.leave_out(NO_FILE, Some(&name));
        };
        self.gathered.add(&name, || bounded::read(&path, FILE_BYTES_MAX));
    }

    /// Whether a link may lead there: to what is looked at, and not to what git keeps for itself or leaves out, where
    /// secrets are.
    fn belongs(&self, target: &Path) -> bool {
        let Ok(inside) = target.strip_prefix(&self.root) else { return false };
        !inside.components().any(|part| part.as_os_str() == ".git") && !self.ignored.covers(target)
    }
}

/// `.git`, and repositories in the repository.
fn is_foreign(entry: &DirEntry, read: &BTreeSet<PathBuf>) -> bool {
    if entry.file_name() == ".git" {
        return true;
    }
    let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
    entry.depth() > 0
        && is_dir
        && entry.path().join(".git").exists()
        && !read.contains(entry.path())
}

fn is_ignored(entry: &DirEntry, ignored: &Ignored) -> bool {
    let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
    entry.depth() > 0 && ignored.is(entry.path(), is_dir)
}
