//! Deciding an action, and recording it before it is done.

use std::sync::Arc;

use lockgate_model::decision::{ActionRequest, Decided, Effect, SessionFacts};
use lockgate_model::identity::Identity;
use lockgate_model::ids::{ApprovalId, ToolName};
use lockgate_model::ledger::{GovernedAction, LedgerEntry, Principal, Step};
use lockgate_model::security::{SecurityCause, SecurityEvent};
use lockgate_model::tool::{ToolMode, ToolProtocol};
use serde_json::{Value, json};
use tracing::{error, warn};

use crate::clock;
use crate::core::Core;
use crate::egress::calls::UnderWay;
use crate::egress::delegation::{self, names};
use crate::egress::known::Server;
use crate::egress::limit::Uses;
use crate::egress::link::Linked;
use crate::egress::listener::Egress;
use crate::egress::outcome::{ACTION, About, Open};
use crate::egress::pins;
use crate::egress::refusal::Why;
use crate::egress::security;
use crate::egress::tally;
use crate::provenance::Belongs;

/// A record for whoever looks for actions that were not done.
pub(super) const REFUSED: &str = "action.refused";
/// Arguments that are longer are only committed to.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// An action that somebody asks for.
pub(crate) struct Asked<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) server: &'a Server,
    /// The request's own id.
    pub(crate) request: &'a Value,
    pub(crate) action: &'a str,
    pub(crate) arguments: &'a Value,
    /// Exactly what is to be done, see [`exact`]; `None` for what cannot be read.
    pub(crate) exact: &'a (dyn Fn() -> Option<String> + Sync),
    pub(crate) linked: &'a Linked,
    /// The interaction that it belongs to.
    pub(crate) belongs: &'a Belongs,
    /// Its place among the calls under way.
    pub(crate) under_way: &'a UnderWay,
    /// The most that it can use of a model.
    pub(crate) uses: &'a (dyn Fn() -> Uses + Sync),
}

/// What becomes of it.
#[expect(clippy::large_enum_variant, reason = "there is one a call, and it is taken apart at once")]
pub(crate) enum Verdict {
    /// It may be done: its intent is recorded.
    Go(Open),
    /// It is not there for this agent.
    Hidden,
    /// It is not done.
    Refused(Why),
}

/// Why it is denied, whatever the policy says.
struct Stop {
    rule: String,
    reason: String,
}

