//! The running parts: in front the gateway, which needs nobody; behind it control and API, which
//! need the store.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use lockgate_anchor::Anchor;
use lockgate_api::{Api, Deps, MetricsSource, OnConfig};
use lockgate_control::{Channels, Control};
use lockgate_gateway::{Authority, EgressOptions, Gateway, Options, Ports, StartError, UserIds};
use lockgate_mirror::Mirror;
use lockgate_model::config::Config;
use lockgate_model::identity::SigningKeys;
use lockgate_model::ports::{Fuses, Users};
use lockgate_store::Store;
use lockgate_telemetry::price::Prices;

use crate::error::{CliError, CliResult, Exit};
use crate::serve::identity_keys::KeyFiles;
use crate::serve::late_ledger::LateLedger;
use crate::serve::late_store::LateStore;
use crate::serve::ledger::{AuditLedger, AuditPaths};
use crate::serve::metrics::GatewayMetrics;
use crate::serve::oversight::Watch;
use crate::serve::policy::PolicyMetrics;
use crate::serve::retention::Retention;
use crate::serve::secrets::{self, Surroundings};
use crate::serve::{
    Opened, Start, anchor, audit_metrics, blocking, channels, first_token, keys, mirror,
};

/// The name of this process among gateways and controllers. There is one of each in a directory,
/// which the directory's lock sees to, and it is the same one after a restart.
const NAME: &str = "local";

/// How long requests under way may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(30);

/// The gateway.
pub(super) struct Front {
    /// Empty once it has stopped.
    gateway: Arc<Mutex<Option<Gateway>>>,
    fuses: Arc<dyn Fuses>,
    local_addr: SocketAddr,
    egress_addr: SocketAddr,
    issuer: Arc<dyn SigningKeys>,
    users: Arc<dyn Users>,
    store: LateStore,
    ledger: LateLedger,
}

impl Front {
    /// Listens for agents' traffic, and serves from the last snapshot until there is a newer one.
    pub(super) async fn start(start: &Start, opened: Option<&Opened>) -> CliResult<Self> {
        let (store, ledger) = (LateStore::default(), LateLedger::default());
        if let Some(opened) = opened {
            store.opened(opened.store.clone());
            ledger.opened(opened.ledger.clone());
        }
        let config = opened.map_or(&start.read.config, |opened| &opened.config);
        let port = Arc::new(store.clone());
        let ports = Ports {
            snapshots: port.clone(),
            windows: port.clone(),
            interactions: port.clone(),
            events: port.clone(),
            approvals: port.clone(),
            reservations: port.clone(),
            pins: port,
            ledger: Arc::new(ledger.clone()),
            decisions: Arc::clone(&start.decisions),
            secrets: Arc::new(Surroundings),
        };
        let key = keys::signing(&start.dir.keys())?;
        let users = Arc::new(UserIds::new(&key));
        let name = NAME.parse().expect("it is a valid name");
        let mut options = Options::new(start.listen().ingress, start.dir.gateway(), name, key);
        let since = match opened {
            Some(opened) => in_force_since(&opened.store).await,
            None => None,
        };
        let (own, file) = (config.prices.clone(), config.prices_file.as_ref());
        options.prices = Arc::new(Prices::new(own, file, since.as_deref()));
        options.ticket_ttl = Duration::from_millis(config.feedback.ticket_ttl_ms);
        let listen = start.listen().egress;
        let authorities = config.authorities.as_ref().map(secrets::look_up).transpose();
        options.authorities = authorities.map_err(|error| {
            CliError::new(Exit::Usage, error)
                .hint("`authorities` names a file of certificates in PEM")
        })?;
        let authority = config.egress_inspect.then(|| authority(&start.dir.keys())).transpose()?;
        options.egress = Some(EgressOptions { authority, ..EgressOptions::new(listen) });
        let gateway = Gateway::start(options, ports).await.map_err(not_started)?;
        Ok(Self {
            egress_addr: gateway.egress_addr().unwrap_or(listen),
            issuer: Arc::new(KeyFiles::new(start.dir.keys())),
            users,
            fuses: gateway.fuses(),
            local_addr: gateway.local_addr(),
            gateway: Arc::new(Mutex::new(Some(gateway))),
            store,
            ledger,
        })
    }

    /// From now on the gateway hears of new snapshots, and records agents' calls.
    pub(super) fn opened(&self, opened: &Opened) {
        self.store.opened(opened.store.clone());
        self.ledger.opened(opened.ledger.clone());
    }

    fn metrics(&self) -> Arc<dyn MetricsSource> {
        let gateway = Arc::clone(&self.gateway);
        Arc::new(GatewayMetrics(Arc::new(move || locked(&gateway).as_ref().map(Gateway::stats))))
    }

    /// Lets requests under way finish.
    pub(super) async fn shutdown(self) {
        let gateway = locked(&self.gateway).take();
        if let Some(gateway) = gateway {
            gateway.shutdown(DRAIN).await;
        }
        self.ledger.closes();
    }
}

/// The day from which on the active configuration is in force.
async fn in_force_since(store: &Store) -> Option<String> {
    let record = store.active_config().await.ok()??;
    let at = jiff::Timestamp::from_millisecond(record.at_wall_ms).ok()?;
    Some(jiff::tz::TimeZone::UTC.to_datetime(at).date().to_string())
}

