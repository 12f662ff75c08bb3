//! Environments from templates.

mod drift;

use self::drift::drift;
use super::Seen;
use crate::finding::{Finding, Outcome};
use crate::serverless;
use crate::template::fact::{About, Fact, Is};

pub(super) fn findings(seen: &Seen<'_>) -> Vec<(&'static str, Finding)> {
    let ids = [
        "infrastructure.configuration",
        "infrastructure.templates",
        "infrastructure.drift",
        "infrastructure.limits",
        "infrastructure.pinned",
        "infrastructure.state",
        "infrastructure.secrets",
        "infrastructure.functions",
    ];
    if seen.deploys_nothing {
        let nothing = || {
            Finding::new(
                Outcome::NotApplicable,
                "a library or a tool, which runs nowhere by itself",
            )
        };
        return ids.into_iter().map(|id| (id, nothing())).collect();
    }
    ids.into_iter()
        .zip([
            configuration(seen),
            templates(seen),
            drift(seen),
            said(seen, About::Limits, "what templates run has a limit of memory"),
            said(seen, About::Pinned, "versions are fixed"),
            said(seen, About::State, "the state is kept where all share it"),
            said(seen, About::Secrets, "secrets stand elsewhere"),
            serverless::functions(seen.tree),
        ])
        .collect()
}

fn configuration(seen: &Seen<'_>) -> Finding {
    let all = seen.templates.configuration.iter().chain(&seen.templates.environments);
    let shown: Vec<_> = all.map(|found| found.evidence.clone()).collect();
    if shown.is_empty() {
        return Finding::fail("no container, compose file or template");
    }
    Finding::pass("how it is run is in the repository").with(shown)
}

fn templates(seen: &Seen<'_>) -> Finding {
    let unread = &seen.templates.unread;
    let all = &seen.templates.environments;
    if all.is_empty() {
        if !unread.is_empty() {
            return Finding::unknown("what a template makes is not seen").with(unread.clone());
        }
        return Finding::fail("no templates of environments");
    }
    let mut kinds: Vec<&str> = Vec::new();
    for found in all {
        if !kinds.contains(&found.what) {
            kinds.push(found.what);
        }
    }
    Finding::pass(format!("environments from {}", kinds.join(", ")))
        .with(all.iter().map(|found| found.evidence.clone()))
}

/// What all templates say of one thing. One that is bad decides, and one that is not sure leaves it open.
fn said(seen: &Seen<'_>, about: About, good: &str) -> Finding {
    let all: Vec<&Fact> = seen.templates.said(about).collect();
    let of = |is: Is| all.iter().filter(|fact| fact.is == is).copied().collect::<Vec<_>>();
    let shown = |facts: &[&Fact]| facts.iter().map(|fact| fact.at.clone()).collect::<Vec<_>>();
    let told = |facts: &[&Fact]| {
        let more =
            if facts.len() > 1 { format!(", and {} more", facts.len() - 1) } else { String::new() };
        format!("{}{more}", facts[0].why)
    };
    let (bad, unsure, fine) = (of(Is::Bad), of(Is::Unsure), of(Is::Good));
    if !bad.is_empty() {
        return Finding::fail(told(&bad)).with(shown(&bad));
    }
    if !unsure.is_empty() {
        return Finding::unknown(told(&unsure)).with(shown(&unsure));
    }
    if !seen.templates.unread.is_empty() {
        return Finding::unknown("not all templates are read").with(seen.templates.unread.clone());
    }
    if fine.is_empty() {
        return Finding::new(Outcome::NotApplicable, "no template has anything of the kind");
    }
    Finding::pass(good).with(shown(&fine))
}
