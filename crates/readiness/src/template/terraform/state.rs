//! Where the state of Terraform's roots is kept. A root is a directory that makes something and that no other uses as a
//! module.

use std::collections::{BTreeMap, BTreeSet};

use super::super::fact::{About, Fact};
use super::{blocks, local_sources};
use crate::finding::Evidence;
use crate::hcl;
use crate::lines::File;
use crate::tree::{Tree, dir, name};
use crate::yaml::Node;

/// Directories with templates, and what is known of their states.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    /// Lock files of providers by directory.
    locks: BTreeMap<String, Evidence>,
    /// The first line of each directory that makes something.
    makes: BTreeMap<String, Evidence>,
    modules: BTreeSet<String>,
    backends: BTreeMap<String, Fact>,
    /// `remote_state` of Terragrunt, and directories that Terragrunt runs.
    remote: Vec<Fact>,
    terragrunt: BTreeSet<String>,
    /// States that are kept as files.
    kept: Vec<Fact>,
}

impl Roots {
    pub(crate) fn read(tree: &Tree) -> Self {
        let mut roots = Self::default();
        for path in tree.paths() {
            let text = tree.text(path).unwrap_or_default();
            match name(path) {
                ".terraform.lock.hcl"
                    if hcl::document(text).is_ok_and(|root| root.get("provider").is_some()) =>
                {
                    roots.locks.insert(dir(path).to_owned(), Evidence::file(path, text));
                }
                "terraform.tfstate" => {
                    let why = "the state is a file of the repository";
                    roots.kept.push(Fact::bad(About::State, why, Evidence::file(path, "")));
                }
                _ => {}
            }
        }
        roots
    }

    /// The lock file of a directory.
    pub(super) fn lock(&self, dir: &str) -> Option<Evidence> {
        self.locks.get(dir).cloned()
    }

    pub(super) fn file(&mut self, file: File<'_>, root: &Node, made: Option<&Evidence>) {
        let place = dir(file.path).to_owned();
        self.modules.extend(local_sources(root, file.path));
        if let Some(made) = made {
            self.makes.entry(place.clone()).or_insert_with(|| made.clone());
        }
        for block in blocks(root, "terraform") {
            for backend in blocks(block, "backend").flat_map(Node::entries) {
                self.backends
                    .insert(place.clone(), backend_of(&backend.key, file.shown(&backend.value)));
            }
            if let Some(cloud) = block.get("cloud") {
                self.backends.insert(place.clone(), Fact::good(About::State, file.shown(cloud)));
            }
        }
    }

    pub(super) fn terragrunt(&mut self, file: File<'_>, root: &Node) {
        self.terragrunt.insert(dir(file.path).to_owned());
        for block in blocks(root, "remote_state") {
            let Some(backend) = block.get("backend") else { continue };
            let kind = backend.text().unwrap_or_default();
            self.remote.push(backend_of(kind, file.shown(backend)));
        }
        let sources = blocks(root, "terraform").filter_map(|block| block.get("source")?.text());
        let sources = sources
            .filter(|source| source.starts_with('.'))
            .map(|source| source.replace("//", "/"));
        self.modules
            .extend(sources.filter_map(|source| crate::tree::join(dir(file.path), &source)));
    }

    /// What is known of the states of all roots.
    pub(crate) fn facts(self) -> Vec<Fact> {
        let mut facts = self.kept;
        facts.extend(self.remote.iter().cloned());
        for (place, made) in self.makes {
            let is_module =
                self.modules.contains(&place) || place.split('/').any(|part| part == "modules");
            let by_terragrunt = !self.remote.is_empty() && self.terragrunt.contains(&place);
            match self.backends.get(&place) {
                Some(fact) => facts.push(fact.clone()),
                None if is_module || by_terragrunt => {}
                None => facts.push(Fact::bad(
                    About::State,
                    "no backend is named, so that the state stays on the disk of whoever applies it",
                    made,
                )),
            }
        }
        facts
    }
}

fn backend_of(kind: &str, at: Evidence) -> Fact {
    match kind {
        "local" | "" => {
            Fact::bad(About::State, "the state stays on the disk of whoever applies it", at)
        }
        _ => Fact::good(About::State, at),
    }
}
