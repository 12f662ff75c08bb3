//! What agents are told of tools is pinned when it is first seen. What is told otherwise later is not shown, and not called,
//! until somebody has accepted it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockgate_model::identity::Identity;
use lockgate_model::ids::ToolName;
use lockgate_model::ledger::{LedgerEntry, Principal};
use lockgate_model::pin::{CARD, SeenTool};
use lockgate_model::security::{SecurityCause, SecurityEvent};
use lockgate_model::tool::ToolProtocol;
use lockgate_model::version::Digest;
use serde_json::{Value, json};
use tracing::{error, warn};

use crate::clock;
use crate::core::Core;
use crate::egress::known::Server;
use crate::egress::listener::Egress;
use crate::egress::security;
use crate::live::lock;

/// What was seen here and is not in the snapshot yet, at most. More is not shown.
const PENDING_MAX: usize = 10_000;
/// Wait before what could not be told is told again.
const RETRY: Duration = Duration::from_secs(1);
/// Wait before the snapshot is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Seen here, until the snapshot says it.
#[derive(Debug, Clone)]
struct Pending {
    digest: Digest,
    changed: bool,
}

/// All of that.
#[derive(Debug, Default)]
pub(crate) struct Unsaid(Mutex<HashMap<(ToolName, String), Pending>>);

/// Whether an action is stopped because of what agents would be told of it.
pub(crate) fn is_stopped(core: &Core, server: &Server, action: &str) -> bool {
    let tool = &server.name;
    // Of another agent there is one card, about all that it does.
    let action = if server.protocol == ToolProtocol::A2a { CARD } else { action };
    let table = core.table.load();
    let pinned = table.known.pin(tool, action).is_some_and(|pin| pin.changed);
    let key = (tool.clone(), action.to_owned());
    pinned || lock(&core.unsaid.0).get(&key).is_some_and(|pending| pending.changed)
}

/// Whether an entry of a list of tools may be shown. What is new is pinned.
pub(crate) fn shows(egress: &Egress, who: &Identity, server: &Server, entry: &Value) -> bool {
    let seen = SeenTool::of(&server.name, &server.address(), entry);
    seen.is_some_and(|seen| is_as_pinned(egress, who, seen))
}

/// Whether something may be told as it was seen. What is new is pinned; what has changed is a security event of the version
/// that would have been told.
pub(crate) fn is_as_pinned(egress: &Egress, who: &Identity, seen: SeenTool) -> bool {
    let core = &egress.core;
    let key = (seen.tool.clone(), seen.action.clone());
    let pinned = core.table.load().known.pin(&seen.tool, &seen.action).cloned();
    let changed = {
        let mut unsaid = lock(&core.unsaid.0);
        let here = unsaid.get(&key).cloned();
        match (pinned, here) {
            (_, Some(Pending { changed: true, .. })) => return false,
            (_, Some(here)) if here.digest == seen.digest => return true,
            (Some(pin), None) if pin.digest == seen.digest => return !pin.changed,
            // It is stopped already, and written down.
            (Some(pin), None) if pin.seen.as_ref() == Some(&seen.digest) => return false,
            (None, None) => {
                if unsaid.len() >= PENDING_MAX {
                    return false;
                }
                unsaid.insert(key.clone(), Pending { digest: seen.digest.clone(), changed: false });
                false
            }
            _ => {
                unsaid.insert(key.clone(), Pending { digest: seen.digest.clone(), changed: true });
                true
            }
        }
    };
    if changed {
        tokio::spawn(security::raise(Arc::clone(core), event(who, &seen)));
    }
    tokio::spawn(say(Arc::clone(core), seen, changed));
    !changed
}

/// Has it written down, and lets the snapshot speak from then on.
async fn say(core: Arc<Core>, seen: SeenTool, changed: bool) {
    if changed {
        warn!(tool = %seen.tool, action = seen.action, "a tool is told otherwise than before: it is not called until somebody accepts it");
        if let Err(error) = core.ports.ledger.record(entry(&seen)).await {
            error!(%error, "that a tool has changed is not recorded");
        }
    }
    let revision = loop {
        match core.ports.pins.see(&seen).await {
            Ok(revision) => break revision,
            Err(error) => {
                error!(%error, tool = %seen.tool, "what is told of a tool cannot be written down; it is tried again");
                tokio::time::sleep(RETRY).await;
            }
        }
    };
    while core.applied() < revision {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let key = (seen.tool, seen.action);
    let mut unsaid = lock(&core.unsaid.0);
    if unsaid.get(&key).is_some_and(|pending| pending.digest == seen.digest) {
        unsaid.remove(&key);
    }
}

fn event(who: &Identity, seen: &SeenTool) -> SecurityEvent {
    let detail = format!("{}/{} is told otherwise than before", seen.tool, seen.action);
    SecurityEvent {
        principal: format!("tool {}", seen.tool),
        // The pin is one for all versions: it is stopped for the stable one too.
        stable_shows_it: Some(true),
        ..security::event(who, SecurityCause::ToolChanged, detail)
    }
}

fn entry(seen: &SeenTool) -> LedgerEntry {
    let by = Principal::Part("lockgate".into());
    let object = format!("{}/{}", seen.tool, seen.action);
    let mut entry = LedgerEntry::event(clock::wall_ms(), by, "tool.changed", object);
    entry.labels = vec![("tool", seen.tool.to_string()), ("decision", "deny".to_owned())];
    entry.detail = json!({ "digest": seen.digest.as_str() });
    entry
}
