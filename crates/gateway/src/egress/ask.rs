//! An action that a person must agree to: the question about exactly this action, the wait for its answer, and the one
//! use of a yes.

use std::time::Duration;

use lockgate_model::approval::{Answer, Question, Waited};
use lockgate_model::decision::{Decided, Effect};
use lockgate_model::identity::Identity;
use lockgate_model::ids::ApprovalId;
use serde_json::json;
use tokio::time::Instant;
use tracing::error;

use crate::egress::call::{Asked, REFUSED, Verdict};
use crate::egress::delegation::names;
use crate::egress::listener::Egress;
use crate::egress::refusal::Why;

/// A record for whoever looks for what people were asked.
const ASKED: &str = "approval.ask";
/// The longest action that a person is asked about, as text.
const SHOWN_BYTES_MAX: usize = 64 * 1024;
/// Calls that wait for people at once, at most; more come again by themselves.
pub(super) const HELD_MAX: usize = 256;

impl Asked<'_> {
    /// Has people asked, and waits for as long as is configured, if at all. Only a yes to exactly this, used here and now, is one.
    pub(super) async fn ask(&self, egress: &Egress, decided: &Decided, waits: bool) -> Verdict {
        let settings = egress.core.table.load().snapshot.egress.approvals;
        let Some(exact) = (self.exact)() else {
            return unanswered("it cannot be told apart from other actions");
        };
        if exact.len() > SHOWN_BYTES_MAX {
            let why = "it is longer than what a person can be asked about";
            return self.not_agreed(egress, decided, why, None).await;
        }
        let hash = self.hash(egress, decided, &exact);
        let question = Question {
            agent: self.identity.agent.clone(),
            version: self.identity.version.clone(),
            tool: self.server.name.clone(),
            action: self.action.to_owned(),
            hash: hash.clone(),
            token: self.identity.id,
            issuer: self.identity.voucher.issuer().cloned(),
            givers: self
                .identity
                .givers()
                .iter()
                .filter_map(|one| one.voucher.key().map(|_| one.id))
                .collect(),
            terms: decided.asks.clone(),
            shown: json!({
                "exact": exact, "arguments": self.arguments, "facts": decided.facts, "message": decided.message,
                "risk": decided.risk, "rules": decided.rules, "link": self.belongs.how.as_str(),
                "interaction": self.belongs.session.as_ref().map(|session| session.id()),
                "trace": self.linked.trace, "for": names(self.identity.givers()),
            }),
            settings,
        };
        let held = waits.then(|| egress.waiting.try_acquire().ok()).flatten();
        let hold_ms = if held.is_some() { settings.hold_ms } else { 0 };
        let deadline = Instant::now() + Duration::from_millis(hold_ms);
        loop {
            let answer = match egress.core.ports.approvals.ask(&question).await {
                Ok(answer) => answer,
                Err(error) => {
                    error!(%error, "an action is refused: nobody can be asked");
                    return unanswered("nobody can be asked at the moment");
                }
            };
            let id = match answer {
                Answer::Granted { id } => return self.granted(egress, &hash, &exact, id).await,
                Answer::Denied { id } => {
                    let why = format!("a person said no (approval {id})");
                    return self.not_agreed(egress, decided, &why, Some(id)).await;
                }
                Answer::Full => {
                    let why = "too many actions wait for people";
                    return self.not_agreed(egress, decided, why, None).await;
                }
                Answer::Waiting { id, is_new, .. } => {
                    if is_new && !self.record_question(egress, decided, id).await {
                        return unanswered("the question cannot be recorded");
                    }
                    id
                }
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let why = match egress.core.ports.approvals.wait(id, left).await {
                Ok(Waited::Answered) => continue,
                Ok(Waited::Waits) => format!(
                    "it waits for a person (approval {id}); call again later with the same arguments"
                ),
                Ok(Waited::Over) => format!("nobody agreed in time (approval {id})"),
                Err(error) => {
                    error!(%error, "an action is refused: the answer cannot be waited for");
                    return unanswered("the answer cannot be waited for");
                }
            };
            return self.not_agreed(egress, decided, &why, Some(id)).await;
        }
    }

    /// A yes is used up. What was agreed to must still be what would be done: policy and orders may be others by now.
    async fn granted(&self, egress: &Egress, hash: &str, exact: &str, id: ApprovalId) -> Verdict {
        let now = self.judge(egress);
        if now.effect == Effect::Deny || self.hash(egress, &now, exact) != hash {
            let denied = Decided { effect: Effect::Deny, ..now };
            return self.deny(egress, denied, true).await;
        }
        self.intend(egress, &now, Some(id)).await
    }

    async fn record_question(&self, egress: &Egress, decided: &Decided, id: ApprovalId) -> bool {
        let about = self.about(decided, true);
        let mut entry = self.entry(&about, ASKED, decided, &decided.reason);
        entry.detail["approval"] = json!(id);
        self.refused(egress, entry).await.is_some()
    }

    async fn not_agreed(
        &self,
        egress: &Egress,
        decided: &Decided,
        why: &str,
        approval: Option<ApprovalId>,
    ) -> Verdict {
        let about = self.about(decided, true);
        let mut entry = self.entry(&about, REFUSED, decided, why);
        entry.detail["approval"] = json!(approval);
        let record = self.refused(egress, entry).await;
        let (reason, message) = (why.to_owned(), decided.message.clone());
        let rules = decided.asks.iter().map(|term| term.rule.clone()).collect();
        Verdict::Refused(Why { reason, message, record, approval, rules })
    }

    /// What makes the action this one and no other: whose token, what, with exactly what, under which policy and rules.
    /// Nobody without the gateway's key can find out by guessing what it is about.
    fn hash(&self, egress: &Egress, decided: &Decided, exact: &str) -> String {
        let Identity { id, agent, version, manifest, voucher, .. } = self.identity;
        // Tokens of others last for minutes: the question must outlive them.
        let whose =
            voucher.issuer().map_or_else(|| json!(id), |issuer| json!({ "issuer": issuer }));
        let rules: Vec<&str> = decided.asks.iter().map(|term| term.rule.as_str()).collect();
        let mut what = json!([
            whose,
            agent,
            version,
            manifest,
            self.server.name,
            self.action,
            exact,
            decided.policy.as_str(),
            rules,
        ]);
        if let (Some(what), Some(acting)) = (what.as_array_mut(), &self.identity.acting) {
            what.push(json!(
                acting
                    .givers
                    .iter()
                    .map(|one| (&one.agent, &one.version, &one.manifest))
                    .collect::<Vec<_>>()
            ));
        }
        egress.core.question_salt.tag(what.to_string().as_bytes())
    }
}

fn unanswered(why: &str) -> Verdict {
    Verdict::Refused(Why::unrecorded(why))
}
