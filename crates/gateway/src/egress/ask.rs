//! An action that a person must agree to: the question about exactly this action, the wait for its answer, and the one
//! use of a yes.

use std::collections::BTreeMap;
use std::time::Duration;

use lockgate_model::approval::{Answer, Question, Waited};
use lockgate_model::decision::{Decided, Effect};
use lockgate_model::identity::Identity;
use lockgate_model::ids::ApprovalId;
use lockgate_model::version::Digest;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tracing::error;

use crate::egress::call::{Asked, REFUSED, Verdict};
use crate::egress::listener::Egress;
use crate::egress::refusal::Why;

/// A record for whoever looks for what people were asked.
const ASKED: &str = "approval.ask";
/// Calls that wait for people at once, at most; more come again by themselves.
pub(super) const HELD_MAX: usize = 256;

impl Asked<'_> {
    /// Has people asked, and waits for as long as is configured. Only a yes to exactly this, used here and now, is one.
    pub(super) async fn ask(&self, egress: &Egress, decided: &Decided) -> Verdict {
        let settings = egress.core.table.load().snapshot.egress.approvals;
        let Some(hash) = self.hash(decided) else {
            return unanswered("it cannot be told apart from other actions");
        };
        let question = Question {
            agent: self.identity.agent.clone(),
            version: self.identity.version.clone(),
            tool: self.server.name.clone(),
            action: self.action.to_owned(),
            hash: hash.clone(),
            token: self.identity.id,
            terms: decided.asks.clone(),
            shown: json!({
                "arguments": self.arguments, "facts": decided.facts, "message": decided.message,
                "risk": decided.risk, "rules": decided.rules, "link": self.belongs.how.as_str(),
                "interaction": self.belongs.session.as_ref().map(|session| session.id()),
                "trace": self.linked.trace,
            }),
            settings,
        };
        let held = egress.held.try_acquire();
        let hold_ms = if held.is_ok() { settings.hold_ms } else { 0 };
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
                Answer::Granted { id } => return self.granted(egress, &hash, id).await,
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
    async fn granted(&self, egress: &Egress, hash: &str, id: ApprovalId) -> Verdict {
        let now = self.judge(egress);
        if now.effect == Effect::Deny || self.hash(&now).as_deref() != Some(hash) {
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
        Verdict::Refused(Why { reason, message, record, approval })
    }

    /// What makes the action this one and no other: who, what, with exactly what, under which policy and rules. `None`
    /// for a message that cannot be read.
    fn hash(&self, decided: &Decided) -> Option<String> {
        let Identity { agent, version, manifest, .. } = self.identity;
        let rules: Vec<&str> = decided.asks.iter().map(|term| term.rule.as_str()).collect();
        let what = json!([
            agent,
            version,
            manifest,
            self.server.name,
            self.action,
            exact(self.message)?,
            decided.policy.as_str(),
            rules,
        ]);
        Some(Digest::of(what.to_string().as_bytes()).as_str().to_owned())
    }
}

fn unanswered(why: &str) -> Verdict {
    Verdict::Refused(Why::unrecorded(why))
}

/// The parameters of a message, but for what is said about it: keys in order, and numbers as they are written. As
/// numbers, two that are too long to be told apart would be the same.
pub(super) fn exact(message: &[u8]) -> Option<String> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(message).ok()?;
    let mut params: BTreeMap<String, &RawValue> =
        serde_json::from_str(fields.get("params")?.get()).ok()?;
    params.remove("_meta");
    let mut text = String::new();
    write_fields(&params, &mut text)?;
    Some(text)
}

fn write_fields(fields: &BTreeMap<String, &RawValue>, text: &mut String) -> Option<()> {
    text.push('{');
    for (at, (key, value)) in fields.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&serde_json::to_string(key).ok()?);
        text.push(':');
        write_value(value, text)?;
    }
    text.push('}');
    Some(())
}

/// Depth is bounded: the message was read before.
fn write_value(value: &RawValue, text: &mut String) -> Option<()> {
    let raw = value.get().trim();
    match raw.as_bytes().first()? {
        b'{' => write_fields(&serde_json::from_str(raw).ok()?, text),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            text.push('[');
            for (at, item) in items.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_value(item, text)?;
            }
            text.push(']');
            Some(())
        }
        b'"' => {
            let plain: String = serde_json::from_str(raw).ok()?;
            text.push_str(&serde_json::to_string(&plain).ok()?);
            Some(())
        }
        _ => {
            text.push_str(raw);
            Some(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(params: &str) -> Option<String> {
        exact(
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
                .as_bytes(),
        )
    }

    #[test]
    fn what_is_written_otherwise_and_means_the_same_is_the_same() {
        let one = of(r#"{"name":"a","arguments":{"x":1,"y":["\u0061",null]}}"#);
        assert!(one.is_some());
        assert_eq!(one, of(r#"{ "arguments" : {"y" : [ "a" , null ], "x" : 1}, "name" : "a" }"#));
        assert_eq!(
            one,
            of(r#"{"_meta":{"progressToken":3},"name":"a","arguments":{"x":1,"y":["a",null]}}"#)
        );
    }

    #[test]
    fn what_differs_in_anything_is_another_action() {
        let all = [
            r#"{"name":"a","arguments":{"x":1}}"#,
            r#"{"name":"a","arguments":{"x":"1"}}"#,
            r#"{"name":"a","arguments":{"x":1.0}}"#,
            r#"{"name":"a","arguments":{"x":[1]}}"#,
            r#"{"name":"a","arguments":{"X":1}}"#,
            r#"{"name":"a","arguments":{"x":1,"y":null}}"#,
            r#"{"name":"a","arguments":{}}"#,
            r#"{"name":"a"}"#,
            r#"{"name":"b","arguments":{"x":1}}"#,
            // The same number to whoever reads it as one of 64 bits.
            r#"{"name":"a","arguments":{"x":100000000000000000000001}}"#,
            r#"{"name":"a","arguments":{"x":100000000000000000000002}}"#,
            r#"{"name":"a","arguments":{"x":"\",\"y\":1"}}"#,
        ];
        let texts: std::collections::BTreeSet<_> =
            all.iter().map(|params| of(params).expect("it is read")).collect();
        assert_eq!(texts.len(), all.len());
    }

    #[test]
    fn what_cannot_be_read_is_none() {
        assert_eq!(exact(b"{}"), None);
        assert_eq!(exact(b"[]"), None);
        assert_eq!(exact(b"{\"params\":[1]}"), None);
    }
}
