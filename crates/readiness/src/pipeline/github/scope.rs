//! What the names in expressions mean on an ordinary occasion.

use std::collections::BTreeMap;

use super::super::Occasion;
use super::expression::{Names, Value};

/// What an ordinary person writes about an ordinary change.
const MESSAGE: &str = "Change something";

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
}

impl Scope {
    pub(super) fn on(&self, occasion: Occasion) -> Self {
        Self { occasion: Some(occasion), ..self.clone() }
    }

    fn github(&self, path: &[&str]) -> Value {
        let text = |text: &str| Value::Text(text.to_owned());
        match path {
            ["repository"] | ["event", "repository", "full_name"] => return Value::Repository,
            ["event", "repository", "fork"] => return Value::Bool(false),
            ["event", "repository", "default_branch"] => return text(&self.main),
            ["actor" | "triggering_actor"] | ["event", "sender", "login"] => return Value::Person,
            ["server_url"] => return text("https://github.com"),
            ["workspace"] => return text("."),
            _ => {}
        }
        let Some(occasion) = self.occasion else { return Value::Open };
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
            ["event", rest @ ..] => event(occasion, rest, &self.main),
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
        ["pull_request", "draft" | "merged"]
        | ["pull_request", "head", "repo", "fork"]
        | ["deleted" | "created" | "forced"] => Value::Bool(false),
        ["pull_request", "labels", ..] => Value::List(Vec::new()),
        ["pull_request", "head", "repo", "full_name"] => Value::Repository,
        ["pull_request", "user", "login"] => Value::Person,
        ["pull_request", "base", "ref"] => Value::Text(main.to_owned()),
        ["pull_request", "title" | "body"] | ["head_commit", "message"] => {
            Value::Text(MESSAGE.into())
        }
        ["action"] if is_pull_request => Value::Text("synchronize".into()),
        ["action"] if occasion == Occasion::Release => Value::Text("published".into()),
        ["label" | "comment" | "issue", ..] => Value::Null,
        ["release", "prerelease" | "draft"] if occasion == Occasion::Release => Value::Bool(false),
        ["release", ..] if occasion != Occasion::Release => Value::Null,
        ["inputs", ..] if occasion != Occasion::Manual => Value::Null,
        _ => Value::Open,
    }
}

impl Names for Scope {
    fn value(&self, path: &[String]) -> Value {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["github", rest @ ..] => self.github(rest),
            ["env", name] => self.env.get(*name).cloned().unwrap_or(Value::Open),
            ["matrix", name] => match self.matrix.get(*name) {
                Some(value) => value.clone(),
                None if self.matrix_known => Value::Null,
                None => Value::Open,
            },
            ["matrix", name, rest @ ..] => {
                let key = format!("{name}.{}", rest.join("."));
                self.matrix.get(&key).cloned().unwrap_or(Value::Open)
            }
            ["inputs", name] => match &self.inputs {
                Some(inputs) => inputs.get(*name).cloned().unwrap_or(Value::Null),
                None if self.occasion.is_some_and(|occasion| occasion != Occasion::Manual) => {
                    Value::Null
                }
                None => Value::Open,
            },
            ["vars" | "secrets", ..] => Value::Setting,
            ["needs", _, "result"] | ["steps", _, "outcome" | "conclusion"] => {
                Value::Text("success".into())
            }
            ["job", "status"] => Value::Text("success".into()),
            ["runner", "os"] => self.os.map_or(Value::Open, |os| Value::Text(os.into())),
            _ => Value::Open,
        }
    }
}
