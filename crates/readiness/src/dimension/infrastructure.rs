//! Environments from templates.

use super::{Seen, Wanted, judge};
use crate::act::{Act, Class};
use crate::finding::{Finding, Outcome};
use crate::pipeline::Occasion;

pub(super) fn findings(seen: &Seen<'_>) -> Vec<(&'static str, Finding)> {
    let ids = ["infrastructure.configuration", "infrastructure.templates", "infrastructure.drift"];
    if seen.deploys_nothing {
        let nothing = || {
            Finding::new(
                Outcome::NotApplicable,
                "a library or a tool, which runs nowhere by itself",
            )
        };
        return ids.into_iter().map(|id| (id, nothing())).collect();
    }
    ids.into_iter().zip([configuration(seen), templates(seen), drift(seen)]).collect()
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
    let Some(first) = seen.templates.environments.first() else {
        return Finding::fail("no templates of environments");
    };
    Finding::pass(format!("{} and {} more", first.what, seen.templates.environments.len() - 1))
        .with(seen.templates.environments.iter().map(|found| found.evidence.clone()))
}

fn drift(seen: &Seen<'_>) -> Finding {
    if !seen.templates.reconcilers.is_empty() {
        let shown = seen.templates.reconcilers.iter().map(|found| found.evidence.clone());
        return Finding::pass(seen.templates.reconcilers[0].what).with(shown);
    }
    let has_templates = |act: &Act| seen.templates.any_below(act.dir.as_deref());
    let is = |act: &Act| act.class == Class::Drift && has_templates(act);
    let wanted = Wanted {
        is: &is,
        on: &[Occasion::Schedule],
        what: "comparisons with the templates",
        when: "on a schedule",
        by_scripts: false,
        need_not_block: false,
    };
    let finding = judge(seen, &wanted);
    let empty = seen.acts.iter().find(|act| act.class == Class::Drift && !has_templates(act));
    match empty {
        Some(act) if finding.outcome == Outcome::Fail && finding.evidence.is_empty() => {
            let place = act.dir.as_deref().filter(|dir| !dir.is_empty()).unwrap_or("the directory");
            Finding::fail(format!("looks for drift of templates that are not in {place}"))
                .with([act.evidence.clone()])
        }
        _ => finding,
    }
}
