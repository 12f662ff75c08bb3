//! Templates of environments, containers, and what reconciles them.

use crate::finding::Evidence;
use crate::tree::{Tree, dir, has_end, is_aside, name};
use crate::yaml::{self, Node};

/// A file that describes how something is run.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) what: &'static str,
    pub(crate) evidence: Evidence,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    /// Containers, compose files and the like.
    pub(crate) configuration: Vec<Found>,
    /// Templates of real environments.
    pub(crate) environments: Vec<Found>,
    /// What brings running things back to their templates.
    pub(crate) reconcilers: Vec<Found>,
    pub(crate) notes: Vec<String>,
}

/// Kinds of Kubernetes that run or expose something.
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

impl Templates {
    pub(crate) fn read(tree: &Tree) -> Self {
        let mut all = Self::default();
        for path in tree.paths() {
            if is_aside(path) || path.starts_with(".github/") || path.starts_with(".devcontainer/")
            {
                continue;
            }
            let text = tree.text(path).unwrap_or_default();
            if let Some(what) = configuration(path) {
                all.configuration.push(Found { what, evidence: Evidence::file(path, text) });
            }
            let end = name(path).rsplit_once('.').map_or("", |(_, end)| end);
            match end {
                "tf" | "tofu" => all.add(path, text, "Terraform", &["resource \"", "module \""]),
                "bicep" => all.add(path, text, "Bicep", &["resource ", "module "]),
                "yml" | "yaml" => all.yaml(tree, path, text),
                "json" => all.json(path, text),
                "py" if text.contains("modal.App(") => {
                    all.add(path, text, "Modal", &["app = modal.App(", "modal.App("]);
                }
                _ => {}
            }
        }
        all
    }

    /// Whether there are templates in a directory; `None` is anywhere.
    pub(crate) fn any_below(&self, place: Option<&str>) -> bool {
        self.environments.iter().any(|found| match place {
            None | Some("") => true,
            Some(place) => {
                found.evidence.file.starts_with(&format!("{place}/"))
                    || dir(&found.evidence.file) == place
            }
        })
    }

    fn add(&mut self, path: &str, text: &str, what: &'static str, starts: &[&str]) {
        let line = text.lines().position(|line| {
            starts.iter().any(|start| line.trim_start().trim_start_matches('{').starts_with(start))
        });
        if let Some(line) = line {
            self.environments.push(Found { what, evidence: Evidence::line(path, text, line) });
        }
    }

    fn json(&mut self, path: &str, text: &str) {
        if name(path) == "cdk.json" {
            self.environments.push(Found { what: "CDK", evidence: Evidence::file(path, text) });
        } else if text.contains("\"containerDefinitions\"") {
            self.add(path, text, "an ECS task definition", &["\"containerDefinitions\""]);
        } else if text.contains("\"AWS::") && text.contains("\"Resources\"") {
            self.add(path, text, "CloudFormation", &["\"Resources\""]);
        } else if text.contains("deploymentTemplate.json#") && text.contains("\"resources\"") {
            self.add(path, text, "an ARM template", &["\"resources\""]);
        }
    }

    fn yaml(&mut self, tree: &Tree, path: &str, text: &str) {
        match name(path) {
            "Chart.yaml"
                if tree
                    .under(format!("{}/templates", dir(path)).trim_start_matches('/'))
                    .next()
                    .is_some() =>
            {
                self.environments
                    .push(Found { what: "a Helm chart", evidence: Evidence::file(path, text) });
                return;
            }
            "Pulumi.yaml" => {
                self.environments
                    .push(Found { what: "Pulumi", evidence: Evidence::file(path, text) });
                return;
            }
            _ => {}
        }
        // Most YAML is nothing of the kind, and need not be parsed.
        let may =
            ["apiVersion", "AWS::", "provider:", "hosts:"].iter().any(|mark| text.contains(mark));
        if !may || text.contains("{{") && text.contains("apiVersion") && path.contains("templates/")
        {
            return;
        }
        match yaml::documents(text) {
            Ok(all) => all.iter().for_each(|root| self.document(path, text, root)),
            Err(unread) => self.notes.push(format!("{path}:{}: {}", unread.place.line, unread.why)),
        }
    }

