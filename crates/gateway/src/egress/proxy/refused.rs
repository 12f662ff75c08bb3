//! What is not let through: the agent is told why, and it is recorded.

use http::Response;
use lockgate_model::decision::Decided;
use lockgate_model::identity::Identity;
use lockgate_model::ledger::{GovernedAction, LedgerEntry, Principal};
use serde_json::{Value, json};

use crate::clock;
use crate::egress::call::{self, REFUSED};
use crate::egress::delegation::names;
use crate::egress::link::Linked;
use crate::egress::listener::Egress;
use crate::egress::operations::denied;
use crate::egress::refusal::Why;
use crate::egress::relay::OutBody;

/// The longest text of an agent's that is kept.
const TEXT_BYTES_MAX: usize = 512;

/// Something that leads to no tool: recorded, and refused.
pub(super) async fn nowhere(
    egress: &Egress,
    identity: &Identity,
    linked: &Linked,
    (action, to): (&str, &str),
    reason: &str,
) -> Response<OutBody> {
    let entry = entry(identity, linked, (action, to), reason);
    let record = call::refused(&egress.core, entry).await;
    denied(&Why { record, ..Why::unrecorded(reason) })
}

/// Where somebody wanted to get is whatever somebody wrote: it stays out of what is in the clear.
fn entry(
    identity: &Identity,
    linked: &Linked,
    (action, to): (&str, &str),
    reason: &str,
) -> LedgerEntry {
    let Identity { agent, version, .. } = identity;
    let by = Principal::Part(format!("agent {agent}/{version}"));
    let object = format!("(unknown)/{action}");
    let mut entry = LedgerEntry::event(clock::wall_ms(), by, REFUSED, &object);
    let decided = Decided::nothing();
    entry.labels = vec![
        ("agent", agent.to_string()),
        ("version", version.to_string()),
        ("decision", decided.effect.as_str().to_owned()),
    ];
    entry.detail = call::detail(identity, &Value::Null, &decided, reason);
    let to: String = to.chars().take(TEXT_BYTES_MAX).collect();
    let arguments = json!({ "to": to });
    entry.of_action(&GovernedAction {
        subject: Principal::Person(format!("users of {agent}")),
        delegation: names(identity.givers()).into_iter().map(Principal::Part).collect(),
        action: json!({ "tool": Value::Null, "action": action, "arguments": arguments }),
        facts: decided.facts,
        payload: arguments,
        rules: Vec::new(),
        policy: decided.policy,
        trace: linked.trace.clone(),
        link: linked.how,
    })
}
