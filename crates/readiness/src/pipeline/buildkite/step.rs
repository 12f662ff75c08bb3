//! The steps of a pipeline, in order: commands, blocks, groups, triggers.

use std::collections::BTreeMap;

use super::super::gitlab::after;
use super::super::{Does, Job, Occasion, Occasions, Runs, Script, Step, TOO_MUCH};
use super::Reader;
use super::plugin::{self, Runner};
use crate::finding::Place;
use crate::shell::{Blocking, Options, UNKNOWN};
use crate::tree::{Tree, has_end};
use crate::yaml::Node;

/// Groups in groups; Buildkite itself has one level.
const GROUPS_MAX: usize = 4;

/// Most cells of a matrix; of a larger one the values are not known.
const CELLS_MAX: usize = 64;

/// Variables that are kept.
const ENV_MAX: usize = 500;

/// Adds the values of an `env`.
pub(super) fn extend(env: &mut BTreeMap<String, String>, node: Option<&Node>) {
    for entry in node.map(Node::entries).unwrap_or_default() {
        if env.len() < ENV_MAX {
            env.insert(entry.key.clone(), entry.value.text().unwrap_or_default().to_owned());
        }
    }
}

/// `soft_fail`: whether a failure of the step is one of the build.
fn soft(step: &Node) -> Blocking {
    let Some(node) = step.get("soft_fail") else { return Blocking::Yes };
    let statuses: Vec<&str> = node
        .items()
        .iter()
        .filter_map(|item| item.get("exit_status").unwrap_or(item).text())
        .collect();
    if node.truth() == Some(true) {
        Blocking::No("`soft_fail: true`".into())
    } else if statuses.iter().any(|status| matches!(*status, "*" | "1")) {
        Blocking::No("`soft_fail` lets it fail".into())
    } else if statuses.is_empty() {
        Blocking::Yes
    } else {
        Blocking::Unsure(format!("`soft_fail` lets it fail with {}", statuses.join(", ")))
    }
}

/// The values of a matrix, by the names that steps call them.
fn cells(step: &Node) -> Vec<Vec<(String, String)>> {
    let Some(matrix) = step.get("matrix") else { return vec![Vec::new()] };
    let setup = matrix.get("setup").unwrap_or(matrix);
    let axes: Vec<(String, Vec<&str>)> = if setup.is_map() {
        let axes = setup.entries().iter();
        axes.map(|entry| (format!("matrix.{}", entry.key), entry.value.texts())).collect()
    } else {
        vec![("matrix".to_owned(), setup.texts())]
    };
    let mut all: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for (name, values) in axes {
        if values.is_empty() || all.len() * values.len() > CELLS_MAX {
            return vec![Vec::new()];
        }
        all = all
            .iter()
            .flat_map(|cell| {
                values.iter().map(|value| {
                    let mut next = cell.clone();
                    next.push((name.clone(), (*value).to_owned()));
                    next
                })
            })
            .collect();
    }
    all
}

