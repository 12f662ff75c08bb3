//! Alert rules, where they are sent, and what people then do.

use super::{is_yaml, real};
use crate::finding::{Evidence, Finding};
use crate::tree::{Tree, has_end, is_aside, name};
use crate::yaml::{self, Node};

#[derive(Default)]
pub(super) struct Alerts {
    rules: Vec<Evidence>,
    /// Rules that name their receivers themselves.
    direct: Vec<Evidence>,
    receivers: Vec<Evidence>,
    /// Receivers that reach nobody.
    placeholders: Vec<Evidence>,
    runbooks: Vec<Evidence>,
}

impl Alerts {
    pub(super) fn read(tree: &Tree) -> Self {
        let mut all = Self::default();
        for (path, text) in tree.texts() {
            if is_aside(path) && !path.contains("runbook") || path.starts_with(".github/") {
                continue;
            }
            if has_end(path, "tf") {
                all.terraform(path, text);
            } else if is_yaml(path) || has_end(path, "rules") {
                // Most YAML is nothing of the kind, and need not be parsed.
                let marks = ["alert:", "receivers:", "AWS::CloudWatch::Alarm"];
                let may = marks.iter().any(|mark| text.contains(mark));
                let roots = may.then(|| yaml::documents(text).unwrap_or_default());
                for root in roots.into_iter().flatten() {
                    all.document(path, text, &root);
                }
            }
        }
        all
    }

    fn document(&mut self, path: &str, text: &str, root: &Node) {
        let spec = if root.get("kind").and_then(Node::text) == Some("PrometheusRule") {
            root.get("spec")
        } else {
            Some(root)
        };
        let groups = spec.and_then(|spec| spec.get("groups")).map(Node::items).unwrap_or_default();
        for rule in
            groups.iter().flat_map(|group| group.get("rules").map(Node::items).unwrap_or_default())
        {
            let Some(alert) = rule.get("alert").filter(|_| rule.get("expr").is_some()) else {
                continue;
            };
            self.rules.push(Evidence::at(path, text, alert.place));
            let book =
                ["runbook_url", "runbook"].iter().find_map(|key| rule.at(&["annotations", key]));
            if let Some(book) = book.filter(|book| real(Some(book))) {
                self.runbooks.push(Evidence::at(path, text, book.place));
            }
        }
        self.receivers(path, text, root);
        for entry in root.get("Resources").map(Node::entries).unwrap_or_default() {
            if entry.value.get("Type").and_then(Node::text) == Some("AWS::CloudWatch::Alarm") {
                let shown = Evidence::at(path, text, entry.key_place);
                let actions = entry
                    .value
                    .at(&["Properties", "AlarmActions"])
                    .is_some_and(|list| !list.items().is_empty());
                if actions {
                    self.direct.push(shown.clone());
                }
                self.rules.push(shown);
            }
        }
    }

    /// Receivers of Alertmanager that a route names.
    fn receivers(&mut self, path: &str, text: &str, root: &Node) {
        let config = if root.get("kind").and_then(Node::text) == Some("AlertmanagerConfig") {
            root.get("spec")
        } else {
            Some(root)
        };
        let Some(config) = config.filter(|config| config.get("route").is_some()) else { return };
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
            let shown = Evidence::at(path, text, receiver_name.place);
            if targets.iter().any(|target| reaches(target)) {
                self.receivers.push(shown);
            } else {
                self.placeholders.push(shown);
            }
        }
    }

    fn terraform(&mut self, path: &str, text: &str) {
        let alarms = [
            "aws_cloudwatch_metric_alarm",
            "google_monitoring_alert_policy",
            "azurerm_monitor_metric_alert",
            "datadog_monitor",
            "grafana_rule_group",
            "newrelic_alert_policy",
        ];
        let actions = [
            "alarm_actions",
            "notification_channels",
            "action {",
            "message",
            "channel_ids",
            "contact_point",
        ];
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let Some(rest) = line.strip_prefix("resource \"") else { continue };
            let kind = rest.split('"').next().unwrap_or_default();
            if matches!(kind, "pagerduty_escalation_policy" | "opsgenie_escalation") {
                self.runbooks.push(Evidence::line(path, text, i));
            }
            if !alarms.contains(&kind) {
                continue;
            }
            self.rules.push(Evidence::line(path, text, i));
            let body =
                lines[i + 1..].iter().enumerate().take_while(|(_, line)| !line.starts_with('}'));
            for (j, line) in body {
                let line = line.trim_start();
                let sends = actions.iter().any(|action| line.starts_with(action))
                    && !line.ends_with("= []");
                if sends && (kind != "datadog_monitor" || line.contains('@')) {
                    self.direct.push(Evidence::line(path, text, i + 1 + j));
                    break;
                }
            }
        }
    }

    pub(super) fn routed(&self) -> Finding {
        if !self.direct.is_empty() {
            return Finding::pass("alerts name who is told").with(self.direct.clone());
        }
        if self.rules.is_empty() {
            let shown = self.receivers.iter().chain(&self.placeholders).cloned();
            return Finding::fail("no alert rules").with(shown);
        }
        if !self.receivers.is_empty() {
            return Finding::pass("alerts are routed to a receiver")
                .with(self.rules.iter().take(2).cloned())
                .with(self.receivers.clone());
        }
        if !self.placeholders.is_empty() {
            return Finding::fail("the receivers of alerts are placeholders")
                .with(self.placeholders.clone());
        }
        Finding::unknown("alert rules are there; no file says who is told").with(self.rules.clone())
    }

    pub(super) fn escalated(&self, tree: &Tree) -> Finding {
        if !self.runbooks.is_empty() {
            return Finding::pass("alerts have a runbook or an escalation")
                .with(self.runbooks.clone());
        }
        if self.rules.is_empty() {
            return Finding::fail("no alerts that anybody could answer");
        }
        let book = tree.texts().find(|(path, text)| {
            let lower = path.to_ascii_lowercase();
            has_end(&lower, "md")
                && (name(&lower).contains("runbook") || lower.contains("runbooks/"))
                && text.lines().count() > 3
        });
        match book {
            Some((path, text)) => Finding::pass("a runbook").with([Evidence::file(path, text)]),
            None => Finding::fail("no runbook and no escalation")
                .with(self.rules.iter().take(1).cloned()),
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
