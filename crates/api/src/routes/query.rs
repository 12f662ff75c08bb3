//! Query parameters that several endpoints take.

use std::num::NonZeroU32;

use lockgate_model::ids::AgentName;
use serde::{Deserialize, Deserializer, de};
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
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    #[serde(default, deserialize_with = "limit")]
    limit: Option<NonZeroU32>,
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
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    #[serde(default, deserialize_with = "limit")]
    limit: Option<NonZeroU32>,
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

fn rows(limit: Option<NonZeroU32>) -> u32 {
    limit.map_or(ROWS_DEFAULT, NonZeroU32::get).min(ROWS_MAX)
}

fn limit<'de, D: Deserializer<'de>>(query: D) -> Result<Option<NonZeroU32>, D::Error> {
    let text = String::deserialize(query)?;
    let limit = text.parse().map_err(|_| {
        let range = format!("from 1 to {ROWS_MAX}");
        de::Error::custom(format_args!("`limit` is a whole number {range}, not `{text}`"))
    })?;
    Ok(Some(limit))
}
