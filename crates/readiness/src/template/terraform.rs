//! Terraform and `OpenTofu`, in HCL and in JSON, and Terragrunt.

mod state;

use std::collections::BTreeSet;

pub(crate) use self::state::Root;
pub(super) use self::state::Roots;
use super::fact::{About, Fact, image, is_open};
use super::{Compares, Found, Reconciler, Templates, container, kubernetes, secret};
use crate::finding::Evidence;
use crate::lines::File;
use crate::tree::{dir, has_end};
use crate::yaml::{Entry, Node};

/// A resource: its kind, its name, and its body.
pub(crate) struct Resource<'a> {
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
    pub(crate) body: &'a Node,
}

/// Resources that are made: one with `count = 0` is none.
pub(crate) fn resources(root: &Node) -> impl Iterator<Item = Resource<'_>> {
    named(root, "resource").flat_map(|kind| {
        kind.value.entries().iter().filter(|one| is_made(&one.value)).map(|one| Resource {
            kind: &kind.key,
            name: &one.key,
            body: &one.value,
        })
    })
}

/// Modules that are used.
pub(crate) fn modules(root: &Node) -> impl Iterator<Item = &Entry> {
    named(root, "module").filter(|one| is_made(&one.value))
}

/// Entries below all that have this key.
fn named<'a>(root: &'a Node, key: &'a str) -> impl Iterator<Item = &'a Entry> {
    blocks(root, key).flat_map(Node::entries)
}

/// All blocks of a name; in JSON they may be a list.
pub(crate) fn blocks<'a>(body: &'a Node, key: &'a str) -> impl Iterator<Item = &'a Node> {
    body.entries().iter().filter(move |entry| entry.key == key).flat_map(|entry| {
        let items = entry.value.items();
        if items.is_empty() { std::slice::from_ref(&entry.value) } else { items }
    })
}

fn is_made(body: &Node) -> bool {
    let count = body.get("count").and_then(Node::text);
    let each = body.get("for_each");
    let is_empty = |node: &Node| {
        (node.is_map() || node.is_list()) && node.entries().is_empty() && node.items().is_empty()
    };
    count != Some("0") && !each.is_some_and(is_empty)
}

impl Templates {
    pub(super) fn terraform(&mut self, file: File<'_>, root: &Node, roots: &mut Roots) {
        let mut made: Option<Evidence> = None;
        for resource in resources(root) {
            made.get_or_insert_with(|| file.shown(resource.body));
            self.declared.push((resource.kind.to_owned(), file.shown(resource.body)));
            self.resource(file, &resource);
        }
        for module in modules(root) {
            made.get_or_insert_with(|| file.shown(&module.value));
            self.module(file, module);
        }
        for block in blocks(root, "terraform") {
            self.providers(file, block, roots);
        }
        for key in ["resource", "module", "provider", "variable", "locals"] {
            blocks(root, key).for_each(|block| secrets(block, key, file, &mut self.facts));
        }
        roots.file(file, root, made.as_ref());
        if let Some(evidence) = made {
            self.environments.push(Found { what: "Terraform", evidence });
        }
    }

    fn resource(&mut self, file: File<'_>, resource: &Resource<'_>) {
        for key in ["health_check", "liveness_probe", "readiness_probe", "health_check_config"] {
            for block in blocks(resource.body, key) {
                let is_off = block.get("enabled").and_then(Node::truth) == Some(false);
                if block.is_map() && !is_off {
                    self.facts.push(Fact::good(About::Health, file.shown(block)));
                }
            }
        }
        if let Some((what, compares)) = compares(resource) {
            let evidence = file.shown(resource.body);
            self.reconcilers.push(Reconciler { what, evidence, compares, path: None });
        }
        if resource.kind == "aws_ecs_task_definition" {
            let all = resource.body.get("container_definitions");
            for one in all.map(Node::items).unwrap_or_default() {
                container::ecs(file, one, resource.body, &mut self.facts);
            }
        } else if let Some(kind) =
            WORKLOADS.iter().find(|kind| resource.kind.trim_end_matches("_v1") == **kind)
        {
            let serves = !kind.ends_with("job");
            for spec in blocks(resource.body, "spec") {
                pods(spec, 0, &mut |pod| self.pod(file, pod, serves));
            }
        } else if resource.kind == "helm_release" {
            self.release(file, resource.body);
        }
    }

