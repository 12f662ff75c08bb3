//! How often an action may be done: it is counted before it is done, in every count that binds it, or not done.

use lockgate_model::decision::Decided;
use lockgate_model::identity::Identity;
use lockgate_model::limit::{CountBy, Counted, LimitTerm, Reserved};
use serde_json::json;
use tracing::error;

use crate::egress::call::{Asked, REFUSED, Verdict};
use crate::egress::exact;
use crate::egress::listener::Egress;
use crate::egress::refusal::Why;

impl Asked<'_> {
    /// Takes a place in each count; `None` when the action may go on.
    pub(super) async fn reserve(&self, egress: &Egress, decided: &Decided) -> Option<Verdict> {
        if decided.limits.is_empty() {
            return None;
        }
        let counts: Option<Vec<Counted>> =
            decided.limits.iter().map(|term| self.counted(egress, term)).collect();
        let Some(counts) = counts else {
            let why = "it cannot be told apart from other actions, and so not counted";
            return Some(Verdict::Refused(Why::unrecorded(why)));
        };
        match egress.core.ports.reservations.reserve(&counts).await {
            Ok(Reserved::Taken) => None,
            Ok(Reserved::Full { rule, after_ms }) => {
                let why = format!(
                    "limit {rule} is reached; there may be room again in {} s",
                    after_ms.div_ceil(1_000)
                );
                let about = self.about(decided, true);
                let mut entry = self.entry(&about, REFUSED, decided, &why);
                entry.detail["limit"] = json!(rule);
                let record = self.refused(egress, entry).await;
                Some(Verdict::Refused(Why {
                    reason: why,
                    record,
                    rules: vec![rule],
                    ..Why::default()
                }))
            }
            Err(error) => {
                error!(%error, "an action is refused: it cannot be counted");
                Some(Verdict::Refused(Why::unrecorded("it cannot be counted, so it is not done")))
            }
        }
    }

    /// Who is not known is counted together with all others who are not.
    fn counted(&self, egress: &Egress, term: &LimitTerm) -> Option<Counted> {
        let Identity { agent, version, .. } = self.identity;
        let session = self.belongs.session.as_ref();
        let in_session = || match session {
            Some(session) => format!("session {}", session.id()),
            None => format!("unlinked {agent}/{version}"),
        };
        let whose = match term.by {
            CountBy::Agent => format!("agent {agent}"),
            CountBy::Version => format!("version {agent}/{version}"),
            CountBy::Session => in_session(),
            CountBy::User => match session.and_then(|session| session.user) {
                Some(user) => format!("user {agent} {user:016x}"),
                None => format!("unknown user {agent}"),
            },
            CountBy::Call => {
                let arguments = exact::value(self.arguments.to_string().as_bytes())?;
                let call = format!("{}/{} {arguments}", self.server.name, self.action);
                format!("{} {}", in_session(), egress.core.question_salt.tag(call.as_bytes()))
            }
        };
        Some(Counted { rule: term.rule.clone(), whose, times: term.times, span_ms: term.span_ms })
    }
}
