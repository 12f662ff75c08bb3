//! Steps of a job, with the templates that they come from.

use std::collections::BTreeMap;

use super::super::{Does, Occasions, Runs, Script, Step};
use super::scope::{self, Scope, environment, expanded};
use super::stage::Reader;
use super::task::{self, Made};
use super::template::DEPTH_MAX;
use super::view::{Variables, View};
use crate::shell::{Blocking, Options, UNKNOWN};
use crate::tree::join;
use crate::yaml::Kind;

/// How the agent runs a script: what its last command says counts, and what fails before it does not.
const SHELL: Options = Options { errexit: false, pipefail: false };

/// Keys of steps that fetch or keep files and do nothing else.
const FILES: [&str; 6] =
    ["checkout", "download", "downloadBuild", "publish", "getPackage", "reviewApp"];

/// What the steps of a job share, and what was read of them.
pub(super) struct Inside<'s, 'a> {
    pub(super) runs: Runs,
    pub(super) blocking: Blocking,
    pub(super) variables: Variables<'a>,
    /// The jobs that this one waits for.
    pub(super) needed: &'s [(String, Runs)],
    pub(super) depth: usize,
    /// A person has to say yes before it goes on.
    pub(super) waits: bool,
    pub(super) steps: Vec<Step>,
}

impl<'a> Reader<'a> {
    pub(super) fn steps(&mut self, list: &View<'a>, inside: &mut Inside<'_, 'a>) {
        let first = inside.steps.len();
        let runs = inside.runs.clone();
        for item in list.items() {
            if !self.run.spend() {
                break;
            }
            inside.runs = runs.and(&item.is_there());
            let item = item.sure();
            if matches!(item.node.kind, Kind::Scalar { .. }) {
                if item.text().is_some_and(|text| !text.is_empty()) {
                    let why = "steps are put in that are only known when it runs".to_owned();
                    let step = self.step(&item, &item, inside, Does::Opaque(why));
                    inside.steps.push(step);
                }
            } else if item.get("template").is_some() {
                self.included(&item, inside);
            } else {
                self.one(&item, inside);
            }
        }
        inside.runs = runs;
        break_on_findings(&mut inside.steps[first..]);
    }

    fn included(&mut self, item: &View<'a>, inside: &mut Inside<'_, 'a>) {
        let opaque = match self.template(item) {
            Ok(_) if inside.depth >= DEPTH_MAX => {
                format!("templates include each other more than {DEPTH_MAX} times")
            }
            Ok(inner) => match inner.get("steps") {
                Some(steps) => {
                    inside.depth += 1;
                    self.steps(&steps, inside);
                    inside.depth -= 1;
                    return;
                }
                None => format!("the template `{}` has no steps", inner.around.file),
            },
            Err(why) => why,
        };
        let at = item.get("template").unwrap_or_else(|| item.clone());
        let step = self.step(item, &at, inside, Does::Opaque(opaque));
        inside.steps.push(step);
    }

    fn one(&mut self, item: &View<'a>, inside: &mut Inside<'_, 'a>) {
        let scripts = ["script", "bash", "pwsh", "powershell"];
        if let Some(at) = scripts.iter().find_map(|key| item.get(key)) {
            let dir = self.dir(item.text_at("workingDirectory").as_deref(), inside);
            let text = expanded(&at.text().unwrap_or_default(), &inside.variables, self.run);
            let set = set_while_running(&text);
            let script = self.script(item, &at, text, dir, inside);
            let step = self.step(item, &at, inside, Does::Script(script));
            if *step.runs.on(self.run.occasion) != Runs::No {
                for name in &set {
                    scope::forget(&mut inside.variables, name);
                }
            }
            inside.steps.push(step);
        } else if let Some(at) = item.get("task") {
            self.task(item, &at, inside);
        } else if !FILES.iter().any(|key| item.get(key).is_some()) && !item.entries().is_empty() {
            let why = "a step of a kind that is not known".to_owned();
            let step = self.step(item, item, inside, Does::Opaque(why));
            inside.steps.push(step);
        }
    }

