//! Getting agents into use, and DORA's four keys (dora.dev, as of 2024).

use std::collections::BTreeMap;

use super::{View, no_interactions};
use crate::catalog::MeasureId;
use crate::distinct::STANDARD_ERROR;
use crate::event::Stage;
use crate::gather::{Deployment, End, Incident, People};
use crate::measured::{Estimate, Measured, Missing};
use crate::stats;

const MINUTE_MS: f64 = 60_000.0;
const HOUR_MS: f64 = 60.0 * MINUTE_MS;

/// Releases to production that came to an end of their own.
fn finished(view: &View) -> Vec<Deployment> {
    let ended = |one: &Deployment| {
        one.in_production && one.end != End::Superseded && view.holds(one.finished_wall_ms)
    };
    view.gathered.deployments().into_iter().filter(ended).collect()
}

fn no_release(view: &View) -> Missing {
    Missing::new(
        "no release to production ended in this window",
        [
            "lockgate rollout start AGENT VERSION --reason TEXT".to_owned(),
            view.record_of_agent("deployment", "outcome=succeeded finished=TIME"),
        ],
    )
}

fn is_promoted(one: &Deployment) -> bool {
    one.end == End::Promoted
}

/// Whether an incident names a release as its cause: by its id, or by its agent and version.
fn is_cause(one: &Deployment, incident: &Incident) -> bool {
    let by_version = incident.version.is_some()
        && incident.version == one.version
        && incident.agent.as_ref().is_none_or(|agent| *agent == one.agent);
    incident.release.as_deref() == Some(&one.id) || (incident.release.is_none() && by_version)
}

fn caused_incident(view: &View, one: &Deployment) -> bool {
    view.gathered.incidents.values().any(|incident| is_cause(one, incident))
}

fn share(id: MeasureId, part: usize, whole: usize) -> Measured {
    let (part, whole) = (part as u64, whole as u64);
    let value = 100.0 * part as f64 / whole as f64;
    Measured::number(id, value, whole)
        .over(part as f64, whole as f64)
        .with_interval(stats::wilson(part, whole))
}

pub(super) fn success(view: &View) -> Measured {
    let id = MeasureId::DeploymentSuccess;
    let all = finished(view);
    let superseded = view.gathered.deployments().len() - all.len();
    if all.is_empty() {
        return Measured::absent(id, no_release(view));
    }
    let promoted = all.iter().filter(|one| is_promoted(one)).count();
    share(id, promoted, all.len()).note_if(superseded > 0, || {
        format!("{superseded} more were superseded or ended before production, and count nowhere")
    })
}

pub(super) fn change_failure_rate(view: &View) -> Measured {
    let id = MeasureId::ChangeFailureRate;
    let all = finished(view);
    if all.is_empty() {
        return Measured::absent(id, no_release(view));
    }
    let failed = all.iter().filter(|one| !is_promoted(one) || caused_incident(view, one)).count();
    share(id, failed, all.len())
}

pub(super) fn frequency(view: &View) -> Measured {
    let id = MeasureId::DeploymentFrequency;
    let all = finished(view);
    if all.is_empty() && !view.was_anything_seen() {
        return Measured::absent(id, no_release(view));
    }
    let promoted = all.iter().filter(|one| is_promoted(one)).count() as f64;
    let measured = Measured::number(id, promoted / view.weeks(), all.len() as u64);
    measured.over(promoted, view.weeks())
}

