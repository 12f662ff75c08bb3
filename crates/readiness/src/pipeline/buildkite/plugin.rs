//! Plugins of a step: those that run its command elsewhere, those that only prepare something, and those of which nobody
//! can see from here what they run.

use std::collections::BTreeMap;

use super::super::Script;
use crate::finding::Place;
use crate::shell::Options;
use crate::tree::Tree;
use crate::yaml::{self, Node};

/// Plugins that run nothing that is looked for.
#[rustfmt::skip]
const NOTHING: &[&str] = &[
    "docker-login", "ecr", "gcr", "acr", "artifacts", "cache", "s3-cache", "gcs-cache", "test-collector",
    "junit-annotate", "annotate", "shellcheck", "aws-assume-role", "aws-assume-role-with-web-identity",
    "aws-sm", "aws-ssm", "aws-paramstore-secrets", "s3-secrets", "vault-secrets", "vault-env", "secrets",
    "cluster-secrets", "library", "metahook", "golang-cross-compile", "docker-image-push-login", "queue",
    "test-summary", "file-counter", "git-clean", "sparse-checkout", "git-shallow-clone", "custom-checkout",
    "private-npm", "npm-auth", "gh-setup-github-cli", "github-merged-pr", "oblt-google-auth", "bk-tests",
    "tests", "gcp-workload-identity-federation", "gcp-secret-manager", "vault-github-token", "slack-notify",
    "ssm", "skip-checkout", "rerun-command", "rosetta", "aws-credentials", "create-secret-file", "timestamps",
    "docker-cache", "docker-ecr-login", "k8s", "kubernetes", "venv", "asdf", "mise", "nvm", "ruby-setup",
    "a8c-ci-toolkit", "xcode-cache", "isolated-pipeline-cache", "julia-cache", "julia-coverage", "julia",
    "codecov", "coveralls", "propagate-environment", "github-fetch", "checkout", "without-checkout",
];

/// What a plugin runs by itself.
pub(super) enum Runner {
    Command(Place, String),
    Opaque(Place, String),
}

/// The plugins of a step, together.
#[derive(Default)]
pub(super) struct Plugins {
    pub(super) runs: Vec<Runner>,
    /// Servers run beside the command.
    pub(super) services: bool,
}

/// What the plugins of a step do.
pub(super) fn of(tree: &Tree, step: &Node) -> Plugins {
    let mut all = Plugins::default();
    let has_command = ["command", "commands", "script"].iter().any(|key| step.get(key).is_some());
    let Some(plugins) = step.get("plugins") else { return all };
    let single = std::slice::from_ref(plugins);
    let items = if plugins.is_list() { plugins.items() } else { single };
    for item in items {
        if let Some(name) = item.text() {
            all.one(tree, name, &Node::null(item.place), item.place, has_command);
        }
        for entry in item.entries() {
            all.one(tree, &entry.key, &entry.value, entry.key_place, has_command);
        }
    }
    all
}

/// `https://github.com/acme/x-buildkite-plugin.git#v1.0.0` is `x`.
fn short(name: &str) -> &str {
    let name = name.split('#').next().unwrap_or_default();
    let name = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = name.strip_suffix(".git").unwrap_or(name);
    name.strip_suffix("-buildkite-plugin").unwrap_or(name)
}

impl Plugins {
    fn one(&mut self, tree: &Tree, name: &str, given: &Node, place: Place, has_command: bool) {
        match short(name) {
            "docker-compose" => self.compose(tree, given, place, has_command),
            "docker" => self.docker(given, place, has_command),
            "trivy" => {
                let exit = given.get("exit-code").and_then(Node::text).unwrap_or("0");
                let command = format!("trivy fs --exit-code {exit} .");
                self.runs.push(Runner::Command(place, command));
            }
            known if NOTHING.contains(&known) => {}
            unknown => {
                let why = format!("the plugin `{unknown}` may run anything");
                self.runs.push(Runner::Opaque(place, why));
            }
        }
    }

    /// The command runs in a container; without one the image says what runs.
    fn docker(&mut self, given: &Node, place: Place, has_command: bool) {
        let image = given.get("image").and_then(Node::text).unwrap_or("image");
        let own = given.get("command").map(Node::texts).unwrap_or_default();
        if !own.is_empty() || !has_command {
            let command = format!("docker run {image} {}", own.join(" "));
            self.runs.push(Runner::Command(place, command.trim_end().to_owned()));
            if own.is_empty() {
                let why = format!("the image `{image}` says what it runs");
                self.runs.push(Runner::Opaque(place, why));
            }
        }
    }

    fn compose(&mut self, tree: &Tree, given: &Node, place: Place, has_command: bool) {
        if given.get("build").is_some() {
            self.runs.push(Runner::Command(place, "docker compose build".to_owned()));
        }
        // What is pushed right behind its build is for the steps that follow.
        if given.get("push").is_some() && given.get("build").is_none() {
            self.runs.push(Runner::Command(place, "docker push image".to_owned()));
        }
        let Some(service) = given.get("run").and_then(Node::text) else { return };
        let files = given.get("config").map(Node::texts).unwrap_or_default();
        let files = if files.is_empty() { vec!["docker-compose.yml"] } else { files };
        let found = files
            .iter()
            .filter_map(|file| yaml::document(tree.text(file)?).ok()?)
            .find_map(|root| root.at(&["services", service]).cloned());
        // Databases and the like stand beside it.
        self.services |= found.as_ref().is_some_and(|service| {
            service.get("depends_on").or_else(|| service.get("links")).is_some()
        });
        if has_command {
            return;
        }
        let own = found.as_ref().and_then(|service| service.get("command"));
        if let Some(words) = own.map(Node::texts).filter(|words| !words.is_empty()) {
            self.runs.push(Runner::Command(place, words.join(" ")));
        } else {
            let why = format!("the service `{service}` says what it runs");
            self.runs.push(Runner::Opaque(place, why));
        }
    }
}

/// A command of a plugin as a script.
pub(super) fn script(text: String, place: Place, env: &BTreeMap<String, String>) -> Script {
    Script {
        text,
        line: place.line,
        literal: false,
        options: Options { errexit: true, pipefail: false },
        vars: env.clone(),
        dir: Some(String::new()),
    }
}
