//! Channels with their secrets looked up. Values stay in memory; no store or log sees them.

use std::collections::{BTreeMap, HashMap};

use lockgate_control::{Channels, Secrets, Target};
use lockgate_model::config::{Channel, ChannelKind, Config, SecretRef};
use lockgate_model::hook::Confirm;

use crate::serve::secrets::{self, look_up};

/// What control needs to tell people. A channel whose secret cannot be found is left out and
/// logged: one broken channel must not silence the others.
pub(crate) fn resolve(config: &Config) -> Channels {
    let mut targets = BTreeMap::new();
    for channel in &config.channels {
        match target(channel) {
            Ok(target) => {
                targets.insert(channel.name.clone(), (channel.min_level, target));
            }
            Err(error) => {
                tracing::error!(channel = %channel.name, error = format!("{error:#}"), "alerts to this channel are off");
            }
        }
    }
    let agents =
        config.agents.iter().map(|agent| (agent.name.clone(), agent.channels.clone())).collect();
    Channels { targets, agents, secrets: Secrets(secrets(config)) }
}

/// Keys of gates that are asked. A gate whose key cannot be found never says yes.
fn secrets(config: &Config) -> HashMap<SecretRef, Vec<u8>> {
    let mut found = HashMap::new();
    for (whose, reference) in gate_secrets(config) {
        match look_up(reference) {
            Ok(secret) => {
                found.insert(reference.clone(), secret.into_bytes());
            }
            Err(error) => {
                tracing::error!(
                    gate = whose,
                    error = format!("{error:#}"),
                    "this gate stays closed"
                );
            }
        }
    }
    found
}

fn gate_secrets(config: &Config) -> impl Iterator<Item = (String, &SecretRef)> {
    config.plans.iter().flat_map(|plan| {
        let confirms = plan.stages.iter().filter_map(|stage| match &stage.confirm {
            Some(Confirm::Webhook(hook)) => Some((format!("stage {}", stage.name), hook)),
            _ => None,
        });
        let back = plan.rollback_gate.iter().map(|hook| ("rollback_gate".to_owned(), hook));
        confirms.chain(back).filter_map(move |(whose, hook)| {
            Some((format!("{whose} of plan `{}`", plan.name), hook.secret.as_ref()?))
        })
    })
}

/// What is wrong with the secrets, before anything is started.
pub(crate) fn missing(config: &Config) -> Vec<String> {
    let failed = |channel: &Channel| {
        let error = target(channel).err()?;
        Some(format!("channel `{}`: {error:#}", channel.name))
    };
    let gates = gate_secrets(config).filter_map(|(whose, reference)| {
        let error = look_up(reference).err()?;
        Some(format!("{whose}: {error:#}"))
    });
    config.channels.iter().filter_map(failed).chain(gates).chain(secrets::missing(config)).collect()
}

fn target(channel: &Channel) -> anyhow::Result<Target> {
    Ok(match &channel.kind {
        ChannelKind::Webhook { url, secret } => Target::Webhook {
            url: url.clone(),
            secret: secret.as_ref().map(look_up).transpose()?.map(String::into_bytes),
        },
        ChannelKind::Slack { url } => Target::Slack { url: look_up(url)? },
    })
}