pub(super) fn lead_time(view: &View) -> Measured {
    let id = MeasureId::LeadTime;
    let promoted: Vec<Deployment> = finished(view).into_iter().filter(is_promoted).collect();
    let hours = |one: &Deployment| {
        one.committed_wall_ms.map(|committed| (one.finished_wall_ms - committed) as f64 / HOUR_MS)
    };
    let known: Vec<f64> = promoted.iter().filter_map(hours).collect();
    let Some(median) = stats::median(&known) else {
        let how = view.record_of_agent(
            "deployment",
            "release=ROLLOUT outcome=succeeded finished=TIME committed=TIME",
        );
        return Measured::absent(
            id,
            Missing::new("no successful release of this window has a commit time", [how]),
        );
    };
    let without = promoted.len() - known.len();
    Measured::number(id, median, known.len() as u64).note_if(without > 0, || {
        format!("{without} successful releases have no commit time and are left out")
    })
}

/// Minutes from noticing to recovery: of failed releases themselves, and of incidents that a release caused. An incident
/// that names a failed release has its times, which then stand for the release's own.
pub(super) fn recovery(view: &View) -> Measured {
    let id = MeasureId::FailedDeploymentRecovery;
    let all = finished(view);
    let mut minutes = Vec::new();
    let mut open = 0u64;
    for one in all.iter().filter(|one| !is_promoted(one) || caused_incident(view, one)) {
        match failure_times(view, one) {
            (Some(detected), Some(recovered)) => {
                minutes.push((recovered - detected) as f64 / MINUTE_MS);
            }
            _ => open += 1,
        }
    }
    let Some(median) = stats::median(&minutes) else {
        let why = match (all.len(), open) {
            (0, _) => return Measured::absent(id, no_release(view)),
            (_, 0) => "no release of this window failed",
            _ => "no failed release of this window has both times",
        };
        let how = view.record_of_agent("incident", "release=ROLLOUT detected=TIME recovered=TIME");
        return Measured::absent(id, Missing::new(why, [how]));
    };
    Measured::number(id, median, minutes.len() as u64).note_if(open > 0, || {
        format!("{open} failed releases have not recovered or lack a time, and are left out")
    })
}

/// When a failure was noticed and over: the first notice and the last recovery of its incidents, or the release's own.
fn failure_times(view: &View, one: &Deployment) -> (Option<i64>, Option<i64>) {
    let caused: Vec<&Incident> =
        view.gathered.incidents.values().filter(|incident| is_cause(one, incident)).collect();
    let Some(detected) = caused.iter().map(|incident| incident.detected_wall_ms).min() else {
        return (one.detected_wall_ms, one.recovered_wall_ms);
    };
    let ends: Option<Vec<i64>> = caused.iter().map(|incident| incident.recovered_wall_ms).collect();
    (Some(detected), ends.and_then(|ends| ends.into_iter().max()))
}

pub(super) fn production_share(view: &View) -> Measured {
    let id = MeasureId::ProductionShare;
    let gathered = view.gathered;
    let known = gathered.milestones.iter().map(|(agent, firsts)| {
        (agent.as_str(), if firsts.in_production { Stage::Production } else { Stage::Test })
    });
    let mut systems: BTreeMap<&str, Stage> = known.collect();
    systems.extend(gathered.facts.systems());
    systems.retain(|_, stage| *stage != Stage::Retired);
    if systems.is_empty() {
        let how = view.record("system", "name=NAME stage=production");
        return Measured::absent(id, Missing::new("no system is known", [how]));
    }
    let production = systems.values().filter(|stage| **stage == Stage::Production).count();
    share(id, production, systems.len())
}

pub(super) fn time_to_value(view: &View) -> Measured {
    let id = MeasureId::TimeToValue;
    let window = view.gathered.window();
    let before_end = |at: Option<i64>| at.filter(|at| *at < window.to_wall_ms());
    let (mut days, mut early, mut open) = (Vec::new(), 0u64, 0u64);
    for firsts in view.gathered.milestones.values() {
        let both =
            before_end(firsts.first_test_wall_ms).zip(before_end(firsts.first_value_wall_ms));
        match both.and_then(|(test, value)| window.days_between(test, value)) {
            Some(between) if between >= 0.0 => days.push(between),
            Some(_) => early += 1,
            None => open += 1,
        }
    }
    let Some(median) = stats::median(&days) else {
        let how = [
            view.record_of_agent("use_case", "name=NAME stage=test --at TIME"),
            "report outcomes: see `lockgate-outcome` in docs/configuration.md".to_owned(),
        ];
        return Measured::absent(
            id,
            Missing::new("no agent has a first test followed by a first measured value", how),
        );
    };
    Measured::number(id, median, days.len() as u64)
        .note_if(open > 0, || format!("{open} agents have no first test or no value yet"))
        .note_if(early > 0, || {
            format!("{early} agents were of value before any test that is known, and are left out")
        })
}

