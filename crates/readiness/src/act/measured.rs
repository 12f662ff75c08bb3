//! Reports of coverage.py, which keep a limit only of what something measured before them: in the same job, or in another
//! one that hands its files on.

use std::ops::Range;

use super::{Act, Class};
use crate::pipeline::{Does, Occasion, Runs, Step};
use crate::shell::Blocking;

/// What something has to do with what coverage.py measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    None,
    /// It measures.
    Made,
    /// It reports what was measured.
    Read,
}

/// The acts of a job.
pub(super) struct OfJob {
    pub(super) acts: Range<usize>,
    /// How many of them come before files of other jobs do.
    pub(super) fetched: Option<usize>,
}

/// Whether a step brings files that another job made.
pub(super) fn fetches(step: &Step) -> bool {
    match &step.does {
        Does::Uses { what, .. } => {
            let name = what.split('@').next().unwrap_or_default();
            name.ends_with("/download-artifact")
                || name.ends_with("/action-download-artifact")
                || name.starts_with("actions/cache")
        }
        Does::Script(script) => {
            ["gh run download", "artifact download"].iter().any(|word| script.text.contains(word))
        }
        Does::Opaque(_) => false,
    }
}

/// Says of each report of a pipeline that does not follow a measurement that it keeps no limit.
pub(super) fn weigh(acts: &mut [Act], jobs: &[OfJob], pipeline: &str) {
    let made: Vec<usize> =
        jobs.iter().flat_map(|job| job.acts.clone()).filter(|at| is_made(&acts[*at])).collect();
    // Other systems hand files on by themselves, or by steps that are not told apart here.
    let hands_on = !pipeline.starts_with(".github/workflows/");
    for job in jobs {
        for at in job.acts.clone() {
            if acts[at].data != Data::Read {
                continue;
            }
            let is_fetched =
                hands_on || job.fetched.is_some_and(|before| job.acts.start + before <= at);
            let mut before = job.acts.start..at;
            let meets = |other: &usize| meet(&acts[*other], &acts[at]);
            let is_measured = before.clone().any(|other| is_made(&acts[other]) && meets(&other))
                || is_fetched && made.iter().any(meets);
            if is_measured {
                continue;
            }
            let may = before.any(|other| {
                matches!(acts[other].class, Class::Opaque | Class::OpaqueTests) && meets(&other)
            });
            let found = if may || is_fetched {
                Blocking::Unsure("what it reports, nothing that is seen measured before it".into())
            } else {
                Blocking::No("nothing in its job measures coverage before it".into())
            };
            acts[at].blocking = acts[at].blocking.and(&found);
        }
    }
}

fn is_made(act: &Act) -> bool {
    act.data == Data::Made
}

/// Whether something may run on changes wherever another thing does.
fn meet(first: &Act, then: &Act) -> bool {
    let may = |act: &Act, on| *act.runs.on(on) != Runs::No;
    [Occasion::PullRequest, Occasion::MergeQueue]
        .into_iter()
        .all(|on| may(first, on) || !may(then, on))
}