    fn document(&mut self, path: &str, text: &str, root: &Node) {
        let shown = |node: &Node| Evidence::at(path, text, node.place);
        let version = root.get("apiVersion").and_then(Node::text).unwrap_or_default();
        if let Some(kind) = root.get("kind") {
            let kind_text = kind.text().unwrap_or_default();
            if !version.is_empty() && WORKLOADS.contains(&kind_text) {
                self.environments.push(Found { what: "Kubernetes", evidence: shown(kind) });
            }
            self.reconciler(path, text, root, version, kind_text);
        } else if root.get("AWSTemplateFormatVersion").is_some()
            || root.get("Resources").is_some_and(is_aws)
        {
            let what = if root.get("Transform").is_some() { "SAM" } else { "CloudFormation" };
            let node = root.get("Resources").unwrap_or(root);
            self.environments.push(Found { what, evidence: shown(node) });
        } else if root.get("service").is_some()
            && root.get("functions").is_some()
            && root.get("provider").is_some()
        {
            self.environments.push(Found {
                what: "the Serverless Framework",
                evidence: Evidence::file(path, text),
            });
        }
        let plays = root.items().iter().find(|play| {
            play.get("hosts").is_some()
                && (play.get("tasks").is_some() || play.get("roles").is_some())
        });
        if let Some(play) = plays {
            self.environments.push(Found { what: "an Ansible playbook", evidence: shown(play) });
        }
    }

    fn reconciler(&mut self, path: &str, text: &str, root: &Node, version: &str, kind: &str) {
        let shown = |node: &Node| Evidence::at(path, text, node.place);
        if version.starts_with("kustomize.toolkit.fluxcd.io/") && kind == "Kustomization" {
            let prune = root.at(&["spec", "prune"]).filter(|prune| prune.truth() == Some(true));
            let suspended = root.at(&["spec", "suspend"]).and_then(Node::truth) == Some(true);
            if let Some(prune) = prune.filter(|_| !suspended) {
                self.reconcilers
                    .push(Found { what: "Flux reconciles and prunes", evidence: shown(prune) });
            }
        }
        if version.starts_with("argoproj.io/") {
            let policies = [
                &["spec", "syncPolicy", "automated", "selfHeal"][..],
                &["spec", "template", "spec", "syncPolicy", "automated", "selfHeal"],
            ];
            let heals = policies
                .iter()
                .filter_map(|keys| root.at(keys))
                .find(|heal| heal.truth() == Some(true));
            if let Some(heal) = heals {
                self.reconcilers
                    .push(Found { what: "Argo CD heals what drifts", evidence: shown(heal) });
            }
        }
    }
}

fn is_aws(resources: &Node) -> bool {
    resources.entries().iter().any(|entry| {
        entry.value.get("Type").and_then(Node::text).is_some_and(|kind| kind.starts_with("AWS::"))
    })
}

fn configuration(path: &str) -> Option<&'static str> {
    let name = name(path);
    let lower = name.to_ascii_lowercase();
    Some(match lower.as_str() {
        "dockerfile" | "containerfile" => "a container",
        _ if lower.starts_with("dockerfile.") || has_end(&lower, "dockerfile") => "a container",
        "compose.yml" | "compose.yaml" => "a compose file",
        _ if lower.starts_with("docker-compose")
            && (has_end(&lower, "yml") || has_end(&lower, "yaml")) =>
        {
            "a compose file"
        }
        "procfile" | "fly.toml" | "app.yaml" | "render.yaml" | "railway.json" | "vercel.json"
        | "wrangler.toml" => "a platform's file",
        _ if has_end(&lower, "service") => "a systemd unit",
        _ => return None,
    })
}
