//! What acts: the reconcile loop that feeds rollouts with signals and commands, performs what they
//! ask for, and tells people.
//!
//! Not here: an HTTP server, and state that a restart would lose. Whatever this room knows it
//! read from the store in the same pass.

mod approvals;
mod clock;
mod definitions;
mod effects;
mod hooks;
mod http;
mod inbox;
mod named;
mod news;
mod notify;
mod path;
mod precede;
mod reconcile;
mod record;
mod security;

use std::sync::Arc;

use arc_swap::ArcSwap;
use lockgate_model::ledger::Ledger;
use lockgate_model::path::Oversight;
use lockgate_store::Store;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use notify::{Channels, Secrets, Target};

/// How control runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who holds the lease. Two processes need two names; the same process after a restart may
    /// keep its own, and then acts again at once.
    pub holder: String,
    /// How long the lease lasts without renewal.
    pub lease_ttl_ms: u64,
}

impl Options {
    /// Defaults for a holder: a lease of five seconds.
    pub fn new(holder: impl Into<String>) -> Self {
        Self { holder: holder.into(), lease_ttl_ms: 5_000 }
    }
}

/// The running loops.
#[derive(Debug)]
pub struct Control {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Control {
    /// Starts reconciling. `channels` may be replaced while it runs.
    pub fn spawn(
        store: Store,
        ledger: Arc<dyn Ledger>,
        oversight: Arc<dyn Oversight>,
        channels: Arc<ArcSwap<Channels>>,
        options: Options,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (lead, leading) = watch::channel(None);
        let parts = reconcile::Parts { store: store.clone(), ledger, oversight, options };
        let reconcile = reconcile::run(parts, lead, stopped.clone());
        let hooks = hooks::run(store.clone(), channels.clone(), leading.clone(), stopped.clone());
        let notify = notify::run(store, channels, leading, stopped);
        let tasks = vec![tokio::spawn(reconcile), tokio::spawn(notify), tokio::spawn(hooks)];
        Self { stop, tasks }
    }

    /// Ends the loops after the pass under way. What they did is in the store.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a control loop ended badly");
            }
        }
    }
}
