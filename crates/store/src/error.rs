//! Why the store did not do what it was asked. Nothing was written then.

use lockgate_model::ids::{AgentName, RolloutId, VersionName};
use lockgate_model::ports::PortError;

use crate::inbox::InboxId;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// It was tried a moment ago, and could not be written to.
    #[error("the database cannot be written to: {why}")]
    NotWritable {
        /// Why, in words.
        why: String,
    },
    /// The schema could not be brought up to date.
    #[error("the database could not be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database file could not be created.
    #[error("the database file could not be created")]
    File(#[source] std::io::Error),
    /// A stored document cannot be read, or one cannot be written.
    #[error("{what} is not in the expected form")]
    Document {
        /// Which.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A stored value cannot be read, or one does not fit.
    #[error("{what} is not in the expected form: {value}")]
    Value {
        /// Which.
        what: &'static str,
        /// What it is.
        value: String,
    },
    /// There are as many as there may be.
    #[error("there are {max} {what} already, and no more are taken")]
    Full {
        /// Of what.
        what: &'static str,
        /// How many.
        max: i64,
    },
    /// Somebody else holds the lease by now.
    #[error("another controller has taken over")]
    Fenced,
    /// The rollout was changed since it was read.
    #[error("the rollout was changed in the meantime")]
    Stale,
    /// A version that is known under this name has other content.
    #[error(
        "version `{version}` of agent `{agent}` is known with other content; versions never change, so give the new one another name"
    )]
    VersionChanged {
        /// The agent.
        agent: AgentName,
        /// The version.
        version: VersionName,
    },
    /// The new configuration lacks an agent that is being released.
    #[error("agent `{agent}` cannot be removed while rollout {rollout} is under way")]
    AgentBusy {
        /// The agent.
        agent: AgentName,
        /// The rollout.
        rollout: RolloutId,
    },
    /// The new configuration lacks a version that gets traffic.
    #[error("version `{version}` of agent `{agent}` cannot be removed while it gets traffic")]
    VersionBusy {
        /// The agent.
        agent: AgentName,
        /// The version.
        version: VersionName,
    },
    /// The agent has an open rollout already.
    #[error("rollout {rollout} of agent `{agent}` is under way")]
    RolloutOpen {
        /// The agent.
        agent: AgentName,
        /// The open rollout.
        rollout: RolloutId,
    },
    /// The idempotency key was used for something else.
    #[error("the idempotency key was used before for something else (item {id})")]
    KeyReused {
        /// The item that it was used for.
        id: InboxId,
    },
    /// The inbox item was handled before, with another outcome.
    #[error("item {id} was handled before")]
    AlreadyHandled {
        /// Which.
        id: InboxId,
    },
    /// An earlier effect on the same agent's traffic has not been performed yet.
    #[error("effect {id} must wait for effect {before}")]
    OutOfOrder {
        /// Which.
        id: i64,
        /// The earlier one.
        before: i64,
    },
    /// There is no such thing.
    #[error("{what} is not known")]
    Unknown {
        /// What was asked for.
        what: String,
    },
}

impl From<StoreError> for PortError {
    /// Ports speak words; the causes are in them.
    fn from(error: StoreError) -> Self {
        Self { what: in_full(&error) }
    }
}

/// An error with its causes.
pub(crate) fn in_full(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
