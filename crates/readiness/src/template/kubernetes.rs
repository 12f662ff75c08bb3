//! Kubernetes: what runs, what reconciles it, and what Kustomize and Helm make of it.

use std::collections::{BTreeMap, BTreeSet};

use super::fact::{About, Fact, Is, image, is_open, is_store};
use super::{Found, Templates, helm, secret};
use crate::finding::Evidence;
use crate::lines::File;
use crate::tree::{Tree, dir, has_end, join, name};
use crate::yaml::{self, Node};

/// Kinds that run or expose something.
const WORKLOADS: [&str; 16] = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "CronJob",
    "Job",
    "Pod",
    "Service",
    "Ingress",
    "HTTPRoute",
    "HelmRelease",
    "Application",
    "ApplicationSet",
    "Rollout",
    "Kustomization",
    "ScaledObject",
    "Namespace",
];

/// Images whose versions are set elsewhere, by their names.
#[derive(Debug, Default)]
pub(super) struct Retagged {
    /// By Kustomize, and where.
    fixed: BTreeMap<String, Evidence>,
    /// By Skaffold, when it builds them.
    built: BTreeSet<String>,
}

/// Whether a file says what Kustomize puts together.
pub(super) fn is_kustomization(path: &str) -> bool {
    matches!(name(path), "kustomization.yaml" | "kustomization.yml" | "Kustomization")
}

/// What the files of Kustomize and Skaffold set.
pub(super) fn retagged(tree: &Tree) -> Retagged {
    let mut all = Retagged::default();
    for (_, text) in tree.texts().filter(|(path, _)| name(path) == "skaffold.yaml") {
        for root in yaml::documents(text).unwrap_or_default() {
            let images = root.at(&["build", "artifacts"]).map(Node::items).unwrap_or_default();
            let names = images.iter().filter_map(|one| one.get("image")?.text());
            all.built.extend(names.map(str::to_owned));
        }
    }
    for (path, text) in tree.texts().filter(|(path, _)| is_kustomization(path)) {
        let root = yaml::document(text).ok().flatten();
        let images = root.as_ref().and_then(|root| root.get("images")).map(Node::items);
        for one in images.unwrap_or_default() {
            let set = one.get("newTag").or_else(|| one.get("digest"));
            let set = set.filter(|set| set.text().is_some_and(|text| text != "latest"));
            if let (Some(name), Some(set)) = (one.get("name").and_then(Node::text), set) {
                all.fixed.insert(name.to_owned(), Evidence::at(path, text, set.place));
            }
        }
    }
    all
}

impl Templates {
    /// A manifest, or a list of them.
    pub(super) fn kubernetes(&mut self, file: File<'_>, root: &Node, retagged: &Retagged) {
        let version = root.get("apiVersion").and_then(Node::text).unwrap_or_default();
        let Some(kind) = root.get("kind") else { return };
        let kind_text = kind.text().unwrap_or_default();
        if version.is_empty() || version.starts_with("kustomize.config.k8s.io/") {
            return;
        }
        if kind_text == "List" {
            let items = root.get("items").map(Node::items).unwrap_or_default();
            for item in items {
                self.kubernetes(file, item, retagged);
            }
            return;
        }
        let is_of_others = ["Kustomization", "HelmRelease", "Application", "ApplicationSet"];
        let says = root.get("spec").is_some_and(|spec| !spec.entries().is_empty());
        if WORKLOADS.contains(&kind_text) && (says || !is_of_others.contains(&kind_text)) {
            self.environments.push(Found { what: "Kubernetes", evidence: file.shown(kind) });
        }
        self.reconciler(file, root, version, kind_text);
        if kind_text == "Secret" {
            written(file, root, &mut self.facts);
        } else if !kind_text.contains("Secret") {
            secret::all(root, file, &mut self.facts);
        }
        if kind_text == "HelmRelease" {
            self.facts.extend(released(file, root));
        }
        let is_off = root.at(&["spec", "replicas"]).and_then(Node::text) == Some("0");
        if let Some((pod, serves)) = pod(root, kind_text).filter(|_| !is_off) {
            self.pod_of(
                file,
                pod,
                serves && !version.starts_with("serving.knative.dev/"),
                retagged,
            );
        }
    }

