//! `*.cedar`: policies in Cedar itself.
//!
//! Annotations: `@id` names the policy; `@set("approval")` makes a permit one that asks a person;
//! `@risk`, `@message` and `@security_event` are as in rules.

use std::collections::BTreeSet;

use cedar_policy::{Policy, PolicyId, PolicySet};
use lockgate_model::config::document::Place;
use miette::Diagnostic as _;

use super::findings::{At, Findings};
use crate::names::RuleId;
use crate::rule::{Effect, Risk, Rule, Scope};

/// The largest file, in bytes.
pub(crate) const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

const ANNOTATIONS: [&str; 5] = ["id", "set", "risk", "message", "security_event"];

/// A policy, and what it means as a rule.
pub(crate) struct Native {
    pub(crate) rule: Rule,
    pub(crate) policy: Policy,
    pub(crate) place: Place,
}

/// Reads the policies of one file. They are not validated yet: that takes all declared tools.
pub(crate) fn read(file: &str, text: &str, natives: &mut Vec<Native>, found: &mut Findings) {
    let at = At { file, path: "" };
    if text.len() > FILE_BYTES_MAX {
        let message =
            format!("the file has {} bytes; at most {FILE_BYTES_MAX} are read", text.len());
        found.error(at, Place::START, message, "check that it is the right file".into());
        return;
    }
    let set: PolicySet = match text.parse() {
        Ok(set) => set,
        Err(errors) => return syntax(&errors, at, text, found),
    };
    if set.templates().next().is_some() {
        let message = "templates (`?principal`, `?resource`) are not taken".to_owned();
        found.error(at, Place::START, message, "write a policy for each case".into());
        return;
    }
    let mut from = 0;
    for policy in set.policies() {
        // Policies come in the file's order, each as it is written there.
        let written = policy.to_cedar().unwrap_or_default();
        let offset =
            text.get(from..).and_then(|rest| rest.find(written.trim())).map(|at| at + from);
        from = offset.map_or(from, |offset| offset + written.trim().len());
        let place = place(text, offset.unwrap_or(0));
        natives.extend(native(policy, at, place, found));
    }
}

fn native(policy: &Policy, at: At<'_>, place: Place, found: &mut Findings) -> Option<Native> {
    let mut good = true;
    let mut wrong = |message: String, hint: &str| {
        found.error(at, place, message, hint.to_owned());
        good = false;
    };
    let names: BTreeSet<&str> = policy.annotations().map(|(name, _)| name).collect();
    for name in names.iter().filter(|name| !ANNOTATIONS.contains(name)) {
        wrong(
            format!("there is no annotation `@{name}`"),
            "there are @id, @set, @risk, @message, @security_event",
        );
    }
    let id = policy.annotation("id").and_then(RuleId::new);
    if id.is_none() {
        wrong("the policy has no name".into(), "write @id(\"some-name\") before it");
    }
    let permits = policy.effect() == cedar_policy::Effect::Permit;
    let effect = match (policy.annotation("set"), permits) {
        (None, true) => Effect::Allow,
        (None, false) => Effect::Deny,
        (Some("approval"), true) => Effect::Ask,
        (Some("approval"), false) => {
            wrong("a forbid cannot ask".into(), "remove @set, or write permit");
            Effect::Deny
        }
        (Some(other), _) => {
            wrong(format!("there is no set `{other}`"), "there is @set(\"approval\")");
            Effect::Deny
        }
    };
    let risk = policy.annotation("risk").map(|text| (text, Risk::new(text)));
    if let Some((text, None)) = risk {
        wrong(format!("there is no risk `{text}`"), "the risks are ASI01 to ASI10");
    }
    let security_event = policy.annotation("security_event");
    if security_event.is_some_and(|value| value != "true") {
        wrong("@security_event is \"true\" or left out".into(), "");
    }
    if security_event.is_some() && effect != Effect::Deny {
        wrong("only a forbid raises a security event".into(), "remove @security_event");
    }
    let id = id.filter(|_| good)?;
    Some(Native {
        policy: policy.new_id(PolicyId::new(id.as_str())),
        rule: Rule {
            id,
            file: at.file.to_owned(),
            line: place.line,
            effect,
            scope: Scope::Native,
            agents: Vec::new(),
            when: None,
            risk: risk.and_then(|(_, risk)| risk),
            message: policy.annotation("message").map(str::to_owned),
            security_event: security_event.is_some(),
            limit: None,
            ask: None,
        },
        place,
    })
}

fn syntax(errors: &cedar_policy::ParseErrors, at: At<'_>, text: &str, found: &mut Findings) {
    for error in errors.iter() {
        let hint = error.help().map(|help| help.to_string()).unwrap_or_default();
        found.error(at, labelled(error, text).unwrap_or(Place::START), one_line(error), hint);
    }
}

/// Where Cedar says that an error is.
pub(crate) fn labelled(error: &dyn miette::Diagnostic, text: &str) -> Option<Place> {
    error.labels().and_then(|mut labels| labels.next()).map(|label| place(text, label.offset()))
}

/// Cedar's own words, cut to one line.
pub(crate) fn one_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The place of a byte.
fn place(text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: clamp(line), column: clamp(column) }
}
