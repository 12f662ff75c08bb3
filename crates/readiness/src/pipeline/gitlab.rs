//! `.gitlab-ci.yml` with what it includes from the same repository. Includes of other projects and of addresses are
//! unknown; of GitLab's own templates those that scan are known by their names, and that they allow failure.
//!
//! A branch's pipeline is shown on its merge request and holds it up, so that it counts as one of the merge request.

mod condition;
mod plan;
mod rules;
mod script;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use self::plan::Plan;
use self::rules::Variables;
pub(super) use self::script::after;
use super::{Does, Job, Occasion, Occasions, Pipeline, Pipelines, Runs, Step, Unread};
use crate::finding::{Evidence, Place};
use crate::shell::Blocking;
use crate::tree::Tree;
use crate::yaml::{self, Node};

const FILES: [&str; 2] = [".gitlab-ci.yml", ".gitlab-ci.yaml"];

/// Files that include each other; GitLab itself stops at 150.
const INCLUDES_MAX: usize = 150;

/// Jobs that extend each other; GitLab itself stops at eleven.
const EXTENDS_MAX: usize = 11;

/// Most jobs, lines and references to them of a pipeline.
const PARTS_MAX: usize = 50_000;

/// Keys of the file that are no jobs.
const GLOBAL: [&str; 12] = [
    "default",
    "include",
    "stages",
    "variables",
    "workflow",
    "image",
    "services",
    "before_script",
    "after_script",
    "cache",
    "types",
    "spec",
];

/// Reads the pipeline, when there is one.
pub(super) fn read(tree: &Tree, main: Option<&str>, found: &mut Pipelines) {
    let Some(file) = FILES.into_iter().find(|file| tree.has(file)) else { return };
    let mut reader = Reader {
        tree,
        main: main.unwrap_or("main"),
        merged: Config::new(),
        steps: Vec::new(),
        files: Vec::new(),
        left: Cell::new(PARTS_MAX),
        found,
    };
    reader.include(file);
    let (triggers, jobs) = reader.jobs(file);
    found.all.push(Pipeline { file: file.to_owned(), triggers, jobs });
}

/// What stands under a key, and in which file. Maps of one key are put together, the later one winning.
type Config = BTreeMap<String, (String, Node)>;

struct Reader<'a> {
    tree: &'a Tree,
    main: &'a str,
    merged: Config,
    /// What is included and cannot be read here.
    steps: Vec<Step>,
    files: Vec<String>,
    /// How much may still be put together.
    left: Cell<usize>,
    found: &'a mut Pipelines,
}