    fn pod(&mut self, file: File<'_>, pod: &Node, serves: bool) {
        for one in blocks(pod, "container") {
            self.facts.extend(one.get("image").and_then(|node| image(node, file)));
            let limit = blocks(one, "resources").find_map(|all| all.at(&["limits", "memory"]));
            self.facts.push(kubernetes::limit(limit, one, file));
            let probes = ["liveness_probe", "readiness_probe", "startup_probe"];
            if serves {
                let probe = probes.iter().find_map(|key| one.get(key)).filter(|node| node.is_map());
                self.facts.push(kubernetes::probe(probe, one, file));
            }
        }
    }

    /// A chart that Terraform installs.
    fn release(&mut self, file: File<'_>, body: &Node) {
        let Some(chart) = body.get("chart") else { return };
        if chart.text().is_some_and(|text| text.starts_with(['.', '/'])) || chart.tag.is_some() {
            return;
        }
        self.facts.push(version(body.get("version"), "the chart", chart, file));
    }

    fn module(&mut self, file: File<'_>, module: &Entry) {
        let Some(source) = module.value.get("source") else { return };
        let name = source.text().unwrap_or_default();
        if name.starts_with("./") || name.starts_with("../") {
            return;
        }
        if source.tag.is_some() {
            let why = format!("where the module `{}` comes from is put in later", module.key);
            self.facts.push(Fact::unsure(About::Pinned, why, file.shown(source)));
        } else {
            let what = format!("the module `{}`", module.key);
            self.facts.push(sourced(name, module.value.get("version"), &what, source, file));
        }
    }

    fn providers(&mut self, file: File<'_>, block: &Node, roots: &Roots) {
        for entry in blocks(block, "required_providers").flat_map(Node::entries) {
            let at = file.shown(&entry.value);
            let given = entry
                .value
                .get("version")
                .or(Some(&entry.value).filter(|node| node.text().is_some()));
            let open = given.and_then(Node::text).is_none_or(is_open);
            self.facts.push(match roots.lock(dir(file.path)) {
                _ if !open => Fact::good(About::Pinned, at),
                Some(lock) => Fact::good(About::Pinned, lock),
                None => Fact::bad(
                    About::Pinned,
                    format!(
                        "any version of the provider `{}` will do, and no lock file is there",
                        entry.key
                    ),
                    at,
                ),
            });
        }
    }

    /// `terragrunt.hcl` and what it includes.
    pub(super) fn terragrunt(&mut self, file: File<'_>, root: &Node, roots: &mut Roots) {
        for block in blocks(root, "terraform") {
            let Some(source) = block.get("source") else { continue };
            self.environments.push(Found { what: "Terragrunt", evidence: file.shown(source) });
            let name = source.text().unwrap_or_default();
            if name.contains("://") || name.starts_with("git") || name.starts_with("tfr:") {
                self.facts.push(sourced(name, None, "the source", source, file));
            }
        }
        if let Some(inputs) = root.get("inputs") {
            secret::all(inputs, file, &mut self.facts);
        }
        roots.terragrunt(file, root);
    }
}

/// What compares templates with what runs, as a service that is set up here.
fn compares(resource: &Resource<'_>) -> Option<(&'static str, Compares)> {
    let body = resource.body;
    let is = |key: &str| body.get(key).and_then(Node::truth) == Some(true);
    match resource.kind {
        "tfe_workspace" if is("assessments_enabled") => {
            Some(("HCP Terraform looks for drift in a workspace", Compares::Terraform))
        }
        "spacelift_drift_detection" => {
            let is_planned = body.get("schedule").is_some_and(|all| !all.items().is_empty());
            is_planned.then_some(("Spacelift looks for drift on a schedule", Compares::Terraform))
        }
        "aws_config_config_rule" => {
            let mut rules =
                blocks(body, "source").filter_map(|source| source.get("source_identifier"));
            let is_drift =
                |node: &Node| node.text() == Some("CLOUDFORMATION_STACK_DRIFT_DETECTION_CHECK");
            rules
                .any(is_drift)
                .then_some(("AWS Config looks for drift of stacks", Compares::Stacks))
        }
        _ => None,
    }
}

