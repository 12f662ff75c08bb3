//! Alarms of clouds, as Terraform and `CloudFormation` have them.

use std::collections::BTreeMap;

use super::Alerts;
use crate::dimension::observability::real;
use crate::finding::Evidence;
use crate::hcl;
use crate::lines::File;
use crate::template::terraform::{Resource, blocks, resources};
use crate::yaml::{Entry, Node};

/// Topics that alarms are sent to, and who is subscribed to them.
#[derive(Default)]
pub(super) struct Topics {
    /// By the name that a template has for the topic.
    asked: Vec<(String, Evidence)>,
    subscribed: BTreeMap<String, Vec<(Evidence, bool)>>,
}

/// A kind of alarm, and what says who is told.
const ALARMS: &[(&str, &[&str])] = &[
    ("aws_cloudwatch_metric_alarm", &["alarm_actions"]),
    ("aws_cloudwatch_composite_alarm", &["alarm_actions"]),
    ("google_monitoring_alert_policy", &["notification_channels"]),
    ("azurerm_monitor_metric_alert", &["action"]),
    ("azurerm_monitor_scheduled_query_rules_alert", &["action"]),
    ("azurerm_monitor_scheduled_query_rules_alert_v2", &["action"]),
    ("azurerm_monitor_activity_log_alert", &["action"]),
    ("datadog_monitor", &["message"]),
    ("grafana_rule_group", &["contact_point"]),
    ("newrelic_alert_policy", &["channel_ids"]),
];

impl Alerts {
    pub(super) fn terraform(&mut self, file: File<'_>) {
        let marks =
            ["alarm", "alert", "datadog_monitor", "grafana_rule_group", "escalation", "sns_topic"];
        if !marks.iter().any(|mark| file.text.contains(mark)) {
            return;
        }
        let Ok(root) = hcl::document(file.text) else { return };
        for resource in resources(&root) {
            self.resource(file, &resource);
        }
    }

    fn resource(&mut self, file: File<'_>, resource: &Resource<'_>) {
        let body = resource.body;
        match resource.kind {
            "pagerduty_escalation_policy" | "opsgenie_escalation" => {
                let has = ["rule", "rules"]
                    .iter()
                    .any(|key| blocks(body, key).any(|rule| !rule.entries().is_empty()));
                self.runbooks.extend(has.then(|| file.shown(body)));
            }
            "aws_sns_topic_subscription" => {
                let (Some(topic), Some(endpoint)) =
                    (body.get("topic_arn").and_then(topic), body.get("endpoint"))
                else {
                    return;
                };
                let reaches = endpoint.tag.is_some() || real(Some(endpoint));
                self.topics
                    .subscribed
                    .entry(topic)
                    .or_default()
                    .push((file.shown(endpoint), reaches));
            }
            kind => {
                let Some((_, keys)) = ALARMS.iter().find(|(alarm, _)| *alarm == kind) else {
                    return;
                };
                let is_off = |key: &str| body.get(key).and_then(Node::truth) == Some(false);
                if is_off("enabled") || is_off("actions_enabled") {
                    return;
                }
                self.rules.push(file.shown(body));
                keys.iter().for_each(|key| self.told(file, body, key, 0));
            }
        }
    }

    /// Who is told, by a list, a text or a block of this name.
    fn told(&mut self, file: File<'_>, body: &Node, key: &str, depth: usize) {
        if depth > 3 {
            return;
        }
        for entry in body.entries() {
            if entry.key != key {
                self.told(file, &entry.value, key, depth + 1);
                continue;
            }
            let shown = file.at(entry.key_place);
            let value = &entry.value;
            if let Some(topic) = value.items().iter().find_map(topic) {
                self.topics.asked.push((topic, shown));
            } else if match key {
                "message" => value.text().is_some_and(|text| text.contains('@')),
                _ if value.is_list() => !value.items().is_empty(),
                _ => !value.entries().is_empty() || value.tag.is_some() || real(Some(value)),
            } {
                self.direct.push(shown);
            }
        }
    }

    pub(super) fn cloudformation(&mut self, file: File<'_>, root: &Node) {
        for entry in root.get("Resources").map(Node::entries).unwrap_or_default() {
            let properties = entry.value.get("Properties");
            let of = |key: &str| properties.and_then(|all| all.get(key));
            match entry.value.get("Type").and_then(Node::text) {
                Some("AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm") => {
                    if of("ActionsEnabled").and_then(Node::truth) == Some(false) {
                        continue;
                    }
                    let shown = file.at(entry.key_place);
                    self.rules.push(shown.clone());
                    let actions = of("AlarmActions").map(Node::items).unwrap_or_default();
                    match actions.iter().find_map(referred) {
                        Some(topic) => self.topics.asked.push((topic, shown)),
                        None if !actions.is_empty() => self.direct.push(shown),
                        None => {}
                    }
                }
                Some("AWS::SNS::Topic") => {
                    let all = of("Subscription").map(Node::items).unwrap_or_default();
                    for one in all.iter().filter_map(|one| one.get("Endpoint")) {
                        self.subscribed(file, entry.key.clone(), one);
                    }
                }
                Some("AWS::SNS::Subscription") => {
                    if let (Some(topic), Some(end)) =
                        (of("TopicArn").and_then(referred), of("Endpoint"))
                    {
                        self.subscribed(file, topic, end);
                    }
                }
                _ => {}
            }
        }
    }

    fn subscribed(&mut self, file: File<'_>, topic: String, endpoint: &Node) {
        let reaches = endpoint.tag.is_some() || endpoint.is_map() || real(Some(endpoint));
        self.topics.subscribed.entry(topic).or_default().push((file.shown(endpoint), reaches));
    }

    /// Puts together who is subscribed to what alarms are sent to.
    pub(super) fn hear(&mut self) {
        let topics = std::mem::take(&mut self.topics);
        for (topic, asked) in topics.asked {
            let subscribed = topics.subscribed.get(&topic).map(Vec::as_slice).unwrap_or_default();
            if subscribed.is_empty() {
                self.unheard.push(asked);
            } else if let Some((end, _)) = subscribed.iter().find(|(_, reaches)| *reaches) {
                self.direct.extend([asked, end.clone()]);
            } else {
                self.placeholders.extend(subscribed.iter().map(|(end, _)| end.clone()));
            }
        }
    }
}

/// The topic of `aws_sns_topic.NAME.arn`.
fn topic(node: &Node) -> Option<String> {
    let rest = node.text()?.split_once("aws_sns_topic.")?.1;
    Some(rest.split(['.', '[', '}']).next()?.to_owned())
}

/// What `!Ref NAME` or `{"Ref": "NAME"}` names.
fn referred(node: &Node) -> Option<String> {
    let is_ref = |entry: &&Entry| entry.key == "Ref";
    let by_key = node.entries().iter().find(is_ref).and_then(|entry| entry.value.text());
    let by_tag = node.text().filter(|_| node.tag.as_deref() == Some("!Ref"));
    by_key.or(by_tag).map(str::to_owned)
}
