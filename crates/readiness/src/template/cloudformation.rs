//! `CloudFormation` and SAM, in YAML and in JSON.

use super::fact::{About, Fact};
use super::{Found, Templates, container, secret};
use crate::lines::File;
use crate::yaml::{Entry, Node};

/// Whether it declares something that AWS would make.
pub(super) fn is_template(root: &Node) -> bool {
    declared(root).next().is_some()
}

fn declared(root: &Node) -> impl Iterator<Item = &Entry> {
    root.get("Resources").map(Node::entries).unwrap_or_default().iter().filter(|entry| {
        let kind = entry.value.get("Type").and_then(Node::text);
        kind.is_some_and(|kind| kind.starts_with("AWS::") || kind.starts_with("Custom::"))
    })
}

impl Templates {
    pub(super) fn cloudformation(&mut self, file: File<'_>, root: &Node) {
        let Some(resources) = root.get("Resources").filter(|_| is_template(root)) else { return };
        let transforms = root.get("Transform").map(Node::texts).unwrap_or_default();
        let is_sam = transforms.iter().any(|name| name.starts_with("AWS::Serverless"));
        let what = if is_sam { "SAM" } else { "CloudFormation" };
        self.environments.push(Found { what, evidence: file.shown(resources) });
        for entry in declared(root) {
            let kind = entry.value.get("Type").and_then(Node::text).unwrap_or_default();
            self.declared.push((kind.to_owned(), file.at(entry.key_place)));
            self.declaration(file, kind, entry);
        }
        for key in ["Resources", "Globals"] {
            root.get(key).into_iter().for_each(|node| secret::all(node, file, &mut self.facts));
        }
        for parameter in root.get("Parameters").map(Node::entries).unwrap_or_default() {
            self.facts.extend(parameter_of(file, parameter));
        }
    }

    fn declaration(&mut self, file: File<'_>, kind: &str, entry: &Entry) {
        let Some(properties) = entry.value.get("Properties") else { return };
        match kind {
            "AWS::ECS::TaskDefinition" => {
                let all = properties.get("ContainerDefinitions").map(Node::items);
                for one in all.unwrap_or_default() {
                    container::ecs(file, one, properties, &mut self.facts);
                }
            }
            "AWS::ElasticLoadBalancingV2::TargetGroup" => {
                let is_off =
                    properties.get("HealthCheckEnabled").and_then(Node::truth) == Some(false);
                let path = properties.get("HealthCheckPath").filter(|_| !is_off);
                self.facts.extend(path.map(|path| Fact::good(About::Health, file.shown(path))));
            }
            "AWS::Route53::HealthCheck" => {
                self.facts.push(Fact::good(About::Health, file.shown(properties)));
            }
            _ => {}
        }
    }
}

/// A parameter that is a secret: `NoEcho` hides it, a default shows it to everybody.
fn parameter_of(file: File<'_>, parameter: &Entry) -> Option<Fact> {
    let is_hidden = parameter.value.get("NoEcho").and_then(Node::truth) == Some(true);
    if !is_hidden && !secret::is_name(&parameter.key) {
        return None;
    }
    let shown = || file.at(parameter.key_place);
    let default = parameter
        .value
        .get("Default")
        .filter(|node| node.text().is_some_and(|text| !text.is_empty()));
    Some(match default {
        Some(node) => {
            let text = node.text().unwrap_or_default();
            secret::judged(&parameter.key, text, node.tag.is_some(), node.place, file)
        }
        None if is_hidden => Fact::good(About::Secrets, shown()),
        None => Fact::unsure(
            About::Secrets,
            format!("`{}` is a parameter without `NoEcho`", parameter.key),
            shown(),
        ),
    })
}
