//! Steps of plugins that scan and deliver.

use std::collections::BTreeMap;

use super::super::super::Does;
use super::super::syntax::{Call, Expression, Value};
use super::{Around, Reader};
use crate::finding::Place;
use crate::shell::Blocking;

impl Reader<'_> {
    /// `step([$class: '…'])`, the old way to write steps of plugins.
    pub(super) fn generic(&mut self, call: &Call, place: Place, around: &Around) {
        let of_map = |value: &Expression| match &value.value {
            Value::Map(entries) => entries
                .iter()
                .find(|entry| entry.name.as_deref() == Some("$class"))
                .and_then(|entry| entry.value.text()),
            _ => None,
        };
        let class = call
            .named("$class")
            .and_then(Expression::text)
            .or_else(|| call.plain().find_map(of_map))
            .unwrap_or_default();
        let tells =
            ["Publisher", "Archiver", "Mailer", "Notifier", "Recorder", "Collector", "Setter"];
        if !tells.iter().any(|end| class.ends_with(end)) {
            self.opaque(around, place, format!("`step` runs the plugin `{class}`"));
        }
    }

    pub(super) fn plugin(&mut self, call: &Call, place: Place, around: &Around) {
        self.known = true;
        let truth = |name: &str| match call.named(name).map(|value| &value.value) {
            Some(Value::Truth(truth)) => Some(*truth),
            _ => None,
        };
        let no = |why: &str| Blocking::No(why.to_owned());
        let blocking = match call.name.as_str() {
            "waitForQualityGate" if truth("abortPipeline") != Some(true) => {
                no("`waitForQualityGate` fails only with `abortPipeline: true`")
            }
            "snykSecurity" if truth("failOnIssues") == Some(false) => no("`failOnIssues: false`"),
            "dependencyCheckPublisher"
                if !call.arguments.iter().any(|argument| {
                    argument.name.as_deref().is_some_and(|name| name.starts_with("failed"))
                }) =>
            {
                no("`dependencyCheckPublisher` fails only with a number of `failed…`")
            }
            _ => Blocking::Yes,
        };
        let what = format!("jenkins/{}", call.name);
        self.step(around, place, &blocking, Does::Uses { what, inputs: BTreeMap::new() });
    }
}
