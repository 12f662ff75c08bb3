//! Whether what runs is compared with its templates: each root of Terraform for itself, since a comparison of one says
//! nothing of another.

use crate::act::{Act, Class};
use crate::dimension::{Seen, Wanted, judge};
use crate::finding::{Finding, Outcome};
use crate::pipeline::{Occasion, Runs};
use crate::shell::Blocking;
use crate::template::{Compares, Root};

/// Roots that a reason names.
const NAMED_MAX: usize = 3;

pub(super) fn drift(seen: &Seen<'_>) -> Finding {
    let by_pipelines = by_pipelines(seen);
    let reconcilers = &seen.templates.reconcilers;
    let found = match reconcilers.first() {
        Some(first) => {
            let shown = reconcilers.iter().map(|found| found.evidence.clone());
            Finding::pass(first.what).with(shown)
        }
        None => by_pipelines,
    };
    if found.outcome == Outcome::Pass {
        return of_all_roots(seen, found);
    }
    match seen.templates.elsewhere.first() {
        Some(one) if found.outcome == Outcome::Fail && found.evidence.is_empty() => {
            let path = one.path.as_deref().unwrap_or_default();
            let why = format!(
                "{}, from `{path}`, which is not in this repository: assess the one that has it",
                one.what
            );
            Finding::unknown(why).with([one.evidence.clone()])
        }
        _ => found,
    }
}

fn by_pipelines(seen: &Seen<'_>) -> Finding {
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

/// Roots that nothing compares are named. One that names neither provider nor backend may be a module of others.
fn of_all_roots(seen: &Seen<'_>, found: Finding) -> Finding {
    let roots = &seen.templates.roots;
    if seen.templates.reconcilers.iter().any(|one| one.compares == Compares::Terraform) {
        return found;
    }
    let is_counted = |act: &&Act| {
        act.class == Class::Drift
            && *act.runs.on(Occasion::Schedule) == Runs::Yes
            && act.blocking == Blocking::Yes
    };
    let acts: Vec<&Act> = seen.acts.iter().filter(is_counted).collect();
    let left: Vec<&Root> =
        roots.iter().filter(|root| !acts.iter().any(|act| covers(act, root, roots))).collect();
    let Some(first) = left.iter().find(|root| root.is_sure).or(left.first()) else { return found };
    let names: Vec<&str> = left.iter().take(NAMED_MAX).map(|root| told(root)).collect();
    let more = left.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let why = format!("{}; no comparison is seen of {}{more}", found.reason, names.join(", "));
    let of_unknown = acts.iter().find(|act| act.dir.is_none());
    let finding = match of_unknown {
        Some(_) => Finding::unknown(format!("{why}: where one works no file writes out")),
        None if first.is_sure => Finding::fail(why),
        None => Finding::unknown(format!("{why}: a root, or a module for others")),
    };
    finding.with([first.evidence.clone()]).with(found.evidence)
}

fn told(root: &Root) -> &str {
    if root.dir.is_empty() { "the root directory" } else { &root.dir }
}

/// Whether a comparison is of a root. Terraform plans the directory that it is in; others look below it as well, when it is
/// no root itself.
fn covers(act: &Act, root: &Root, roots: &[Root]) -> bool {
    let Some(dir) = act.dir.as_deref() else { return false };
    if dir == root.dir {
        return true;
    }
    let is_below = dir.is_empty() || root.dir.starts_with(&format!("{dir}/"));
    let shown = &act.evidence.text;
    let plans_one =
        ["terraform plan", "tofu plan", "-chdir="].iter().any(|text| shown.contains(text));
    is_below && !plans_one && !roots.iter().any(|other| other.dir == dir)
}
