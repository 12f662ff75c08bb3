//! Reads `list.txt`; shared by the check that each bug still fits the code and by what plants them.

use std::path::Path;

const LIST: &str = include_str!("list.txt");

/// A bug to plant.
pub(crate) struct Mutant {
    pub(crate) name: String,
    /// From the repository's root.
    pub(crate) file: String,
    old: String,
    new: String,
}

/// All of them.
pub(crate) fn all() -> Vec<Mutant> {
    LIST.split("\n== ").skip(1).map(read).collect()
}

fn read(text: &str) -> Mutant {
    let mut lines = text.lines();
    let mut next = || lines.next().expect("a name, then a file").to_owned();
    let (name, file) = (next(), next());
    let with = |sign: char| {
        let lines = text.lines().skip(2).filter_map(|line| line.strip_prefix(sign));
        lines.fold(String::new(), |text, line| text + line + "\n")
    };
    Mutant { name, file, old: with('-'), new: with('+') }
}

impl Mutant {
    /// The file with the bug in it, or why it cannot be planted.
    pub(crate) fn planted(&self, root: &Path) -> Result<String, String> {
        let text = std::fs::read_to_string(root.join(&self.file));
        let text = text.map_err(|error| format!("{}: {error}", self.file))?;
        let times = text.matches(&self.old).count();
        if self.old.is_empty() || self.old == self.new || times != 1 {
            return Err(format!("its old lines occur {times} times in {}", self.file));
        }
        Ok(text.replacen(&self.old, &self.new, 1))
    }
}
