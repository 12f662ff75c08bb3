//! Commands, jobs and executors by their names: of the file, of an orb that stands in it, or of a published one.

use std::collections::BTreeMap;

use super::super::{Does, Script};
use crate::shell::{Options, UNKNOWN};
use crate::tree::join;
use crate::yaml::Node;

/// What a name stands for.
pub(super) enum Element<'a> {
    /// It is in the file.
    Read {
        node: &'a Node,
        space: &'a Node,
    },
    /// An orb has it that is published elsewhere.
    Published {
        slug: &'a str,
        name: String,
    },
    Missing,
}

/// Looks a name up, such as `test` or `node/test`, among the `commands`, `jobs` or `executors` of a space.
pub(super) fn element<'a>(name: &str, kind: &str, space: &'a Node) -> Element<'a> {
    let Some((orb, inner)) = name.split_once('/') else {
        return match space.at(&[kind, name]) {
            Some(node) => Element::Read { node, space },
            None => Element::Missing,
        };
    };
    match space.at(&["orbs", orb]) {
        Some(orb) if orb.is_map() => match orb.at(&[kind, inner]) {
            Some(node) => Element::Read { node, space: orb },
            None => Element::Missing,
        },
        Some(orb) => {
            let slug = orb.text().and_then(|text| text.split('@').next()).unwrap_or_default();
            Element::Published { slug, name: inner.to_owned() }
        }
        None => Element::Missing,
    }
}

/// Published orbs that run nothing of the repository.
#[rustfmt::skip]
const ASIDE: &[&str] = &[
    "circleci/aws-cli", "circleci/azure-cli", "circleci/gcp-cli", "circleci/browser-tools",
    "circleci/slack", "circleci/jira", "circleci/jq", "circleci/macos", "circleci/windows",
    "circleci/welcome-orb", "circleci/build-tools", "circleci/hello-build", "circleci/shellcheck",
    "circleci/github-cli", "circleci/vault", "circleci/opentelemetry", "eddiewebb/queue",
    "threetreeslight/puppeteer",
];

/// Published orbs whose other commands only get something ready, by parts of their names.
#[rustfmt::skip]
const TOOLS: &[&str] = &[
    "circleci/node", "circleci/python", "circleci/ruby", "circleci/go", "circleci/rust",
    "circleci/php", "circleci/android", "circleci/flutter", "circleci/heroku", "circleci/kubernetes",
    "circleci/helm", "circleci/docker", "circleci/aws-eks", "circleci/gke", "circleci/gcp-gcr",
    "circleci/gcp-artifact-registry", "circleci/aws-ecr", "circleci/terraform", "codecov/codecov",
    "snyk/snyk",
];

const PREPARES: &[&str] =
    &["install", "setup", "auth", "login", "init", "assume", "kubeconfig", "cache"];

/// What a published command or job does; none when it is nothing that counts.
pub(super) fn does(slug: &str, name: &str, inputs: BTreeMap<String, String>) -> Option<Does> {
    let slug = slug.to_ascii_lowercase();
    if let Some(script) = script(&slug, name, &inputs) {
        return Some(Does::Script(script));
    }
    let what = format!("orb/{slug}/{}", name.to_ascii_lowercase().replace('_', "-"));
    if crate::act::is_known(&what) {
        return Some(Does::Uses { what, inputs });
    }
    let prepares = PREPARES.iter().any(|part| name.contains(part));
    if ASIDE.contains(&slug.as_str()) || prepares && TOOLS.contains(&slug.as_str()) {
        return None;
    }
    Some(Does::Opaque(format!("what `{name}` of the orb `{slug}` does is not in the repository")))
}

/// Published commands that run one program of the repository's language.
fn script(slug: &str, name: &str, inputs: &BTreeMap<String, String>) -> Option<Script> {
    let or = |key: &str, default: &str| {
        inputs.get(key).filter(|text| !text.is_empty()).map_or(default, String::as_str).to_owned()
    };
    let text = match (slug, name) {
        ("circleci/node", "test") => {
            let run = or("run-command", "test");
            let run = if run == "test" { run } else { format!("run {run}") };
            format!("{} {run}", or("pkg-manager", "npm").replace("yarn-berry", "yarn"))
        }
        ("circleci/node", "run") => {
            let run = inputs.get("npm-run").or_else(|| inputs.get("yarn-run"));
            format!("npm run {}", run.map_or("build", String::as_str))
        }
        ("circleci/python", "test") => {
            let tool = or("test-tool", "pytest");
            let tool = if tool == "unittest" { "python -m unittest" } else { "pytest" };
            format!("{tool} {}", or("test-tool-args", ""))
        }
        ("circleci/go", "test") => format!("go test {}", or("packages", "./...")),
        ("circleci/rust", "test") => format!("cargo test {}", or("flags", "")),
        ("circleci/rust", "build") => "cargo build".to_owned(),
        ("circleci/rust", "clippy") => "cargo clippy".to_owned(),
        ("circleci/ruby", "rspec-test") => "bundle exec rspec".to_owned(),
        ("circleci/maven", "test") => format!("mvn {}", or("command", "verify")),
        ("circleci/gradle", "test" | "run") => format!("gradle {}", or("command", "test")),
        ("cypress-io/cypress", "run") => or("cypress-command", "npx cypress run"),
        ("circleci/docker", "build") => "docker build .".to_owned(),
        ("circleci/docker", "push") => "docker push image".to_owned(),
        ("circleci/docker", "publish") => "docker build . && docker push image".to_owned(),
        ("circleci/helm", "upgrade-helm-chart" | "install-helm-chart") => "helm upgrade".to_owned(),
        ("circleci/kubernetes", "create-or-update-resource" | "update-container-image") => {
            "kubectl apply".to_owned()
        }
        _ => return None,
    };
    let dir = or("app-dir", &or("working-directory", "."));
    Some(Script {
        text,
        line: 1,
        literal: false,
        options: Options { errexit: true, pipefail: true },
        vars: BTreeMap::new(),
        dir: if dir.contains(UNKNOWN) {
            None
        } else {
            join("", dir.trim_start_matches("~/project"))
        },
    })
}
