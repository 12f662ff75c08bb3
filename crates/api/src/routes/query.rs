//! Query parameters that several endpoints take.

use lockgate_model::ids::AgentName;
use serde::Deserialize;
use utoipa::IntoParams;

/// The most rows that one answer holds.
const ROWS_MAX: u32 = 500;
const ROWS_DEFAULT: u32 = 50;

/// How many rows.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    /// At most this many rows, 50 by default, 500 at most.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

impl Limit {
    pub(crate) fn rows(&self) -> u32 {
        rows(self.limit)
    }
}

/// How many rows, and of which agent.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentLimit {
    /// Of this agent only.
    #[param(value_type = Option<String>)]
    pub(crate) agent: Option<AgentName>,
    /// At most this many rows, 50 by default, 500 at most.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

impl AgentLimit {
    pub(crate) fn rows(&self) -> u32 {
        rows(self.limit)
    }
}

/// Which agent `latest` means.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfAgent {
    /// With `latest` as the id: the agent whose newest release is meant.
    #[param(value_type = Option<String>)]
    pub(crate) agent: Option<AgentName>,
}

fn rows(limit: Option<u32>) -> u32 {
    limit.unwrap_or(ROWS_DEFAULT).clamp(1, ROWS_MAX)
}
