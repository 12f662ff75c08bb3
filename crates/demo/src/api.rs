//! The demo's side of Lockgate's REST API.

use std::time::Duration;

use lockgate_model::plan::Action;
use lockgate_model::snapshot::Mode;
use lockgate_rollout::event::Effect;
use lockgate_rollout::explain::Transition;
use lockgate_rollout::view::RolloutView;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::error::DemoError;
use crate::users::wall_ms;

const ANSWER_MAX: Duration = Duration::from_secs(20);
/// A machine under load may drop a connection; a server that is gone stays gone.
const RETRIES: u32 = 20;
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Looks at a command that is written down and not handled yet: a minute's worth.
const HANDLED_LOOKS: u32 = 120;
/// How long tokens of versions last.
const TOKEN_S: u64 = 7 * 24 * 3_600;
/// How often a release is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Answers of refusals are shown up to this length.
const SHOWN_CHARS_MAX: usize = 400;

/// One server, one token.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// What became of a command; a busy server may not have handled it yet.
#[derive(Deserialize)]
struct Commanded {
    command: i64,
    state: String,
    rollout: Option<String>,
    result: Option<String>,
}

#[derive(Deserialize)]
struct Issued {
    token: String,
}

/// One step of a release's history.
#[derive(Debug, Deserialize)]
pub struct Step {
    /// What happened, and why.
    pub transition: Transition,
    effects: Vec<StepEffect>,
}

#[derive(Debug, Deserialize)]
struct StepEffect {
    effect: Effect,
}

impl Step {
    /// How the candidate's traffic was taken away, by the split that the step ordered.
    pub fn action(&self, candidate: &str) -> Option<Action> {
        let split = self.effects.iter().find_map(|step| match &step.effect {
            Effect::SetSplit { split } => Some(split),
            _ => None,
        })?;
        let members = [&split.candidate, &split.retiring];
        let member = members.into_iter().flatten().find(|m| m.version.as_str() == candidate)?;
        match member.mode {
            Mode::Open => None,
            Mode::Drain { .. } => Some(Action::Switch),
            Mode::Stopped => Some(Action::Stop),
            Mode::Cut => Some(Action::StopImmediately),
        }
    }
}

/// An agent, as far as the demo looks.
#[derive(Debug, Deserialize)]
pub(crate) struct AgentState {
    /// The version that gets everything that no one else gets.
    pub(crate) stable: Option<String>,
    versions: Vec<VersionState>,
}

/// A release, as far as the demo looks at one that it did not start.
#[derive(Debug, Deserialize)]
pub(crate) struct UnderWay {
    /// Its id.
    pub(crate) id: String,
    /// The version being released.
    pub(crate) candidate: String,
    ended_wall_ms: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct VersionState {
    healthy: Option<bool>,
}

impl AgentState {
    /// Whether it has a stable version and every version is known to be healthy.
    pub(crate) fn is_ready(&self) -> bool {
        self.stable.is_some() && self.versions.iter().all(|version| version.healthy == Some(true))
    }
}

impl Api {
    /// The API at `base`, asked with `token`.
    pub(crate) fn new(http: reqwest::Client, base: String, token: String) -> Self {
        Self { http, base, token }
    }

    /// Whether the server says that it is ready.
    pub(crate) async fn is_ready(&self) -> bool {
        let asked = self.http.get(format!("{}/readyz", self.base)).timeout(ANSWER_MAX).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }

    /// How an agent stands.
    pub(crate) async fn agent(&self, name: &str) -> Result<AgentState, DemoError> {
        self.get("read the agent", &format!("agents/{name}")).await
    }

    /// A token for a version of an agent, with which it calls its tools.
    pub(crate) async fn identity(&self, agent: &str, version: &str) -> Result<String, DemoError> {
        let body = json!({ "expires_s": TOKEN_S, "reason": "the demo starts this version" });
        let path = format!("agents/{agent}/versions/{version}/identities");
        let key = format!("{agent}-{version}-{}", wall_ms());
        let issued: Issued = self.repeatedly("issue a token", &path, Some((&body, &key))).await?;
        Ok(issued.token)
    }

    /// Tells facts; those that were told before count once.
    pub(crate) async fn tell(&self, events: Vec<Value>) -> Result<(), DemoError> {
        let body = json!({ "events": events });
        let doing = "record facts";
        let _: Value = self.repeatedly(doing, "value/events", Some((&body, "facts"))).await?;
        Ok(())
    }

