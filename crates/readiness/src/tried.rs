//! Readers of outside text by themselves, for whoever tries what happens: fuzz targets.

use std::collections::BTreeMap;

use crate::pipeline::glob_matches;
use crate::shell::{self, Options, program};
use crate::yaml::{Node, Unread};
use crate::{hcl, yaml};

/// The lines, from 0, of the commands of a script, with and without `set -e`.
pub fn commands(script: &str) -> Vec<usize> {
    let vars = BTreeMap::from([("CARGO".to_owned(), "cargo +nightly".to_owned())]);
    let read = |errexit: bool| {
        let options = Options { errexit, pipefail: !errexit };
        shell::commands(script, options, &vars).into_iter().map(|command| command.line)
    };
    read(true).chain(read(false)).collect()
}

/// Reads the words before a script that say what runs it, such as `bash -e {0}`.
pub fn program(line: &str) {
    let _ = program::started(line);
}

/// A text of HCL: the last line that a value stands on, or the line that cannot be read.
pub fn hcl(text: &str) -> Result<u32, u32> {
    let root = hcl::document(text).map_err(|unread| line(&unread))?;
    Ok(last(&root))
}

/// The same of YAML or JSON, of all its documents.
pub fn yaml(text: &str) -> Result<u32, u32> {
    let all = yaml::documents(text).map_err(|unread| line(&unread))?;
    Ok(all.iter().map(last).max().unwrap_or_default())
}

/// Whether a pattern of branches and paths names a text.
pub fn names(pattern: &str, text: &str) -> bool {
    glob_matches(pattern, text)
}

fn line(unread: &Unread) -> u32 {
    unread.place.line
}

fn last(node: &Node) -> u32 {
    let items = node.items().iter().chain(node.entries().iter().map(|entry| &entry.value));
    items.map(last).max().unwrap_or_default().max(node.place.line)
}
