//! The server: store, gateway, control and API in one process, joined by ports.
//!
//! Not here: what any of them does.

pub(crate) mod channels;
pub(crate) mod data_dir;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod log;
pub(crate) mod policy;
pub(crate) mod rotate;
pub(crate) mod signals;

mod activate;
mod anchor;
mod audit_metrics;
mod custody;
mod draft;
mod identity_keys;
mod late_ledger;
mod late_store;
mod metrics;
mod mirror;
mod oversight;
mod parts;
mod retention;
pub(crate) mod secrets;
mod vault;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lockgate_audit::AuditError;
use lockgate_model::config::{self, Config, Listen};
use lockgate_model::decision::Decisions;
use lockgate_store::{Store, StoreError};

use crate::config_file::{self, Read, Unusable};
use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output;
use activate::ActivateError;
use data_dir::{DataDir, SecretFile};
use identity_keys::{KeyFiles, NoKey};
use ledger::{AuditLedger, AuditPaths};
use parts::{Front, Rest};
use policy::Policies;

/// Wait before a store that did not open is tried again.
const STORE_RETRY: Duration = Duration::from_secs(2);

/// What a server is started with.
pub(crate) struct Start {
    /// Its directory.
    pub(crate) dir: DataDir,
    /// Overrides the file.
    pub(crate) ingress: Option<SocketAddr>,
    /// Overrides the file.
    pub(crate) egress: Option<SocketAddr>,
    /// Overrides the file.
    pub(crate) api: Option<SocketAddr>,
    /// The configuration file, for reading it again.
    pub(crate) file: PathBuf,
    /// What it says.
    pub(crate) read: Read,
    /// Ends with its standard input.
    pub(crate) stop_with_stdin: bool,
    /// Where the first admin token goes.
    pub(crate) token_file: Option<PathBuf>,
    /// Who decides about agents' actions.
    pub(crate) decisions: Arc<dyn Decisions>,
    /// The policies among them that are read again when told to.
    pub(crate) policies: Option<Arc<Policies>>,
}

impl Start {
    /// Where to listen: the command line, else the file.
    fn listen(&self) -> Listen {
        let Listen { ingress, egress, api } = self.read.config.listen;
        Listen {
            ingress: self.ingress.unwrap_or(ingress),
            egress: self.egress.unwrap_or(egress),
            api: self.api.unwrap_or(api),
        }
    }