    /// Starts a release; its id.
    pub async fn start(
        &self,
        agent: &str,
        version: &str,
        reason: &str,
    ) -> Result<String, DemoError> {
        let doing = format!("release {version}");
        let body = json!({"agent": agent, "version": version, "reason": reason});
        // The same key is the same command: it may be sent until it is answered.
        let key = format!("{agent}-{version}-{}", wall_ms());
        let mut told: Commanded = self.repeatedly(&doing, "rollouts", Some((&body, &key))).await?;
        let path = format!("commands/{}", told.command);
        for _ in 0..HANDLED_LOOKS {
            if told.state != "pending" {
                break;
            }
            sleep(RETRY_AFTER).await;
            told = self.get(&doing, &path).await?;
        }
        let (state, result) = (told.state, told.result.unwrap_or_default());
        told.rollout
            .filter(|_| state == "done")
            .ok_or_else(|| DemoError::Refused { doing, answer: format!("{state} {result}") })
    }

    /// The release of an agent that has not ended: one that was under way when the demo was stopped.
    pub(crate) async fn under_way(&self, agent: &str) -> Result<Option<UnderWay>, DemoError> {
        let path = format!("rollouts?agent={agent}&limit=1");
        let newest: Vec<UnderWay> = self.get("read the newest release", &path).await?;
        Ok(newest.into_iter().find(|one| one.ended_wall_ms.is_none()))
    }

    /// The release now.
    async fn view(&self, rollout: &str) -> Result<RolloutView, DemoError> {
        self.get("read a release", &format!("rollouts/{rollout}")).await
    }

    /// Looks at the release until it has ended, for so long. `is_enough` sees each look, and ends it when that
    /// is so.
    pub async fn until_ended(
        &self,
        rollout: &str,
        max: Duration,
        mut is_enough: impl FnMut(&RolloutView) -> Result<bool, DemoError>,
    ) -> Result<RolloutView, DemoError> {
        let until = Instant::now() + max;
        loop {
            let late = Instant::now() > until;
            match self.view(rollout).await {
                Ok(view) => {
                    if is_enough(&view)? || view.ended_wall_ms.is_some() {
                        return Ok(view);
                    }
                    if late {
                        let (version, phase) = (view.candidate.to_string(), view.phase);
                        return Err(DemoError::TooLong { version, phase, seconds: max.as_secs() });
                    }
                }
                // The release goes on, whether or not a busy machine lets us see it.
                Err(DemoError::Unreachable { .. }) if !late => {}
                Err(error) => return Err(error),
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Its way here, oldest first.
    pub async fn history(&self, rollout: &str) -> Result<Vec<Step>, DemoError> {
        self.get("read a release's history", &format!("rollouts/{rollout}/history")).await
    }

    async fn get<T: DeserializeOwned>(&self, doing: &str, path: &str) -> Result<T, DemoError> {
        self.repeatedly(doing, path, None).await
    }

    /// Tries again when the server cannot be reached for a moment.
    async fn repeatedly<T: DeserializeOwned>(
        &self,
        doing: &str,
        path: &str,
        sent: Option<(&Value, &str)>,
    ) -> Result<T, DemoError> {
        for _ in 0..RETRIES {
            match self.ask(doing, path, sent).await {
                Err(DemoError::Unreachable { .. }) => sleep(RETRY_AFTER).await,
                told => return told,
            }
        }
        self.ask(doing, path, sent).await
    }

    /// Reads, or posts a body under a key that says which request it is.
    async fn ask<T: DeserializeOwned>(
        &self,
        doing: &str,
        path: &str,
        sent: Option<(&Value, &str)>,
    ) -> Result<T, DemoError> {
        let unreachable = |source| DemoError::Unreachable { doing: doing.to_owned(), source };
        let url = format!("{}/api/v1/{path}", self.base);
        let request = match sent {
            None => self.http.get(url),
            Some((body, key)) => self.http.post(url).header("idempotency-key", key).json(body),
        };
        let request = request.bearer_auth(&self.token).timeout(ANSWER_MAX);
        let response = request.send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            let status = response.status();
            let text = response.text().await.unwrap_or_default();
            let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
            let answer = format!("{status} {shown}");
            return Err(DemoError::Refused { doing: doing.to_owned(), answer });
        }
        response.json().await.map_err(unreachable)
    }
}
