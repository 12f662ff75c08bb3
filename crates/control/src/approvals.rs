//! Questions to people: those who may answer are told, and what nobody answered in time is ended and recorded.

use lockgate_model::ledger::{Ledger, LedgerEntry, Principal};
use lockgate_model::plan::AlertLevel;
use lockgate_rollout::event::Alert;
use lockgate_store::{ApprovalRow, Store, StoreError};
use serde_json::json;

use crate::clock::wall_ms;

/// One look at all of them.
pub(crate) async fn look(store: &Store, ledger: &dyn Ledger, fence: u64) -> Result<(), StoreError> {
    for row in store.end_approvals().await? {
        // It has ended whether this is recorded or not: nobody said yes.
        if let Err(error) = ledger.record(expired(&row)).await {
            tracing::error!(%error, approval = %row.id, "that nobody answered is not recorded");
        }
    }
    for row in store.untold_approvals().await? {
        let newest = store.rollouts(Some(&row.agent), 1).await?.pop();
        if newest.is_none() {
            tracing::warn!(approval = %row.id, agent = %row.agent, "the agent has no release yet, so nobody can be alerted");
        }
        let told = newest.as_ref().map(|rollout| (rollout, alert(&row)));
        store.tell_of_approval(fence, row.id, told).await?;
    }
    Ok(())
}

fn alert(row: &ApprovalRow) -> Alert {
    let ApprovalRow { id, agent, version, tool, action, terms, .. } = row;
    let rules: Vec<&str> = terms.iter().map(|term| term.rule.as_str()).collect();
    // The arguments may be anyone's data: they are shown to who signs in, and go nowhere else.
    Alert {
        level: AlertLevel::High,
        title: format!("{agent}: {tool}/{action} waits for a person"),
        text: format!(
            "version {version}, by {}; `lockgate approvals show {id}` shows it, and approve or deny answers",
            rules.join(", ")
        ),
    }
}

fn expired(row: &ApprovalRow) -> LedgerEntry {
    let control = Principal::Part("control".into());
    let object = format!("{}/{}", row.tool, row.action);
    let mut entry = LedgerEntry::event(wall_ms(), control, "approval.expire", object);
    entry.labels = vec![
        ("agent", row.agent.to_string()),
        ("version", row.version.to_string()),
        ("tool", row.tool.to_string()),
        ("decision", "deny".to_owned()),
    ];
    entry.detail = json!({ "approval": row.id, "votes": row.votes.len() });
    entry
}
