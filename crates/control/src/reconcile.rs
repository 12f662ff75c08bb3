//! The loop: take the lease, then inbox, outbox, read-back and ticks, on every change and on a
//! period. It takes no input besides the store, and doing it twice does nothing twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockgate_model::clock::Now;
use lockgate_model::ids::AgentName;
use lockgate_model::ledger::Ledger;
use lockgate_model::path::Oversight;
use lockgate_rollout::event::Event;
use lockgate_rollout::machine;
use lockgate_rollout::state::Rollout;
use lockgate_store::{Compacted, StepCommit, Store, StoreError, Versioned};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::definitions::Definitions;
use crate::{Options, approvals, effects, inbox, named, news, record};

/// Gateways that were not heard of for this long take no part in confirmation.
const GATEWAY_SEEN_MS: u64 = 10_000;
/// Longest pause between two passes.
const PERIOD: Duration = Duration::from_secs(1);
/// Shortest pause, so that a busy store is not asked without end.
const PAUSE: Duration = Duration::from_millis(20);
/// How often control says that it is alive.
const ALIVE_EVERY: Duration = Duration::from_secs(1);
/// How often it is asked whether a path is open that a version of the file waits for.
const ASK_EVERY: Duration = Duration::from_secs(2);
const COMPACT_EVERY: Duration = Duration::from_mins(1);

/// What the loop works with.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) oversight: Arc<dyn Oversight>,
    pub(crate) options: Options,
}

