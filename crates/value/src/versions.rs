//! What each version was worth, and what it changed against the one that was stable when its release began.

use std::collections::BTreeMap;

use lockgate_model::ids::{AgentName, VersionName};

use crate::catalog::MeasureId;
use crate::gather::{Gathered, Seen};
use crate::measure::saving::{Sum, per_resolved};
use crate::measure::{business, error_rate, replacement_rate};
use crate::measured::{Estimate, Measured, Missing, tidy};
use crate::report::{Change, VersionChange, VersionValue};
use crate::rollup::{Bucket, HOUR_MS};
use crate::stats;

/// Measures of a version that are compared.
const COMPARED: [MeasureId; 4] =
    [MeasureId::ReplacementRate, MeasureId::ErrorRate, MeasureId::CostPerResolved, MeasureId::Nps];

/// Versions by agent, in the order in which they were first seen; of two in the same hour by their releases, then by name.
pub(crate) fn versions(gathered: &Gathered) -> Vec<VersionValue> {
    let deployments = gathered.deployments();
    let mut started: BTreeMap<(&AgentName, &VersionName), i64> = BTreeMap::new();
    for one in &deployments {
        if let (Some(version), Some(at)) = (&one.version, one.started_wall_ms) {
            let first = started.entry((&one.agent, version)).or_insert(at);
            *first = at.min(*first);
        }
    }
    let mut by_agent: BTreeMap<&AgentName, Vec<(i64, &VersionName, &Seen)>> = BTreeMap::new();
    for ((agent, version), seen) in &gathered.versions {
        if let Some(first) = seen.first_wall_ms.filter(|_| seen.bucket.interactions() > 0) {
            // Rollups know the hour, and a release its moment.
            let released = started.get(&(agent, version)).copied();
            let first =
                released.filter(|at| at - first < HOUR_MS).map_or(first, |at| at.max(first));
            by_agent.entry(agent).or_default().push((first, version, seen));
        }
    }
    let mut all = Vec::new();
    for (agent, mut seen) in by_agent {
        seen.sort_by_key(|(first, version, _)| (*first, *version));
        let of_all: BTreeMap<&VersionName, Vec<Measured>> =
            seen.iter().map(|(_, version, seen)| (*version, measures(&seen.bucket))).collect();
        for (first_wall_ms, version, _) in seen {
            let measures = of_all.get(version).cloned().unwrap_or_default();
            let change = stable_before(gathered, agent, version, first_wall_ms).map(|against| {
                // One that nobody asked in the window has no numbers to compare with.
                let before = of_all.get(&against).map_or(&[][..], Vec::as_slice);
                VersionChange { rows: changes(before, &measures), against }
            });
            let end = end(gathered, agent, version);
            all.push(VersionValue {
                agent: agent.clone(),
                version: version.clone(),
                first_wall_ms,
                end,
                measures,
                change,
            });
        }
    }
    all
}

/// The version that was stable when the last release of this one began, as the release has it. Of a version that Lockgate did
/// not release it is the last one that had been promoted by then. One that was taken back is no version's.
fn stable_before(
    gathered: &Gathered,
    agent: &AgentName,
    version: &VersionName,
    first_wall_ms: i64,
) -> Option<VersionName> {
    let releases = || gathered.releases_of(agent);
    let own = releases().filter(|one| one.version == *version && one.started_wall_ms.is_some());
    if let Some(own) = own.max_by_key(|one| one.started_wall_ms) {
        return own.stable.clone();
    }
    let promoted = releases().filter_map(|one| Some((one.promoted_wall_ms?, &one.version)));
    let own = promoted.clone().filter(|(_, name)| *name == version).map(|(at, _)| at).min();
    let began = own.map_or(first_wall_ms, |at| at.min(first_wall_ms));
    let before = promoted.filter(|(at, name)| *at <= began && *name != version);
    before.max().map(|(_, name)| name.clone())
}

fn end(
    gathered: &Gathered,
    agent: &AgentName,
    version: &VersionName,
) -> Option<crate::gather::End> {
    let all = gathered.deployments();
    let its = all.iter().filter(|one| one.agent == *agent && one.version.as_ref() == Some(version));
    its.max().map(|one| one.end)
}

fn measures(bucket: &Bucket) -> Vec<Measured> {
    let n = bucket.interactions();
    let nps = business::net_promoter(&bucket.votes);
    vec![
        Measured::number(MeasureId::Interactions, n as f64, n),
        replacement_rate(bucket),
        error_rate(bucket, 0),
        cost_per_resolved(bucket),
        nps.unwrap_or_else(|| {
            Measured::absent(MeasureId::Nps, Missing::new("nobody voted on this version", []))
        }),
    ]
}

fn cost_per_resolved(bucket: &Bucket) -> Measured {
    let cost = bucket.cost;
    if cost.known == 0 {
        let missing = Missing::new("the cost of no interaction of this version is known", []);
        return Measured::absent(MeasureId::CostPerResolved, missing);
    }
    let mut total = Estimate::exact(cost.sum_usd.as_f64());
    let mut notes = Vec::new();
    if cost.unknown > 0 {
        total.high = None;
        notes.push(format!("the cost of {} interactions is unknown and not in it", cost.unknown));
    }
    per_resolved(
        &Sum { total, n: cost.known, notes },
        bucket.outcomes.resolved,
        bucket.outcomes.unknown,
    )
}

fn changes(before: &[Measured], after: &[Measured]) -> Vec<Change> {
    let of =
        |measures: &[Measured], id| measures.iter().find(|measured| measured.id == id).cloned();
    COMPARED
        .into_iter()
        .map(|id| change(id, of(before, id).as_ref(), of(after, id).as_ref()))
        .collect()
}

/// Whether all that the one can be lies on one side of all that the other can be.
fn are_apart(before: Option<&Measured>, after: Option<&Measured>) -> bool {
    let span = |measured: Option<&Measured>| {
        let measured = measured?;
        let value = measured.value?;
        let range = measured.range.map(|range| {
            (range.low.unwrap_or(f64::NEG_INFINITY), range.high.unwrap_or(f64::INFINITY))
        });
        Some(range.unwrap_or((value, value)))
    };
    span(before).zip(span(after)).is_some_and(|((from, to), (low, high))| to < low || high < from)
}

/// A change is for better or worse when its interval leaves no change out, and what was not seen of either does, too. Where
/// there is no interval, nobody can say.
pub(crate) fn change(id: MeasureId, before: Option<&Measured>, after: Option<&Measured>) -> Change {
    let value = |measured: Option<&Measured>| measured.and_then(|measured| measured.value);
    let ends =
        |measured: Option<&Measured>| measured.and_then(|measured| measured.interval.clone());
    let (then, now) = (value(before), value(after));
    let change = then.zip(now).and_then(|(then, now)| tidy(now - then));
    let interval = match (now.zip(ends(after)), then.zip(ends(before))) {
        (Some(now), Some(then)) => stats::difference((now.0, &now.1), (then.0, &then.1)),
        _ => None,
    };
    let is_clear = interval
        .as_ref()
        .is_some_and(|ends| ends.low > 0.0 || ends.high.is_some_and(|high| high < 0.0));
    let better = change
        .filter(|change| *change != 0.0 && is_clear && are_apart(before, after))
        .and_then(|change| id.spec().more_is_better.map(|more| (change > 0.0) == more));
    Change { id, before: then, after: now, change, interval, better }
}
