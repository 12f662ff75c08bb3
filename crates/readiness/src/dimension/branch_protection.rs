//! What a change needs before it is merged, as far as files indicate it. Only the forge can prove it, so that what no
//! file shows is unknown until the forge is asked.

mod branch;
mod enforced;
mod owners;
mod rules;
mod terraform;

use self::enforced::{By, together};
use self::owners::catch_all;
use self::rules::{Kept, Rules};
use super::{ON_CHANGES, Seen, Wanted, judge};
use crate::act::{Act, Class};
use crate::finding::{Evidence, Finding, Outcome};
use crate::pipeline::{Occasion, Pipeline, Runs};
use crate::shell::Blocking;
use crate::toml::Toml;
use crate::tree::Tree;
use crate::yaml::{self, Node};

const ONLY_THE_FORGE: &str = "no file indicates it; only the forge can tell";

pub(super) fn findings(seen: &Seen<'_>) -> Vec<(&'static str, Finding)> {
    let rules = Rules::read(seen.tree, seen.main);
    let mut review = review(seen.tree, &rules);
    let (mut automated, automated_by) = automated(seen, &rules);
    let (mut compliance, compliance_by) = compliance(seen, &rules);
    if let Some(forge) = seen.forge {
        let owned = matches!(catch_all(seen.tree), Some(Ok(_)));
        let enforced = forge.enforced(owned);
        review = together(review, By::Review, &enforced.review, &enforced);
        automated = together(automated, automated_by, &enforced.checks, &enforced);
        compliance = together(compliance, compliance_by, &enforced.signing, &enforced);
    }
    vec![
        ("branch_protection.review", review),
        ("branch_protection.automated_review", automated),
        ("branch_protection.compliance", compliance),
    ]
}

/// Whether a check of this name is required before a merge: by the forge where it was asked, or else as files indicate it.
pub(super) fn requires(seen: &Seen<'_>, check: &str) -> Finding {
    if let Some(forge) = seen.forge {
        return forge.requires(check);
    }
    let rules = Rules::read(seen.tree, seen.main);
    match rules.required.iter().find(|(name, _)| name == check) {
        Some((_, shown)) => Finding::pass(format!("rules in the repository require `{check}`"))
            .with([shown.clone()]),
        None if rules.required.is_empty() => {
            Finding::unknown(format!("whether `{check}` is required, only the forge can tell"))
        }
        None => {
            Finding::fail(format!("rules in the repository require other checks than `{check}`"))
        }
    }
}

fn review(tree: &Tree, rules: &Rules<'_>) -> Finding {
    let mut why = ONLY_THE_FORGE.to_owned();
    let mut shown = Vec::new();
    match catch_all(tree) {
        Some(Ok(evidence)) => {
            return Finding::pass("indicated: everything has an owner").with([evidence]);
        }
        Some(Err((evidence, reason))) => {
            why = format!("{reason}; only the forge can tell more");
            shown.push(evidence);
        }
        None => {}
    }
    if !rules.reviews.of_main.is_empty() {
        return Finding::pass("indicated: rules in the repository require reviews")
            .with(rules.reviews.of_main.clone());
    }
    if let Some((evidence, reason)) = &rules.reviews.open {
        return Finding::unknown(reason.clone()).with([evidence.clone()]);
    }
    if let Some((evidence, reason)) = &rules.broken {
        why = format!("{reason}; only the forge can tell more");
        shown.push(evidence.clone());
    }
    Finding::unknown(why).with(shown)
}