pub(crate) async fn run(
    parts: Parts,
    lead: watch::Sender<Option<u64>>,
    mut stopped: watch::Receiver<bool>,
) {
    let Parts { store, ledger, oversight, options } = parts;
    let mut changed = store.changed();
    let mut pass = Pass {
        store,
        ledger,
        oversight,
        options,
        lead,
        clock: Clock::new(),
        definitions: Definitions::default(),
        renewed: None,
        held: BTreeMap::new(),
        ask_at: Instant::now(),
        compact_at: Instant::now() + COMPACT_EVERY,
    };
    while !*stopped.borrow() {
        let wait = match pass.go().await {
            Ok(wait) => wait,
            Err(error) => {
                if matches!(error, StoreError::Fenced) {
                    pass.lead.send_replace(None);
                    pass.renewed = None;
                }
                tracing::warn!(%error, "reconcile pass failed; tried again");
                PERIOD
            }
        };
        tokio::time::sleep(PAUSE).await;
        tokio::select! {
            _ = stopped.changed() => {}
            _ = changed.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    pass.lead.send_replace(None);
}

pub(crate) struct Pass {
    pub(crate) store: Store,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) oversight: Arc<dyn Oversight>,
    options: Options,
    lead: watch::Sender<Option<u64>>,
    pub(crate) clock: Clock,
    pub(crate) definitions: Definitions,
    renewed: Option<Instant>,
    /// Agents with a version that the file names and whose path is blocked, and why that is. Read anew after a restart.
    held: BTreeMap<AgentName, String>,
    ask_at: Instant,
    compact_at: Instant,
}

impl Pass {
    /// One pass. Returns how long nothing will be due.
    async fn go(&mut self) -> Result<Duration, StoreError> {
        let Some(fence) = self.lease().await? else {
            return Ok(PERIOD);
        };
        let is_new = self.definitions.refresh(&self.store).await?;
        if is_new || !self.held.is_empty() && Instant::now() >= self.ask_at {
            self.held = named::start_what_the_file_asks(self, &self.held, fence).await?;
            self.ask_at = Instant::now() + ASK_EVERY;
        }
        inbox::handle(self, fence).await?;
        self.perform(fence).await?;
        self.confirm(fence).await?;
        let wait = self.tick(fence).await?;
        self.perform(fence).await?;
        let agents = self.definitions.config().map(|config| &config.agents);
        let agents: Vec<_> = agents.into_iter().flatten().map(|agent| agent.name.clone()).collect();
        approvals::look(&self.store, self.ledger.as_ref(), &agents, fence).await?;
        if Instant::now() >= self.compact_at {
            let done = self.store.compact(self.clock.now().wall_ms).await?;
            self.compact_at = Instant::now() + compact_after(&done);
        }
        Ok(wait.min(self.compact_at.saturating_duration_since(Instant::now())))
    }

    /// Records what was decided, then does it.
    async fn perform(&self, fence: u64) -> Result<(), StoreError> {
        record::steps(&self.store, self.ledger.as_ref(), fence).await?;
        effects::perform(&self.store, fence).await
    }

    async fn lease(&mut self) -> Result<Option<u64>, StoreError> {
        let held = *self.lead.borrow();
        if let (Some(fence), Some(renewed)) = (held, self.renewed)
            && renewed.elapsed() < ALIVE_EVERY
        {
            return Ok(Some(fence));
        }
        let Options { holder, lease_ttl_ms } = &self.options;
        let fence = self.store.acquire_lease("control", holder, *lease_ttl_ms).await?;
        if fence != held {
            self.lead.send_replace(fence);
            tracing::info!(leads = fence.is_some(), "control lease");
        }
        if let Some(fence) = fence {
            self.store.control_alive(fence).await?;
            self.renewed = Some(Instant::now());
        }
        Ok(fence)
    }

    /// A split is applied when every live gateway reports its revision. No gateway, no confirmation.
    async fn confirm(&self, fence: u64) -> Result<(), StoreError> {
        let open = self.store.rollouts_open().await?;
        let waiting: Vec<_> = open.into_iter().filter(|open| !open.value.applied).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let gateways = self.store.gateways(GATEWAY_SEEN_MS).await?;
        let Some(applied) = gateways.iter().map(|gateway| gateway.report.applied).min() else {
            return Ok(());
        };
        for open in waiting {
            let epoch = open.value.epoch;
            let wanted = self.store.revision_of_epoch(open.value.id, epoch).await?;
            if wanted.is_some_and(|wanted| applied >= wanted) {
                self.step(fence, &open, &Event::Applied { epoch }).await?;
            }
        }
        Ok(())
    }

    async fn tick(&self, fence: u64) -> Result<Duration, StoreError> {
        let mut wait_ms = u64::try_from(PERIOD.as_millis()).unwrap_or(u64::MAX);
        let mut observed = None;
        for open in self.store.rollouts_open().await? {
            let now = self.clock.now();
            let left_ms = left_ms(&open.value, now);
            if left_ms > 0 {
                wait_ms = wait_ms.min(left_ms);
                continue;
            }
            let observed = if let Some(observed) = observed {
                observed
            } else {
                let gateways = self.store.gateways(GATEWAY_SEEN_MS).await?;
                *observed.insert(!gateways.is_empty())
            };
            if let Some(event) = news::of(self, &open.value).await?
                && self.step(fence, &open, &event).await?
            {
                wait_ms = 0;
                continue;
            }
            let event = match self.store.signals(&open.value, now.wall_ms).await {
                Ok(signals) => Event::Tick { signals: Box::new(signals), observed },
                // One release whose numbers cannot be read must not keep the others waiting.
                Err(error) => {
                    tracing::warn!(rollout = %open.value.id, %error, "numbers cannot be read");
                    Event::SourceFailed { error: error.to_string() }
                }
            };
            self.step(fence, &open, &event).await?;
            wait_ms = wait_ms.min(open.value.plan.tick_ms);
        }
        Ok(Duration::from_millis(wait_ms))
    }

    /// One event that needs no answer, committed unless it changed nothing. Returns whether it did.
    async fn step(
        &self,
        fence: u64,
        open: &Versioned<Rollout>,
        event: &Event,
    ) -> Result<bool, StoreError> {
        let Ok(step) = machine::step(&open.value, event, self.clock.now()) else {
            return Ok(false);
        };
        if step.rollout == open.value {
            return Ok(false);
        }
        if let Some(transition) = &step.transition {
            log(&step.rollout, transition);
        }
        let committed = self
            .store
            .commit_step(StepCommit {
                fence,
                rollout: &step.rollout,
                row_version: open.row_version,
                transition: step.transition.as_ref(),
                effects: &step.effects,
                handled: &[],
            })
            .await;
        match committed {
            // Someone else moved it on: the next pass looks at what it is now.
            Err(StoreError::Stale) => Ok(true),
            other => other.map(|()| true),
        }
    }
}

/// One call does a bounded part. What is left over is for the next pass, not the next minute:
/// many gateways write more in a minute than one call takes away.
fn compact_after(done: &Compacted) -> Duration {
    if done.more { Duration::ZERO } else { COMPACT_EVERY }
}

/// Milliseconds until the next tick is due; 0 after a restart.
fn left_ms(rollout: &Rollout, now: Now) -> u64 {
    let since_ms = rollout.last_tick.and_then(|last| now.since_ms(&last));
    since_ms.map_or(0, |since_ms| rollout.plan.tick_ms.saturating_sub(since_ms))
}

pub(crate) fn log(rollout: &Rollout, transition: &lockgate_rollout::explain::Transition) {
    let cause = transition.causes.first().map_or("", |cause| cause.text.as_str());
    tracing::info!(
        agent = %rollout.agent,
        version = %rollout.candidate,
        rollout = %rollout.id,
        from = transition.from,
        to = transition.to,
        stage = transition.stage,
        weight_bp = transition.weight_bp,
        cause,
        "rollout moved"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_to_compact_does_not_wait_a_minute() {
        let done = |more| Compacted { seconds: 1_000, more, ..Compacted::default() };
        assert_eq!(compact_after(&done(false)), COMPACT_EVERY);
        assert_eq!(compact_after(&done(true)), Duration::ZERO);
    }
}