/// A text with the values of a cell in place of `{{matrix.x}}`.
fn filled(text: &str, cell: &[(String, String)]) -> String {
    if !text.contains("{{") {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        out.push_str(before);
        match cell.iter().find(|(known, _)| known == name.trim()) {
            Some((_, value)) => out.push_str(value),
            None if name.trim().starts_with("matrix") => out.push(UNKNOWN),
            None => out.extend(["{{", name, "}}"]),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Whether an ordinary change touches what `if_changed` asks for.
fn touched(step: &Node, tree: &Tree) -> Runs {
    let Some(node) = step.get("if_changed") else { return Runs::Yes };
    let patterns = node.get("include").unwrap_or(node).texts();
    // `{a,b}` is not read; an ordinary change touches one of them.
    if patterns.iter().any(|pattern| pattern.contains('{')) {
        return Runs::Yes;
    }
    let is_code = |path: &str| !has_end(path, "md") && !path.starts_with("docs/");
    match tree.has_fitting(&patterns, is_code) {
        Some(true) => Runs::Yes,
        Some(false) => Runs::No,
        None => Runs::Unsure(TOO_MUCH.into()),
    }
}

/// What surrounds a step.
pub(super) struct Around<'a> {
    pub(super) file: &'a str,
    pub(super) runs: Occasions,
    pub(super) blocking: Blocking,
}

impl Reader<'_> {
    /// Reads steps one after the other. `gate` says when nobody has to say yes first.
    pub(super) fn list(
        &mut self,
        file: &str,
        steps: &[Node],
        runs: &Occasions,
        blocking: &Blocking,
        gate: &mut Occasions,
    ) {
        let around = Around { file, runs: runs.clone(), blocking: blocking.clone() };
        self.steps(steps, &around, gate, 0);
    }

    fn steps(&mut self, steps: &[Node], around: &Around<'_>, gate: &mut Occasions, depth: usize) {
        for step in steps {
            if self.cut {
                return;
            }
            // `command: {command: …}` is the step itself.
            let nested = ["command", "commands", "script", "block", "input", "trigger", "group"];
            let step = nested
                .iter()
                .find_map(|key| step.get(key).filter(|inner| inner.is_map()))
                .unwrap_or(step);
            self.one(step, around, gate, depth);
        }
    }

    fn one(&mut self, step: &Node, around: &Around<'_>, gate: &mut Occasions, depth: usize) {
        let kind = step.text().or_else(|| step.get("type").and_then(Node::text));
        let has = |key: &str| step.entry(key).is_some();
        let skipped = step
            .get("skip")
            .is_some_and(|skip| skip.truth() != Some(false) && skip.text().is_some());
        if skipped || has("wait") || has("waiter") || matches!(kind, Some("wait" | "waiter")) {
            return;
        }
        let touched = touched(step, self.tree);
        let own = around.runs.and(&self.build().runs(step));
        let own = own.and(&Occasions::from_fn(|_| touched.clone()));
        let mut before = self.before(step, gate);
        let blocks = has("block") || has("manual") || matches!(kind, Some("block" | "manual"));
        if blocks || has("input") || kind == Some("input") {
            before = closed(&before, &own);
            if blocks {
                *gate = closed(gate, &own);
            }
        }
        if let Some(key) = ["key", "id", "identifier"].iter().find_map(|key| step.get(key)?.text())
        {
            self.gates.insert(key.to_owned(), before.clone());
        }
        let around = Around {
            file: around.file,
            runs: own.and(&before),
            blocking: around.blocking.and(&soft(step)),
        };
        if let Some(inner) = step.get("steps").filter(|_| has("group")) {
            if depth < GROUPS_MAX {
                let mut gate = before;
                self.steps(inner.items(), &around, &mut gate, depth + 1);
            }
        } else if has("trigger") {
            self.trigger(step, &around);
        } else if !blocks && !has("input") {
            self.command(step, &around);
        }
    }

    /// On which occasions nobody has to say yes before a step: by what it names, or by what stands before it.
    fn before(&self, step: &Node, gate: &Occasions) -> Occasions {
        if step.entry("depends_on").is_none() {
            return gate.clone();
        }
        let open = Occasions::from_fn(|_| Runs::Yes);
        needs(step)
            .iter()
            .filter_map(|key| self.gates.get(key))
            .fold(open, |all, gate| all.and(gate))
    }

    fn trigger(&mut self, step: &Node, around: &Around<'_>) {
        let name = step.get("trigger").and_then(Node::text).unwrap_or("another one");
        let blocking = if step.get("async").and_then(Node::truth) == Some(true) {
            Blocking::No("it does not wait for what becomes of the other pipeline".into())
        } else {
            around.blocking.clone()
        };
        let why = format!("it starts the pipeline `{name}` of Buildkite, which no file here shows");
        self.opaque(around.file, step.place, &around.runs, &blocking, why);
    }

    fn command(&mut self, step: &Node, around: &Around<'_>) {
        let label = ["label", "name", "key"].iter().find_map(|key| step.get(key)?.text());
        let mut job = Job::new(label.unwrap_or_default(), around.file, step.place);
        job.needs = needs(step);
        job.always = step.get("allow_dependency_failure").and_then(Node::truth) == Some(true);
        let commands = ["commands", "command", "script"].iter().find_map(|key| step.get(key));
        let lines: Vec<&Node> = match commands {
            Some(node) if node.is_list() => node.items().iter().collect(),
            Some(node) => vec![node],
            None => Vec::new(),
        };
        let plugins = plugin::of(self.tree, step);
        job.services = plugins.services;
        let mut uploads = Vec::new();
        for cell in cells(step) {
            let mut env = self.env.clone();
            extend(&mut env, step.get("env"));
            for value in env.values_mut() {
                *value = filled(value, &cell);
            }
            env.retain(|_, value| !value.contains('$') && !value.contains(UNKNOWN));
            let mut dir = Some(String::new());
            for line in &lines {
                let Some(text) = line.text() else { continue };
                let text = filled(text, &cell).replace("$$", "$");
                let script = Script {
                    text,
                    line: line.lines_start(self.tree.text(around.file).unwrap_or_default()),
                    literal: line.is_literal(),
                    options: Options { errexit: true, pipefail: false },
                    vars: env.clone(),
                    dir: dir.clone(),
                };
                dir = after(&script);
                uploads.extend(self.uploads(&script, line.place, around));
                self.push(&mut job, made(around, line.place, Does::Script(script)));
            }
        }
        for runner in plugins.runs {
            let (place, does) = match runner {
                Runner::Command(place, text) => {
                    (place, Does::Script(plugin::script(text, place, &self.env)))
                }
                Runner::Opaque(place, why) => (place, Does::Opaque(why)),
            };
            self.push(&mut job, made(around, place, does));
        }
        if !job.steps.is_empty() {
            self.jobs.push(job);
        }
        for upload in uploads {
            self.follow(&upload, around);
        }
    }
}

fn made(around: &Around<'_>, place: Place, does: Does) -> Step {
    Step {
        file: around.file.to_owned(),
        place,
        runs: around.runs.clone(),
        blocking: around.blocking.clone(),
        does,
    }
}

/// The keys of `depends_on`.
fn needs(step: &Node) -> Vec<String> {
    let Some(node) = step.get("depends_on") else { return Vec::new() };
    let mut all: Vec<String> = node.texts().into_iter().map(str::to_owned).collect();
    let steps = node.items().iter().filter_map(|item| item.get("step")?.text());
    all.extend(steps.map(str::to_owned));
    all
}

/// Where a step waits for a person, nothing behind it comes by itself.
fn closed(gate: &Occasions, waits: &Occasions) -> Occasions {
    Occasions::from_fn(|on| match (gate.on(on), waits.on(on)) {
        (open, Runs::No) => open.clone(),
        (Runs::No, _) => Runs::No,
        _ if on == Occasion::Manual => Runs::Yes,
        (_, Runs::Unsure(why)) => Runs::Unsure(why.clone()),
        (_, Runs::Yes) => Runs::No,
    })
}
