//! What every handler can reach.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use lockgate_model::config::Config;
use lockgate_model::custody::Custody;
use lockgate_model::decision::Decisions;
use lockgate_model::identity::SigningKeys;
use lockgate_model::ledger::Ledger;
use lockgate_model::path::Oversight;
use lockgate_model::ports::{Fuses, Users};
use lockgate_store::Store;
use prometheus_client::registry::Registry;
use tokio::sync::{Semaphore, watch};

use crate::console::session::Sessions;
use crate::problem::{ApiError, Kind};
use crate::refusals::Refusals;
use crate::routes::metrics::Requests;
use crate::{Options, clock};

/// Called after another configuration became the active one.
pub type OnConfig = Arc<dyn Fn(&Config) + Send + Sync>;

/// Event streams open at once.
const STREAMS_MAX: usize = 256;

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) store: Store,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) custody: Arc<dyn Custody>,
    pub(crate) issuer: Arc<dyn SigningKeys>,
    /// Held by whoever signs with the key that signs, and by whoever changes it.
    pub(crate) signing: tokio::sync::Mutex<()>,
    pub(crate) decisions: Arc<dyn Decisions>,
    pub(crate) oversight: Arc<dyn Oversight>,
    pub(crate) users: Arc<dyn Users>,
    pub(crate) fuses: Option<Arc<dyn Fuses>>,
    pub(crate) on_config: Option<OnConfig>,
    pub(crate) registry: Registry,
    pub(crate) requests: Requests,
    pub(crate) sessions: Sessions,
    pub(crate) refusals: Refusals,
    pub(crate) streams: Arc<Semaphore>,
    /// True once the server goes down.
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) started_wall_ms: i64,
    config: Mutex<Option<(String, Arc<Config>)>>,
}

/// Shared by all handlers; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

impl Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    pub(crate) fn new(
        options: Options,
        deps: crate::Deps,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let mut registry = Registry::with_prefix("lockgate");
        let requests = Requests::register(&mut registry);
        for source in &deps.metrics {
            source.register(&mut registry);
        }
        Self(Arc::new(Inner {
            options,
            store: deps.store,
            ledger: deps.ledger,
            custody: deps.custody,
            issuer: deps.issuer,
            signing: tokio::sync::Mutex::default(),
            decisions: deps.decisions,
            oversight: deps.oversight,
            users: deps.users,
            fuses: deps.fuses,
            on_config: deps.on_config,
            registry,
            requests,
            sessions: Sessions::default(),
            refusals: Refusals::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            stopping,
            started_wall_ms: clock::wall_ms(),
            config: Mutex::new(None),
        }))
    }

    /// The active configuration; `None` before the first one. Read once per digest.
    pub(crate) async fn config(&self) -> Result<Option<Arc<Config>>, ApiError> {
        let Some(record) = self.store.active_config().await? else {
            return Ok(None);
        };
        let cached = |config: &Option<(String, Arc<Config>)>| {
            config
                .as_ref()
                .filter(|(digest, _)| *digest == record.digest)
                .map(|(_, config)| Arc::clone(config))
        };
        if let Some(config) = cached(&self.config.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(Some(config));
        }
        let config = lockgate_model::config::read_with("active configuration", &record.source)
            .map_err(|diagnostics| {
                tracing::error!(?diagnostics, "the active configuration cannot be read");
                ApiError::new(Kind::Internal, "The active configuration cannot be read.")
                    .hint("Apply a valid configuration with `lockgate apply`.")
            })?;
        let config = Arc::new(config);
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((record.digest, Arc::clone(&config)));
        Ok(Some(config))
    }
}
