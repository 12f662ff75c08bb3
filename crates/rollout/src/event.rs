//! What happens to a rollout, and what it asks for.

use std::sync::Arc;

use lockgate_model::ids::{AgentName, Epoch, FuseId, SecurityEventId, VersionName};
use lockgate_model::plan::{AlertLevel, Plan};
use lockgate_model::snapshot::Split;
use lockgate_model::version::Digest;
use serde::{Deserialize, Serialize};

use crate::signals::Signals;

/// What an operator may say. Each with who and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Hold; triggers stay armed.
    Pause,
    /// Go on.
    Resume,
    /// Skip what is left.
    Promote,
    /// Take back.
    Abort,
}

/// A gate that no metric decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutsideGate {
    /// Open: the stage that waits for it may be left.
    Confirm,
    /// Open: the release is taken back.
    Rollback,
}

/// What a gate was asked about. An answer that comes late opens nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Index of the stage.
    pub stage: usize,
    /// The split that was in force.
    pub epoch: Epoch,
}

/// What happens to a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// Look again.
    Tick {
        /// What is known now.
        signals: Box<Signals>,
        /// Whether a live gateway is watching; time that nobody watched does not count.
        observed: bool,
    },
    /// The numbers could not be read; it will be tried again.
    SourceFailed {
        /// Why.
        error: String,
    },
    /// Every gateway has applied the split of this epoch.
    Applied {
        /// Which.
        epoch: Epoch,
    },
    /// Another split is in force than the one that was ordered.
    Drifted {
        /// What is read back, in words: `50 %`.
        found: String,
    },
    /// The split could not be brought to the gateways; it will be tried again.
    DriverFailed {
        /// Why.
        error: String,
    },
    /// A security event on the candidate.
    Security {
        /// Which.
        id: SecurityEventId,
        /// What was seen, in words.
        detail: String,
        /// Who said so.
        by: String,
        /// Whether the stable version shows the same.
        stable_shows_it: Option<bool>,
    },
    /// A gateway's fuse latched on the candidate.
    Fuse {
        /// Which.
        id: FuseId,
        /// Why, in words.
        cause: String,
        /// Whether a security event was the cause.
        security: bool,
    },
    /// An operator's word.
    Command {
        /// What.
        command: Command,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person or a webhook has answered for a gate.
    Gate {
        /// Which.
        gate: OutsideGate,
        /// What was asked about; `None` from a person, who means what waits now.
        about: Option<About>,
        /// What.
        open: bool,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// The release of an agent that this one comes after has ended.
    Ahead {
        /// The agent.
        agent: AgentName,
        /// Whether its new version is stable.
        well: bool,
        /// How it ended, in words.
        detail: String,
    },
    /// The plan was edited.
    PlanChanged {
        /// As it is now.
        plan: Arc<Plan>,
        /// Who.
        by: String,
    },
    /// The set of probes was edited.
    ProbesChanged {
        /// Names of its probes.
        names: Vec<String>,
        /// Its text; `None` when the agent has no probes any more.
        digest: Option<Digest>,
        /// Who.
        by: String,
    },
    /// A newer release of the agent takes its place.
    Superseded {
        /// The newer version.
        by: VersionName,
    },
    /// The process was restarted.
    Restart,
}

/// Something for people to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// How loud.
    pub level: AlertLevel,
    /// One line.
    pub title: String,
    /// What happened, with numbers.
    pub text: String,
}

/// What a rollout asks for. Performed at least once, so each is idempotent by its outbox id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "effect")]
pub enum Effect {
    /// Bring this split to every gateway; done when `Applied` with its epoch comes back.
    SetSplit {
        /// Which.
        split: Split,
    },
    /// The fuses were taken over; gateways may release them.
    AcknowledgeFuses {
        /// Which.
        ids: Vec<FuseId>,
    },
    /// Make the version's identity useless.
    Revoke {
        /// Which.
        version: VersionName,
    },
    /// Tell people.
    Notify {
        /// What.
        alert: Alert,
    },
}
