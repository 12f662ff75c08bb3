//! Hooks of pre-commit, which some pipelines run as a step.

use super::Class;
use super::invoke::{Asked, Done};
use crate::finding::Evidence;
use crate::shell::{Blocking, UNKNOWN};
use crate::tree::Tree;
use crate::yaml::{self, Node};

const FILE: &str = ".pre-commit-config.yaml";

/// Hooks that scan, by their ids.
const HOOKS: &[(&str, Class)] = &[
    ("gitleaks", Class::Secrets),
    ("gitleaks-docker", Class::Secrets),
    ("gitleaks-system", Class::Secrets),
    ("detect-secrets", Class::Secrets),
    ("ripsecrets", Class::Secrets),
    ("trufflehog", Class::Secrets),
    ("ggshield", Class::Secrets),
    ("bandit", Class::Code),
    ("semgrep", Class::Code),
    ("checkov", Class::Code),
    ("terraform_checkov", Class::Code),
    ("terraform_tfsec", Class::Code),
    ("terraform_trivy", Class::Code),
    ("zizmor", Class::Code),
    ("gosec", Class::Code),
    ("pip-audit", Class::Dependencies),
    ("python-safety-dependencies-check", Class::Dependencies),
    ("osv-scanner", Class::Dependencies),
    ("reuse", Class::Compliance),
];

pub(super) fn done(asked: &Asked<'_>, words: &[&str]) -> Vec<Done> {
    match words {
        ["pre-commit" | "prek", "run", rest @ ..] => {
            // `run HOOK` runs that one.
            let valued =
                ["--hook-stage", "--from-ref", "--to-ref", "-c", "--config", "--files", "-s", "-o"];
            let mut words = rest.iter().copied();
            let mut hook = None;
            while let Some(word) = words.next() {
                if valued.contains(&word) {
                    words.next();
                } else if !word.starts_with('-') {
                    hook = hook.or(Some(word));
                }
            }
            let skipped = asked.env.get("SKIP").map_or("", String::as_str);
            if skipped.contains(UNKNOWN) {
                let why = Blocking::Unsure("`SKIP` is only known when it runs".into());
                let all = hooks(asked.tree, hook, "");
                return all.into_iter().map(|done| done.blocks(why.clone())).collect();
            }
            hooks(asked.tree, hook, skipped)
        }
        _ => Vec::new(),
    }
}

/// What the hooks of the repository scan for; all of them, or one, without those that are skipped.
pub(super) fn hooks(tree: &Tree, only: Option<&str>, skipped: &str) -> Vec<Done> {
    let Some(text) = tree.text(FILE) else { return Vec::new() };
    let Ok(Some(root)) = yaml::document(text) else { return Vec::new() };
    let repos = root.get("repos").map(Node::items).unwrap_or_default();
    let all = repos.iter().flat_map(|repo| repo.get("hooks").map(Node::items).unwrap_or_default());
    let mut done = Vec::new();
    for hook in all {
        let Some(id) = hook.get("id") else { continue };
        if skipped.split(',').any(|name| id.text() == Some(name.trim())) {
            continue;
        }
        let is_manual = hook
            .get("stages")
            .is_some_and(|stages| stages.texts().iter().all(|stage| *stage == "manual"));
        if is_manual && only.is_none() || only.is_some_and(|only| id.text() != Some(only)) {
            continue;
        }
        let class = HOOKS.iter().find(|(name, _)| id.text() == Some(name)).map(|(_, class)| *class);
        if let Some(class) = class {
            done.push(
                Done::new(class)
                    .why("a hook of pre-commit")
                    .also([Evidence::at(FILE, text, id.place)]),
            );
        }
    }
    done
}
