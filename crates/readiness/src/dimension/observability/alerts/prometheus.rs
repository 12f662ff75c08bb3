//! Rules of Prometheus and routes of Alertmanager, by themselves or in the values of a chart.

use super::Alerts;
use crate::dimension::observability::real;
use crate::lines::File;
use crate::tree::Tree;
use crate::yaml::Node;

/// How deep values of charts have them.
const DEPTH_MAX: usize = 5;

impl Alerts {
    /// Groups of rules, and routes with receivers, at the top or below keys of a chart's values.
    pub(super) fn prometheus(&mut self, tree: &Tree, file: File<'_>, root: &Node, depth: usize) {
        for group in root.get("groups").map(Node::items).unwrap_or_default() {
            for rule in group.get("rules").map(Node::items).unwrap_or_default() {
                self.rule(tree, file, rule);
            }
        }
        if root.get("route").is_some() && root.get("receivers").is_some() {
            self.receivers(file, root);
        } else if depth < DEPTH_MAX {
            for entry in root.entries().iter().filter(|entry| entry.value.is_map()) {
                self.prometheus(tree, file, &entry.value, depth + 1);
            }
        }
    }

    fn rule(&mut self, tree: &Tree, file: File<'_>, rule: &Node) {
        let asks = rule
            .get("expr")
            .is_some_and(|expr| expr.text().is_some_and(|text| !text.trim().is_empty()));
        let Some(alert) = rule.get("alert").filter(|alert| asks && alert.text().is_some()) else {
            return;
        };
        self.rules.push(file.shown(alert));
        self.described(tree, file, rule);
    }

    /// Receivers that a route names.
    fn receivers(&mut self, file: File<'_>, config: &Node) {
        let mut routed = Vec::new();
        routes(config.get("route"), &mut routed, 0);
        for receiver in config.get("receivers").map(Node::items).unwrap_or_default() {
            let Some(receiver_name) = receiver
                .get("name")
                .filter(|name| name.text().is_some_and(|name| routed.contains(&name)))
            else {
                continue;
            };
            let kinds = receiver
                .entries()
                .iter()
                .filter(|entry| entry.key.ends_with("_configs") || entry.key.ends_with("Configs"));
            let targets: Vec<&Node> = kinds.flat_map(|entry| entry.value.items()).collect();
            let shown = file.shown(receiver_name);
            if targets.iter().any(|target| reaches(target)) {
                self.receivers.push(shown);
            } else {
                self.placeholders.push(shown);
            }
        }
    }
}

/// The receivers that a tree of routes names.
fn routes<'a>(route: Option<&'a Node>, names: &mut Vec<&'a str>, depth: usize) {
    let Some(route) = route.filter(|_| depth < 16) else { return };
    names.extend(route.get("receiver").and_then(Node::text));
    for inner in route.get("routes").map(Node::items).unwrap_or_default() {
        routes(Some(inner), names, depth + 1);
    }
}

/// Whether a target is somebody. A secret that is read from a file or put in later is taken for real.
fn reaches(target: &Node) -> bool {
    let keys = [
        "url",
        "url_file",
        "to",
        "api_url",
        "api_url_file",
        "channel",
        "service_key",
        "service_key_file",
        "routing_key",
        "routing_key_file",
        "webhook_url",
        "webhook_url_file",
        "api_key",
        "api_key_file",
        "chat_id",
        "topic_arn",
        "user_key",
        "apiURL",
        "routingKey",
        "urlSecret",
    ];
    let given: Vec<&Node> = keys.iter().filter_map(|key| target.get(key)).collect();
    !given.is_empty() && given.iter().all(|node| node.is_map() || real(Some(node)))
}
