//! A configuration as it is kept and sent: its text, and the files that it names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::yaml;
use crate::price::litellm;
use crate::version::Digest;

/// The largest file of any kind that a configuration can name, bytes.
pub const FILE_BYTES_MAX: usize = litellm::BYTES_MAX;

/// The largest file of probes, bytes.
pub(super) const PROBES_BYTES_MAX: usize = 1024 * 1024;

/// The most files that a configuration can name.
pub const FILES_MAX: usize = 32;

/// What a configuration is read from, kept and sent as.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The file.
    pub text: String,
    /// The files that it names, by the names that it has for them.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

impl From<&str> for Source {
    /// One that names no files.
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), files: BTreeMap::new() }
    }
}

impl Source {
    /// Of everything: another probe is another configuration.
    pub fn digest(&self) -> Digest {
        if self.files.is_empty() {
            return Digest::of(self.text.as_bytes());
        }
        Digest::of_json(self)
    }
}

/// The files that a configuration names, each once, at most [`FILES_MAX`]. What is wrong with the
/// text is said when it is read.
pub fn names_files(text: &str) -> Vec<String> {
    let root = yaml::parse(text).root.map(|root| root.to_json()).unwrap_or_default();
    let agents = root.get("agents").and_then(Value::as_array).into_iter().flatten();
    let probes = agents.filter_map(|agent| agent.pointer("/probes/file"));
    let all = probes.chain(root.pointer("/prices_file/file"));
    let mut names: Vec<String> = all
        .filter_map(|name| name.as_str().map(str::to_owned))
        .filter(|name| is_beside(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(FILES_MAX);
    names
}

/// Whether the name is of a file beside the configuration or below it.
fn is_beside(name: &str) -> bool {
    let segment = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(plain)
    };
    name.len() <= 255 && name.split('/').all(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_beside_the_configuration_are_named() {
        let names = |file: &str| names_files(&format!("agents:\n- probes: {{ file: {file} }}\n"));
        assert_eq!(names("probes.jsonl"), ["probes.jsonl"]);
        assert_eq!(names("sets/a-1.jsonl"), ["sets/a-1.jsonl"]);
        for bad in ["/etc/passwd", "../x", "a/../b", ".ssh/id", "a//b", "'a b'", "''", "[1]", "3"] {
            assert_eq!(names(bad), [""; 0], "{bad}");
        }
        assert_eq!(names_files(": : :"), [""; 0]);
        assert_eq!(names_files("prices_file: { file: prices.json }"), ["prices.json"]);
        assert_eq!(names_files("prices_file: { file: ../prices.json }"), [""; 0]);
    }

    #[test]
    fn files_are_part_of_what_is_digested() {
        let files = |text: &str| BTreeMap::from([("a".to_owned(), text.to_owned())]);
        let digest = |files| Source { text: "x".into(), files }.digest();
        assert_eq!(digest(BTreeMap::new()), Digest::of(b"x"));
        assert_ne!(digest(files("1")), digest(files("2")));
    }
}
