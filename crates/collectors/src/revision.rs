//! A revision: the files of a commit, out of the object database, without a checkout. What holds for a checkout holds
//! here, but that what git keeps is a part of the repository, also where `.gitignore` names it.

mod objects;
mod parse;

use std::collections::BTreeMap;
use std::path::Path;

use gix_hash::ObjectId;
use lockgate_readiness::Facts;
use lockgate_readiness::tree::FILE_BYTES_MAX;

use self::objects::{Entry, Kind, Objects};
use crate::checkout::{Checkout, CollectError};
use crate::gathered::{BAD_LINK, DEPTH_MAX, Gathered, NOT_UTF8, TOO_DEEP, UNREADABLE};
use crate::git_dir::GitDir;

/// The longest path, in bytes.
const PATH_BYTES_MAX: usize = 4096;

/// Links that lead to each other.
const HOPS_MAX: usize = 40;

/// Reads a revision of a checkout or a bare repository: a branch, a tag, a hash or the beginning of one, `~2` and `^2`
/// after it.
pub fn revision(path: &Path, rev: &str) -> Result<Checkout, CollectError> {
    let unreadable = |source| CollectError::Unreadable { path: path.to_owned(), source };
    let root = std::fs::canonicalize(path).map_err(unreadable)?;
    if !root.is_dir() {
        return Err(CollectError::NotADirectory(path.to_owned()));
    }
    let git = GitDir::of(&root).ok_or_else(|| CollectError::NotARepository(path.to_owned()))?;
    let failed = |why: String| CollectError::Revision { rev: rev.to_owned(), why };
    let (objects, commit) = parse::commit(&git, rev).map_err(failed)?;
    let tree = objects.tree_of(&commit).map_err(failed)?;
    let gathered = Gathered::default();
    let mut walk = Walk { objects, root: tree, gathered, entries: BTreeMap::new() };
    walk.list(tree, "", 1);
    walk.read();
    let commit = Some(commit.to_string());
    let facts = Facts { main_branch: git.main_branch(), commit, ..Facts::default() };
    Ok(Checkout { tree: walk.gathered.finish(), facts })
}

struct Walk {
    objects: Objects,
    root: ObjectId,
    gathered: Gathered,
    /// By their paths, directories and links too.
    entries: BTreeMap<String, (Kind, ObjectId)>,
}

impl Walk {
    /// Lists a directory. Every entry counts: the same directory may be in a tree over and over.
    fn list(&mut self, id: ObjectId, dir: &str, depth: usize) -> bool {
        let Ok(entries) = self.objects.entries(&id) else {
            let shown = Some(dir.trim_end_matches('/')).filter(|dir| !dir.is_empty());
            self.gathered.leave_out_all(UNREADABLE, shown);
            return true;
        };
        for Entry { kind, name, id } in entries {
            if name == b".git" {
                continue;
            }
            if !self.gathered.count() {
                return false;
            }
            let Ok(name) = std::str::from_utf8(&name) else {
                let shown = format!("{dir}{}", String::from_utf8_lossy(&name));
                self.gathered.leave_out(NOT_UTF8, Some(&shown));
                continue;
            };
            if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
                self.gathered.leave_out("has a name that no file has", None);
                continue;
            }
            let path = format!("{dir}{name}");
            if path.len() > PATH_BYTES_MAX {
                self.gathered.leave_out_all("has a name that is too long", None);
                continue;
            }
            match kind {
                Kind::Directory if depth >= DEPTH_MAX => {
                    self.gathered.leave_out_all(TOO_DEEP, Some(&path));
                }
                Kind::Directory => {
                    self.entries.insert(path.clone(), (kind, id));
                    if !self.list(id, &format!("{path}/"), depth + 1) {
                        return false;
                    }
                }
                Kind::Submodule => {
                    let why = "is a submodule, which is not looked at; what is in it is not known";
                    self.gathered.leave_out_submodule(why, &path);
                }
                Kind::File | Kind::Link => {
                    self.entries.insert(path, (kind, id));
                }
            }
        }
        true
    }

    fn read(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        for (path, (kind, id)) in &entries {
            let id = match kind {
                Kind::File => *id,
                Kind::Link => match self.follow(&entries, path) {
                    Some((Kind::File, id)) => id,
                    Some(_) => continue,
                    None => {
                        self.gathered.leave_out(BAD_LINK, Some(path));
                        continue;
                    }
                },
                Kind::Directory | Kind::Submodule => continue,
            };
            let objects = &self.objects;
            self.gathered.add(path, || objects.file(&id, FILE_BYTES_MAX));
        }
    }

    /// Where a link leads within the tree.
    fn follow(
        &self,
        entries: &BTreeMap<String, (Kind, ObjectId)>,
        link: &str,
    ) -> Option<(Kind, ObjectId)> {
        let mut left: Vec<String> = link.rsplit('/').map(str::to_owned).collect();
        let mut at: Vec<String> = Vec::new();
        let mut found = None;
        let mut hops = 0;
        while let Some(part) = left.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    at.pop()?;
                    found = entries.get(&at.join("/")).copied();
                    continue;
                }
                _ => at.push(part),
            }
            let (kind, id) = *entries.get(&at.join("/"))?;
            found = Some((kind, id));
            if kind != Kind::Link {
                continue;
            }
            hops += 1;
            if hops > HOPS_MAX {
                return None;
            }
            let target = self.objects.file(&id, PATH_BYTES_MAX as u64).ok()??;
            let target = String::from_utf8(target).ok()?;
            if target.starts_with('/') {
                return None;
            }
            at.pop();
            left.extend(target.rsplit('/').map(str::to_owned));
        }
        // The root itself is a directory that no entry names.
        found.or_else(|| at.is_empty().then_some((Kind::Directory, self.root)))
    }
}
