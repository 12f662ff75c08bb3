//! One release: the same view as `lockgate rollout watch`, with the buttons of an operator.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use lockgate_model::plan::Metric;
use lockgate_rollout::explain::{Cause, Transition, Verdict};
use lockgate_rollout::state::Rollout;
use lockgate_rollout::view::{RolloutView, TestView};
use lockgate_store::TransitionRecord;

use crate::auth::Principal;
use crate::console::bar::Bar;
use crate::console::compare::{self, Row};
use crate::console::number::{self, Moment};
use crate::console::page::{PageError, Person, draw};
use crate::console::phase::{self, Badge};
use crate::console::session::SignedIn;
use crate::extract::PathArgs;
use crate::problem::{ApiError, Kind};
use crate::release;
use crate::shapes::ExplainedEffect;
use crate::state::App;

/// A gate or a trigger with its verdict.
struct JudgeRow {
    mark: &'static str,
    word: &'static str,
    class: &'static str,
    name: String,
    value: String,
    threshold: String,
    baseline: String,
    n: String,
    text: String,
}

/// The same verdict reads differently: a gate passes, a trigger stays quiet.
#[derive(Clone, Copy)]
enum Judge {
    Gate,
    Trigger,
}

impl JudgeRow {
    fn new(cause: &Cause, judge: Judge) -> Self {
        let (mark, word, class) = match (cause.verdict, judge) {
            (Some(Verdict::Pass), Judge::Gate) => ("✓", "pass", "good"),
            (Some(Verdict::Pass), Judge::Trigger) => ("✓", "quiet", "good"),
            (Some(Verdict::Fail), Judge::Gate) => ("✕", "fail", "bad"),
            (Some(Verdict::Fail), Judge::Trigger) => ("✕", "fired", "bad"),
            (Some(Verdict::Insufficient), _) => ("…", "needs data", "held"),
            (None, _) => ("–", "not judged", "quiet"),
        };
        Self::marked(cause, mark, word, class)
    }

    /// Of a release that has ended: the rule says whether it was a gate or a trigger.
    fn decided(cause: &Cause) -> Self {
        let judge = if cause.rule.starts_with("trigger") { Judge::Trigger } else { Judge::Gate };
        Self::new(cause, judge)
    }

    fn marked(cause: &Cause, mark: &'static str, word: &'static str, class: &'static str) -> Self {
        Self {
            mark,
            word,
            class,
            name: cause
                .metric
                .as_ref()
                .map_or_else(|| cause.rule.clone(), |metric| metric_name(metric).to_owned()),
            value: measured(cause.metric, cause.value),
            threshold: limit(cause.metric, cause.threshold.as_deref().unwrap_or_default()),
            baseline: match cause.baseline {
                None => String::new(),
                some => measured(cause.metric, some),
            },
            n: cause.n.map_or(number::UNKNOWN.to_owned(), number::count),
            text: cause.text.clone(),
        }
    }
}

/// A limit in the unit that the measurement is shown in.
fn limit(metric: Option<Metric>, threshold: &str) -> String {
    let Some((side, number)) = threshold.split_once(' ') else {
        return threshold.to_owned();
    };
    let Ok(value) = number.parse::<f64>() else {
        return threshold.to_owned();
    };
    match metric {
        Some(
            Metric::ErrorRate
            | Metric::SatisfiedShare
            | Metric::NegativeShare
            | Metric::Probes
            | Metric::ReplacementRate,
        ) => {
            // shortest form, so that 0.005 is 0.5 and not 0.50
            format!("{side} {} %", (value * 1e6).round() / 1e4)
        }
        Some(Metric::P95Ms) => format!("{side} {value} ms"),
        Some(Metric::CostUsd | Metric::CostPerResolvedUsd) => format!("{side} ${value}"),
        _ => threshold.to_owned(),
    }
}

fn metric_name(metric: &Metric) -> &str {
    match metric {
        Metric::ErrorRate => "Error rate",
        Metric::P95Ms => "Latency p95",
        Metric::CostUsd => "Cost per request",
        Metric::Nps => "NPS",
        Metric::SatisfiedShare => "Satisfied share",
        Metric::NegativeShare => "Negative share",
        Metric::SecurityEvents => "Security events",
        Metric::Health => "Health",
        Metric::Probes => "Probes",
        Metric::ReplacementRate => "Replacement rate",
        Metric::CostPerResolvedUsd => "Cost per resolved",
        Metric::Measure(name) => name.as_str(),
    }
}

