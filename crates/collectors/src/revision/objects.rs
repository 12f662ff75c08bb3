//! Git's objects: directories and files by their hashes. Nothing larger than a bound is put together.

use std::io;

use gix_hash::{ObjectId, Prefix};
use gix_object::tree::EntryKind;
use gix_object::{Find as _, FindExt as _, FindHeader as _, Kind as ObjectKind};

use crate::git_dir::GitDir;

/// The largest object that is put together, its parts included.
const OBJECT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Tags that name each other.
const TAGS_MAX: usize = 10;

/// What an entry of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Link,
    Directory,
    Submodule,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) name: Vec<u8>,
    pub(super) id: ObjectId,
}

pub(super) struct Objects {
    store: gix_odb::Handle,
    hash: gix_hash::Kind,
}

impl Objects {
    pub(super) fn open(git: &GitDir, hash: gix_hash::Kind) -> Result<Self, String> {
        let options = gix_odb::store::init::Options {
            alloc_limit_bytes: Some(OBJECT_BYTES_MAX),
            ..Default::default()
        };
        let opened = gix_odb::at_opts(git.objects(), hash, None, options);
        match opened {
            Ok(store) => Ok(Self { store, hash }),
            Err(_) => Err("git's objects cannot be read".into()),
        }
    }

    /// The object that begins so; the error says when there are several.
    pub(super) fn beginning(&self, hex: &str) -> Result<Option<ObjectId>, String> {
        // Filled up to the length that hashes have here.
        let whole = format!("{hex:0<width$}", width = self.hash.len_in_hex());
        let id = ObjectId::from_hex(whole.as_bytes()).ok();
        let Some(Ok(prefix)) = id.map(|id| Prefix::new(&id, hex.len())) else { return Ok(None) };
        match self.store.lookup_prefix(prefix, None) {
            Ok(Some(Ok(id))) => Ok(Some(id)),
            Ok(Some(Err(()))) => Err("more than one object begins so".into()),
            Ok(None) | Err(_) => Ok(None),
        }
    }

    /// The commit that a commit or a tag is.
    pub(super) fn commit(&self, id: ObjectId) -> Result<ObjectId, String> {
        let mut id = id;
        for _ in 0..TAGS_MAX {
            let mut buffer = Vec::new();
            let found = self.store.try_find(&id, &mut buffer).ok().flatten().ok_or_else(missing)?;
            match found.kind {
                ObjectKind::Commit => return Ok(id),
                ObjectKind::Tag => {
                    let tag = found.try_into_tag_iter().ok_or_else(missing)?;
                    id = tag.target_id().map_err(|_| missing())?;
                }
                ObjectKind::Tree | ObjectKind::Blob => return Err("it is no commit".into()),
            }
        }
        Err("it is no commit".into())
    }

    /// A parent of a commit, counted from 1.
    pub(super) fn parent(&self, commit: &ObjectId, number: usize) -> Result<ObjectId, String> {
        let mut buffer = Vec::new();
        let found = self.store.find_commit_iter(commit, &mut buffer).map_err(|_| missing())?;
        let parent = found.parent_ids().nth(number.saturating_sub(1));
        parent.ok_or_else(|| "the history does not go back so far".to_owned())
    }

    pub(super) fn tree_of(&self, commit: &ObjectId) -> Result<ObjectId, String> {
        let mut buffer = Vec::new();
        let mut found = self.store.find_commit_iter(commit, &mut buffer).map_err(|_| missing())?;
        found.tree_id().map_err(|_| missing())
    }

    /// What is in a directory, in git's order.
    pub(super) fn entries(&self, tree: &ObjectId) -> Result<Vec<Entry>, String> {
        if *tree == ObjectId::empty_tree(tree.kind()) {
            return Ok(Vec::new());
        }
        let mut buffer = Vec::new();
        let found = self.store.find_tree_iter(tree, &mut buffer).map_err(|_| missing())?;
        let entries = found.map(|entry| {
            let entry = entry.map_err(|_| missing())?;
            let kind = match entry.mode.kind() {
                EntryKind::Tree => Kind::Directory,
                EntryKind::Blob | EntryKind::BlobExecutable => Kind::File,
                EntryKind::Link => Kind::Link,
                EntryKind::Commit => Kind::Submodule,
            };
            Ok(Entry { kind, name: entry.filename.to_vec(), id: entry.oid.to_owned() })
        });
        entries.collect()
    }

    /// The bytes of a file; `None` when there are more than these.
    pub(super) fn file(&self, id: &ObjectId, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let none = || io::Error::other("there is no such file");
        let header = self.store.try_header(id).ok().flatten().ok_or_else(none)?;
        if header.kind != ObjectKind::Blob {
            return Err(none());
        }
        if header.size > bytes_max {
            return Ok(None);
        }
        let mut buffer = Vec::new();
        self.store.find_blob(id, &mut buffer).map_err(|_| none())?;
        Ok(Some(buffer))
    }
}

fn missing() -> String {
    "an object of it is missing or broken; a shallow or partial clone does not have all".to_owned()
}
