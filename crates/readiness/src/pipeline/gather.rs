//! Jobs of systems whose files come to something else on each occasion: they are read once for each, and put together
//! here.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::{Job, Step};
use crate::finding::Place;

/// Jobs that need each other, one after the other.
const CHAIN_MAX: usize = 200;

/// Jobs as they were on the occasions so far.
#[derive(Default)]
pub(super) struct Gathered {
    jobs: Vec<Job>,
    known: HashMap<(String, String, Place), usize>,
    /// The steps of a job by what they are; a matrix and a template repeat them.
    steps: HashMap<(usize, u64), Vec<usize>>,
}

impl Gathered {
    /// Adds a job as it is on one occasion. What it was on others stays.
    pub(super) fn add(&mut self, job: Job) {
        let key = (job.name.clone(), job.file.clone(), job.place);
        let at = *self.known.entry(key).or_insert_with(|| {
            self.jobs.push(Job { steps: Vec::new(), ..job.clone() });
            self.jobs.len() - 1
        });
        let known = &mut self.jobs[at];
        known.always |= job.always;
        known.services |= job.services;
        known.environment = known.environment.take().or(job.environment);
        for step in job.steps {
            let same = self.steps.entry((at, hash(&step))).or_default();
            let before = same.iter().find(|index| {
                let before = &known.steps[**index];
                before.file == step.file
                    && before.place == step.place
                    && before.blocking == step.blocking
                    && before.does == step.does
            });
            if let Some(index) = before {
                let runs = known.steps[*index].runs.or(&step.runs);
                known.steps[*index].runs = runs;
            } else {
                same.push(known.steps.len());
                known.steps.push(step);
            }
        }
    }

    pub(super) fn jobs(self) -> Vec<Job> {
        self.jobs
    }
}

/// What a step is, whenever it runs.
fn hash(step: &Step) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&step.file, step.place, &step.blocking, &step.does).hash(&mut hasher);
    hasher.finish()
}

/// The order in which to look at named things, each after those that it needs as far as they can be put so.
pub(super) fn in_order(all: &[(String, Vec<String>)]) -> Vec<usize> {
    let mut waiting: Vec<usize> = (0..all.len()).collect();
    let mut done = Vec::new();
    // As many rounds as the longest chain of what people write; a circle, and what is longer, comes as it stands.
    for _ in 0..CHAIN_MAX {
        let names: HashSet<&str> = waiting.iter().map(|at| all[*at].0.as_str()).collect();
        let ready = |at: &usize| all[*at].1.iter().all(|need| !names.contains(need.as_str()));
        let (next, rest): (Vec<usize>, Vec<usize>) = waiting.iter().copied().partition(ready);
        if next.is_empty() {
            break;
        }
        done.extend(next);
        waiting = rest;
    }
    done.extend(waiting);
    done
}