impl Asked<'_> {
    /// Whether this could ever be allowed.
    fn is_permitted(&self, egress: &Egress) -> bool {
        egress.permits(self.identity, self.server, self.action)
    }

    /// Decides. What is allowed has its intent recorded when this returns.
    pub(crate) async fn decide(&self, egress: &Egress) -> Verdict {
        self.decided(egress, true).await
    }

    /// The same; whoever does not wait for people is refused until somebody has agreed.
    pub(super) async fn decided(&self, egress: &Egress, waits: bool) -> Verdict {
        // Known before orders are looked at: whoever stops the user cuts it from here on.
        let user = self.belongs.session.as_ref().and_then(|session| session.user);
        self.under_way.is_for(user);
        let stop = self.stop(egress);
        let is_watched = self.server.mode == ToolMode::Shadow && stop.is_none();
        let decided = self.evaluate(egress, stop);
        if is_watched {
            // What binds what is allowed refuses nothing either.
            let watched = Decided { limits: Vec::new(), ..decided };
            return self.intend(egress, &watched, None).await;
        }
        let permitted = self.is_permitted(egress);
        if permitted && decided.effect == Effect::Allow {
            return self.intend(egress, &decided, None).await;
        }
        if permitted && decided.effect == Effect::Ask {
            return self.ask(egress, &decided, waits).await;
        }
        self.deny(egress, decided, permitted).await
    }

    /// What the policy says now, unless an order says otherwise.
    pub(super) fn judge(&self, egress: &Egress) -> Decided {
        self.evaluate(egress, self.stop(egress))
    }

    fn evaluate(&self, egress: &Egress, stop: Option<Stop>) -> Decided {
        let session = egress.core.provenance.facts(self.identity, self.belongs);
        let of = |party: &Identity, session: &SessionFacts| {
            egress.core.ports.decisions.decide(&ActionRequest {
                agent: &party.agent,
                version: &party.version,
                tool: &self.server.name,
                action: self.action,
                arguments: self.arguments,
                session,
            })
        };
        let mut decided = of(self.identity, &session);
        for (depth, giver) in (0..).zip(self.identity.givers()) {
            // Each stands where it stood: the first acts for nobody, or nobody knows for whom.
            let is_known = depth > 0 || self.belongs.session.is_some();
            let delegation_depth = is_known.then_some(depth);
            let session = SessionFacts { delegation_depth, ..session.clone() };
            decided = delegation::both(decided, giver, of(giver, &session));
        }
        let Some(Stop { rule, reason }) = stop else { return decided };
        let (effect, rules) = (Effect::Deny, vec![rule]);
        Decided { effect, rules, reason, message: None, security_event: false, ..decided }
    }

    /// Records a denial, and acts on one that is a security event.
    pub(super) async fn deny(&self, egress: &Egress, decided: Decided, permitted: bool) -> Verdict {
        let reason = decided.reason.clone();
        let about = self.about(&decided, permitted);
        let entry = self.entry(&about, REFUSED, &decided, &reason);
        let event = decided.security_event.then(|| self.event(&decided));
        if event.is_some() {
            self.under_way.is_refused();
        }
        // Whoever asked may leave meanwhile; that changes nothing about what follows.
        let core = Arc::clone(&egress.core);
        let told = tokio::spawn(async move {
            if let Some(event) = event {
                security::raise(Arc::clone(&core), event).await;
            }
            refused(&core, entry).await
        });
        let record = told.await.unwrap_or_else(|error| {
            error!(%error, "a refusal is not recorded");
            None
        });
        if !permitted {
            return Verdict::Hidden;
        }
        let (message, rules) = (decided.message, decided.rules);
        Verdict::Refused(Why { reason, message, record, rules, approval: None })
    }

    /// What is stopped by order, or has changed behind everybody's back, is denied, whatever the policy says.
    fn stop(&self, egress: &Egress) -> Option<Stop> {
        let table = egress.core.table.load();
        let user = self.belongs.session.as_ref().and_then(|session| session.user);
        let order = table.quarantined.call(self.identity, &self.server.name);
        let order = order.or_else(|| table.quarantined.user_of_call(self.identity, user?));
        if let Some(order) = order {
            let reason = format!("{} is stopped by order {}", order.what, order.id);
            return Some(Stop { rule: format!("quarantine {}", order.id), reason });
        }
        let now_s = clock::wall_ms().div_euclid(1_000);
        let is_known = self.belongs.session.is_some();
        if let Some(reason) =
            outlived(self.identity, (&self.server.name, self.action), is_known, now_s)
        {
            return Some(Stop { rule: "delegation".to_owned(), reason: reason.to_owned() });
        }
        pins::is_stopped(&egress.core, self.server, self.action).then(|| {
            let reason = "what agents are told of it has changed, and nobody has accepted that";
            Stop { rule: "pin".to_owned(), reason: reason.to_owned() }
        })
    }

    /// Records that it is not done, for a reason that stands in the configuration and in no policy.
    pub(crate) async fn decline(&self, egress: &Egress, reason: &str) -> Why {
        let decided = Decided { reason: reason.to_owned(), ..Decided::nothing() };
        let about = self.about(&decided, self.is_permitted(egress));
        let entry = self.entry(&about, REFUSED, &decided, reason);
        let record = self.refused(egress, entry).await;
        Why { record, ..Why::unrecorded(reason) }
    }

    /// Records the intent. Whoever waits may leave meanwhile: what is recorded has its outcome all the same.
    pub(super) async fn intend(
        &self,
        egress: &Egress,
        decided: &Decided,
        approval: Option<ApprovalId>,
    ) -> Verdict {
        let pass = match egress.gates.enter(&self.server.name, &self.server.limits) {
            Ok(pass) => pass,
            Err(closed) => return self.refuse(egress, decided, None, closed.to_string()).await,
        };
        let held = match self.reserve(egress, decided).await {
            Ok(held) => held,
            Err(refused) => return refused,
        };
        let action = format!("{}/{}", self.server.name, self.action);
        let provenance = &egress.core.provenance;
        let tried = provenance.tries(self.identity, self.belongs, &action, &decided.labels).await;
        if let Err(error) = tried {
            error!(%error, "an action is refused: what its session has read cannot be written down");
            let why = "what the session has read cannot be written down";
            return Verdict::Refused(Why::unrecorded(why));
        }
        let about = self.about(decided, true);
        let mut entry = self.entry(&about, ACTION, decided, &decided.reason);
        entry.step = Step::Intent;
        if let Some(approval) = approval {
            entry.detail["approval"] = json!(approval);
        }
        if self.server.mode == ToolMode::Shadow {
            entry.detail["shadow"] = json!(true);
        }
        if let Some(held) = held.as_json() {
            entry.detail["limits"] = held;
        }
        let ledger = egress.core.ports.ledger.clone();
        let outcomes = egress.outcomes.clone();
        let cut = self.under_way.cut.clone();
        // What others enforce is done by their word, which proves nothing.
        let seen_here = self.server.protocol != ToolProtocol::External;
        let session = self.belongs.session.clone().filter(|_| seen_here);
        let session = session.map(|session| (session, action));
        let limits = self.server.limits;
        let recorded = tokio::spawn(async move {
            let record = ledger.record(entry).await?;
            Ok::<_, lockgate_model::ports::PortError>(
                Open::new(record, about, outcomes, cut)
                    .in_session(session)
                    .holding(pass, held, limits),
            )
        });
        match recorded.await {
            Ok(Ok(open)) => Verdict::Go(open),
            Ok(Err(error)) => {
                error!(%error, "an action is refused: it cannot be recorded");
                Verdict::Refused(Why::unrecorded("it cannot be recorded, so it is not done"))
            }
            Err(error) => {
                error!(%error, "an action is refused: recording it failed");
                Verdict::Refused(Why::unrecorded("it cannot be recorded, so it is not done"))
            }
        }
    }

    /// Records that it is not done.
    pub(super) async fn refused(&self, egress: &Egress, entry: LedgerEntry) -> Option<u64> {
        refused(&egress.core, entry).await
    }

    /// The name of what is not there is whatever somebody wrote: it stays out of what is in the clear.
    pub(super) fn about(&self, decided: &Decided, permitted: bool) -> About {
        let Identity { agent, version, .. } = self.identity;
        let tool = &self.server.name;
        let object =
            if permitted { format!("{tool}/{}", self.action) } else { format!("{tool}/(unknown)") };
        let mut labels = vec![
            ("agent", agent.to_string()),
            ("version", version.to_string()),
            ("tool", tool.to_string()),
            ("decision", decided.effect.as_str().to_owned()),
        ];
        if let Some(session) = &self.belongs.session {
            labels.push(("interaction", session.id().to_string()));
        }
        About { principal: Principal::Part(format!("agent {agent}/{version}")), object, labels }
    }

    pub(super) fn entry(
        &self,
        about: &About,
        name: &str,
        decided: &Decided,
        reason: &str,
    ) -> LedgerEntry {
        let mut entry = about.entry(name);
        entry.detail = detail(self.identity, self.request, decided, reason);
        let size = self.arguments.to_string().len();
        let payload = if size <= PAYLOAD_BYTES_MAX { self.arguments.clone() } else { Value::Null };
        entry.of_action(&GovernedAction {
            // Whose data the arguments are is not known yet: they are kept like a person's, under one key an agent.
            subject: Principal::Person(format!("users of {}", self.identity.agent)),
            delegation: names(self.identity.givers()).into_iter().map(Principal::Part).collect(),
            action: json!({
                "tool": self.server.name, "action": self.action, "arguments": self.arguments,
            }),
            facts: decided.facts.clone(),
            payload,
            rules: decided.rules.clone(),
            policy: decided.policy.clone(),
            trace: self.linked.trace.clone(),
            link: self.belongs.how,
        })
    }

    fn event(&self, decided: &Decided) -> SecurityEvent {
        // Whose rule it is that was broken, by itself or by who acts for it.
        let whose = decided.giver.as_ref().and_then(|giver| {
            self.identity.givers().iter().find(|one| one.agent == giver.0 && one.version == giver.1)
        });
        SecurityEvent {
            rule: decided.rules.first().cloned(),
            principal: format!("agent {}/{}", self.identity.agent, self.identity.version),
            ..security::event(
                whose.unwrap_or(self.identity),
                SecurityCause::Rule,
                decided.reason.clone(),
            )
        }
    }
}

