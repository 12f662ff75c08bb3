//! Azure Pipelines: every file that is a pipeline, with the templates of the same repository that it includes, read
//! once for each occasion. Templates of other repositories, variables and schedules that are set outside the files, and
//! approvals of environments are not in them.

mod directive;
mod expression;
mod find;
mod function;
mod names;
mod run;
mod scope;
mod stage;
mod step;
mod task;
mod template;
mod triggers;
mod view;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use self::find::Candidate;
use self::run::{Files, Run};
use self::stage::Reader;
use self::template::declared;
use self::view::{Around, Variables, View};
use super::gather::Gathered;
use super::{Pipeline, Pipelines, Unread};
use crate::finding::Evidence;
use crate::tree::Tree;

/// Most items of lists of all pipelines together, counted with what templates, loops and occasions repeat.
const PARTS_MAX: usize = 200_000;

/// Reads every pipeline. `main` is the name of the main branch, when it is known.
pub(super) fn read(tree: &Tree, main: Option<&str>, found: &mut Pipelines) {
    let files = Files::new(tree);
    let candidates = find::pipelines(tree, &files, found);
    let roots: Vec<_> = candidates.iter().map(|candidate| candidate.root).collect();
    let main = main.map_or_else(|| find::main_branch(&roots), str::to_owned);
    let forge = find::forge(tree, &roots);
    let left = Cell::new(PARTS_MAX);
    let (notes, unread) = (RefCell::new(BTreeSet::new()), RefCell::new(BTreeMap::new()));
    for Candidate { file, root, is_named } in candidates {
        let started = triggers::read(root, tree, &main, forge, is_named);
        let mut gathered = Gathered::default();
        for occasion in started.on.possible() {
            let run = Run {
                tree,
                files: &files,
                main: &main,
                occasion,
                started: &started,
                left: &left,
                notes: &notes,
                unread: &unread,
            };
            let around = Rc::new(Around {
                run: &run,
                file,
                parameters: Rc::new(BTreeMap::new()),
                variables: Variables::default(),
                each: Vec::new(),
                through: Rc::new(vec![file]),
            });
            let bare = View::new(root, around.clone());
            let parameters = Rc::new(declared(&bare));
            let root = View::new(root, Rc::new(Around { parameters, ..(*around).clone() }));
            let mut reader = Reader { run: &run, jobs: Vec::new() };
            reader.pipeline(&root, &Variables::default());
            for mut job in reader.jobs {
                for step in &mut job.steps {
                    step.runs = step.runs.and(&started.on);
                }
                gathered.add(job);
            }
        }
        if left.get() == 0 {
            let why = format!("the pipeline has more than {PARTS_MAX} parts with what is repeated");
            let evidence = Evidence::file(file, tree.text(file).unwrap_or_default());
            found.unread.push(Unread { evidence, why });
        }
        let jobs = gathered.jobs();
        if jobs.is_empty() {
            found.notes.push(format!("{file}: no jobs"));
        }
        found.all.push(Pipeline { file: file.to_owned(), triggers: started.on, jobs });
    }
    found.unread.extend(unread.into_inner().into_values());
    found.notes.extend(notes.into_inner());
}
