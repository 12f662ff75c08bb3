//! `/metrics`: what monitoring reads.

use std::sync::atomic::{AtomicI64, AtomicU64};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use http::request::Parts;
use lockgate_model::plan::WHOLE_BP;
use lockgate_store::StoreError;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::auth;
use crate::fleet::GATEWAY_SEEN_WITHIN_MS;
use crate::problem::{ApiError, Kind, Problem};
use crate::state::App;

/// Something else in this process that has numbers to show. Called once, at the start; register
/// live metrics or a collector. Names get the prefix `lockgate_`.
pub trait MetricsSource: Send + Sync {
    /// Adds its metrics.
    fn register(&self, registry: &mut Registry);
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

/// Requests to this API.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests {
    answered: Family<RequestLabels, Counter>,
}

impl Requests {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What is running", build);
        let requests = Self::default();
        registry.register(
            "api_requests",
            "Requests answered by this API",
            requests.answered.clone(),
        );
        requests
    }

    /// Counts an answer. `route` is the route's pattern, never the path: paths are endless.
    pub(crate) fn answered(&self, method: &http::Method, route: Option<&str>, status: u16) {
        let labels = RequestLabels {
            method: known(method).to_owned(),
            route: route.unwrap_or("none").to_owned(),
            status,
        };
        self.answered.get_or_create(&labels).inc();
    }
}

fn known(method: &http::Method) -> &str {
    match method.as_str() {
        name @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE") => name,
        _ => "other",
    }
}

/// Metrics in the text format of `OpenMetrics`.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses(
    (status = 200, description = "OpenMetrics text.", body = String, content_type = "application/openmetrics-text"),
    (status = "default", description = "A problem.", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn metrics(
    State(app): State<App>,
    request: axum::extract::Request,
) -> Result<Response, ApiError> {
    let (parts, _) = request.into_parts();
    allowed(&app, &parts).await?;
    let state = present(&app).await?;
    let mut text = String::new();
    let written = encode_registry(&mut text, &app.registry)
        .and_then(|()| encode_registry(&mut text, &state))
        .and_then(|()| encode_eof(&mut text));
    written.map_err(|_| ApiError::new(Kind::Internal, "The metrics could not be written."))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

async fn allowed(app: &App, parts: &Parts) -> Result<(), ApiError> {
    if !app.options.metrics_need_token {
        return Ok(());
    }
    let principal = auth::authenticate(parts, app).await?;
    principal.need_all_agents("Monitoring")
}

type Labels = Vec<(&'static str, String)>;
type Gauges<N = i64, A = AtomicI64> = Family<Labels, Gauge<N, A>>;
type Shares = Gauges<f64, AtomicU64>;

/// What the store says now: read at every scrape, so that it is never older than the scrape.
async fn present(app: &App) -> Result<Registry, StoreError> {
    let mut registry = Registry::with_prefix("lockgate");
    let open = app.store.rollouts_open().await?;
    let phases = Gauges::<i64>::default();
    let dwell = Shares::default();
    for rollout in open.iter().map(|open| &open.value) {
        let labels = vec![
            ("agent", rollout.agent.to_string()),
            ("candidate", rollout.candidate.to_string()),
        ];
        let mut phase = labels.clone();
        phase.push(("phase", rollout.phase.as_str().to_owned()));
        phases.get_or_create(&phase).set(1);
        let seconds = rollout.dwell_ms as f64 / 1e3;
        dwell.get_or_create(&labels).set(seconds);
    }
    registry.register("rollout_open", "Open releases by phase", phases);
    registry.register(
        "rollout_stage_dwell_seconds",
        "Time in the stage under a confirmed weight",
        dwell,
    );
    let count = Gauge::<i64>::default();
    count.set(i64::try_from(open.len()).unwrap_or(i64::MAX));
    registry.register("rollouts_open", "Open releases", count);
    let ended = Family::<Labels, Counter>::default();
    for (agent, outcome, count) in app.store.rollouts_ended().await? {
        let labels = vec![("agent", agent.to_string()), ("outcome", outcome)];
        ended.get_or_create(&labels).inc_by(count);
    }
    registry.register("rollouts_ended", "Ended releases by how they ended", ended);
    weights(app, &mut registry).await?;
    health(app, &mut registry).await?;
    let pending = Gauge::<i64>::default();
    let waiting = app.store.inbox_pending(PENDING_MAX).await?.len();
    pending.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    registry.register(
        "inbox_pending",
        "Commands and events that control has not handled, counted up to 1000",
        pending,
    );
    let revision = Gauge::<i64>::default();
    if let Some(config) = app.store.active_config().await? {
        revision.set(config.revision);
    }
    registry.register(
        "config_revision",
        "Revision of the active configuration, 0 when none",
        revision,
    );
    let started = Gauge::<f64, AtomicU64>::default();
    started.set(app.started_wall_ms as f64 / 1e3);
    registry.register("start_time_seconds", "Start of this server since the Unix epoch", started);
    Ok(registry)
}

/// More than this are not counted one by one.
const PENDING_MAX: u32 = 1_000;

async fn weights(app: &App, registry: &mut Registry) -> Result<(), StoreError> {
    let shares = Shares::default();
    for (agent, split) in app.store.splits().await? {
        let taken = split.candidate.as_ref().map_or(0, |member| member.weight_bp);
        let set = |version: &lockgate_model::ids::VersionName, role: &str, bp: u32| {
            let labels = vec![
                ("agent", agent.to_string()),
                ("version", version.to_string()),
                ("role", role.to_owned()),
            ];
            shares.get_or_create(&labels).set(f64::from(bp) / f64::from(WHOLE_BP));
        };
        set(&split.stable, "stable", WHOLE_BP.saturating_sub(taken));
        if let Some(member) = &split.candidate {
            set(&member.version, "candidate", member.weight_bp);
        }
    }
    registry.register("version_weight_ratio", "Share of new keys, 0 to 1", shares);
    Ok(())
}

async fn health(app: &App, registry: &mut Registry) -> Result<(), StoreError> {
    let healthy = Gauges::<i64>::default();
    let applied = Gauges::<i64>::default();
    for gateway in app.store.gateways(GATEWAY_SEEN_WITHIN_MS).await? {
        let name = gateway.report.gateway.to_string();
        let revision = i64::try_from(gateway.report.applied.0).unwrap_or(i64::MAX);
        applied.get_or_create(&vec![("gateway", name.clone())]).set(revision);
        for version in &gateway.report.health {
            // not known is not shown: neither 0 nor 1 would be true
            let Some(good) = version.production else {
                continue;
            };
            let labels = vec![
                ("gateway", name.clone()),
                ("agent", version.agent.to_string()),
                ("version", version.version.to_string()),
            ];
            healthy.get_or_create(&labels).set(i64::from(good));
        }
    }
    registry.register("gateway_applied_revision", "Snapshot that a gateway decides from", applied);
    registry.register("version_healthy", "Whether health checks pass, where known", healthy);
    Ok(())
}