    /// The file without its directories: those may be called after people, and this is recorded in the clear.
    fn file_name(&self) -> String {
        let name = self.file.file_name().unwrap_or(self.file.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

/// A store with a configuration in force, and the log of what is changed in it.
struct Opened {
    store: Store,
    ledger: AuditLedger,
    config: Config,
}

/// What did not open.
#[derive(Debug, thiserror::Error)]
enum NotOpened {
    #[error("cannot open the store {}", path.display())]
    Store { path: PathBuf, source: StoreError },
    #[error("cannot put the configuration in force")]
    Config(#[source] ActivateError),
    #[error("cannot use the key that signs tokens of agents")]
    Key(#[from] NoKey),
    #[error("cannot open the audit log")]
    Ledger(#[from] AuditError),
}

impl NotOpened {
    fn hint(&self) -> &'static str {
        match self {
            Self::Ledger(AuditError::Damaged { .. }) => {
                "nothing was changed in it; keep it as evidence, and start from a backup or a new data directory"
            }
            Self::Key(NoKey::File { .. }) => {
                "put the file back from a backup; moving it away makes a new key"
            }
            _ => "is the disk full, or the directory not writable?",
        }
    }
}

/// Serves until told to stop.
pub(crate) async fn run(start: Start) -> CliResult {
    let (mut reload_asked, mut stop_asked) = signals::listen(start.stop_with_stdin)?;
    let opened = match open(&start).await {
        Ok(opened) => Some(opened),
        Err(NotOpened::Config(ActivateError::Store(error))) if activate::refused(&error) => {
            return Err(activate::refusal(&start.file, error));
        }
        Err(error) if start.dir.has_snapshot() => {
            tracing::error!(error = in_full(error), "serving from the last snapshot");
            None
        }
        Err(error) => {
            let hint = error.hint();
            return Err(CliError::new(Exit::Failed, error).hint(hint));
        }
    };
    let front = Front::start(&start, opened.as_ref()).await?;
    let mut rest = match opened {
        Some(opened) => match Rest::start(&start, &front, opened).await {
            Ok(rest) => Some(rest),
            Err(error) => {
                front.shutdown().await;
                return Err(error);
            }
        },
        None => None,
    };
    loop {
        tokio::select! {
            () = reload_asked.told() => reload(&start, rest.as_ref()).await,
            () = stop_asked.told() => break,
            () = tokio::time::sleep(STORE_RETRY), if rest.is_none() => rest = late(&start, &front).await,
        }
    }
    tracing::info!("stopping: requests under way may finish; a second signal ends at once");
    start.dir.forget_addresses();
    tokio::select! {
        () = shutdown(front, rest) => {
            tracing::info!("stopped");
            Ok(Exit::Done)
        }
        () = stop_asked.told() => Err(CliError::text(Exit::Failed, "ended at once by a second signal")),
    }
}

async fn open(start: &Start) -> Result<Opened, NotOpened> {
    let path = start.dir.database();
    let store = Store::open(&path).await.map_err(|source| NotOpened::Store { path, source })?;
    KeyFiles::new(start.dir.keys()).start(&store).await?;
    let paths = AuditPaths::configured(&start.dir, &start.read.config);
    let ledger = blocking(move || AuditLedger::open(&paths)).await?;
    let why = format!("{} at the start", start.file_name());
    match activate::file(&store, &ledger, &start.read, &why).await {
        Ok(config) => Ok(Opened { store, ledger, config }),
        Err(error) => {
            blocking(move || ledger.close()).await;
            Err(NotOpened::Config(error))
        }
    }
}

/// An error with what lies behind it.
fn in_full(error: NotOpened) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

/// Runs what waits for a disk beside what must not wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Opens the store while the gateway serves already.
async fn late(start: &Start, front: &Front) -> Option<Rest> {
    let opened = match open(start).await {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(error = in_full(error), "store or audit log still do not open");
            return None;
        }
    };
    front.opened(&opened);
    match Rest::start(start, front, opened).await {
        Ok(rest) => Some(rest),
        Err(error) => {
            tracing::error!(error = format!("{:#}", error.source), "control and API did not start");
            None
        }
    }
}

/// Reads the file again. Whatever is wrong with it, what is in force stays so.
async fn reload(start: &Start, rest: Option<&Rest>) {
    let Some(rest) = rest else {
        tracing::error!("nothing can be applied while the store is not open");
        return;
    };
    if let Some(policies) = &start.policies {
        policies.reread(rest.ledger()).await;
    }
    let read = match config_file::load(&start.file) {
        Ok(read) => read,
        Err(Unusable::Unreadable(error)) => {
            tracing::error!(
                error = format!("{:#}", error.source),
                "the file cannot be read; what is in force stays so"
            );
            return;
        }
        Err(Unusable::Invalid(diagnostics)) => {
            for found in &diagnostics {
                tracing::error!(%found, "the file is not valid");
            }
            tracing::error!(
                errors = diagnostics.len(),
                "the file is not applied; what is in force stays so"
            );
            return;
        }
    };
    let overridden = |field: &str| match field {
        "listen.ingress" => start.ingress.is_some(),
        "listen.egress" => start.egress.is_some(),
        "listen.api" => start.api.is_some(),
        _ => false,
    };
    let mut later = config::at_next_start(&start.read.config, &read.config);
    later.retain(|field| !overridden(field));
    if !later.is_empty() {
        tracing::warn!(fields = later.join(", "), "takes effect at the next start");
    }
    let why = format!("{} read again", start.file_name());
    match activate::file(rest.store(), rest.ledger(), &read, &why).await {
        Ok(config) => rest.adopt(&config),
        Err(error) => {
            tracing::error!(error = ?error, "the file is not applied; what is in force stays so");
        }
    }
}

async fn shutdown(front: Front, rest: Option<Rest>) {
    // Traffic first: what it still does must find store and control alive.
    front.shutdown().await;
    if let Some(rest) = rest {
        rest.shutdown().await;
    }
}

/// Makes the first admin token, if there is no token yet, and hands it over once.
async fn first_token(store: &Store, ledger: &AuditLedger, file: Option<&PathBuf>) -> CliResult<()> {
    let doing = "cannot make the first admin token";
    if !store.tokens().await.or_exit(Exit::Failed, doing)?.is_empty() {
        return Ok(());
    }
    // Opened first: a token that cannot be handed over must not be made.
    let file = file.map(|path| SecretFile::open(path)).transpose()?;
    let token = lockgate_api::token::bootstrap(store, ledger).await.or_exit(Exit::Failed, doing)?;
    match (token, file) {
        (None, _) => {}
        (Some(token), Some(file)) => file.write(&token)?,
        (Some(token), None) => {
            output::note(format!("first admin token, shown this once: {token}"));
        }
    }
    Ok(())
}
