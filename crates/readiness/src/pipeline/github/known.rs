//! What the files say that conditions ask for: what this repository is called, and which files there are.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::super::Budget;
use crate::tree::{Tree, name};

/// Names of repositories that are kept.
const NAMES_MAX: usize = 5_000;

/// Patterns that all files are compared with.
const PATTERNS_MAX: usize = 100;

/// Characters of a name of an owner or a repository.
const NAME_BYTES_MAX: usize = 100;

/// What all conditions of a tree may ask for.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Repositories of GitHub that files other than workflows name, and their owners, in lower case.
    names: BTreeSet<String>,
    paths: Vec<String>,
    fits: RefCell<BTreeMap<String, bool>>,
    compared: Budget,
}

impl Known {
    /// Looks for what the workflows ask for, and for nothing else.
    pub(super) fn of(tree: &Tree, workflows: &[&str]) -> Self {
        let ask = |word: &str| {
            let texts = workflows.iter().filter_map(|file| tree.text(file));
            texts.into_iter().any(|text| text.contains(word))
        };
        let mut known = Self::default();
        if ask("github.repository") || ask("github.event.repository") {
            let texts = tree.texts().filter(|(path, _)| !path.starts_with(".github/workflows/"));
            for (path, text) in texts {
                known.named_in(text);
                if name(path) == "CODEOWNERS" {
                    known.owners_in(text);
                }
            }
        }
        if ask("hashFiles") || ask("hashfiles") {
            known.paths = tree.paths().map(str::to_owned).collect();
        }
        known
    }

    /// The names in addresses of GitHub and of its registry.
    fn named_in(&mut self, text: &str) {
        for host in ["github.com", "ghcr.io", "githubusercontent.com"] {
            for (at, host) in text.match_indices(host) {
                let rest = text[at + host.len()..].strip_prefix(['/', ':']);
                let Some((owner, rest)) = rest.and_then(|rest| rest.split_once('/')) else {
                    continue;
                };
                let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                let name = rest[..end].trim_end_matches('.').trim_end_matches(".git");
                self.add(owner, "");
                self.add(owner, name);
            }
        }
    }

    /// Teams are those of the owner.
    fn owners_in(&mut self, text: &str) {
        let words = text.split_whitespace().filter_map(|word| word.strip_prefix('@'));
        for (owner, _) in words.filter_map(|word| word.split_once('/')) {
            self.add(owner, "");
        }
    }

    fn add(&mut self, owner: &str, name: &str) {
        let fits = |part: &str| part.len() <= NAME_BYTES_MAX && part.chars().all(is_part);
        if !owner.is_empty() && fits(owner) && fits(name) && self.names.len() < NAMES_MAX {
            self.names.insert(format!("{owner}/{name}").to_lowercase());
        }
    }

    pub(super) fn is_called(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub(super) fn has_file(&self, pattern: &str) -> bool {
        let pattern = pattern.trim_start_matches("./");
        if let Some(known) = self.fits.borrow().get(pattern) {
            return *known;
        }
        if self.fits.borrow().len() >= PATTERNS_MAX {
            return false;
        }
        // What is not compared any more is not known to be there, and so unknown.
        let fits = |path: &String| self.compared.matches(pattern, path) == Some(true);
        let found = self.paths.iter().any(fits);
        self.fits.borrow_mut().insert(pattern.to_owned(), found);
        found
    }
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}
