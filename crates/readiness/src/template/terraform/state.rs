//! Where the state of Terraform's roots is kept. A root is a directory that makes something and that no other uses as a
//! module.

use std::collections::{BTreeMap, BTreeSet};

use super::super::fact::{About, Fact};
use super::{blocks, local_sources};
use crate::finding::Evidence;
use crate::hcl;
use crate::lines::File;
use crate::tree::{Tree, dir, has_end, is_aside, name};
use crate::yaml::Node;

/// A directory of Terraform that is planned by itself.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    /// Empty for the root of the repository.
    pub(crate) dir: String,
    pub(crate) evidence: Evidence,
    /// It names a provider or a backend, as no module does that others use.
    pub(crate) is_sure: bool,
}

/// Directories with templates, and what is known of their states.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    /// Lock files of providers by directory.
    locks: BTreeMap<String, Evidence>,
    /// The first line of each directory that makes something.
    makes: BTreeMap<String, Evidence>,
    modules: BTreeSet<String>,
    /// Directories named for tests that keep a state with others, and so are environments.
    tests: BTreeSet<String>,
    /// Directories that name a provider or a backend.
    configured: BTreeSet<String>,
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
                file if has_end(file, "tf") && is_of_tests(dir(path)) => {
                    let keeps = ["backend \"", "cloud {"].iter().any(|mark| text.contains(mark));
                    if keeps && hcl::document(text).is_ok_and(|root| keeps_state(&root)) {
                        roots.tests.insert(dir(path).to_owned());
                    }
                }
                _ => {}
            }
        }
        roots
    }

    /// Whether a directory is an environment for tests, and no test.
    pub(crate) fn is_environment(&self, dir: &str) -> bool {
        self.tests.contains(dir)
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
        if root.get("provider").is_some() || keeps_state(root) {
            self.configured.insert(place.clone());
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

    fn is_module(&self, place: &str) -> bool {
        self.modules.contains(place) || place.split('/').any(|part| part == "modules")
    }

    /// The roots: what makes something, and is no module.
    pub(crate) fn places(&self) -> Vec<Root> {
        let roots = self.makes.iter().filter(|(place, _)| !self.is_module(place));
        roots
            .map(|(place, made)| Root {
                dir: place.clone(),
                evidence: made.clone(),
                is_sure: self.configured.contains(place),
            })
            .collect()
    }

    /// Whether there are only modules for others: nothing says with which provider they would be applied, and examples or
    /// tests show how they are used.
    pub(crate) fn are_modules(&self, tree: &Tree) -> bool {
        let is_used = |(path, text): (&str, &str)| {
            let root = hcl::document(text).ok();
            root.is_some_and(|root| {
                local_sources(&root, path).iter().any(|dir| self.makes.contains_key(dir))
            })
        };
        !self.makes.is_empty()
            && self.configured.is_empty()
            && self.terragrunt.is_empty()
            && tree.texts().filter(|(path, _)| has_end(path, "tf") && is_aside(path)).any(is_used)
    }

    /// What is known of the states of all roots.
    pub(crate) fn facts(self) -> Vec<Fact> {
        let modules: BTreeSet<String> =
            self.makes.keys().filter(|place| self.is_module(place)).cloned().collect();
        let mut facts = self.kept;
        facts.extend(self.remote.iter().cloned());
        for (place, made) in self.makes {
            let is_module = modules.contains(&place);
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

fn keeps_state(root: &Node) -> bool {
    blocks(root, "terraform")
        .any(|block| block.get("backend").is_some() || block.get("cloud").is_some())
}

/// Whether it would be no test if its name were another.
fn is_of_tests(dir: &str) -> bool {
    let around: Vec<&str> = dir.split('/').filter(|part| *part != "test").collect();
    is_aside(&format!("{dir}/x")) && !is_aside(&format!("{}/x", around.join("/")))
}

fn backend_of(kind: &str, at: Evidence) -> Fact {
    match kind {
        "local" | "" => {
            Fact::bad(About::State, "the state stays on the disk of whoever applies it", at)
        }
        _ => Fact::good(About::State, at),
    }
}
