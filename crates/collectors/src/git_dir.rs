//! Where git keeps a repository, and the names that it has for commits. Read as files, within bounds; git's own
//! configuration is not read, and nothing in it takes effect.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bounded;

/// The longest name or hash in a file of its own.
const REF_BYTES_MAX: u64 = 1024;

/// More names in one file are not read.
const PACKED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Names that name each other.
const HOPS_MAX: usize = 5;

/// The branch of the remote that is its own main one.
const REMOTE_HEAD: &str = "refs/remotes/origin/HEAD";
const REMOTE: &str = "refs/remotes/origin/";

/// The directory of a repository, and the one that it shares with its other working trees.
#[derive(Debug)]
pub(crate) struct GitDir {
    own: PathBuf,
    shared: PathBuf,
    is_bare: bool,
}

/// What a name stands for.
enum Named {
    Other(String),
    Hash(String),
}

impl GitDir {
    /// Of a checkout: `.git`, or where that file says.
    pub(crate) fn of_checkout(root: &Path) -> Option<Self> {
        let path = root.join(".git");
        if path.is_dir() {
            return Some(Self::at(path, false));
        }
        let text = bounded::text(&path, REF_BYTES_MAX * 4)?;
        let elsewhere = root.join(text.strip_prefix("gitdir:")?.trim());
        elsewhere.is_dir().then(|| Self::at(elsewhere, false))
    }

    /// Of a checkout or of a bare repository.
    pub(crate) fn of(root: &Path) -> Option<Self> {
        let is_bare = || {
            root.join("HEAD").is_file()
                && root.join("objects").is_dir()
                && (root.join("refs").is_dir() || root.join("packed-refs").is_file())
        };
        Self::of_checkout(root).or_else(|| is_bare().then(|| Self::at(root.to_owned(), true)))
    }

    fn at(own: PathBuf, is_bare: bool) -> Self {
        let shared = bounded::text(&own.join("commondir"), REF_BYTES_MAX * 4)
            .map_or_else(|| own.clone(), |text| own.join(text.trim()));
        Self { own, shared, is_bare }
    }

    /// What is to be in the next commit; each working tree has its own.
    pub(crate) fn index(&self) -> PathBuf {
        self.own.join("index")
    }

    pub(crate) fn is_bare(&self) -> bool {
        self.is_bare
    }

    /// Where its objects are.
    pub(crate) fn objects(&self) -> PathBuf {
        self.shared.join("objects")
    }

    /// The branch that the remote calls its own, or that a bare repository does; what is checked out may be another.
    pub(crate) fn main_branch(&self) -> Option<String> {
        match self.named(REMOTE_HEAD) {
            Some(Named::Other(name)) => name.strip_prefix(REMOTE).map(str::to_owned),
            Some(Named::Hash(hash)) => self.only_branch_at(&hash),
            None if self.is_bare => match self.named("HEAD")? {
                Named::Other(name) => name.strip_prefix("refs/heads/").map(str::to_owned),
                Named::Hash(_) => None,
            },
            None => None,
        }
    }

    /// The remote's only branch at a commit.
    fn only_branch_at(&self, hash: &str) -> Option<String> {
        let packed = self.packed();
        let mut names = packed.lines().filter_map(|line| {
            let name = line.strip_prefix(hash)?.trim().strip_prefix(REMOTE)?;
            (name != "HEAD").then(|| name.to_owned())
        });
        let name = names.next()?;
        names.next().is_none().then_some(name)
    }

    /// The hash behind a name as people write it, in the order in which git looks: a name, a tag, a branch, one of a remote.
    pub(crate) fn find(&self, name: &str) -> Option<String> {
        let name = if name == "@" { "HEAD" } else { name };
        if !is_name(name) {
            return None;
        }
        let is_top =
            name.starts_with("refs/") || name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        let top = is_top.then(|| name.to_owned());
        let others = ["refs/", "refs/tags/", "refs/heads/", "refs/remotes/"];
        let others = others.into_iter().map(|before| format!("{before}{name}"));
        let head = format!("refs/remotes/{name}/HEAD");
        top.into_iter().chain(others).chain([head]).find_map(|name| self.hash(name))
    }

    fn hash(&self, mut name: String) -> Option<String> {
        for _ in 0..HOPS_MAX {
            match self.named(&name)? {
                Named::Hash(hash) => return Some(hash),
                Named::Other(other) if is_name(&other) => name = other,
                Named::Other(_) => return None,
            }
        }
        None
    }

    fn named(&self, name: &str) -> Option<Named> {
        // `HEAD` and the like belong to one working tree, branches to all.
        let dir = if name.starts_with("refs/") { &self.shared } else { &self.own };
        let text = bounded::text(&dir.join(name), REF_BYTES_MAX);
        let text = text.as_deref().map(str::trim);
        if let Some(other) = text.and_then(|text| text.strip_prefix("ref:")) {
            return Some(Named::Other(other.trim().to_owned()));
        }
        if let Some(hash) = text.filter(|text| is_hash(text)) {
            return Some(Named::Hash(hash.to_owned()));
        }
        let packed = self.packed();
        let hash = packed.lines().find_map(|line| {
            let (hash, found) = line.split_once(' ')?;
            (found.trim_end() == name && is_hash(hash)).then_some(hash)
        });
        hash.map(|hash| Named::Hash(hash.to_owned()))
    }

    fn packed(&self) -> String {
        bounded::text(&self.shared.join("packed-refs"), PACKED_BYTES_MAX).unwrap_or_default()
    }

    /// Whether names are kept in another way than in files.
    pub(crate) fn is_reftable(&self) -> bool {
        fs::metadata(self.shared.join("reftable")).is_ok_and(|found| found.is_dir())
    }
}

/// A whole hash, of SHA-1 or SHA-256.
pub(crate) fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A name that leads nowhere but to files of names (git-check-ref-format).
fn is_name(name: &str) -> bool {
    let bad =
        |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    !name.is_empty()
        && name.len() <= 512
        && !name.contains(bad)
        && !name.contains("@{")
        && name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains(".."))
}
