//! Suggestions for thresholds and policy, put together: what is kept, what its judges would have said of it, and what that
//! comes to (`value::suggest`). Nothing is changed by it.

mod healthy;
mod releases;
mod rules;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lockgate_model::agent::Agent;
use lockgate_model::config::Config;
use lockgate_model::ids::AgentName;
use lockgate_model::plan::Plan;
use lockgate_rollout::replay::{Done, Replayed, Stopped};
use lockgate_store::Incident;
use lockgate_value::suggest::effect::{Effect, Replay, When};
use lockgate_value::suggest::threshold::Weighed;
use lockgate_value::suggest::{
    BASIS, Change, Finding, OfAgent, SCHEMA, Suggestions, Threshold, question,
};
use lockgate_value::window::Window;

use crate::auth::Principal;
use crate::problem::{ApiError, Kind};
use crate::state::App;
use healthy::Healthy;
use releases::Judged;
use rules::Named;

/// What an answer says of itself.
const NOTES: [&str; 2] = [
    "Questions to people are kept for 30 days after their end: a longer window has no more of them.",
    "Limits of policies: only counts of spans that are under way are kept, and no history of how often one was reached or how far it was used. Nothing is suggested for them.",
];

/// All suggestions of a window about the agents that `principal` sees, or about one.
pub(crate) async fn suggestions(
    app: &App,
    principal: &Principal,
    window: Window,
    only: Option<&AgentName>,
) -> Result<Suggestions, ApiError> {
    let config = app
        .config()
        .await?
        .ok_or_else(|| ApiError::new(Kind::NotFound, "No configuration is active yet."))?;
    let is_asked = |name: &AgentName| principal.sees(name) && only.is_none_or(|only| only == name);
    let incidents = app.store.incidents(&window).await?;
    let mut asked: Vec<&Agent> =
        config.agents.iter().filter(|agent| is_asked(&agent.name)).collect();
    asked.sort_by(|a, b| a.name.cmp(&b.name));
    let mut agents = Vec::with_capacity(asked.len());
    for agent in asked {
        agents.extend(of_agent(app, principal, &config, agent, &window, &incidents).await?);
    }
    let questions = question::asked(
        &app.store.questions(&window).await?,
        &app.store.bars(&window).await?,
        is_asked,
        |name| principal.sees(name),
    );
    let notes = NOTES.map(str::to_owned).to_vec();
    Ok(Suggestions { schema: SCHEMA, window, basis: BASIS, agents, questions, notes })
}

async fn of_agent(
    app: &App,
    principal: &Principal,
    config: &Arc<Config>,
    agent: &Agent,
    window: &Window,
    incidents: &[Incident],
) -> Result<Option<OfAgent>, ApiError> {
    let Some(plan) = config.plan_for(agent, &agent.plan) else { return Ok(None) };
    let past = app.store.past_releases(&agent.name, window).await?;
    let about =
        |incident: &&Incident| incident.agent.as_ref().is_none_or(|other| *other == agent.name);
    let incidents: Vec<&Incident> = incidents.iter().filter(about).collect();
    // Replays are work for a processor, and many of them for long.
    let plan = Arc::new(plan);
    let judged = {
        let plan = Arc::clone(&plan);
        let known: Vec<Incident> = incidents.iter().copied().cloned().collect();
        blocking(move |left| releases::judged(past, &plan, &known, left)).await?
    };
    let named = rules::of(&plan);
    let healthy = Healthy::read(&app.store, agent, window, &judged, &incidents, &named).await?;
    let also = |other: &&Agent| other.plan == agent.plan && other.name != agent.name;
    let (seen, hidden): (Vec<&Agent>, Vec<&Agent>) =
        config.agents.iter().filter(also).partition(|other| principal.sees(&other.name));
    let mut plan_also_of: Vec<AgentName> = seen.iter().map(|other| other.name.clone()).collect();
    plan_also_of.sort_unstable();
    let releases = judged.iter().map(|judged| judged.release.clone()).collect();
    let thresholds = blocking(move |left| {
        let of = |named: Named| threshold(&named, &plan, &healthy, &judged);
        named.into_iter().take_while(|_| !left.get()).map(of).collect()
    })
    .await?;
    Ok(Some(OfAgent {
        agent: agent.name.clone(),
        plan: agent.plan.clone(),
        plan_also_of,
        plan_also_of_others: !hidden.is_empty(),
        releases,
        thresholds,
    }))
}