impl Reader<'_> {
    /// Puts a file and what it includes into the configuration. What includes wins over what is included.
    fn include(&mut self, file: &str) {
        if self.files.len() >= INCLUDES_MAX || self.files.iter().any(|known| known == file) {
            return;
        }
        self.files.push(file.to_owned());
        let text = self.tree.text(file).unwrap_or_default();
        let root = match yaml::documents(text) {
            // A first document with `spec` describes the inputs of the file.
            Ok(all) => all.into_iter().rfind(|root| !root.is_null()),
            Err(unread) => {
                let evidence = Evidence::at(file, text, unread.place);
                self.found
                    .unread
                    .push(Unread { evidence, why: format!("the pipeline {}", unread.why) });
                None
            }
        };
        let Some(root) = root else { return };
        if let Some(include) = root.get("include") {
            let one = std::slice::from_ref(include);
            let items = if include.is_list() { include.items() } else { one };
            for item in items {
                self.included(file, item);
            }
        }
        for entry in root.entries() {
            let value = match self.merged.get(&entry.key) {
                Some((_, before)) => merged(before, &entry.value),
                None => entry.value.clone(),
            };
            self.merged.insert(entry.key.clone(), (file.to_owned(), value));
        }
    }

    fn included(&mut self, file: &str, item: &Node) {
        let local = item
            .get("local")
            .or(Some(item))
            .and_then(Node::text)
            .filter(|text| !text.contains("://"));
        if let Some(path) = local {
            let pattern = path.trim_start_matches('/');
            let names: Vec<String> = if pattern.contains('*') {
                let paths = self.tree.paths();
                let fits = paths.filter(|path| self.tree.fits(pattern, path) == Some(true));
                fits.map(str::to_owned).collect()
            } else {
                self.tree.has(pattern).then(|| pattern.to_owned()).into_iter().collect()
            };
            if names.is_empty() {
                self.opaque(
                    file,
                    item.place,
                    format!("the included file `{path}` is not in the repository"),
                );
            }
            for name in &names {
                self.include(name);
            }
        } else if let Some(template) = item.get("template") {
            let name = template.text().unwrap_or_default().to_ascii_lowercase();
            let what = format!(
                "gitlab-template/{}",
                name.trim_end_matches(".gitlab-ci.yml").replace(".latest", "")
            );
            let blocking = Blocking::No("GitLab's template allows it to fail".into());
            let does = Does::Uses { what, inputs: BTreeMap::new() };
            self.step(file, template.place, blocking, does);
        } else {
            let what =
                ["project", "remote", "component"].iter().find_map(|key| item.get(key)?.text());
            let what = what.or(item.text()).unwrap_or("another place").to_owned();
            self.opaque(
                file,
                item.place,
                format!("what is included from `{what}` is not in the repository"),
            );
        }
    }

    fn opaque(&mut self, file: &str, place: Place, why: String) {
        self.step(file, place, Blocking::Yes, Does::Opaque(why));
    }

    fn step(&mut self, file: &str, place: Place, blocking: Blocking, does: Does) {
        let runs = Occasions::from_fn(|_| Runs::Yes);
        self.steps.push(Step { file: file.to_owned(), place, runs, blocking, does });
    }

    /// When the pipeline runs, and its jobs.
    fn jobs(&mut self, file: &str) -> (Occasions, Vec<Job>) {
        let global = Variables::of(self.merged.get("variables").map(|(_, node)| node), self.main);
        let triggers = match self.merged.get("workflow").and_then(|(_, node)| node.get("rules")) {
            Some(rules) => rules::of_workflow(rules, &global, self.tree),
            None => Occasions::from_fn(
                |occasion| if rules::exists(occasion) { Runs::Yes } else { Runs::No },
            ),
        };
        let mut plans = Vec::new();
        for name in self.merged.keys() {
            if name.starts_with('.') || GLOBAL.contains(&name.as_str()) {
                continue;
            }
            let config = self.extended(name, 0);
            if ["script", "trigger", "run"].iter().any(|key| config.contains_key(*key)) {
                plans.push(Plan::of(name, config, &triggers, &global, self.tree));
            }
        }
        let stages = self.merged.get("stages").map(|(_, node)| node.texts()).unwrap_or_default();
        plan::wait(&mut plans, &stages, !self.steps.is_empty());
        let mut jobs: Vec<Job> = plans.iter().map(|plan| self.job(file, plan, &global)).collect();
        if !self.steps.is_empty() {
            let steps = std::mem::take(&mut self.steps);
            let steps = steps
                .into_iter()
                .map(|step| Step { runs: on_merge_requests(&triggers), ..step })
                .collect();
            let name = "include".to_owned();
            jobs.push(Job {
                name,
                file: file.to_owned(),
                place: Place::START,
                needs: Vec::new(),
                always: false,
                environment: None,
                services: false,
                steps,
            });
        }
        (on_merge_requests(&triggers), jobs)
    }

    /// A job with what it extends. Maps are put together key by key.
    fn extended(&self, name: &str, depth: usize) -> Config {
        let mut config = Config::new();
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        let known = self.merged.get(name).filter(|_| depth < EXTENDS_MAX && left > 0);
        let Some((file, node)) = known else {
            return config;
        };
        let parents = node.get("extends").map(Node::texts).unwrap_or_default();
        let own = node
            .entries()
            .iter()
            .map(|entry| (entry.key.clone(), (file.clone(), entry.value.clone())));
        let layers = parents
            .into_iter()
            .map(|parent| self.extended(parent, depth + 1))
            .chain([own.collect()]);
        for layer in layers {
            for (key, (file, value)) in layer {
                let value = match config.get(&key) {
                    Some((_, before)) => merged(before, &value),
                    None => value,
                };
                config.insert(key, (file, value));
            }
        }
        config
    }

    fn job(&self, file: &str, plan: &Plan, global: &Variables) -> Job {
        let Plan { name, config, .. } = plan;
        let get = |key: &str| config.get(key).map(|(_, node)| node);
        let variables = global.with(get("variables"));
        let runs = on_merge_requests(&plan.runs);
        let (own_file, place) = self
            .merged
            .get(name)
            .map_or((file, Place::START), |(file, node)| (file.as_str(), node.place));
        let parts: Vec<(String, Node)> = ["before_script", "script"]
            .into_iter()
            .filter_map(|key| config.get(key).cloned().or_else(|| self.default(key)))
            .collect();
        let mut lines = Vec::new();
        for (file, node) in &parts {
            self.lines(file, node, &mut lines, 0);
        }
        let image = config.get("image").cloned().or_else(|| self.default("image"));
        let blocking = plan.blocking.and(&script::by_image(image.as_ref().map(|(_, node)| node)));
        let mut steps = script::steps(self.tree, &lines, &variables, &runs, &blocking);
        if let Some((file, node)) = config.get("trigger") {
            let does = Does::Opaque(format!("the job `{name}` starts another pipeline"));
            steps.push(Step { file: file.clone(), place: node.place, runs, blocking, does });
        }
        let environment = get("environment")
            .and_then(|node| node.get("name").unwrap_or(node).text())
            .map(str::to_owned);
        let needs = plan.needs.iter().flatten().map(|need| need.job.clone()).collect();
        let services = config.contains_key("services") || self.default("services").is_some();
        Job {
            name: name.to_owned(),
            file: own_file.to_owned(),
            place,
            needs,
            always: false,
            environment,
            services,
            steps,
        }
    }

    /// What every job has that says nothing else.
    fn default(&self, key: &str) -> Option<(String, Node)> {
        let in_default = self
            .merged
            .get("default")
            .and_then(|(file, node)| Some((file.clone(), node.get(key)?.clone())));
        in_default.or_else(|| self.merged.get(key).cloned())
    }

    /// The lines of a script with the files that they are in. Lists in lists are one list, and `!reference` is what it
    /// refers to.
    fn lines<'n>(
        &'n self,
        file: &'n str,
        node: &'n Node,
        lines: &mut Vec<(&'n str, &'n Node)>,
        depth: usize,
    ) {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        if depth > 10 || left == 0 {
            return;
        }
        if node.tag.as_deref() == Some("!reference") {
            let path = node.texts();
            let Some((job, keys)) = path.split_first() else { return };
            if let Some((file, target)) =
                self.merged.get(*job).and_then(|(file, node)| Some((file, node.at(keys)?)))
            {
                self.lines(file, target, lines, depth + 1);
            }
        } else if node.is_list() {
            node.items().iter().for_each(|item| self.lines(file, item, lines, depth + 1));
        } else if node.text().is_some() {
            lines.push((file, node));
        }
    }
}

/// A branch's pipeline holds up the merge request of that branch.
fn on_merge_requests(runs: &Occasions) -> Occasions {
    let mut all = runs.clone();
    let either = runs.on(Occasion::PullRequest).min(runs.on(Occasion::Branch)).clone();
    all.set(Occasion::PullRequest, either);
    all
}

/// Two maps as one, the later winning; of anything else the later one.
fn merged(before: &Node, after: &Node) -> Node {
    if !(before.is_map() && after.is_map()) {
        return after.clone();
    }
    let mut all = after.clone();
    if let yaml::Kind::Map(entries) = &mut all.kind {
        let own: HashMap<String, usize> =
            entries.iter().enumerate().map(|(at, entry)| (entry.key.clone(), at)).collect();
        for entry in before.entries() {
            match own.get(&entry.key) {
                Some(at) => entries[*at].value = merged(&entry.value, &entries[*at].value),
                None => entries.push(entry.clone()),
            }
        }
    }
    all
}
