//! When the jobs of a pipeline run, with those that they wait for: by `needs`, or else by the stages before theirs.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::{Occasion, Occasions, Runs, gather};
use super::Config;
use super::rules::{self, Variables, When};
use crate::shell::Blocking;
use crate::tree::Tree;
use crate::yaml::Node;

/// The stages when nothing is said.
const STAGES: [&str; 5] = [".pre", "build", "test", "deploy", ".post"];

/// A job that is needed.
#[derive(Debug, Clone)]
pub(super) struct Need {
    pub(super) job: String,
    is_optional: bool,
}

/// A job, before its script is read.
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) config: Config,
    pub(super) runs: Occasions,
    pub(super) blocking: Blocking,
    /// None when it waits for stages.
    pub(super) needs: Option<Vec<Need>>,
    stage: String,
    waits: Occasions,
}

impl Plan {
    pub(super) fn of(
        name: &str,
        config: Config,
        triggers: &Occasions,
        global: &Variables,
        tree: &Tree,
    ) -> Self {
        let get = |key: &str| config.get(key).map(|(_, node)| node);
        let own = get("when").and_then(Node::text);
        let allowed = get("allow_failure");
        let When { runs, waits, is_soft } = if let Some(rules) = get("rules") {
            rules::when(rules, own, &global.with(get("variables")), tree)
        } else {
            let on = rules::only(get("only"), get("except"), global.main());
            When::plain(&on, own, allowed.and_then(Node::truth) == Some(false))
        };
        let is_allowed =
            is_soft || allowed.is_some_and(|node| node.truth() == Some(true) || node.is_map());
        let other = allowed.and_then(Node::text).filter(|text| {
            !matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "no" | "off" | "n")
        });
        let blocking = match other {
            _ if is_allowed => Blocking::No("`allow_failure: true`".into()),
            Some(other) => Blocking::Unsure(format!(
                "`allow_failure: {}` is neither true nor false: write one of them",
                crate::finding::excerpt(other)
            )),
            None => Blocking::Yes,
        };
        let needs = get("needs").map(needs);
        let stage = get("stage").and_then(Node::text).unwrap_or("test").to_owned();
        let (runs, waits) = (runs.and(triggers), waits.and(triggers));
        Self { name: name.to_owned(), config, runs, blocking, needs, stage, waits }
    }
}

fn needs(node: &Node) -> Vec<Need> {
    let need = |item: &Node| {
        // What is needed of other pipelines is not looked at.
        let is_elsewhere = item.get("pipeline").or(item.get("project")).is_some();
        let job = item.get("job").unwrap_or(item).text().filter(|_| !is_elsewhere)?;
        let is_optional = item.get("optional").and_then(Node::truth) == Some(true);
        Some(Need { job: job.to_owned(), is_optional })
    };
    node.items().iter().filter_map(need).collect()
}

/// Lets each job run only when what it waits for does. `may_be_more`: some jobs are in files that are not read.
pub(super) fn wait(plans: &mut [Plan], stages: &[&str], may_be_more: bool) {
    by_stages(plans, stages);
    let names = |plan: &Plan| plan.needs.iter().flatten().map(|need| need.job.clone()).collect();
    let all: Vec<(String, Vec<String>)> =
        plans.iter().map(|plan| (plan.name.clone(), names(plan))).collect();
    let mut known: BTreeMap<String, Occasions> = BTreeMap::new();
    let order = gather::in_order(&all);
    let there: HashSet<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    for at in order {
        let plan = &mut plans[at];
        for need in plan.needs.iter().flatten().filter(|need| !need.is_optional) {
            let Need { job, .. } = need;
            if let Some(needed) = known.get(job) {
                plan.runs = plan.runs.and(needed);
            } else if there.contains(job.as_str()) || !may_be_more {
                let why =
                    if there.contains(job.as_str()) { "waits for it too" } else { "is not there" };
                let why = format!("it needs the job `{job}`, which {why}: GitLab refuses that");
                plan.runs = plan.runs.and(&Occasions::from_fn(|_| Runs::Unsure(why.clone())));
            }
        }
        known.insert(plan.name.clone(), plan.runs.clone());
    }
}

/// Behind a job that waits for a person, the later stages wait too.
fn by_stages(plans: &mut [Plan], stages: &[&str]) {
    let stages = if stages.is_empty() { &STAGES[..] } else { stages };
    // Of one that is there twice, the first.
    let places: HashMap<&str, usize> =
        stages.iter().enumerate().rev().map(|(at, stage)| (*stage, at + 1)).collect();
    let place = |stage: &str| match stage {
        ".pre" => 0,
        ".post" => stages.len() + 1,
        stage => places.get(stage).copied().unwrap_or(0),
    };
    let mut first: BTreeMap<Occasion, usize> = BTreeMap::new();
    for plan in &*plans {
        for occasion in plan.waits.possible() {
            let at = place(&plan.stage);
            first.entry(occasion).and_modify(|known| *known = at.min(*known)).or_insert(at);
        }
    }
    for plan in plans.iter_mut().filter(|plan| plan.needs.is_none()) {
        let at = place(&plan.stage);
        for (occasion, _) in first.iter().filter(|(_, first)| at > **first) {
            plan.runs.set(*occasion, Runs::No);
        }
    }
}
