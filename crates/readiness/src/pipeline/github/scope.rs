//! What the names in expressions mean on an ordinary occasion.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::super::{Occasion, Occasions, Runs};
use super::expression::{Names, Value, interpolate};
use super::known::Known;
use crate::shell::UNKNOWN;
use crate::yaml::Node;

/// What an ordinary person writes about an ordinary change.
const MESSAGE: &str = "Change something";

/// A job that another one needs.
#[derive(Debug, Clone)]
pub(super) struct Needed {
    pub(super) runs: Occasions,
    /// The names of its outputs; none when another file has them.
    pub(super) outputs: Option<BTreeSet<String>>,
}

/// The values of names at one place of a workflow.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Of texts that stand the same on all occasions there is none.
    pub(super) occasion: Option<Occasion>,
    pub(super) main: String,
    pub(super) env: BTreeMap<String, Value>,
    pub(super) matrix: BTreeMap<String, Value>,
    /// Whether the job has a matrix that is known whole.
    pub(super) matrix_known: bool,
    /// What was given to the workflow or action; `None` when it was not called.
    pub(super) inputs: Option<BTreeMap<String, Value>>,
    pub(super) os: Option<&'static str>,
    pub(super) arch: Option<&'static str>,
    pub(super) known: Rc<Known>,
    pub(super) needs: Rc<BTreeMap<String, Needed>>,
    /// When the steps before this one that have an id run.
    pub(super) steps: Rc<BTreeMap<String, Occasions>>,
    /// When the schedules of the workflow are due.
    pub(super) schedules: Rc<[String]>,
}

impl Scope {
    pub(super) fn on(&self, occasion: Occasion) -> Self {
        Self { occasion: Some(occasion), ..self.clone() }
    }

    /// On which machine a job runs.
    pub(super) fn machine(&mut self, job: &Node) {
        let label = job
            .get("runs-on")
            .map(|on| on.get("labels").unwrap_or(on).texts().join(" "))
            .unwrap_or_default();
        let label = interpolate(&label, self, UNKNOWN);
        self.os = [("ubuntu", "Linux"), ("windows", "Windows"), ("macos", "macOS")]
            .into_iter()
            .find(|(word, _)| label.contains(word))
            .map(|(_, os)| os);
        // Which processor a Mac has, its label does not say.
        self.arch = match self.os {
            Some("Linux" | "Windows") if label.contains("arm") => Some("ARM64"),
            Some("Linux" | "Windows") => Some("X64"),
            _ => None,
        };
    }

    fn github(&self, path: &[&str]) -> Value {
        let text = |text: &str| Value::Text(text.to_owned());
        match path {
            ["repository" | "repository_id"]
            | ["event", "repository", "full_name" | "id"]
            | ["event", "pull_request", "base", "repo", "full_name" | "id"] => {
                return Value::Repository;
            }
            ["repository_owner"] | ["event", "repository", "owner", "login"] => {
                return Value::Owner;
            }
            ["event", "repository", "fork"] => return Value::Bool(false),
            ["event", "repository", "default_branch"] => return text(&self.main),
            // Whether it is private is a setting.
            ["event", "repository", "private" | "visibility"] | ["ref_protected"] => {
                return Value::Setting;
            }
            ["actor" | "triggering_actor"] | ["event", "sender", "login"] => return Value::Person,
            ["event", "sender", "type"] => return text("User"),
            ["server_url"] => return text("https://github.com"),
            ["workspace"] => return text("."),
            ["run_attempt"] => return text("1"),
            ["sha" | "run_id" | "run_number" | "token" | "workflow" | "job" | "event"] => {
                return Value::Something;
            }
            _ => {}
        }
        let Some(occasion) = self.occasion else { return Value::Unknown };
        match path {
            ["event_name"] => text(event_name(occasion)),
            ["ref"] => text(&self.reference(occasion)),
            ["ref_name"] => {
                let reference = self.reference(occasion);
                text(reference.splitn(3, '/').nth(2).unwrap_or_default())
            }
            ["ref_type"] => text(if is_tag(occasion) { "tag" } else { "branch" }),
            ["base_ref"] => text(if occasion == Occasion::PullRequest { &self.main } else { "" }),
            ["head_ref"] => text(if occasion == Occasion::PullRequest { "topic" } else { "" }),
            ["event", "schedule"] if occasion == Occasion::Schedule => {
                Value::OneOf(self.schedules.to_vec())
            }
            ["event", rest @ ..] => event(occasion, rest, &self.main),
            _ => Value::Unknown,
        }
    }

    /// What became of a job or a step that this one comes after.
    fn outcome(&self, runs: Option<&Occasions>) -> Value {
        let is_skipped = |on| runs.is_some_and(|runs| *runs.on(on) == Runs::No);
        match runs {
            None => Value::Null,
            Some(_) if self.occasion.is_some_and(is_skipped) => Value::Text("skipped".into()),
            Some(_) => Value::Text("success".into()),
        }
    }

    /// What one that this one comes after hands on.
    fn output(&self, runs: &Occasions) -> Value {
        match self.occasion {
            Some(occasion) if *runs.on(occasion) == Runs::No => Value::Null,
            _ => Value::Open,
        }
    }

    fn reference(&self, occasion: Occasion) -> String {
        match occasion {
            Occasion::PullRequest => "refs/pull/1/merge".into(),
            Occasion::MergeQueue => format!("refs/heads/gh-readonly-queue/{}/pr-1", self.main),
            Occasion::Branch => "refs/heads/topic".into(),
            Occasion::ReleaseBranch => "refs/heads/release/1.0".into(),
            Occasion::Tag | Occasion::Release => "refs/tags/v1.0.0".into(),
            Occasion::Main | Occasion::Schedule | Occasion::Manual | Occasion::Other => {
                format!("refs/heads/{}", self.main)
            }
        }
    }
}