/// Does work that is no more done to its end once nobody waits for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&Left) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let left = Left::default();
    let _leaves = Leaves(left.clone());
    tokio::task::spawn_blocking(move || work(&left))
        .await
        .map_err(|_| ApiError::new(Kind::Internal, "The releases could not be judged again."))
}

/// Whether whoever asked has left: what is found then is shown to nobody, and need not be whole.
#[derive(Debug, Clone, Default)]
struct Left(Arc<AtomicBool>);

impl Left {
    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Says so when it is dropped.
struct Leaves(Left);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

fn threshold(named: &Named, plan: &Plan, healthy: &Healthy, judged: &[Judged]) -> Threshold {
    let subject = named.subject(healthy.measures());
    let evidence = subject.evidence(&healthy.of(named, &subject, judged));
    let mut threshold = Threshold {
        rule: named.rule.clone(),
        stages: named.stages.clone(),
        present: subject.text(named.bound()),
        finding: Finding::Insufficient,
        why: "too little was seen".into(),
        missing: Vec::new(),
        proposed: None,
        effect: None,
        change: None,
        evidence,
    };
    if let Some(why) = healthy.not_judged(named) {
        threshold.missing = vec![why];
        return threshold;
    }
    match subject.weigh(&threshold.evidence) {
        Weighed::Insufficient(missing) => threshold.missing = missing,
        Weighed::Fine(why) => (threshold.finding, threshold.why) = (Finding::Fine, why),
        Weighed::Other { tighter, bound, why } => {
            let effect = effect(named, judged, &named.with(plan, bound));
            let change = Change {
                plan: plan.name.clone(),
                path: named.path.clone(),
                from: threshold.present.clone(),
                to: subject.text(bound),
                before: named.bound(),
                bound,
            };
            weigh(&mut threshold, change, tighter, &effect, why);
            threshold.effect = threshold.proposed.is_some().then_some(effect);
        }
    }
    threshold
}

/// What is found of another bound, by what it would have done.
fn weigh(threshold: &mut Threshold, change: Change, tighter: bool, effect: &Effect, why: String) {
    if !tighter && effect.spared == 0 && effect.found == 0 {
        threshold.finding = Finding::Fine;
        threshold.why = format!(
            "{why}; but no good release of the window would have been taken back or held by it"
        );
        return;
    }
    threshold.proposed = Some(change.to.clone());
    if let Some(against) = effect.against(tighter) {
        threshold.finding = Finding::Worse;
        threshold.why = format!("{why}; with `{}` {against}: no improvement", change.to);
        return;
    }
    threshold.finding = if tighter { Finding::Tighten } else { Finding::Loosen };
    threshold.why = why;
    threshold.change = Some(change);
}

/// What a plan with another bound would have done to the releases, beside the present one.
fn effect(named: &Named, judged: &[Judged], other: &Plan) -> Effect {
    let mut effect = Effect::default();
    for one in judged {
        match (&one.present, one.again(other, named)) {
            (Ok(present), Ok(proposed)) if named.was_asked(present) => {
                let (before, after) = (replay_of(named, present), replay_of(named, &proposed));
                effect.add(&one.release, before, after, present.exposed);
            }
            _ => effect.unseen += u64::from(one.was_taken_back_by(&named.rule)),
        }
    }
    effect
}

fn replay_of(named: &Named, replayed: &Replayed) -> Replay {
    let when =
        |stopped: &Stopped| When { at_wall_ms: stopped.at_wall_ms, exposed: stopped.exposed };
    let of_rule = || replayed.stopped.iter().filter(|stopped| named.is_at(stopped.place));
    let taken_back = |stopped: &&Stopped| stopped.done == Done::TakenBack;
    Replay {
        rule: of_rule().find(taken_back).map(when),
        held: of_rule().any(|stopped| !taken_back(&stopped)),
        any: replayed.taken_back().map(when),
    }
}