/// Why somebody may not do it, or not any more, whatever the policy says: people may take their time to answer.
fn outlived(
    identity: &Identity,
    (tool, action): (&ToolName, &str),
    session_is_known: bool,
    now_s: i64,
) -> Option<&'static str> {
    if now_s >= identity.expires_wall_s {
        return Some("the agent's token has expired meanwhile");
    }
    let acting = identity.acting.as_deref()?;
    if now_s >= acting.expires_wall_s {
        return Some("what was passed on to the agent has expired meanwhile");
    }
    if !acting.scope.holds(tool, action) {
        return Some("it is not among what was passed on to the agent");
    }
    // Its user could be one that is stopped, or has had enough.
    (acting.interaction.is_some() && !session_is_known)
        .then_some("the user's request that it was passed on for is not known here any more")
}

/// What every record of an action says of who asked, and of what came of it.
pub(super) fn detail(
    identity: &Identity,
    request: &Value,
    decided: &Decided,
    reason: &str,
) -> Value {
    let mut detail = json!({
        "token": identity.id, "manifest": identity.manifest, "request": request,
        "effect": decided.effect.as_str(), "why": reason, "risk": decided.risk,
    });
    if let Some(issuer) = identity.voucher.issuer() {
        detail["issuer"] = json!(issuer);
    }
    if let Some(acting) = &identity.acting {
        detail["delegation"] = json!(acting.id);
    }
    detail
}