    fn pod_of(&mut self, file: File<'_>, pod: &Node, serves: bool, retagged: &Retagged) {
        for one in pod.get("containers").map(Node::items).unwrap_or_default() {
            if let Some(node) = one.get("image") {
                let plain = node.text().unwrap_or_default();
                let base = plain.split('@').next().unwrap_or(plain);
                let base = base
                    .rsplit_once(':')
                    .filter(|(_, tag)| !tag.contains('/'))
                    .map_or(base, |(base, _)| base);
                self.facts.extend(match retagged.fixed.get(base) {
                    Some(at) => Some(Fact::good(About::Pinned, at.clone())),
                    None if base == plain && retagged.built.contains(base) => {
                        let why = "Skaffold sets the versions of images when it builds them";
                        Some(Fact::unsure(About::Pinned, why, file.shown(node)))
                    }
                    None => image(node, file),
                });
            }
            self.facts.push(limit(one.at(&["resources", "limits", "memory"]), one, file));
            if serves && !is_store(one.get("image")) {
                let keys = ["readinessProbe", "livenessProbe", "startupProbe"];
                let given = keys.iter().filter_map(|key| one.entry(key));
                let is_one = |node: &Node| !node.entries().is_empty();
                let found = given.into_iter().find(|entry| is_one(&entry.value));
                self.facts.push(match found {
                    Some(entry) => Fact::good(About::Health, file.at(entry.key_place)),
                    None => probe(None, one, file),
                });
            }
        }
    }

    /// A `kustomization.yaml`: the files of the repository, and of others, that it puts together.
    pub(super) fn kustomize(&mut self, tree: &Tree, file: File<'_>, root: &Node) {
        let lists =
            ["resources", "bases", "components"].into_iter().filter_map(|key| root.get(key));
        let items: Vec<&Node> = lists.flat_map(Node::items).collect();
        let place = dir(file.path);
        for item in &items {
            let Some(text) = item.text() else { continue };
            if text.contains("://") || text.starts_with("github.com/") || text.contains("?ref=") {
                let is_fixed = ["?ref=", "&ref=", "/v", "/releases/download/"]
                    .iter()
                    .any(|mark| text.contains(mark))
                    && !["ref=main", "ref=master", "ref=HEAD"]
                        .iter()
                        .any(|mark| text.ends_with(mark));
                self.facts.push(if is_fixed {
                    Fact::good(About::Pinned, file.shown(item))
                } else {
                    Fact::bad(
                        About::Pinned,
                        format!("`{text}` is whatever is there now"),
                        file.shown(item),
                    )
                });
            } else {
                let Some(path) = join(place, text)
                    .filter(|path| tree.has(path) || tree.under(path).next().is_some())
                else {
                    self.notes
                        .push(format!("{}:{}: `{text}` is not there", file.path, item.place.line));
                    continue;
                };
                // What puts nothing together describes nothing.
                let says = |path: &str| {
                    tree.text(path).is_none_or(|text| {
                        let mut lines = text.lines().map(str::trim);
                        lines.any(|line| !line.is_empty() && !line.starts_with(['#', '-']))
                    })
                };
                if !(tree.has(&path) && says(&path) || tree.under(&path).any(says)) {
                    continue;
                }
            }
            self.environments.push(Found { what: "Kustomize", evidence: file.shown(item) });
        }
        for chart in root.get("helmCharts").map(Node::items).unwrap_or_default() {
            self.environments.push(Found { what: "Kustomize", evidence: file.shown(chart) });
            self.facts.push(chart_version(file, chart, "the chart"));
        }
    }

    /// A chart: its own templates, and the versions of those that it needs.
    pub(super) fn chart(&mut self, tree: &Tree, file: File<'_>, root: &Node) {
        let below = format!("{}/templates", dir(file.path));
        let is_template = |path: &str| has_end(path, "yaml") || has_end(path, "yml");
        let has_templates = tree.under(below.trim_start_matches('/')).any(is_template);
        let needs = root.get("dependencies").map(Node::items).unwrap_or_default();
        if root.get("type").and_then(Node::text) == Some("library")
            || !has_templates && needs.is_empty()
        {
            return;
        }
        self.environments
            .push(Found { what: "a Helm chart", evidence: Evidence::file(file.path, file.text) });
        let lock = format!("{}/Chart.lock", dir(file.path));
        let is_locked = tree.has(lock.trim_start_matches('/'));
        for need in needs {
            let is_here = need
                .get("repository")
                .and_then(Node::text)
                .is_none_or(|text| text.starts_with("file:"));
            if is_here {
                continue;
            }
            self.facts.push(if is_locked {
                Fact::good(About::Pinned, file.shown(need))
            } else {
                chart_version(file, need, "a chart that is needed")
            });
        }
    }