fn automated(seen: &Seen<'_>, rules: &Rules<'_>) -> (Finding, By) {
    if let Some(pipeline) = seen.pipelines.all.iter().find(|pipeline| guards_queue(pipeline)) {
        let text = seen.tree.text(&pipeline.file).unwrap_or_default();
        let line = text.lines().position(|line| line.contains("merge_group")).unwrap_or(0);
        let shown = Evidence::line(&pipeline.file, text, line);
        return (Finding::pass("indicated: a merge queue").with([shown]), By::Check);
    }
    if let Some(found) = by_robot(seen.tree) {
        return (found, By::Itself);
    }
    if !rules.checks.of_main.is_empty() {
        let found = Finding::pass("indicated: rules in the repository require checks");
        return (found.with(rules.checks.of_main.clone()), By::Check);
    }
    let what = "automated reviews or a check over all jobs";
    let review = by_pipeline(seen, &|act: &Act| act.class == Class::Review, what);
    if review.outcome == Outcome::Pass {
        return (review, By::Itself);
    }
    let is = |act: &Act| matches!(act.class, Class::Review | Class::Aggregate);
    (or_open(by_pipeline(seen, &is, what), &rules.checks), By::Check)
}

/// What nothing else shows is unknown because of rules of which nobody knows whether they are of the main branch.
fn or_open(found: Finding, rules: &Kept) -> Finding {
    match &rules.open {
        Some((evidence, reason)) if found.outcome != Outcome::Pass => {
            Finding::unknown(reason.clone()).with([evidence.clone()])
        }
        _ => found,
    }
}

/// Whether something that a queue starts can fail.
fn guards_queue(pipeline: &Pipeline) -> bool {
    let queue = Occasion::MergeQueue;
    *pipeline.triggers.on(queue) == Runs::Yes
        && pipeline
            .jobs
            .iter()
            .flat_map(|job| &job.steps)
            .any(|step| *step.runs.on(queue) == Runs::Yes && step.blocking == Blocking::Yes)
}

/// Settings of robots that merge or review, which are not switched off.
fn by_robot(tree: &Tree) -> Option<Finding> {
    let pass = |what: &str, shown: Evidence| {
        Some(Finding::pass(format!("indicated: {what}")).with([shown]))
    };
    if let Some(text) = tree.text("bors.toml")
        && let Some(bors) = Toml::read("bors.toml", text)
        && !bors.texts_at(&["status"]).is_empty()
    {
        return pass("a merge queue", Evidence::file("bors.toml", text));
    }
    for file in [".coderabbit.yaml", ".coderabbit.yml"] {
        let Some(text) = tree.text(file) else { continue };
        let Ok(root) = yaml::document(text) else { continue };
        let auto = ["reviews", "auto_review", "enabled"];
        let is_on = root.and_then(|root| root.at(&auto).and_then(Node::truth)) != Some(false);
        if is_on {
            return pass("automated review", Evidence::file(file, text));
        }
    }
    for file in [".mergify.yml", ".github/mergify.yml", ".mergify/config.yml"] {
        let Some(text) = tree.text(file) else { continue };
        if let Ok(Some(root)) = yaml::document(text)
            && let Some(entry) = root.entry("queue_rules")
            && !entry.value.items().is_empty()
        {
            return pass("a merge queue", Evidence::at(file, text, entry.key_place));
        }
    }
    None
}

fn compliance(seen: &Seen<'_>, rules: &Rules<'_>) -> (Finding, By) {
    if !rules.rulesets.of_main.is_empty() {
        let found = Finding::pass("indicated: rulesets in the repository");
        return (found.with(rules.rulesets.of_main.clone()), By::Rules);
    }
    if let Some(text) = seen.tree.text(".github/dco.yml") {
        let shown = Evidence::file(".github/dco.yml", text);
        return (Finding::pass("indicated: sign-offs").with([shown]), By::Check);
    }
    let is = |act: &Act| act.class == Class::SignOff;
    let found = by_pipeline(seen, &is, "checks of sign-offs or signatures");
    (or_open(found, &rules.rulesets), By::Check)
}

fn by_pipeline(seen: &Seen<'_>, is: &dyn Fn(&Act) -> bool, what: &str) -> Finding {
    let wanted = Wanted {
        is,
        on: ON_CHANGES,
        what,
        when: "on pull requests",
        by_scripts: false,
        need_not_block: false,
    };
    let finding = judge(seen, &wanted);
    match finding.outcome {
        Outcome::Pass => Finding { reason: format!("indicated: {}", finding.reason), ..finding },
        _ => Finding::unknown(ONLY_THE_FORGE).with(finding.evidence),
    }
}
