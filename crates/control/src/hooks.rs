//! Gates that somebody else answers for: an address is asked by POST, and 200 is a yes. Every other
//! answer, and none, is "not now". A yes is an item of the inbox like a person's word, and says what
//! it is an answer to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use lockgate_model::hook::{Confirm, Hook};
use lockgate_model::ids::RolloutId;
use lockgate_rollout::event::OutsideGate;
use lockgate_rollout::state::{Phase, Rollout};
use lockgate_store::{InboxBody, NewInboxItem, Store, StoreError};
use reqwest::RequestBuilder;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::clock::wall_ms;
use crate::http::{Clients, sign};
use crate::notify::Channels;

/// Longest pause between two looks at what is to be asked.
const PERIOD: Duration = Duration::from_secs(1);
/// Shortest one.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks while this process leads.
pub(crate) async fn run(
    store: Store,
    channels: Arc<ArcSwap<Channels>>,
    leading: watch::Receiver<Option<u64>>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut changed = store.changed();
    let mut asker = Asker {
        store,
        clients: Clients::default(),
        asked: BTreeMap::new(),
        under_way: JoinSet::new(),
    };
    while !*stopped.borrow() {
        let leads = leading.borrow().is_some();
        if leads && let Err(error) = asker.pass(&channels.load()).await {
            tracing::warn!(%error, "gates are not asked: the store did not answer");
        }
        let pause = asker.pause();
        tokio::select! {
            _ = stopped.changed() => {}
            _ = changed.changed() => tokio::time::sleep(PAUSE).await,
            Some(_) = asker.under_way.join_next() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct Asker {
    store: Store,
    clients: Clients,
    /// By gate: when it was asked last.
    asked: BTreeMap<(RolloutId, OutsideGate), Asked>,
    /// One task for each gate that has not answered yet: a slow one keeps no other waiting.
    under_way: JoinSet<()>,
}

struct Asked {
    at: Instant,
    /// How often it may be asked.
    every: Duration,
    task: AbortHandle,
}

impl Asked {
    /// Time until it may be asked again; `None` while its answer is awaited.
    fn left(&self) -> Option<Duration> {
        self.task.is_finished().then(|| self.every.saturating_sub(self.at.elapsed()))
    }
}

impl Asker {
    fn pause(&self) -> Duration {
        let due = self.asked.values().filter_map(Asked::left);
        due.min().unwrap_or(PERIOD).clamp(PAUSE, PERIOD)
    }

    async fn pass(&mut self, channels: &Channels) -> Result<(), StoreError> {
        let open = self.store.rollouts_open().await?;
        self.asked.retain(|(id, _), _| open.iter().any(|open| open.value.id == *id));
        for open in open {
            for (gate, hook) in due(&open.value) {
                self.ask(&open.value, gate, hook, channels);
            }
        }
        Ok(())
    }

    fn ask(&mut self, rollout: &Rollout, gate: OutsideGate, hook: &Hook, channels: &Channels) {
        let last = self.asked.get(&(rollout.id, gate));
        if last.is_some_and(|last| last.left() != Some(Duration::ZERO)) {
            return;
        }
        let (id, store) = (rollout.id, self.store.clone());
        let request = self.request(rollout, gate, hook, channels);
        let yes = NewInboxItem {
            key: None,
            agent: rollout.agent.clone(),
            rollout: Some(id),
            body: InboxBody::Gate {
                gate,
                about: Some(rollout.about()),
                open: true,
                reason: "its webhook answered 200".into(),
            },
            by: "webhook".into(),
            at_wall_ms: wall_ms(),
        };
        let task = self.under_way.spawn(async move {
            match is_yes(request).await {
                Ok(false) => {}
                Ok(true) => {
                    let yes = NewInboxItem { at_wall_ms: wall_ms(), ..yes };
                    if let Err(error) = store.submit(yes).await {
                        tracing::warn!(rollout = %id, ?gate, %error, "a yes is lost; asked again");
                    }
                }
                Err(error) => tracing::warn!(rollout = %id, ?gate, %error, "gate gave no answer"),
            }
        });
        let every = Duration::from_millis(rollout.plan.tick_ms);
        self.asked.insert((id, gate), Asked { at: Instant::now(), every, task });
    }

    fn request(
        &mut self,
        rollout: &Rollout,
        gate: OutsideGate,
        hook: &Hook,
        channels: &Channels,
    ) -> Result<RequestBuilder, String> {
        let body = question(rollout, gate).to_string();
        let mut request = self.clients.of(&hook.url)?.post(&hook.url);
        request = request.header("content-type", "application/json");
        if let Some(reference) = &hook.secret {
            let secret = channels.secrets.get(reference).ok_or("its secret is not known")?;
            let at_seconds = wall_ms() / 1_000;
            let id = format!("{}.{}", rollout.id, rollout.epoch.0);
            request = request
                .header("webhook-id", &id)
                .header("webhook-timestamp", at_seconds)
                .header("webhook-signature", sign(secret, &id, at_seconds, &body));
        }
        Ok(request.body(body))
    }
}

async fn is_yes(request: Result<RequestBuilder, String>) -> Result<bool, String> {
    let answer = request?.send().await.map_err(|error| error.without_url().to_string())?;
    Ok(answer.status() == reqwest::StatusCode::OK)
}

/// Gates that are to be asked now.
fn due(rollout: &Rollout) -> impl Iterator<Item = (OutsideGate, &Hook)> {
    let waits = matches!(rollout.phase, Phase::WaitingGate { .. });
    let confirm = match &rollout.stage().confirm {
        Some(Confirm::Webhook(hook)) if waits => Some((OutsideGate::Confirm, hook)),
        _ => None,
    };
    let goes_back = matches!(rollout.phase, Phase::RollingBack { .. });
    let back = rollout.plan.rollback_gate.as_ref().filter(|_| !goes_back);
    confirm.into_iter().chain(back.map(|hook| (OutsideGate::Rollback, hook)))
}

fn question(rollout: &Rollout, gate: OutsideGate) -> serde_json::Value {
    json!({
        "gate": gate,
        "rollout": rollout.id,
        "agent": rollout.agent,
        "candidate": rollout.candidate,
        "stable": rollout.stable,
        "plan": rollout.plan.name,
        "stage": rollout.stage().name,
        "phase": rollout.phase.as_str(),
        "weight_bp": rollout.weight_bp,
    })
}