fn measured(metric: Option<Metric>, value: Option<f64>) -> String {
    match metric {
        Some(
            Metric::ErrorRate
            | Metric::SatisfiedShare
            | Metric::NegativeShare
            | Metric::Probes
            | Metric::ReplacementRate,
        ) => number::share(value),
        Some(Metric::P95Ms) => number::millis(value),
        Some(Metric::CostUsd | Metric::CostPerResolvedUsd) => number::usd(value),
        Some(Metric::Nps) => number::score(value),
        Some(Metric::Health) => match value {
            Some(value) if value >= 1.0 => "healthy".into(),
            Some(_) => "unhealthy".into(),
            None => number::UNKNOWN.into(),
        },
        Some(Metric::Measure(_)) => number::plain(value),
        Some(Metric::SecurityEvents) | None => {
            number::finite(value).map_or(number::UNKNOWN.into(), |value| value.to_string())
        }
    }
}

struct StepRow {
    at: Moment,
    from: Badge,
    to: Badge,
    weight: String,
    cause: String,
    rule: String,
    also: usize,
    effects: Vec<ExplainedEffect>,
    would_change: String,
}

impl From<&TransitionRecord> for StepRow {
    fn from(record: &TransitionRecord) -> Self {
        let transition = &record.transition;
        let first = transition.causes.first();
        Self {
            at: number::moment(transition.at_wall_ms),
            from: phase::badge(&transition.from),
            to: phase::badge(&transition.to),
            weight: number::weight(transition.weight_bp),
            cause: first.map_or_else(String::new, |cause| cause.text.clone()),
            rule: first.map_or_else(String::new, |cause| cause.rule.clone()),
            also: transition.causes.len().saturating_sub(1),
            effects: record.effects.iter().map(ExplainedEffect::from).collect(),
            would_change: transition.would_change.clone(),
        }
    }
}

#[derive(Template)]
#[template(path = "rollout_live.html")]
struct Live {
    id: String,
    agent: String,
    candidate: String,
    stable: Option<String>,
    badge: Badge,
    why: String,
    would_change: Option<String>,
    warnings: Vec<String>,
    tested: Vec<String>,
    /// What led to the end, or to being taken back.
    decided: Option<String>,
    deciding: Vec<JudgeRow>,
    weight: String,
    applied: bool,
    dwell: String,
    /// The stage's length, until it is over. What is left stands in `why` while it runs.
    length: Option<String>,
    ended: Option<Moment>,
    revoked: bool,
    /// Whether a stage waits to be confirmed.
    waits: bool,
    security_events: u64,
    bar: Bar,
    rows: Vec<Row>,
    gates: Vec<JudgeRow>,
    triggers: Vec<JudgeRow>,
    steps: Vec<StepRow>,
    buttons: Buttons,
}

/// Which buttons make sense.
struct Buttons {
    shown: bool,
    open: bool,
    held: bool,
}

#[derive(Template)]
#[template(path = "rollout.html")]
pub(super) struct Page {
    person: Option<Person>,
    plan: String,
    by: String,
    reason: String,
    started: Moment,
    /// What came of a command that was refused or has not been handled yet.
    notice: Option<String>,
    live: Live,
}

