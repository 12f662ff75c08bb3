//! Alerts to people: `CloudEvents` webhooks, signed as Standard Webhooks say, and Slack. Retried
//! from the outbox until they are taken; the id stays the same, so that receivers can drop
//! repeats.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use lockgate_model::config::SecretRef;
use lockgate_model::ids::{AgentName, ChannelName};
use lockgate_model::plan::AlertLevel;
use lockgate_rollout::event::{Alert, Effect};
use lockgate_store::{OutboxRow, Store, StoreError};
use serde_json::json;
use tokio::sync::watch;

use crate::clock::wall_ms;
use crate::http::{Clients, sign};

/// Where a channel leads, with its secrets resolved.
#[derive(Clone)]
pub enum Target {
    /// `POST` of a `CloudEvent` in structured JSON.
    Webhook {
        /// Where.
        url: String,
        /// Signs the body when there is one.
        secret: Option<Vec<u8>>,
    },
    /// `POST` of `{"text": …}` to an incoming webhook of Slack.
    Slack {
        /// Where. The address itself is the secret.
        url: String,
    },
}

// Neither addresses nor secrets belong in a log.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Webhook { .. } => "Webhook",
            Self::Slack { .. } => "Slack",
        })
    }
}

/// Secrets by where they are found. Their values belong in no log.
#[derive(Clone, Default)]
pub struct Secrets(pub HashMap<SecretRef, Vec<u8>>);

impl Secrets {
    pub(crate) fn get(&self, reference: &SecretRef) -> Option<&[u8]> {
        self.0.get(reference).map(Vec::as_slice)
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

/// Which agents tell whom.
#[derive(Debug, Clone, Default)]
pub struct Channels {
    /// By name, with the lowest level that is sent.
    pub targets: BTreeMap<ChannelName, (AlertLevel, Target)>,
    /// The channels of each agent.
    pub agents: BTreeMap<AgentName, Vec<ChannelName>>,
    /// Keys that questions to webhook gates are signed with.
    pub secrets: Secrets,
}

impl Channels {
    fn of(&self, agent: &AgentName, level: AlertLevel) -> Vec<(&ChannelName, &Target)> {
        let names = self.agents.get(agent).into_iter().flatten();
        names
            .filter_map(|name| self.targets.get_key_value(name))
            .filter(|(_, (lowest, _))| level >= *lowest)
            .map(|(name, (_, target))| (name, target))
            .collect()
    }
}

const ROWS_MAX: u32 = 50;
const RETRY_FIRST_MS: i64 = 1_000;
const RETRY_MAX_MS: i64 = 5 * 60_000;
/// After about a day of trying, an alert is given up and says so in the outbox.
const ATTEMPTS_MAX: u32 = 300;

/// Sends what is due while this process leads.
pub(crate) async fn run(
    store: Store,
    channels: Arc<ArcSwap<Channels>>,
    leading: watch::Receiver<Option<u64>>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut sender = Sender { store, clients: Clients::default(), delivered: BTreeMap::new() };
    let mut changed = sender.store.changed();
    while !*stopped.borrow() {
        let fence = *leading.borrow();
        if let Some(fence) = fence
            && let Err(error) = sender.pass(fence, &channels.load()).await
        {
            tracing::warn!(%error, "alerts wait: the store did not answer");
        }
        tokio::select! {
            _ = stopped.changed() => {}
            _ = changed.changed() => tokio::time::sleep(Duration::from_millis(100)).await,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

struct Sender {
    store: Store,
    clients: Clients,
    /// Channels that have taken an alert whose other channels have not.
    delivered: BTreeMap<i64, BTreeSet<ChannelName>>,
}

impl Sender {
    async fn pass(&mut self, fence: u64, channels: &Channels) -> Result<(), StoreError> {
        for row in self.store.outbox_due(wall_ms(), ROWS_MAX).await? {
            if let Effect::Notify { alert } = &row.effect {
                self.send(fence, &row, alert, channels).await?;
            }
        }
        Ok(())
    }

    async fn send(
        &mut self,
        fence: u64,
        row: &OutboxRow,
        alert: &Alert,
        channels: &Channels,
    ) -> Result<(), StoreError> {
        let targets = channels.of(&row.agent, alert.level);
        let mut failed = Vec::new();
        for (name, target) in &targets {
            if self.delivered.get(&row.id).is_some_and(|taken| taken.contains(*name)) {
                continue;
            }
            match self.post(row, alert, target).await {
                Ok(()) => {
                    self.delivered.entry(row.id).or_default().insert((*name).clone());
                }
                Err(error) => failed.push(format!("{name}: {error}")),
            }
        }
        if failed.is_empty() {
            self.delivered.remove(&row.id);
            let names: Vec<&str> = targets.iter().map(|(name, _)| name.as_str()).collect();
            let note = if names.is_empty() {
                "no channel is configured for it".to_owned()
            } else {
                format!("sent to {}", names.join(", "))
            };
            return self.store.outbox_done(fence, row.id, &note).await;
        }
        let error = failed.join("; ");
        if row.attempts >= ATTEMPTS_MAX {
            tracing::error!(alert = %alert.title, %error, "alert given up");
            return self.store.outbox_done(fence, row.id, &format!("given up: {error}")).await;
        }
        tracing::warn!(alert = %alert.title, %error, "alert not taken; will be tried again");
        let wait_ms = (RETRY_FIRST_MS << row.attempts.min(16)).min(RETRY_MAX_MS);
        self.store.outbox_retry(fence, row.id, wall_ms() + wait_ms, &error).await
    }

    async fn post(
        &mut self,
        row: &OutboxRow,
        alert: &Alert,
        target: &Target,
    ) -> Result<(), String> {
        let (Target::Slack { url } | Target::Webhook { url, .. }) = target;
        let request = self.clients.of(url)?.post(url);
        let request = match target {
            Target::Slack { .. } => {
                let text = format!("*{}*\n{}", alert.title, alert.text);
                request.json(&json!({ "text": text }))
            }
            Target::Webhook { secret, .. } => {
                let body = cloud_event(row, alert).to_string();
                let mut request = request.header("content-type", "application/cloudevents+json");
                if let Some(secret) = secret {
                    let at_seconds = wall_ms() / 1_000;
                    request = request
                        .header("webhook-id", message_id(row))
                        .header("webhook-timestamp", at_seconds)
                        .header(
                            "webhook-signature",
                            sign(secret, &message_id(row), at_seconds, &body),
                        );
                }
                request.body(body)
            }
        };
        // The address may be a secret: an error must not repeat it.
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(format!("answered {}", answer.status()))
    }
}

fn message_id(row: &OutboxRow) -> String {
    format!("{}.{}", row.rollout, row.id)
}

/// `CloudEvents` 1.0, structured mode.
fn cloud_event(row: &OutboxRow, alert: &Alert) -> serde_json::Value {
    json!({
        "specversion": "1.0",
        "id": message_id(row),
        "source": format!("/agents/{}", row.agent),
        "type": "lockgate.rollout.alert",
        "subject": row.rollout.to_string(),
        "datacontenttype": "application/json",
        "data": { "level": alert.level, "title": alert.title, "text": alert.text },
    })
}