    fn task(&mut self, item: &View<'a>, at: &View<'a>, inside: &mut Inside<'_, 'a>) {
        let given = item.get("inputs").map(|inputs| inputs.entries()).unwrap_or_default();
        let inputs: BTreeMap<String, String> = given
            .into_iter()
            .map(|(name, value)| {
                let text = value.text().unwrap_or_default();
                (name.to_ascii_lowercase(), expanded(&text, &inside.variables, self.run))
            })
            .collect();
        let does = match task::made(&at.text().unwrap_or_default(), inputs, self.run.tree) {
            Made::Nothing => return,
            Made::Waits => {
                inside.waits = true;
                return;
            }
            Made::Does(does) => does,
            Made::Commands { text, dir, input } => {
                // A script among the inputs has lines of its own.
                let own = input.and_then(|name| {
                    let given = item.get("inputs")?.entries();
                    given.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name))
                });
                let dir = self.dir(dir.as_deref(), inside);
                let shown = own.as_ref().map_or(at, |(_, value)| value);
                let script = self.script(item, shown, text, dir, inside);
                let step = self.step(item, shown, inside, Does::Script(script));
                inside.steps.push(step);
                return;
            }
        };
        let step = self.step(item, at, inside, does);
        inside.steps.push(step);
    }

    /// A directory from the root.
    fn dir(&self, given: Option<&str>, inside: &Inside<'_, 'a>) -> Option<String> {
        let given = expanded(given.unwrap_or_default(), &inside.variables, self.run);
        let given = given.replace('\\', "/");
        if given.contains(UNKNOWN) || given.contains("$(") || given.starts_with('/') {
            return None;
        }
        join("", &given)
    }

    fn script(
        &self,
        item: &View<'a>,
        at: &View<'a>,
        text: String,
        dir: Option<String>,
        inside: &Inside<'_, 'a>,
    ) -> Script {
        let source = self.run.tree.text(at.around.file).unwrap_or_default();
        let mut vars = environment(&inside.variables);
        for (name, value) in item.get("env").map(|env| env.entries()).unwrap_or_default() {
            let value = expanded(&value.text().unwrap_or_default(), &inside.variables, self.run);
            if !value.contains(UNKNOWN) && !value.contains("$(") {
                vars.insert(name, value);
            }
        }
        let bytes: usize = vars.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.run.spend_for(text.len() + bytes);
        let stops = text.contains("PSNativeCommandUseErrorActionPreference = $true");
        Script {
            text,
            line: at.node.lines_start(source),
            literal: at.node.is_literal(),
            options: Options { errexit: stops, ..SHELL },
            vars,
            dir,
        }
    }

    /// A step of `item` that is shown at a place of it.
    fn step(&self, item: &View<'a>, at: &View<'a>, inside: &Inside<'_, 'a>, does: Does) -> Step {
        let scope = Scope {
            around: &item.around,
            variables: &inside.variables,
            needed: &[],
            outer: inside.needed,
        };
        let mut own = scope::runs(item.get("condition").as_ref(), &scope);
        if item.get("enabled").is_some_and(|enabled| matches!(enabled.value().truth(), Ok(false))) {
            own = Runs::No;
        }
        let runs = inside.runs.and(&own);
        let blocking = scope::blocking(item.get("continueOnError").as_ref());
        let blocking = inside.blocking.and(&blocking).and(&ignored(item));
        Step {
            file: at.around.file.to_owned(),
            place: at.node.place,
            runs: Occasions::only(self.run.occasion, runs),
            blocking,
            does,
        }
    }
}

/// PowerShell may be told to look at no status of a program.
fn ignored(item: &View<'_>) -> Blocking {
    let own = item.get("ignoreLASTEXITCODE");
    let given = || {
        let all = item.get("inputs").map(|inputs| inputs.entries()).unwrap_or_default();
        let mut all = all.into_iter();
        all.find(|(key, _)| key.eq_ignore_ascii_case("ignoreLASTEXITCODE")).map(|(_, value)| value)
    };
    let Some(told) = own.or_else(given) else { return Blocking::Yes };
    match told.text().unwrap_or_default().to_ascii_lowercase().as_str() {
        "false" => Blocking::Yes,
        "true" => Blocking::No("`ignoreLASTEXITCODE: true`".into()),
        _ => Blocking::Unsure("`ignoreLASTEXITCODE` is decided when it runs".into()),
    }
}

/// Variables that a script sets for the steps behind it.
fn set_while_running(text: &str) -> Vec<String> {
    let named = |rest: &str| {
        let end = rest.find([';', ']']).unwrap_or(rest.len());
        rest[..end].trim().to_owned()
    };
    text.split("task.setvariable variable=").skip(1).map(named).collect()
}

/// `PostAnalysis` fails because of what scanners before it found, which they themselves do not.
fn break_on_findings(steps: &mut [Step]) {
    let breaks = |step: &Step| {
        matches!(&step.does, Does::Uses { what, .. } if what.to_ascii_lowercase().starts_with("azure-task/postanalysis@"))
            && step.blocking == Blocking::Yes
    };
    let Some(last) = steps.iter().rposition(breaks) else { return };
    for step in &mut steps[..last] {
        if let Does::Uses { inputs, .. } = &mut step.does {
            inputs.insert("breaks".to_owned(), "true".to_owned());
        }
    }
}
