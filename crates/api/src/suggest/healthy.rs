//! What a rule's metric was while nothing was wrong: the stable version's windows for a fixed bound; for one that compares,
//! the candidate's of good releases beside the stable version's, as the stable version alone says nothing of a comparison.

use std::collections::BTreeMap;

use lockgate_model::agent::Agent;
use lockgate_model::ids::{Epoch, VersionName};
use lockgate_model::measure::Measure;
use lockgate_model::plan::Metric;
use lockgate_rollout::judge::history::{Sampled, excesses, readings};
use lockgate_rollout::replay::Past;
use lockgate_rollout::state::Rollout;
use lockgate_store::{Incident, StableWindows, Store, StoreError, Stretch};
use lockgate_telemetry::arm::{Arm, Arms};
use lockgate_value::suggest::threshold::{Seen, Subject, Value};
use lockgate_value::suggest::{Ended, Worth};
use lockgate_value::window::Window;

use super::releases::Judged;
use super::rules::Named;

/// Everything healthy that is kept of an agent.
pub(super) struct Healthy {
    windows: StableWindows,
    /// How the agent is judged now; none before its first release.
    of: Option<Rollout>,
    agent: Agent,
}

impl Healthy {
    pub(super) async fn read(
        store: &Store,
        agent: &Agent,
        window: &Window,
        judged: &[Judged],
        incidents: &[&Incident],
        named: &[Named],
    ) -> Result<Self, StoreError> {
        let of = judged.last().map(|last| Rollout {
            by_key: agent.sticky.is_some(),
            latency: agent.latency,
            measures: agent.measures.clone(),
            sources: agent.sources(),
            ..last.past.rollout.clone()
        });
        let mut lengths: Vec<u64> = named.iter().map(Named::window_ms).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let stretches = without(stable(window, judged), &sick(window, judged, incidents));
        let windows = store.stable_windows(&agent.name, &stretches, &lengths).await?;
        Ok(Self { windows, of, agent: agent.clone() })
    }

    pub(super) fn measures(&self) -> &[Measure] {
        &self.agent.measures
    }

    /// Why nobody judges by a rule.
    pub(super) fn not_judged(&self, named: &Named) -> Option<String> {
        let metric = named.metric();
        metric.lacks(&self.agent.sources()).map(|_| {
            format!("the agent does not declare what `{metric}` is made of, so it is not judged")
        })
    }

    /// The windows of a rule.
    pub(super) fn of(&self, named: &Named, subject: &Subject, judged: &[Judged]) -> Seen {
        let was_asked = |judged: &&Judged| {
            judged.present.as_ref().is_ok_and(|present| named.was_asked(present))
        };
        let releases = judged.iter().filter(was_asked).count() as u64;
        let by_users = named.metric() == Metric::ErrorRate && self.agent.sticky.is_some();
        let mut seen = Seen {
            values: Vec::new(),
            few: 0,
            window_ms: (!by_users).then(|| named.window_ms()),
            releases,
        };
        let good = judged.iter().filter(|judged| judged.release.worth() == Worth::Good);
        let past = good.map(|judged| &judged.past);
        match (&self.of, subject.bound.is_relative(), by_users) {
            (None, _, _) => {}
            (Some(of), false, false) => self.stable_windows(of, named, subject, &mut seen),
            (Some(of), false, true) => past.for_each(|past| {
                for (at, arms) in by_epoch(past) {
                    let sampled = readings(named.as_rule(), of, &arms.stable, named.samples_min());
                    put(&mut seen, subject, at, &sampled, arms.stable.completed);
                }
            }),
            (Some(_), true, _) => past.for_each(|past| {
                let arms = if by_users { by_epoch(past) } else { beside(past, named.window_ms()) };
                for (at, arms) in arms {
                    let least = named.samples_min();
                    let sampled = excesses(named.as_rule(), &past.rollout, &arms, least);
                    put(&mut seen, subject, at, &sampled, arms.candidate.completed);
                }
            }),
        }
        seen.values.sort_by_key(|value| value.at_wall_ms);
        seen
    }

    fn stable_windows(&self, of: &Rollout, named: &Named, subject: &Subject, seen: &mut Seen) {
        for (at, arm) in self.windows.get(&named.window_ms()).into_iter().flatten() {
            let sampled = readings(named.as_rule(), of, arm, named.samples_min());
            let any = arm.completed + arm.feedback.count();
            put(seen, subject, *at, &sampled, any);
        }
    }
}

