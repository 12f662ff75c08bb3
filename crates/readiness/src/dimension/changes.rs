//! Which changes start what runs on pull requests: filters of paths may leave the code out.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::Seen;
use crate::act::{Act, is_test};
use crate::finding::Finding;
use crate::pipeline::{Occasion, Paths, Runs, TOO_MUCH};
use crate::tree::{Tree, is_source};

/// What filters come to, by the files of the pipelines that have them: many checks ask for the same.
#[derive(Debug, Default)]
pub(crate) struct Changes(RefCell<BTreeMap<Vec<String>, Option<Finding>>>);

/// What steps come to whose pipelines start for few of the changes of code, all of them together; none where they start
/// for most.
pub(super) fn left_out(seen: &Seen<'_>, acts: &[&&Act]) -> Option<Finding> {
    // A queue asks for no paths.
    if acts.iter().any(|act| *act.runs.on(Occasion::MergeQueue) == Runs::Yes) {
        return None;
    }
    let pipelines: BTreeSet<&str> = acts.iter().map(|act| act.pipeline.as_str()).collect();
    let filter = |file: &&str| seen.pipelines.paths.get(*file);
    let filters: Vec<&Paths> = pipelines.iter().map(filter).collect::<Option<_>>()?;
    let key: Vec<String> = pipelines.iter().map(|file| (*file).to_owned()).collect();
    let known = &seen.changes.0;
    if let Some(found) = known.borrow().get(&key) {
        return found.clone();
    }
    let found = of_filters(seen.tree, &filters);
    known.borrow_mut().insert(key, found.clone());
    found
}

fn of_filters(tree: &Tree, filters: &[&Paths]) -> Option<Finding> {
    let (mut all, mut started, mut first) = (0, 0, None);
    for path in tree.paths().filter(|path| is_source(path) && !is_test(path)) {
        all += 1;
        match is_started(tree, filters, path) {
            Some(true) => started += 1,
            Some(false) => _ = first.get_or_insert(path),
            None => return Some(Finding::unknown(TOO_MUCH)),
        }
    }
    let first = first?;
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

fn is_started(tree: &Tree, filters: &[&Paths], path: &str) -> Option<bool> {
    for paths in filters {
        if paths.let_through(tree, path)? {
            return Some(true);
        }
    }
    Some(false)
}