/// Users of each agent are hashed under a salt of its own: the same person under two agents looks like two.
pub(super) fn adoption(view: &View) -> Measured {
    let id = MeasureId::Adoption;
    let Some(employees) = view.gathered.facts.people(view.only(), People::Employees) else {
        let how = view.record("headcount", "employees=N");
        return Measured::absent(
            id,
            Missing::new("how many employees there are was not recorded", [how]),
        );
    };
    let users = view.parties.values().filter(|day| !day.bucket.users.is_empty());
    let counts: Vec<f64> = users.map(|day| day.bucket.users.count()).collect();
    let Some(largest) = counts.iter().copied().reduce(f64::max) else {
        let missing = if view.interactions() == 0 { no_interactions() } else { no_users() };
        return Measured::absent(id, missing);
    };
    let employees = employees as f64;
    let sum: f64 = counts.iter().sum();
    let is_exact = view.parties.values().all(|day| day.bucket.users.is_exact());
    // All employees may look like some more to a sketch.
    let most = if is_exact { employees } else { employees * (1.0 + 3.0 * STANDARD_ERROR) };
    if largest > most {
        let why = format!(
            "{largest} users and {employees} employees: the users are not employees alone, or `sticky` does not name people"
        );
        return Measured::absent(id, Missing::new(why, [view.record("headcount", "employees=N")]));
    }
    let largest = largest.min(employees);
    let percent = |users: f64| 100.0 * users / employees;
    let anonymous = view.sum.bucket.anonymous;
    let most = sum.min(employees);
    let mut estimate = Estimate::between(percent(largest), percent(most));
    if anonymous > 0 {
        estimate.high = Some(100.0);
    }
    Measured::of(id, estimate, view.interactions())
        .over(largest, employees)
        .note_if(counts.len() > 1, || "users of different agents cannot be told to be the same: the value is the largest agent's, the range goes up to the sum".to_owned())
        .note_if(anonymous > 0, || format!("{anonymous} interactions name no user"))
        .note_if(!is_exact, sketched)
}

pub(super) fn no_users() -> Missing {
    let how = "say what tells users apart: see `sticky` in docs/configuration.md";
    Missing::new("no interaction names a user", [how.to_owned()])
}

pub(super) fn sketched() -> String {
    "users are counted by a sketch, with 1.625 % standard error".to_owned()
}

pub(super) fn use_cases(view: &View, id: MeasureId) -> Measured {
    let facts = &view.gathered.facts;
    let [production, test] = [Stage::Production, Stage::Test].map(|stage| facts.use_cases(stage));
    let how = |stage: &str| view.record("use_case", &format!("name=NAME stage={stage}"));
    if !facts.has_use_cases() {
        let missing = Missing::new("no use case was recorded", [how("test"), how("production")]);
        return Measured::absent(id, missing);
    }
    let n = production + test;
    match id {
        MeasureId::UseCasesProduction => Measured::number(id, production as f64, n),
        MeasureId::UseCasesTest => Measured::number(id, test as f64, n),
        _ if test == 0 => Measured::absent(
            id,
            Missing::new("no use case is in test, so there is nothing to divide by", [how("test")]),
        ),
        _ => Measured::number(id, production as f64 / test as f64, n)
            .over(production as f64, test as f64),
    }
}
