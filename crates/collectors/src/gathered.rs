//! What is gathered of a repository, wherever it comes from: the bounds that hold for all of it, and notes of what they
//! leave out.

use std::collections::BTreeMap;
use std::io;

use lockgate_readiness::tree::{Contents, TREE_BYTES_MAX, Tree, wanted};

/// More files than this are not listed.
pub const FILES_MAX: usize = 250_000;

/// Deepest directories in each other.
pub(crate) const DEPTH_MAX: usize = 64;

/// Paths that one note names.
const NAMED_MAX: usize = 3;

pub(crate) const NOT_UTF8: &str = "has a name that is not UTF-8";
pub(crate) const BAD_LINK: &str = "is a link out of the repository, or to nothing";
pub(crate) const NO_FILE: &str = "is no file";
pub(crate) const TOO_DEEP: &str = "is nested too deep";
pub(crate) const UNREADABLE: &str = "cannot be read";

#[derive(Debug, Default)]
pub(crate) struct Gathered {
    tree: Tree,
    files: usize,
    bytes: u64,
    /// How many were left out for a reason, and some of them.
    left_out: BTreeMap<&'static str, (usize, Vec<String>)>,
}

impl Gathered {
    /// Counts one more; false when it is one too many, which ends the looking.
    pub(crate) fn count(&mut self) -> bool {
        if self.files >= FILES_MAX {
            let note = format!("there are more than {FILES_MAX} files; the rest is not looked at");
            self.tree.notes.push(note);
            self.tree.incomplete = true;
            return false;
        }
        self.files += 1;
        true
    }

    /// Adds a file. `read` is asked for its bytes when they matter, and has none when there are too many.
    pub(crate) fn add(&mut self, name: &str, read: impl FnOnce() -> io::Result<Option<Vec<u8>>>) {
        let contents = self.contents(name, read);
        self.tree.insert(name, contents);
    }

    fn contents(
        &mut self,
        name: &str,
        read: impl FnOnce() -> io::Result<Option<Vec<u8>>>,
    ) -> Contents {
        if !wanted(name) {
            return Contents::NotWanted;
        }
        if self.bytes >= TREE_BYTES_MAX {
            self.leave_out("is not read, after as much text as is read", Some(name));
            return Contents::Unread("too much text in the repository");
        }
        match read() {
            Ok(Some(bytes)) if bytes.contains(&0) => Contents::Binary,
            Ok(Some(bytes)) => {
                self.bytes += bytes.len() as u64;
                String::from_utf8(bytes)
                    .map_or(Contents::Binary, |text| Contents::Text(text.into()))
            }
            Ok(None) => {
                self.leave_out("is larger than what is read of a file", Some(name));
                Contents::Unread("the file is too large")
            }
            Err(_) => {
                self.leave_out(UNREADABLE, Some(name));
                Contents::Unread("the file cannot be read")
            }
        }
    }

    pub(crate) fn leave_out(&mut self, why: &'static str, name: Option<&str>) {
        let (count, names) = self.left_out.entry(why).or_default();
        *count += 1;
        if names.len() < NAMED_MAX {
            names.extend(name.map(str::to_owned));
        }
    }

    /// Leaves out a directory, so that what is in it is not known to be missing.
    pub(crate) fn leave_out_all(&mut self, why: &'static str, name: Option<&str>) {
        self.leave_out(why, name);
        self.tree.incomplete = true;
    }

    /// Leaves out another repository that is a part of this one.
    pub(crate) fn leave_out_submodule(&mut self, why: &'static str, name: &str) {
        self.leave_out(why, Some(name));
        self.tree.submodules.push(name.to_owned());
    }

    /// Says that there is more than what was listed, so that what is not seen is not known to be missing.
    pub(crate) fn is_part(&mut self, note: &str) {
        self.tree.notes.push(note.to_owned());
        self.tree.incomplete = true;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tree.paths().next().is_none()
    }

    pub(crate) fn finish(mut self) -> Tree {
        for (why, (count, names)) in self.left_out {
            let mut note = names.join(", ");
            if count > names.len() {
                let more = count - names.len();
                note = if names.is_empty() {
                    format!("{more} files")
                } else {
                    format!("{note} and {more} more")
                };
            }
            self.tree.notes.push(format!("{note}: {why}"));
        }
        self.tree
    }
}
