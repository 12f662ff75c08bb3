//! Alerting that Grafana is provisioned with: rules, contact points, and the policies that lead from one to the other.

use super::Alerts;
use crate::dimension::observability::real;
use crate::lines::File;
use crate::tree::Tree;
use crate::yaml::Node;

/// What says where a contact point leads.
const TARGETS: [&str; 9] = [
    "url",
    "addresses",
    "recipient",
    "integrationKey",
    "apiKey",
    "webhookUrl",
    "chatid",
    "token",
    "topicArn",
];

impl Alerts {
    pub(super) fn grafana(&mut self, tree: &Tree, file: File<'_>, root: &Node) {
        let of = |key: &str| root.get(key).map(Node::items).unwrap_or_default();
        for rule in of("groups")
            .iter()
            .flat_map(|group| group.get("rules").map(Node::items).unwrap_or_default())
        {
            let is_paused = rule.get("isPaused").and_then(Node::truth) == Some(true);
            let asks = rule.get("condition").is_some()
                && rule.get("data").is_some_and(|data| !data.items().is_empty());
            let Some(title) = rule.get("title").filter(|_| asks && !is_paused) else { continue };
            self.rules.push(file.shown(title));
            self.described(tree, file, rule);
            let receiver = rule.at(&["notification_settings", "receiver"]);
            self.unheard.extend(receiver.map(|receiver| file.shown(receiver)));
        }
        let mut named = Vec::new();
        for policy in of("policies") {
            policies(policy, &mut named, 0);
        }
        for point in of("contactPoints") {
            let Some(name) = point.get("name").filter(|name| name.text().is_some()) else {
                continue;
            };
            // Without policies in files, whoever wrote the contact point sends to it in the console.
            let is_routed =
                named.is_empty() || name.text().is_some_and(|name| named.contains(&name));
            let targets = point.get("receivers").map(Node::items).unwrap_or_default();
            let reaches = targets.iter().any(|target| {
                let settings = target.get("settings");
                let given: Vec<&Node> =
                    TARGETS.iter().filter_map(|key| settings?.get(key)).collect();
                !given.is_empty() && given.iter().all(|node| real(Some(node)))
            });
            match (is_routed, reaches) {
                (true, true) => self.receivers.push(file.shown(name)),
                (_, false) => self.placeholders.push(file.shown(name)),
                (false, true) => {}
            }
        }
    }
}

fn policies<'a>(policy: &'a Node, names: &mut Vec<&'a str>, depth: usize) {
    if depth > 16 {
        return;
    }
    names.extend(policy.get("receiver").and_then(Node::text));
    for inner in policy.get("routes").map(Node::items).unwrap_or_default() {
        policies(inner, names, depth + 1);
    }
}
