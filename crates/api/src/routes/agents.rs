//! Agents, their versions, and what users asked them.

use axum::Json;
use axum::extract::State;
use lockgate_model::ids::{AgentName, InteractionId, RolloutId, VersionName};
use lockgate_model::interaction::{ErrorClass, Interaction, ServiceTier};
use lockgate_model::price::PriceTable;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Viewer;
use crate::extract::{PathArgs, QueryArgs};
use crate::fleet;
use crate::problem::{ApiError, Problem};
use crate::routes::query::Limit;
use crate::shapes::{AgentSummary, VersionSummary};
use crate::state::App;

/// All agents.
#[utoipa::path(get, path = "/api/v1/agents", tag = "agents", operation_id = "list_agents",
    security(("token" = [])), responses(
    (status = 200, description = "The agents that this token sees.", body = Vec<AgentSummary>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(
    State(app): State<App>,
    Viewer(principal): Viewer,
) -> Result<Json<Vec<AgentSummary>>, ApiError> {
    fleet::agents(&app, &principal).await.map(Json)
}

/// One agent.
#[utoipa::path(get, path = "/api/v1/agents/{agent}", tag = "agents", operation_id = "agent",
    security(("token" = [])),
    params(("agent" = String, Path, description = "Its name.")), responses(
    (status = 200, description = "The agent.", body = AgentSummary),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn one(
    State(app): State<App>,
    Viewer(principal): Viewer,
    PathArgs(agent): PathArgs<AgentName>,
) -> Result<Json<AgentSummary>, ApiError> {
    fleet::agent(&app, &principal, &agent).await.map(Json)
}

/// The versions of an agent.
#[utoipa::path(get, path = "/api/v1/agents/{agent}/versions", tag = "agents",
    operation_id = "agent_versions", security(("token" = [])),
    params(("agent" = String, Path, description = "The agent.")), responses(
    (status = 200, description = "Its versions, in the order of the configuration.", body = Vec<VersionSummary>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn versions(
    State(app): State<App>,
    Viewer(principal): Viewer,
    PathArgs(agent): PathArgs<AgentName>,
) -> Result<Json<Vec<VersionSummary>>, ApiError> {
    let agent = fleet::agent(&app, &principal, &agent).await?;
    Ok(Json(agent.versions))
}

/// One request of a user and what became of it. What is not known is null.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InteractionView {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: InteractionId,
    /// The agent it asked.
    #[schema(value_type = String)]
    agent: AgentName,
    /// The version that answered; null when refused before one was picked.
    #[schema(value_type = Option<String>, required = true)]
    version: Option<VersionName>,
    /// The rollout under way.
    #[schema(value_type = Option<String>, format = Uuid, required = true)]
    rollout: Option<RolloutId>,
    /// Salted hash of the sticky key, 16 hex digits.
    #[schema(required = true)]
    user: Option<String>,
    /// Salted hash of the conversation's id, 16 hex digits.
    #[schema(required = true)]
    conversation: Option<String>,
    /// Milliseconds since the Unix epoch.
    started_wall_ms: i64,
    /// HTTP status of the answer.
    #[schema(required = true)]
    status: Option<u16>,
    /// How it failed, if it did.
    #[schema(required = true)]
    error: Option<&'static str>,
    /// `resolved`, `escalated` or `failed`.
    #[schema(value_type = Option<String>, required = true)]
    outcome: Option<lockgate_model::interaction::Outcome>,
    /// Milliseconds to the first byte.
    #[schema(required = true)]
    first_byte_ms: Option<f64>,
    /// Milliseconds to the end.
    #[schema(required = true)]
    total_ms: Option<f64>,
    /// Tokens, cache reads included.
    #[schema(required = true)]
    input_tokens: Option<u64>,
    /// Of the input: read from a cache.
    #[schema(required = true)]
    cached_input_tokens: Option<u64>,
    /// Of the input: written to a cache.
    #[schema(required = true)]
    cache_write_tokens: Option<u64>,
    /// Of what was written to a cache: what stays there for an hour.
    #[schema(required = true)]
    cache_write_1h_tokens: Option<u64>,
    /// Tokens, reasoning included.
    #[schema(required = true)]
    output_tokens: Option<u64>,
    /// Of the output: reasoning.
    #[schema(required = true)]
    reasoning_tokens: Option<u64>,
    /// `standard`, `flex`, `priority`, `fast`, `batch` or `other`, where the answer says one.
    #[schema(required = true)]
    service_tier: Option<&'static str>,
    /// The model that the answer names.
    #[schema(required = true)]
    model: Option<String>,
    /// US dollars.
    #[schema(required = true)]
    cost_usd: Option<f64>,
    /// Where the cost came from.
    #[schema(required = true)]
    price_table: Option<PriceTableView>,
}

/// A table of prices.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PriceTableView {
    /// Its name: `genai-prices`, a file's, `lockgate.yaml`, or `lockgate-cost-usd` for what the version said itself.
    name: String,
    /// Its version, or the beginning of its digest.
    version: String,
    /// The day that it is of, or from which on it is in force, `YYYY-MM-DD`.
    #[schema(required = true)]
    date: Option<String>,
}

impl From<&PriceTable> for PriceTableView {
    fn from(table: &PriceTable) -> Self {
        let PriceTable { name, version, date } = table.clone();
        Self { name, version, date }
    }
}

impl From<Interaction> for InteractionView {
    fn from(interaction: Interaction) -> Self {
        let hash = |hash: u64| format!("{hash:016x}");
        let ms = |us: u64| us as f64 / 1e3;
        Self {
            id: interaction.id,
            agent: interaction.agent,
            version: interaction.version,
            rollout: interaction.rollout,
            user: interaction.user.map(hash),
            conversation: interaction.conversation.map(hash),
            started_wall_ms: interaction.started_wall_ms,
            status: interaction.status,
            error: interaction.error.map(ErrorClass::as_str),
            outcome: interaction.outcome,
            first_byte_ms: interaction.first_byte_us.map(ms),
            total_ms: interaction.total_us.map(ms),
            input_tokens: interaction.usage.input_tokens,
            cached_input_tokens: interaction.usage.cached_input_tokens,
            cache_write_tokens: interaction.usage.cache_write_tokens,
            cache_write_1h_tokens: interaction.usage.cache_write_1h_tokens,
            output_tokens: interaction.usage.output_tokens,
            reasoning_tokens: interaction.usage.reasoning_tokens,
            service_tier: interaction.usage.tier.map(ServiceTier::as_str),
            model: interaction.model,
            cost_usd: interaction.cost_nanousd.map(|cost| cost as f64 / 1e9),
            price_table: interaction.price_table.as_deref().map(PriceTableView::from),
        }
    }
}

/// What users asked an agent, newest first.
#[utoipa::path(get, path = "/api/v1/agents/{agent}/interactions", tag = "agents",
    operation_id = "agent_interactions", security(("token" = [])),
    params(("agent" = String, Path, description = "The agent."), Limit), responses(
    (status = 200, description = "Interactions.", body = Vec<InteractionView>),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn interactions(
    State(app): State<App>,
    Viewer(principal): Viewer,
    PathArgs(agent): PathArgs<AgentName>,
    QueryArgs(limit): QueryArgs<Limit>,
) -> Result<Json<Vec<InteractionView>>, ApiError> {
    fleet::defined(&app, &principal, &agent).await?;
    let rows = app.store.interactions(&agent, limit.rows()).await?;
    Ok(Json(rows.into_iter().map(InteractionView::from).collect()))
}
