//! Which version a request goes to. First that applies: the conversation's version (signed pin or
//! protocol id), the hash of the sticky key, a random draw.

use std::sync::Arc;

use lockgate_model::ids::{RolloutId, VersionName};
use lockgate_model::snapshot::Mode;

use crate::split;
use crate::table::{Beside, Shares, Target};

/// Where a conversation runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    /// The version.
    pub(crate) version: VersionName,
    /// The release in which it came there.
    pub(crate) rollout: Option<RolloutId>,
}

impl Home {
    /// On the version that a request was routed to.
    pub(crate) fn of(target: &Target) -> Self {
        Self { version: target.version.clone(), rollout: target.rollout }
    }
}

/// What a request brings along.
pub(crate) struct Affinity<'a> {
    /// Where its conversation runs.
    pub(crate) conversation: Option<&'a Home>,
    /// Its sticky key.
    pub(crate) sticky: Option<&'a str>,
    /// Used without either.
    pub(crate) random: u32,
}

/// Time as far as routing needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Milliseconds since the Unix epoch.
    pub(crate) wall_ms: i64,
    /// Whether control was not heard of for too long: nothing judges the candidate.
    pub(crate) control_stale: bool,
}

/// The version that gets the request. Never one that is closed, unless nothing else exists.
pub(crate) fn pick<'a>(
    shares: &'a Shares,
    affinity: &Affinity<'_>,
    now: Moment,
) -> &'a Arc<Target> {
    let base = base(shares);
    if let Some(home) = affinity.conversation.filter(|home| binds(shares, home)) {
        return conversation(shares, &home.version, now).unwrap_or(base);
    }
    let Some(candidate) = &shares.candidate else { return base };
    if candidate.mode != Mode::Open || now.control_stale || candidate.target.live.is_closed() {
        return base;
    }
    let hash = match (affinity.sticky, shares.rollout) {
        (Some(key), Some(rollout)) => split::hash(&split::key_text(rollout, key)),
        (Some(key), None) => split::hash(key),
        (None, _) => affinity.random,
    };
    if split::is_candidate(hash, candidate.weight_bp) { &candidate.target } else { base }
}

/// Whoever was on the candidate in an earlier release of it is assigned anew in this one: kept
/// pins would bring more users to it than its share.
fn binds(shares: &Shares, home: &Home) -> bool {
    let candidate = shares.candidate.as_ref();
    candidate.is_none_or(|candidate| {
        candidate.target.version != home.version || home.rollout == shares.rollout
    })
}

/// Stable; or, while a fuse holds against the version that control has just made stable, the one
/// that it replaced.
fn base(shares: &Shares) -> &Arc<Target> {
    match &shares.retiring {
        Some(old) if shares.stable.live.is_closed() && !old.target.live.is_closed() => &old.target,
        _ => &shares.stable,
    }
}

/// The conversation's own version, if it may still have it.
fn conversation<'a>(
    shares: &'a Shares,
    version: &VersionName,
    now: Moment,
) -> Option<&'a Arc<Target>> {
    let of = |beside: &'a Option<Beside>| {
        beside.as_ref().filter(|beside| beside.target.version == *version)
    };
    let candidate = of(&shares.candidate).filter(|_| !now.control_stale);
    let beside = candidate.or_else(|| of(&shares.retiring))?;
    let stays = match beside.mode {
        // A candidate without a share has no conversations: such a pin is from another release.
        Mode::Open => beside.weight_bp > 0,
        Mode::Drain { until_wall_ms } => now.wall_ms < until_wall_ms,
        Mode::Stopped | Mode::Cut => false,
    };
    (stays && !beside.target.live.is_closed()).then_some(&beside.target)
}
