//! Workflows that GitHub does not take: none of their jobs ever runs, and what people meant by them nobody can tell.

use std::collections::BTreeSet;

use super::super::gather;
use crate::finding::Place;
use crate::tree::dir;
use crate::yaml::{Entry, Node};

/// Where and why GitHub refuses a workflow, as far as that is looked for.
pub(super) fn why(root: &Node) -> Option<(Place, String)> {
    let jobs = root.get("jobs")?.entries();
    let twice = twice(root.entries()).or_else(|| twice(jobs));
    twice
        .map(|entry| (entry.key_place, format!("has `{}` twice", entry.key)))
        .or_else(|| {
            let names = jobs.iter().map(|job| job.key.as_str()).collect();
            jobs.iter().find_map(|entry| of_job(entry, &names))
        })
        .or_else(|| circle(jobs))
        .map(|(place, why)| (place, format!("{why}, which GitHub refuses: put that right")))
}

/// Why GitHub refuses to call a workflow of the same repository.
pub(super) fn why_not_called(path: &str, root: &Node) -> Option<String> {
    let on = root.get("on")?;
    let is_callable = on.texts().contains(&"workflow_call") || on.get("workflow_call").is_some();
    let why = if dir(path) != ".github/workflows" {
        "is not in .github/workflows".to_owned()
    } else if !is_callable {
        "does not begin by `workflow_call`".to_owned()
    } else {
        return why(root).map(|(_, why)| format!("the workflow `{path}` {why}"));
    };
    Some(format!("the workflow `{path}` {why}, so that GitHub does not call it"))
}

fn of_job(entry: &Entry, names: &BTreeSet<&str>) -> Option<(Place, String)> {
    let (name, job) = (&entry.key, &entry.value);
    if let Some(twice) = twice(job.entries()) {
        return Some((twice.key_place, format!("has `{}` twice in the job `{name}`", twice.key)));
    }
    if let Some(needs) = job.get("needs")
        && let Some(missing) = needs.texts().into_iter().find(|need| !names.contains(need))
    {
        let why = format!("has the job `{name}` need `{missing}`, which is not there");
        return Some((needs.place, why));
    }
    if let (Some(uses), Some(_)) = (job.get("uses"), job.get("steps")) {
        return Some((
            uses.place,
            format!("has the job `{name}` both call a workflow and do steps"),
        ));
    }
    let is_said = |key: &str| job.get(key).is_some_and(|node| !node.is_null());
    if !is_said("uses") && !is_said("runs-on") {
        let why = format!("has the job `{name}` without `runs-on`, so that nothing runs it");
        return Some((entry.key_place, why));
    }
    job.get("steps").map(Node::items).unwrap_or_default().iter().find_map(|step| {
        let why = match (step.get("run"), step.get("uses")) {
            (Some(_), Some(_)) => "both `run` and `uses`",
            _ if twice(step.entries()).is_some() => "a key twice",
            _ => return None,
        };
        Some((step.place, format!("has a step of the job `{name}` with {why}")))
    })
}

fn twice(entries: &[Entry]) -> Option<&Entry> {
    let mut seen = BTreeSet::new();
    entries.iter().find(|entry| !seen.insert(entry.key.as_str()))
}

/// Jobs that need each other.
fn circle(jobs: &[Entry]) -> Option<(Place, String)> {
    let needs = |entry: &Entry| -> Vec<String> {
        let all = entry.value.get("needs").map(Node::texts).unwrap_or_default();
        all.into_iter().map(str::to_owned).collect()
    };
    let all: Vec<_> = jobs.iter().map(|entry| (entry.key.clone(), needs(entry))).collect();
    let mut done = BTreeSet::new();
    for at in gather::in_order(&all) {
        let (name, needs) = &all[at];
        if needs.iter().any(|need| !done.contains(need)) {
            let why = format!("has jobs that wait for each other, `{name}` among them");
            return Some((jobs[at].key_place, why));
        }
        done.insert(name.clone());
    }
    None
}