/// Workloads of Kubernetes.
const WORKLOADS: &[&str] = &[
    "kubernetes_deployment",
    "kubernetes_stateful_set",
    "kubernetes_daemonset",
    "kubernetes_daemon_set",
    "kubernetes_pod",
    "kubernetes_job",
    "kubernetes_cron_job",
];

/// Bodies that have containers, wherever a template of pods is nested.
fn pods(spec: &Node, depth: usize, take: &mut impl FnMut(&Node)) {
    if depth > 4 {
        return;
    }
    take(spec);
    for key in ["template", "spec", "job_template"] {
        blocks(spec, key).for_each(|inner| pods(inner, depth + 1, take));
    }
}

/// Where a module comes from, and in which version.
fn sourced(name: &str, given: Option<&Node>, what: &str, at: &Node, file: File<'_>) -> Fact {
    let is_address = name.contains("::")
        || name.contains("://")
        || name.starts_with("git@")
        || name.starts_with("github.com/");
    if !is_address {
        return version(given, what, at, file);
    }
    let query = name.split_once('?').map_or("", |(_, query)| query);
    let reference = query
        .split('&')
        .find_map(|part| part.strip_prefix("ref=").or_else(|| part.strip_prefix("version=")));
    let shown = file.shown(at);
    match reference {
        None if has_end(name, "zip") || name.starts_with("s3::") || name.starts_with("gcs::") => {
            Fact::unsure(
                About::Pinned,
                format!("{what} is an archive, whose version its address may name"),
                shown,
            )
        }
        None | Some("" | "main" | "master" | "HEAD" | "develop" | "trunk") => {
            Fact::bad(About::Pinned, format!("{what} is whatever its repository has now"), shown)
        }
        Some(text) if text.contains("${") => {
            Fact::unsure(About::Pinned, format!("the version of {what} is put in later"), shown)
        }
        Some(_) => Fact::good(About::Pinned, shown),
    }
}

fn version(given: Option<&Node>, what: &str, at: &Node, file: File<'_>) -> Fact {
    match given {
        Some(node) if node.tag.is_some() => Fact::unsure(
            About::Pinned,
            format!("the version of {what} is put in later"),
            file.shown(node),
        ),
        Some(node) if !node.text().is_none_or(is_open) => {
            Fact::good(About::Pinned, file.shown(node))
        }
        _ => Fact::bad(
            About::Pinned,
            format!("{what} has no version, or any will do"),
            file.shown(given.unwrap_or(at)),
        ),
    }
}

/// Secrets of blocks. Of a variable it is its default that would be one, and its name that says so.
fn secrets(block: &Node, key: &str, file: File<'_>, found: &mut Vec<Fact>) {
    if key != "variable" {
        return secret::all(block, file, found);
    }
    for entry in block.entries().iter().filter(|entry| secret::is_name(&entry.key)) {
        found.push(match entry.value.get("default").filter(|node| !node.is_null()) {
            Some(node) => match node.text() {
                Some("") | None => continue,
                Some(text) => {
                    secret::judged(&entry.key, text, node.tag.is_some(), node.place, file)
                }
            },
            None => Fact::good(About::Secrets, file.shown(&entry.value)),
        });
    }
}

/// The names of directories that other templates use as modules.
pub(super) fn local_sources(root: &Node, path: &str) -> BTreeSet<String> {
    let sources = modules(root).filter_map(|module| module.value.get("source")?.text());
    sources
        .filter(|source| source.starts_with('.'))
        .filter_map(|source| crate::tree::join(dir(path), source))
        .collect()
}
