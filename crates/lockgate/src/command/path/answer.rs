//! What the server knows of an agent's path.

use lockgate_model::config::Scenario;
use lockgate_model::ids::{AgentName, PlanName, VersionName};
use lockgate_model::path::ServerFacts;
use lockgate_readiness::path::{Evaluation, Seen};
use serde::{Deserialize, Serialize};

use crate::client::{self, Client};
use crate::error::CliResult;

/// The server's answer.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    agent: AgentName,
    /// The version that would be released.
    pub(super) version: VersionName,
    plan: PlanName,
    /// The path that the plan asks for.
    pub(super) path: Option<Scenario>,
    /// What it sees by itself.
    pub(super) facts: ServerFacts,
    release: Option<Release>,
}

/// Whether the server would let it start.
#[derive(Debug, Serialize, Deserialize)]
struct Release {
    open: bool,
    blocked_by: Vec<String>,
}

impl Answer {
    pub(super) async fn of(
        client: &Client,
        agent: &AgentName,
        version: Option<&VersionName>,
        plan: Option<&PlanName>,
    ) -> CliResult<Self> {
        let mut url = client.url(&["agents", agent.as_str(), "path"])?;
        if let Some(version) = version {
            url.query_pairs_mut().append_pair("version", version.as_str());
        }
        if let Some(plan) = plan {
            url.query_pairs_mut().append_pair("plan", plan.as_str());
        }
        client::typed(&client.get_url(url).await?)
    }

    /// What the server says of a start, from the newest report that it has; none where its plan asks for no path.
    pub(super) fn release(&self) -> Option<String> {
        let Release { open, blocked_by } = self.release.as_ref()?;
        let Self { agent, version, plan, .. } = self;
        Some(if *open {
            format!("the server lets version {version} of {agent} be released by plan {plan}")
        } else {
            format!(
                "the server refuses a release of version {version} of {agent} by plan {plan}: {}",
                blocked_by.join("; ")
            )
        })
    }
}

/// As JSON: the evaluation, and what there is beside it.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    #[serde(flatten)]
    found: &'a Evaluation,
    agent: Option<&'a AgentName>,
    version: Option<&'a VersionName>,
    plan: Option<&'a PlanName>,
    /// What the server says of a start.
    release: Option<&'a Release>,
    notes: &'a [String],
}

pub(super) fn told<'a>(
    found: &'a Evaluation,
    seen: &'a Seen,
    answer: Option<&'a Answer>,
) -> Told<'a> {
    Told {
        found,
        agent: answer.map(|answer| &answer.agent),
        version: answer.map(|answer| &answer.version),
        plan: answer.map(|answer| &answer.plan),
        release: answer.and_then(|answer| answer.release.as_ref()),
        notes: &seen.notes,
    }
}
