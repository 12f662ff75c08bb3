//! How agents run.

use super::deployment::{no_users, sketched};
use super::{View, no_interactions};
use crate::catalog::MeasureId;
use crate::gather::{End, Incident};
use crate::measured::{Estimate, Measured, Missing};
use crate::rollup::Bucket;
use crate::stats;

const MINUTE_MS: f64 = 60_000.0;

pub(super) fn interactions(view: &View) -> Measured {
    let n = view.interactions();
    if n == 0 {
        return Measured::absent(MeasureId::Interactions, no_interactions());
    }
    let refused = view.sum.bucket.refused;
    Measured::number(MeasureId::Interactions, n as f64, n).note_if(refused > 0, || {
        format!(
            "{refused} requests were refused before any version was asked, and are not among them"
        )
    })
}

pub(super) fn users(view: &View) -> Measured {
    let id = MeasureId::Users;
    let counts: Vec<f64> = view.parties.values().map(|day| day.bucket.users.count()).collect();
    let largest = counts.iter().copied().fold(0.0, f64::max);
    let sum: f64 = counts.iter().sum();
    if sum == 0.0 {
        let missing = if view.interactions() == 0 { no_interactions() } else { no_users() };
        return Measured::absent(id, missing);
    }
    let anonymous = view.sum.bucket.anonymous;
    let mut estimate = Estimate::between(largest, sum);
    if anonymous > 0 {
        estimate.high = Some(sum + anonymous as f64);
    }
    let is_exact = view.parties.values().all(|day| day.bucket.users.is_exact());
    Measured::of(id, estimate, view.interactions())
        .note_if(anonymous > 0, || format!("{anonymous} interactions name no user"))
        .note_if(!is_exact, sketched)
}

/// Of any interactions, such as one version's.
pub(crate) fn replacement_rate(bucket: &Bucket) -> Measured {
    let id = MeasureId::ReplacementRate;
    let (resolved, unknown, all) =
        (bucket.outcomes.resolved, bucket.outcomes.unknown, bucket.interactions());
    if all == 0 {
        return Measured::absent(id, no_interactions());
    }
    if bucket.outcomes.known() == 0 {
        let how = "report outcomes: see `lockgate-outcome` in docs/configuration.md";
        return Measured::absent(
            id,
            Missing::new(format!("no outcome of {all} interactions is known"), [how.to_owned()]),
        );
    }
    let percent = |part: u64| 100.0 * part as f64 / all as f64;
    Measured::of(id, Estimate::between(percent(resolved), percent(resolved + unknown)), all)
        .over(resolved as f64, all as f64)
        .with_interval(stats::wilson(resolved, all))
        .note_if(unknown > 0, || {
            format!("{unknown} of {all} outcomes are unknown and count as not resolved")
        })
}

pub(super) fn verified_share(view: &View) -> Measured {
    let id = MeasureId::VerifiedShare;
    let (looked, verified) = view.gathered.looked();
    if looked == 0 {
        return Measured::absent(id, nobody_looked(view));
    }
    let value = 100.0 * verified as f64 / looked as f64;
    Measured::number(id, value, looked)
        .over(verified as f64, looked as f64)
        .with_interval(stats::wilson(verified, looked))
}

fn nobody_looked(view: &View) -> Missing {
    let how = view.record_of_agent("replacement_check", "interaction=ID verified=true");
    Missing::new("no person looked whether resolved interactions were", [how])
}

pub(super) fn verified_replacement(view: &View) -> Measured {
    let id = MeasureId::VerifiedReplacement;
    let rate = replacement_rate(&view.sum.bucket);
    let (Some(value), Some(range)) = (rate.value, rate.bounds()) else {
        return Measured { id, ..rate };
    };
    let (looked, verified) = view.gathered.looked();
    if looked == 0 {
        return Measured::absent(id, nobody_looked(view));
    }
    let estimate =
        Estimate { value, low: range.low, high: range.high }.times(verified as f64 / looked as f64);
    Measured::of(id, estimate, view.interactions()).note(format!(
        "{looked} interactions were looked at, and are taken to speak for all that were resolved"
    ))
}

/// Incidents, and failed releases that no incident names. Each counts once.
pub(super) fn mttr(view: &View, id: MeasureId) -> Measured {
    let gathered = view.gathered;
    let incidents: Vec<&Incident> = gathered.incidents.values().collect();
    let mut times: Vec<(Option<i64>, Option<i64>)> =
        incidents.iter().map(|one| (Some(one.detected_wall_ms), one.recovered_wall_ms)).collect();
    let is_told =
        |deployment: &str| incidents.iter().any(|one| one.release.as_deref() == Some(deployment));
    let failed = gathered.deployments().into_iter().filter(|one| {
        matches!(one.end, End::RolledBack | End::Aborted)
            && one.detected_wall_ms.is_some()
            && !is_told(&one.id)
    });
    times.extend(failed.map(|one| (one.detected_wall_ms, one.recovered_wall_ms)));
    let minutes: Vec<f64> = times
        .iter()
        .filter_map(|(detected, recovered)| {
            Some((recovered.as_ref()? - detected.as_ref()?) as f64 / MINUTE_MS)
        })
        .collect();
    let middle =
        if id == MeasureId::MttrMean { stats::mean(&minutes) } else { stats::median(&minutes) };
    let open = times.len() - minutes.len();
    let Some(value) = middle else {
        let why = match open {
            0 => "no incident and no failed release was seen in this window".to_owned(),
            open => format!("{open} incidents last, and none is over"),
        };
        let how = view.record("incident", "detected=TIME recovered=TIME");
        return Measured::absent(id, Missing::new(why, [how]));
    };
    Measured::number(id, value, minutes.len() as u64).note_if(open > 0, || {
        format!("{open} last still and are left out, so that the truth is longer")
    })
}

/// Of any interactions, with the errors that were found later.
pub(crate) fn error_rate(bucket: &Bucket, introduced: u64) -> Measured {
    let id = MeasureId::ErrorRate;
    let all = bucket.interactions();
    if all == 0 {
        return Measured::absent(id, no_interactions());
    }
    let errors = errors(bucket, introduced);
    Measured::number(id, 100.0 * errors as f64 / all as f64, all)
        .over(errors as f64, all as f64)
        .with_interval(stats::wilson(errors, all))
        .note_if(introduced > 0, || format!("{introduced} of the errors were found later"))
}

/// Errors of all kinds; no more than there are interactions.
pub(super) fn errors(bucket: &Bucket, introduced: u64) -> u64 {
    bucket.errors_charged().saturating_add(introduced).min(bucket.interactions())
}

pub(super) fn security_events(view: &View) -> Measured {
    let id = MeasureId::SecurityEvents;
    if !view.was_anything_seen() {
        return Measured::absent(id, no_interactions());
    }
    let n = view.gathered.security.len() as u64;
    Measured::number(id, n as f64, n)
}