fn is_tag(occasion: Occasion) -> bool {
    matches!(occasion, Occasion::Tag | Occasion::Release)
}

fn event_name(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::PullRequest => "pull_request",
        Occasion::MergeQueue => "merge_group",
        Occasion::Main | Occasion::Branch | Occasion::ReleaseBranch | Occasion::Tag => "push",
        Occasion::Release => "release",
        Occasion::Schedule => "schedule",
        Occasion::Manual => "workflow_dispatch",
        Occasion::Other => "repository_dispatch",
    }
}

fn event(occasion: Occasion, path: &[&str], main: &str) -> Value {
    let is_pull_request = occasion == Occasion::PullRequest;
    match path {
        ["pull_request", ..] if !is_pull_request => Value::Null,
        ["pull_request"]
        | [
            "pull_request",
            "number" | "id" | "node_id" | "url" | "html_url" | "head" | "base" | "user",
        ]
        | ["pull_request", "head" | "base", "sha" | "repo"] => Value::Something,
        ["pull_request", "user", "type"] => Value::Text("User".into()),
        ["number"] if is_pull_request => Value::Something,
        ["pull_request", "draft" | "merged"]
        | ["pull_request", "head", "repo", "fork"]
        | ["deleted" | "created" | "forced"] => Value::Bool(false),
        ["pull_request", "labels", ..] => Value::List(Vec::new()),
        ["pull_request", "head", "repo", "full_name" | "id"]
        | ["workflow_run", "head_repository", "full_name"] => Value::Repository,
        ["pull_request", "head", "repo", "owner", "login"]
        | ["pull_request", "head", "user", "login"] => Value::Owner,
        ["pull_request", "user", "login"]
        | ["pusher", "name" | "email"]
        | ["head_commit", "author" | "committer", "name" | "username" | "email"] => Value::Person,
        ["pull_request", "base", "ref"] | ["workflow_run", "head_branch"] => {
            Value::Text(main.to_owned())
        }
        ["pull_request", "head", "ref"] => Value::Text("topic".into()),
        ["pull_request", "title" | "body"]
        | ["head_commit", "message"]
        | ["commits", "0", "message"] => Value::Text(MESSAGE.into()),
        ["commits", "*", "message"] => Value::List(vec![Value::Text(MESSAGE.into())]),
        // A workflow that follows another one follows its success on main.
        ["workflow_run", "conclusion"] => Value::Text("success".into()),
        ["workflow_run", "event"] => Value::Text("push".into()),
        ["action"] if is_pull_request => Value::Text("synchronize".into()),
        ["action"] if occasion == Occasion::Release => Value::Text("published".into()),
        ["label" | "comment" | "issue", ..] => Value::Null,
        ["release", "prerelease" | "draft"] if occasion == Occasion::Release => Value::Bool(false),
        ["release", ..] if occasion != Occasion::Release => Value::Null,
        ["inputs", ..] if occasion != Occasion::Manual => Value::Null,
        _ => Value::Unknown,
    }
}

impl Names for Scope {
    fn value(&self, path: &[String]) -> Value {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["github", rest @ ..] => self.github(rest),
            // Programs that run workflows elsewhere set it; GitHub does not.
            ["env", "ACT"] if !self.env.contains_key("ACT") => Value::Null,
            ["env", name] => self.env.get(*name).cloned().unwrap_or(Value::Unknown),
            ["matrix", name, rest @ ..] => {
                let key = [&[*name], rest].concat().join(".");
                let missing = if self.matrix_known { Value::Null } else { Value::Unknown };
                self.matrix.get(&key).cloned().unwrap_or(missing)
            }
            ["inputs", name] => match &self.inputs {
                Some(inputs) => inputs.get(*name).cloned().unwrap_or(Value::Null),
                None if self.occasion.is_some_and(|occasion| occasion != Occasion::Manual) => {
                    Value::Null
                }
                None => Value::Unknown,
            },
            ["secrets", "GITHUB_TOKEN"] | ["runner", "name" | "temp" | "tool_cache"] => {
                Value::Something
            }
            ["vars" | "secrets", ..] => Value::Setting,
            ["needs", "*", "result"] => {
                let results = self.needs.values().map(|needed| self.outcome(Some(&needed.runs)));
                Value::List(results.collect())
            }
            ["needs", job, "result"] => self.outcome(self.needs.get(*job).map(|job| &job.runs)),
            ["needs", job, "outputs", name, ..] => match self.needs.get(*job) {
                Some(Needed { outputs: Some(all), .. }) if !all.contains(*name) => Value::Null,
                Some(needed) => self.output(&needed.runs),
                None => Value::Null,
            },
            ["needs", job] | ["needs", job, "outputs"] if self.needs.contains_key(*job) => {
                Value::Something
            }
            ["steps", step, "outcome" | "conclusion"] => self.outcome(self.steps.get(*step)),
            ["steps", step, "outputs", _, ..] => {
                self.steps.get(*step).map_or(Value::Null, |runs| self.output(runs))
            }
            ["job", "status"] => Value::Text("success".into()),
            ["runner", "os"] => self.os.map_or(Value::Unknown, |os| Value::Text(os.into())),
            ["runner", "arch"] => self.arch.map_or(Value::Unknown, |one| Value::Text(one.into())),
            _ => Value::Unknown,
        }
    }

    fn is_called(&self, name: &str) -> bool {
        self.known.is_called(name)
    }

    fn has_file(&self, pattern: &str) -> bool {
        self.known.has_file(pattern)
    }
}
