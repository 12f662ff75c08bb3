//! Which changes start what runs on pull requests: filters of paths may leave the code out.

use std::collections::BTreeSet;

use super::Seen;
use crate::act::{Act, is_test};
use crate::finding::Finding;
use crate::pipeline::{Occasion, Paths, Runs};
use crate::tree::is_source;

/// Patterns and files that are compared.
const COMPARED_MAX: usize = 500_000;

/// What steps come to whose pipelines start for few of the changes of code, all of them together; none where they start
/// for most.
pub(super) fn left_out(seen: &Seen<'_>, acts: &[&&Act]) -> Option<Finding> {
    // A queue asks for no paths.
    if acts.iter().any(|act| *act.runs.on(Occasion::MergeQueue) == Runs::Yes) {
        return None;
    }
    let pipelines: BTreeSet<&str> = acts.iter().map(|act| act.pipeline.as_str()).collect();
    let filters: Option<Vec<&Paths>> =
        pipelines.into_iter().map(|file| seen.pipelines.paths.get(file)).collect();
    let filters = filters?;
    let sources: Vec<&str> =
        seen.tree.paths().filter(|path| is_source(path) && !is_test(path)).collect();
    let patterns: usize = filters.iter().map(|paths| paths.count()).sum();
    if patterns.saturating_mul(sources.len()) > COMPARED_MAX {
        return Some(Finding::unknown("filters of paths have more patterns than are compared"));
    }
    let is_started = |path: &&&str| filters.iter().any(|paths| paths.let_through(path));
    let (all, started) = (sources.len(), sources.iter().filter(is_started).count());
    let first = sources.iter().find(|path| !is_started(path))?;
    if started == 0 {
        return Some(Finding::fail(format!(
            "its filter of paths leaves all code out, such as {first}"
        )));
    }
    (started * 2 < all).then(|| {
        Finding::unknown(format!(
            "its filter of paths leaves {} of {all} source files out, such as {first}: start it for all code",
            all - started
        ))
    })
}
