//! Which version a request goes to. First that applies: the conversation's version (signed pin or
//! protocol id), the hash of the sticky key, a random draw.

use std::sync::Arc;

use lockgate_model::ids::VersionName;
use lockgate_model::snapshot::Mode;

use crate::split;
use crate::table::{Beside, Shares, Target};

/// What a request brings along.
pub(crate) struct Affinity<'a> {
    /// The version that its conversation runs on.
    pub(crate) conversation: Option<&'a VersionName>,
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
    if let Some(version) = affinity.conversation {
        return conversation(shares, version, now).unwrap_or(base);
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