fn locked(gateway: &Mutex<Option<Gateway>>) -> MutexGuard<'_, Option<Gateway>> {
    gateway.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_started(error: StartError) -> CliError {
    match error {
        StartError::Listen { .. } => CliError::new(Exit::Usage, error)
            .hint("is another server running? choose other addresses with --ingress and --egress"),
        StartError::Tls(error) => CliError::new(Exit::Usage, error)
            .hint("`authorities` names a file of certificates in PEM"),
        error => CliError::new(Exit::Failed, error),
    }
}

/// Control and API.
pub(super) struct Rest {
    store: Store,
    ledger: AuditLedger,
    control: Control,
    api: Api,
    adopt: OnConfig,
    mirror: Option<Mirror>,
    anchor: Anchor,
    retention: Retention,
}

impl Rest {
    /// Starts what needs the store, and tells others where the server listens.
    pub(super) async fn start(start: &Start, front: &Front, opened: Opened) -> CliResult<Self> {
        let Opened { store, ledger, config } = opened;
        let mirror = mirror::start(&config, start.dir.audit())?;
        let anchor = anchor::start(&config, &start.dir.audit())?;
        let window = anchor::Window::new(&config, &start.dir.audit());
        let of_log = audit_metrics::metrics(&ledger, mirror.as_ref(), &anchor, window);
        if let Some(policies) = &start.policies {
            policies.record_start(&ledger).await;
        }
        first_token(&store, &ledger, start.token_file.as_ref()).await?;
        let told = Arc::new(ArcSwap::from_pointee(channels::resolve(&config)));
        let adopt = adopter(Arc::clone(&told));
        let options = lockgate_api::Options {
            listen: start.listen().api,
            metrics_need_token: config.metrics_need_token,
            connections_max: lockgate_api::Options::CONNECTIONS_MAX,
        };
        let of_policies = start.policies.clone();
        let of_policies =
            of_policies.map(|policies| Arc::new(PolicyMetrics(policies)) as Arc<dyn MetricsSource>);
        let log = AuditPaths::of(&start.dir).log;
        let oversight = Watch::start(&start.decisions, &ledger, log.clone());
        let deps = Deps {
            store: store.clone(),
            ledger: Arc::new(ledger.clone()),
            custody: Arc::new(ledger.clone()),
            issuer: Arc::clone(&front.issuer),
            users: Arc::clone(&front.users),
            fuses: Some(Arc::clone(&front.fuses)),
            decisions: Arc::clone(&start.decisions),
            oversight: oversight.clone(),
            metrics: [Some(front.metrics()), Some(of_log), of_policies]
                .into_iter()
                .flatten()
                .collect(),
            on_config: Some(Arc::clone(&adopt)),
        };
        let api = Api::start(options, deps).await.map_err(|error| {
            CliError::new(Exit::Usage, error)
                .hint("is another server running? choose another address with --api")
        })?;
        let control = Control::spawn(
            store.clone(),
            Arc::new(ledger.clone()),
            oversight,
            told,
            lockgate_control::Options::new(NAME),
        );
        let (ingress, egress, api_at) = (front.local_addr, front.egress_addr, api.local_addr());
        let retention = Retention::start(&config, log, &ledger);
        let rest = Self { store, ledger, control, api, adopt, mirror, anchor, retention };
        if let Err(error) = start.dir.tell_addresses(ingress, egress, api_at) {
            rest.shutdown().await;
            return Err(error);
        }
        tracing::info!(%ingress, %egress, api = %api_at, "ready");
        Ok(rest)
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn ledger(&self) -> &AuditLedger {
        &self.ledger
    }

    /// Another configuration is in force.
    pub(super) fn adopt(&self, config: &Config) {
        (self.adopt)(config);
    }

    /// Ends in order: no new commands, then no new steps, then the log, its witnesses and its copy, then the store.
    pub(super) async fn shutdown(self) {
        self.api.shutdown().await;
        self.control.shutdown().await;
        self.retention.stop().await;
        let ledger = self.ledger;
        blocking(move || ledger.close()).await;
        self.anchor.stop().await;
        if let Some(mirror) = self.mirror {
            mirror.stop().await;
        }
        self.store.close().await;
    }
}

/// What the binary itself has to do with a new configuration.
fn adopter(channels: Arc<ArcSwap<Channels>>) -> OnConfig {
    Arc::new(move |config| channels.store(Arc::new(channels::resolve(config))))
}

/// Whom agents have to trust, so that tunnels can be opened.
fn authority(dir: &Path) -> CliResult<Arc<Authority>> {
    let authority = Authority::open(dir).map_err(|error| {
        let doing = format!("cannot use the authority for tunnels in {}", dir.display());
        let hint = "put inspection.key and inspection.pem back from a backup; moving both away makes new ones, which agents must be told to trust";
        CliError::new(Exit::Failed, error).context(doing).hint(hint)
    })?;
    tracing::info!(certificate = %authority.certificate().display(), "tunnels to tools are opened for agents that trust this certificate");
    Ok(Arc::new(authority))
}