async fn live(app: &App, principal: &Principal, rollout: &Rollout) -> Result<Live, PageError> {
    let view = release::view(app, rollout).await?;
    let transitions = app.store.transitions(rollout.id).await?;
    let end = phase::is_end(&view.phase);
    let decision = decision(&transitions);
    let judged =
        |causes: &[Cause], judge| causes.iter().map(|cause| JudgeRow::new(cause, judge)).collect();
    Ok(Live {
        id: view.id.to_string(),
        agent: view.agent.to_string(),
        candidate: view.candidate.to_string(),
        stable: view.stable.as_ref().map(ToString::to_string),
        badge: phase::badge(&view.phase),
        weight: number::weight(view.weight_bp),
        applied: view.applied,
        dwell: number::span(view.dwell_ms),
        length: stage_length(&view),
        ended: view.ended_wall_ms.map(number::moment),
        revoked: view.revoked,
        waits: view.phase == "waiting_gate",
        security_events: view.security_events,
        bar: Bar::from(&view),
        rows: compare::rows(&view.stable_arm, &view.candidate_arm),
        gates: judged(&view.gates, Judge::Gate),
        triggers: judged(&view.triggers, Judge::Trigger),
        steps: transitions.iter().rev().map(StepRow::from).collect(),
        buttons: Buttons {
            shown: principal.may_operate(),
            open: !end && view.phase != "rolling_back",
            held: matches!(view.phase.as_str(), "paused" | "pending"),
        },
        why: view.why,
        would_change: (!end).then_some(view.would_change),
        warnings: view.warnings,
        tested: view.test.iter().flat_map(TestView::told).collect(),
        decided: decision
            .and_then(|decision| decision.causes.first())
            .map(|cause| cause.text.clone()),
        deciding: decision.map_or_else(Vec::new, |decision| {
            let measured = decision.causes.iter().filter(|cause| cause.verdict.is_some());
            measured.map(JudgeRow::decided).collect()
        }),
    })
}

/// How long the stage under way takes; `None` once its time is over.
fn stage_length(view: &RolloutView) -> Option<String> {
    let stage = view.stages.get(view.stage)?;
    (view.ended_wall_ms.is_none() && view.left_ms > 0).then(|| number::span(stage.duration_ms))
}

/// The step that a release's end goes back to; what came after it is only read-back.
fn decision(transitions: &[TransitionRecord]) -> Option<&Transition> {
    transitions
        .iter()
        .rev()
        .map(|record| &record.transition)
        .find(|step| matches!(step.to.as_str(), "rolling_back" | "promoted" | "superseded"))
}

/// The whole page, perhaps with something to say about a command.
pub(super) async fn whole(
    app: &App,
    principal: &Principal,
    rollout: &Rollout,
    notice: Option<String>,
) -> Result<Page, PageError> {
    Ok(Page {
        person: Some(Person::from(principal)),
        plan: rollout.plan.name.to_string(),
        by: rollout.started_by.clone(),
        reason: rollout.reason.clone(),
        started: number::moment(rollout.started_wall_ms),
        notice,
        live: live(app, principal, rollout).await?,
    })
}

/// A release by its id; what the API says of one that is not there, in words of the console.
pub(super) async fn find(app: &App, principal: &Principal, id: &str) -> Result<Rollout, PageError> {
    let found = release::find(app, principal, id, None).await;
    found.map_err(|error| match error.kind() {
        Kind::NotFound | Kind::BadRequest => PageError(
            ApiError::not_found(format_args!("release `{id}`"))
                .hint("The overview lists the newest releases."),
        ),
        _ => PageError(error),
    })
}

pub(super) async fn page(
    State(app): State<App>,
    SignedIn(principal): SignedIn,
    PathArgs(id): PathArgs<String>,
) -> Result<Response, PageError> {
    let rollout = find(&app, &principal, &id).await?;
    Ok(draw(StatusCode::OK, &whole(&app, &principal, &rollout, None).await?))
}

pub(super) async fn fragment(
    State(app): State<App>,
    SignedIn(principal): SignedIn,
    PathArgs(id): PathArgs<String>,
) -> Result<Response, PageError> {
    let rollout = find(&app, &principal, &id).await?;
    Ok(draw(StatusCode::OK, &live(&app, &principal, &rollout).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_the_unit_of_what_they_limit() {
        let share = |text| limit(Some(Metric::ErrorRate), text);
        assert_eq!(share("< 0.005"), "< 0.5 %");
        assert_eq!(share("> 0.05"), "> 5 %");
        assert_eq!(limit(Some(Metric::P95Ms), "< 200"), "< 200 ms");
        assert_eq!(limit(Some(Metric::P95Ms), "> baseline + 20 %"), "> baseline + 20 %");
        assert_eq!(limit(Some(Metric::Nps), "> 50"), "> 50");
    }
}
