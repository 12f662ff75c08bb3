//! What control tells gateways: one immutable picture of who gets which traffic.

use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::approval::ApprovalSettings;
use crate::identity::{IdentityKey, Revoked};
use crate::ids::{AgentName, Epoch, FuseId, Revision, RolloutId, VersionName};
use crate::issuer::OutsideIssuer;
use crate::pin::Pin;
use crate::plan::HardLimit;
use crate::quarantine::Quarantine;
use crate::tool::Tool;
use crate::version::Digest;

/// What a version that is not stable may still get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum Mode {
    /// New keys by weight; its conversations stay.
    Open,
    /// No new keys; running conversations stay until the time given.
    Drain {
        /// Milliseconds since the Unix epoch.
        until_wall_ms: i64,
    },
    /// Nothing further.
    Stopped,
    /// Nothing further, and what is in flight is cut.
    Cut,
}

/// A version beside the stable one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which.
    pub version: VersionName,
    /// Its share of new keys, basis points. 0 unless [`Mode::Open`].
    pub weight_bp: u32,
    /// What it may still get.
    #[serde(flatten)]
    pub mode: Mode,
    /// Present while it is in the test environment.
    #[serde(default)]
    pub test: Option<InTest>,
}

/// What a candidate gets in the test environment, where users are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InTest {
    /// Share of users' requests that it gets copies of, basis points, if it has no side effects.
    pub mirror_bp: u32,
    /// The set of probes that is to be sent, by its text; no other one is. `None`: whatever there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<Digest>,
}

/// How one agent's traffic is split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The rollout under way or last ended.
    pub rollout: Option<RolloutId>,
    /// Grows with every change of the split within the rollout.
    pub epoch: Epoch,
    /// Gets everything that no one else gets.
    pub stable: VersionName,
    /// The version being released.
    pub candidate: Option<Member>,
    /// The version on its way out: after promotion the old stable one, after rollback the failed
    /// candidate.
    pub retiring: Option<Member>,
}

/// One weight of one rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightEpoch {
    /// The rollout.
    pub rollout: RolloutId,
    /// Its epoch.
    pub epoch: Epoch,
}

impl Split {
    /// The weight epoch under which `version` is a candidate.
    pub fn weight_epoch_of(&self, version: &VersionName) -> Option<WeightEpoch> {
        let is_candidate = self.candidate.as_ref().is_some_and(|one| one.version == *version);
        self.rollout.filter(|_| is_candidate).map(|rollout| {
            let epoch = self.epoch;
            WeightEpoch { rollout, epoch }
        })
    }

    /// All traffic to one version, outside any rollout.
    pub fn whole(stable: VersionName) -> Self {
        Self { rollout: None, epoch: Epoch::default(), stable, candidate: None, retiring: None }
    }

    /// The candidate or retiring member called `version`.
    pub fn member(&self, version: &VersionName) -> Option<&Member> {
        [&self.candidate, &self.retiring]
            .into_iter()
            .flatten()
            .find(|member| member.version == *version)
    }
}

/// One agent as gateways need it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Its definition, versions included.
    pub agent: Agent,
    /// Who gets what; `None` while no version is stable, and requests are refused with 503.
    pub split: Option<Split>,
    /// Ceilings armed for the candidate while a rollout runs.
    pub hard_limits: Vec<HardLimit>,
}

/// What agents' own calls are decided from. The default is closed: it is stale from the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress {
    /// Tools that agents may reach at all.
    pub tools: Vec<Tool>,
    /// Agents' calls are refused when control has not been heard of for this long.
    pub snapshot_max_age_ms: u64,
    /// How questions to people are kept.
    #[serde(default)]
    pub approvals: ApprovalSettings,
    /// How agents reach us; `None`: at the address that they came in at.
    #[serde(default)]
    pub url: Option<String>,
    /// Who says, beside us, which version calls.
    #[serde(default)]
    pub issuers: Vec<OutsideIssuer>,
}

/// Everything that a gateway decides from. Immutable; replaced whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Grows with every publication.
    pub revision: Revision,
    /// When it was made, milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// One per agent.
    pub routes: Vec<Route>,
    /// Latches that control has taken over: these fuses yield.
    pub acknowledged_fuses: Vec<FuseId>,
    /// Share of the candidate becomes 0 when control has not been heard of for this long.
    pub candidate_stale_max_ms: u64,
    /// What agents' own calls are decided from.
    #[serde(default)]
    pub egress: Egress,
    /// Agents' tokens that were revoked and have not expired.
    #[serde(default)]
    pub revoked: Vec<Revoked>,
    /// Keys whose tokens are good. None of another key is.
    #[serde(default)]
    pub identity_keys: Vec<IdentityKey>,
    /// Tools as they were first seen, or accepted.
    #[serde(default)]
    pub pins: Vec<Pin>,
    /// What is stopped by order.
    #[serde(default)]
    pub quarantined: Vec<Quarantine>,
}

impl Snapshot {
    /// The route of `agent`.
    pub fn route(&self, agent: &AgentName) -> Option<&Route> {
        self.routes.iter().find(|route| route.agent.name == *agent)
    }
}