    /// A template of a chart.
    pub(super) fn chart_template(
        &mut self,
        file: File<'_>,
        values: Option<&Node>,
        retagged: &Retagged,
    ) {
        let plain = helm::plain(file.text, values);
        let Ok(documents) = yaml::documents(&plain.text) else { return };
        let (before, others) = (self.facts.len(), self.environments.len());
        for root in &documents {
            self.kubernetes(file, root, retagged);
        }
        // The chart itself is what is told.
        self.environments.truncate(others);
        for fact in &mut self.facts[before..] {
            if fact.is == Is::Good && plain.is_unsure(fact.at.line) {
                fact.is = Is::Unsure;
                fact.why = String::from("a condition of the chart decides");
            }
        }
    }
}

/// What pods are made from, and whether they answer to anybody.
fn pod<'a>(root: &'a Node, kind: &str) -> Option<(&'a Node, bool)> {
    let (keys, serves): (&[&str], bool) = match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Rollout" | "Service" => {
            (&["spec", "template", "spec"], true)
        }
        "Pod" => (&["spec"], true),
        "Job" => (&["spec", "template", "spec"], false),
        "CronJob" => (&["spec", "jobTemplate", "spec", "template", "spec"], false),
        _ => return None,
    };
    Some((root.at(keys)?, serves))
}

/// Whether a container has a limit of memory.
pub(super) fn limit(given: Option<&Node>, container: &Node, file: File<'_>) -> Fact {
    match given.filter(|node| node.text().is_some()) {
        Some(node) => Fact::good(About::Limits, file.shown(node)),
        None if file.has_actions => Fact::unsure(
            About::Limits,
            "values of the chart decide about limits",
            file.shown(container),
        ),
        None => Fact::bad(
            About::Limits,
            format!("{} has no limit of memory", called(container)),
            file.shown(container),
        ),
    }
}

/// Whether a container that serves is asked about its health.
pub(super) fn probe(given: Option<&Node>, container: &Node, file: File<'_>) -> Fact {
    match given {
        Some(node) => Fact::good(About::Health, file.shown(node)),
        None if file.has_actions => Fact::unsure(
            About::Health,
            "values of the chart decide about probes",
            file.shown(container),
        ),
        None => Fact::bad(
            About::Health,
            format!("{} has no probe", called(container)),
            file.shown(container),
        ),
    }
}

fn called(container: &Node) -> String {
    let name = container.get("name").and_then(Node::text);
    name.map_or_else(|| "a container".to_owned(), |name| format!("`{name}`"))
}

/// A `Secret` that holds something. One that SOPS encrypted holds nothing that anybody could read.
fn written(file: File<'_>, root: &Node, found: &mut Vec<Fact>) {
    let is_encrypted = root.get("sops").is_some();
    let tables = ["data", "stringData"].into_iter().filter_map(|key| root.get(key));
    for entry in tables.flat_map(Node::entries) {
        let Some(value) = entry.value.text() else { continue };
        let is_encrypted = is_encrypted || value.starts_with("ENC[");
        let fact = secret::judged(&entry.key, value, is_encrypted, entry.key_place, file);
        // Not all that is in one is secret.
        found.push(if fact.is == Is::Bad && !secret::is_name(&entry.key) {
            let why = format!("`{}` of a Secret is written out", entry.key);
            Fact::unsure(About::Secrets, why, fact.at)
        } else {
            fact
        });
    }
}

/// The version of a chart that Flux installs.
fn released(file: File<'_>, root: &Node) -> Option<Fact> {
    let spec = root.at(&["spec", "chart", "spec"])?;
    let chart = spec.get("chart")?;
    (!chart.text()?.starts_with('.')).then(|| chart_version(file, spec, "the chart"))
}

fn chart_version(file: File<'_>, map: &Node, what: &str) -> Fact {
    let version = map.get("version");
    let text = version.and_then(Node::text).unwrap_or_default();
    let at = file.shown(version.unwrap_or(map));
    let is_range = is_open(text) || text.contains(['^', '~', '*', '<', '>', 'x']);
    if text.contains(helm::PUT_IN) || text.contains("${") {
        Fact::unsure(About::Pinned, format!("the version of {what} is put in later"), at)
    } else if is_range {
        Fact::bad(About::Pinned, format!("{what} has no fixed version"), at)
    } else {
        Fact::good(About::Pinned, at)
    }
}