/// Records that something is not done; a record that cannot be made changes nothing about that.
pub(super) async fn refused(core: &Core, entry: LedgerEntry) -> Option<u64> {
    core.tally.note(&entry, tally::REFUSED);
    match core.ports.ledger.record(entry).await {
        Ok(record) => Some(record),
        Err(error) => {
            warn!(%error, "a refusal is not recorded");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use lockgate_model::delegation::Delegation;
    use lockgate_model::ids::{DelegationId, InteractionId};
    use lockgate_model::ledger::Link;

    use uuid::Uuid;

    use super::*;
    use crate::egress::identity::somebody;

    #[test]
    fn what_was_passed_on_is_for_a_time_a_purpose_and_a_request() {
        let own = Identity { expires_wall_s: 100, ..somebody("desk", "v1") };
        let acting = |interaction: Option<InteractionId>| {
            let delegation = Delegation {
                id: DelegationId(Uuid::nil()),
                to: own.agent.clone(),
                givers: vec![own.clone()],
                scope: vec!["files/read".parse().unwrap()].try_into().unwrap(),
                interaction,
                link: Link::Explicit,
                expires_wall_s: 50,
            };
            Identity { acting: Some(Arc::new(delegation)), ..own.clone() }
        };
        let unlinked = acting(None);
        let linked = acting(Some(InteractionId(Uuid::nil())));
        let files: ToolName = "files".parse().unwrap();
        for (who, action, session_is_known, now_s, why) in [
            (&own, "write", false, 99, None),
            (&own, "write", false, 100, Some("token has expired")),
            (&unlinked, "read", false, 49, None),
            (&unlinked, "read", false, 50, Some("passed on to the agent has expired")),
            (&unlinked, "write", false, 49, Some("not among what was passed on")),
            (&linked, "read", true, 49, None),
            (&linked, "read", false, 49, Some("not known here any more")),
        ] {
            let told = outlived(who, (&files, action), session_is_known, now_s);
            let fits = match why {
                Some(why) => told.is_some_and(|told| told.contains(why)),
                None => told.is_none(),
            };
            assert!(fits, "{action} {session_is_known} {now_s}: {told:?}");
        }
    }
}
