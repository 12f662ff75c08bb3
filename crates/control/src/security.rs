//! Security events on versions that are not being released.

use lockgate_model::ids::AgentName;
use lockgate_model::plan::{AlertLevel, Metric};
use lockgate_model::security::SecurityEvent;
use lockgate_rollout::event::Alert;
use lockgate_store::{InboxId, InboxOutcome, StoreError};

use crate::inbox::{Handled, done};
use crate::reconcile::Pass;

/// There is nothing to take back. People are told when the version is what users get.
pub(crate) async fn of_no_release(
    pass: &Pass,
    fence: u64,
    item: InboxId,
    event: &SecurityEvent,
) -> Result<Handled, StoreError> {
    let split = pass.store.split(&event.agent).await?;
    let is_stable = split.is_some_and(|split| split.stable == event.version);
    // Whatever is stable was released: an alert has a rollout to come from.
    let newest = pass.store.rollouts(Some(&event.agent), 1).await?.pop();
    let Some(newest) = newest.filter(|_| is_stable) else {
        return Ok(done("recorded; the version is not being released"));
    };
    let SecurityEvent { agent, version, detail, rule, .. } = event;
    let rule = rule.as_ref().map(|rule| format!(" (rule {rule})")).unwrap_or_default();
    let alert = Alert {
        level: level(pass, agent),
        title: format!("{agent}: security event on the stable version {version}"),
        text: format!("{detail}{rule}; it keeps its traffic until another version is released"),
    };
    let outcome = InboxOutcome::Done { result: "recorded; people are told".into() };
    pass.store.finish_with_alert(fence, item, &outcome, &newest, alert).await?;
    Ok(Handled::Committed)
}

/// As loud as the agent's plan is about its candidates.
fn level(pass: &Pass, agent: &AgentName) -> AlertLevel {
    let config = pass.definitions.config();
    let plan = config.and_then(|config| {
        let agent = config.agents.iter().find(|known| known.name == *agent)?;
        config.plans.iter().find(|plan| plan.name == agent.plan)
    });
    plan.into_iter()
        .flat_map(|plan| &plan.triggers)
        .find(|trigger| trigger.metric == Metric::SecurityEvents)
        .map_or(AlertLevel::Highest, |trigger| trigger.alert)
}