fn put(seen: &mut Seen, subject: &Subject, at_wall_ms: i64, sampled: &[Sampled], any: u64) {
    match subject.worst(sampled) {
        Some((n, value)) => seen.values.push(Value { at_wall_ms, n, value }),
        None => seen.few += u64::from(any > 0),
    }
}

/// Which version was stable when, as far as the window's releases tell.
fn stable(window: &Window, judged: &[Judged]) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut from_wall_ms = window.from_wall_ms();
    let mut now: Option<VersionName> =
        judged.first().and_then(|first| first.past.rollout.stable.clone());
    for judged in judged.iter().filter(|judged| judged.release.ended == Ended::Promoted) {
        let until_wall_ms = judged.release.ended_wall_ms;
        let before = judged.past.rollout.stable.clone().or(now);
        stretches.extend(before.map(|version| Stretch { version, from_wall_ms, until_wall_ms }));
        (now, from_wall_ms) = (Some(judged.release.version.clone()), until_wall_ms);
    }
    let until_wall_ms = window.to_wall_ms();
    stretches.extend(now.map(|version| Stretch { version, from_wall_ms, until_wall_ms }));
    stretches
}

/// When something was wrong: releases that should not have been let through, and incidents.
fn sick(window: &Window, judged: &[Judged], incidents: &[&Incident]) -> Vec<[i64; 2]> {
    let bad = judged.iter().filter(|judged| judged.release.worth() == Worth::Bad);
    let releases =
        bad.map(|judged| [judged.past.rollout.started_wall_ms, judged.release.ended_wall_ms]);
    let incidents = incidents.iter().map(|incident| {
        [incident.detected_wall_ms, incident.recovered_wall_ms.unwrap_or(window.to_wall_ms())]
    });
    releases.chain(incidents).collect()
}

fn without(stretches: Vec<Stretch>, sick: &[[i64; 2]]) -> Vec<Stretch> {
    sick.iter().fold(stretches, |stretches, [begin, end]| {
        let cut = |stretch: Stretch| {
            let part = |from: i64, until: i64| Stretch {
                from_wall_ms: from.max(stretch.from_wall_ms),
                until_wall_ms: until.min(stretch.until_wall_ms),
                version: stretch.version.clone(),
            };
            [part(i64::MIN, *begin), part(end.saturating_add(1), i64::MAX)]
        };
        let parts = stretches.into_iter().flat_map(cut);
        parts.filter(|part| part.from_wall_ms < part.until_wall_ms).collect()
    })
}

/// Both versions of a release in windows of one length, under one split each. What is kept more coarsely is left out.
fn beside(past: &Past, length_ms: u64) -> Vec<(i64, Arms)> {
    let Ok(length_ms) = i64::try_from(length_ms) else { return Vec::new() };
    let mut windows: BTreeMap<(i64, Epoch), Arms> = BTreeMap::new();
    for seen in past.seen.iter().filter(|seen| counts(past, seen.epoch)) {
        if length_ms > 0 && seen.until_wall_ms - seen.from_wall_ms <= length_ms {
            let at = seen.from_wall_ms.div_euclid(length_ms) * length_ms;
            merge(windows.entry((at, seen.epoch)).or_default(), &seen.arms);
        }
    }
    windows.into_iter().map(|((at, _), arms)| (at, arms)).collect()
}

/// The same by split, with its users.
fn by_epoch(past: &Past) -> Vec<(i64, Arms)> {
    let mut epochs: BTreeMap<Epoch, (i64, Arms)> = BTreeMap::new();
    for seen in past.seen.iter().filter(|seen| counts(past, seen.epoch)) {
        let entry = epochs.entry(seen.epoch).or_insert((seen.from_wall_ms, Arms::default()));
        entry.0 = entry.0.min(seen.from_wall_ms);
        merge(&mut entry.1, &seen.arms);
    }
    epochs.into_values().collect()
}

/// Neither a test nor a delay.
fn counts(past: &Past, epoch: Epoch) -> bool {
    let Rollout { test_epochs, warm_epochs, .. } = &past.rollout;
    !test_epochs.contains(&epoch) && !warm_epochs.contains(&epoch)
}

fn merge(into: &mut Arms, seen: &Arms) {
    Arm::merge(&mut into.candidate, &seen.candidate);
    Arm::merge(&mut into.stable, &seen.stable);
}
