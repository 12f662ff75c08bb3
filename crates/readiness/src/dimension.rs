//! The six dimensions: what each of their checks comes to.

mod branch_protection;
pub(crate) mod changes;
mod ci_cd;
mod infrastructure;
mod observability;
pub(crate) mod packages;
mod security;
mod tests;

use crate::act::{Act, Class};
use crate::catalog::Dimension;
use crate::finding::{Evidence, Finding, Outcome};
use crate::forge::Forge;
use crate::manifest::Manifests;
use crate::pipeline::{Occasion, Pipelines, Runs};
use crate::shell::Blocking;
use crate::template::Templates;
use crate::tree::Tree;

/// What all checks look at.
pub(crate) struct Seen<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) pipelines: &'a Pipelines,
    pub(crate) acts: &'a [Act],
    pub(crate) manifests: &'a Manifests,
    pub(crate) templates: &'a Templates,
    pub(crate) forge: Option<&'a Forge>,
    /// The name of the main branch, where it is known.
    pub(crate) main: Option<&'a str>,
    pub(crate) changes: &'a changes::Changes,
    /// It is a library or a tool, and runs nowhere by itself.
    pub(crate) deploys_nothing: bool,
    /// Where there are several.
    pub(crate) packages: &'a [packages::Package],
}

/// The findings of a dimension, by the ids of their checks.
pub(crate) fn findings(dimension: Dimension, seen: &Seen<'_>) -> Vec<(&'static str, Finding)> {
    match dimension {
        Dimension::CiCd => ci_cd::findings(seen),
        Dimension::Tests => tests::findings(seen),
        Dimension::Infrastructure => infrastructure::findings(seen),
        Dimension::Security => security::findings(seen),
        Dimension::BranchProtection => branch_protection::findings(seen),
        Dimension::Observability => observability::findings(seen),
    }
}

/// Where a change meets what it must pass.
const ON_CHANGES: &[Occasion] = &[Occasion::PullRequest, Occasion::MergeQueue];

/// What a step must be like to prove something.
struct Wanted<'a> {
    is: &'a dyn Fn(&Act) -> bool,
    /// One of these.
    on: &'a [Occasion],
    /// In words: "unit tests".
    what: &'a str,
    /// In words: "on pull requests".
    when: &'a str,
    /// Opaque programs of the repository may do it too.
    by_scripts: bool,
    /// It proves itself by being made, and need not fail.
    need_not_block: bool,
}

/// Whether some step does what is wanted, when it is wanted, and stops the pipeline when it fails.
fn judge(seen: &Seen<'_>, wanted: &Wanted<'_>) -> Finding {
    let acts: Vec<&Act> = seen.acts.iter().filter(|act| (wanted.is)(act)).collect();
    let when =
        |act: &Act| wanted.on.iter().map(|on| act.runs.on(*on)).min().cloned().unwrap_or(Runs::No);
    let shown = |acts: &[&&Act]| acts.iter().flat_map(|act| evidence(act)).collect::<Vec<_>>();
    let on_time: Vec<&&Act> = acts.iter().filter(|act| when(act) == Runs::Yes).collect();
    let blocks = |act: &&&&Act| {
        act.blocking == Blocking::Yes
            || wanted.need_not_block && !matches!(act.blocking, Blocking::No(_))
    };
    let good: Vec<&&Act> = on_time.iter().filter(blocks).copied().collect();
    let (what, time) = (wanted.what, wanted.when);
    let left_out = (wanted.on == ON_CHANGES && !good.is_empty())
        .then(|| changes::left_out(seen, &good))
        .flatten()
        .map(|found| {
            let reason = format!("{what} {time}: {}", found.reason);
            Finding::new(found.outcome, reason).with(shown(&good))
        });
    if let Some(found) = left_out.as_ref().filter(|found| found.outcome == Outcome::Unknown) {
        return found.clone();
    }
    if left_out.is_none() && !good.is_empty() {
        // The reason is of the step that is shown first.
        let why = &good[0].why;
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        return Finding::pass(format!("{what} {time}{why}")).with(shown(&good));
    }
    for act in &acts {
        let unsure = match (when(act), &act.blocking) {
            (Runs::Unsure(why), Blocking::Yes | Blocking::Unsure(_)) => why,
            (Runs::Yes, Blocking::Unsure(why)) => why.clone(),
            _ => continue,
        };
        return Finding::unknown(format!("{what}: {unsure}")).with(evidence(act));
    }
    let mut finding = left_out.unwrap_or_else(|| missing(&acts, &on_time, wanted));
    let opaque = seen.acts.iter().find(|act| {
        let may =
            act.class == Class::Opaque || wanted.by_scripts && act.class == Class::OpaqueTests;
        may && when(act) != Runs::No
    });
    if let Some(opaque) = opaque {
        finding = Finding::unknown(format!("{what} {time} are not seen, and {}", opaque.why))
            .with(evidence(opaque));
    }
    finding
}

/// Why it is not so.
fn missing(acts: &[&Act], on_time: &[&&Act], wanted: &Wanted<'_>) -> Finding {
    let (what, time) = (wanted.what, wanted.when);
    if let Some(act) = on_time.first() {
        let why = match &act.blocking {
            Blocking::No(why) => why.as_str(),
            _ => "it cannot fail",
        };
        return Finding::fail(format!("{what} run {time} but do not block: {why}"))
            .with(evidence(act));
    }
    // Whether it runs then is not known, and it would prove nothing if it did.
    for act in acts {
        let may = wanted.on.iter().any(|on| matches!(act.runs.on(*on), Runs::Unsure(_)));
        if let (true, Blocking::No(why)) = (may, &act.blocking) {
            return Finding::fail(format!("{what} may run {time}, and do not block: {why}"))
                .with(evidence(act));
        }
    }
    if let Some(act) = acts.first() {
        let possible: Vec<&str> = act.runs.possible().map(Occasion::words).collect();
        let possible = if possible.is_empty() { "never".to_owned() } else { possible.join(", ") };
        return Finding::fail(format!("{what} run {possible}, not {time}")).with(evidence(act));
    }
    Finding::fail(format!("no step of a pipeline that is seen: {what}"))
}

fn evidence(act: &Act) -> Vec<Evidence> {
    let mut all = vec![act.evidence.clone()];
    all.extend(act.also.iter().cloned());
    all
}
