//! Deciding an action, and recording it before it is done.

use std::sync::Arc;

use lockgate_model::decision::{ActionRequest, Decided, Effect};
use lockgate_model::identity::Identity;
use lockgate_model::ids::{ApprovalId, SecurityEventId};
use lockgate_model::ledger::{GovernedAction, LedgerEntry, Principal, Step};
use lockgate_model::ports::Fuses as _;
use lockgate_model::security::{SecurityCause, SecurityEvent};
use lockgate_model::tool::ToolProtocol;
use serde_json::{Value, json};
use tracing::{error, warn};
use uuid::Uuid;

use crate::clock;
use crate::core::Core;
use crate::egress::calls::UnderWay;
use crate::egress::known::Server;
use crate::egress::link::Linked;
use crate::egress::listener::Egress;
use crate::egress::outcome::{ACTION, About, Open};
use crate::egress::pins;
use crate::egress::refusal::Why;
use crate::fuse::FusePort;
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
}

/// What becomes of it.
pub(crate) enum Verdict {
    /// It may be done: its intent is recorded.
    Go(Open),
    /// It is not there for this agent.
    Hidden,
    /// It is not done.
    Refused(Why),
}

impl Asked<'_> {
    /// Whether this could ever be allowed.
    fn is_permitted(&self, egress: &Egress) -> bool {
        let Identity { agent, version, .. } = self.identity;
        egress.core.ports.decisions.permits(agent, version, &self.server.name, self.action)
    }

    /// Decides. What is allowed has its intent recorded when this returns.
    pub(crate) async fn decide(&self, egress: &Egress) -> Verdict {
        // Known before orders are looked at: whoever stops the user cuts it from here on.
        let user = self.belongs.session.as_ref().and_then(|session| session.user);
        self.under_way.is_for(user);
        let decided = self.judge(egress);
        let permitted = self.is_permitted(egress);
        if permitted && decided.effect == Effect::Allow {
            return self.intend(egress, &decided, None).await;
        }
        if permitted && decided.effect == Effect::Ask {
            return self.ask(egress, &decided).await;
        }
        self.deny(egress, decided, permitted).await
    }

    /// What the policy says now, and what orders are in force against it.
    pub(super) fn judge(&self, egress: &Egress) -> Decided {
        let session = egress.core.provenance.facts(self.identity, self.belongs);
        let decided = egress.core.ports.decisions.decide(&ActionRequest {
            agent: &self.identity.agent,
            version: &self.identity.version,
            tool: &self.server.name,
            action: self.action,
            arguments: self.arguments,
            session: &session,
        });
        self.unless_stopped(egress, decided)
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
                raise(&core, event).await;
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
    fn unless_stopped(&self, egress: &Egress, decided: Decided) -> Decided {
        let Identity { agent, version, .. } = self.identity;
        let table = egress.core.table.load();
        let user = self.belongs.session.as_ref().and_then(|session| session.user);
        let order = table.quarantined.call(agent, version, &self.server.name);
        let order = order.or_else(|| table.quarantined.user(agent, user?));
        let (rule, reason) = if let Some(order) = order {
            let reason = format!("{} is stopped by order {}", order.what, order.id);
            (format!("quarantine {}", order.id), reason)
        } else if pins::is_stopped(&egress.core, &self.server.name, self.action) {
            let reason = "what agents are told of it has changed, and nobody has accepted that";
            ("pin".to_owned(), reason.to_owned())
        } else {
            return decided;
        };
        let (effect, rules) = (Effect::Deny, vec![rule]);
        Decided { effect, rules, reason, message: None, security_event: false, ..decided }
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
        if let Some(refused) = self.reserve(egress, decided).await {
            return refused;
        }
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
        let ledger = egress.core.ports.ledger.clone();
        let outcomes = egress.outcomes.clone();
        let cut = self.under_way.cut.clone();
        // What others enforce is done by their word, which proves nothing.
        let seen_here = self.server.protocol != ToolProtocol::External;
        let session = self.belongs.session.clone().filter(|_| seen_here);
        let session = session.map(|session| (session, action));
        let recorded = tokio::spawn(async move {
            let record = ledger.record(entry).await?;
            Ok::<_, lockgate_model::ports::PortError>(
                Open::new(record, about, outcomes, cut).in_session(session),
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
        entry.detail = json!({
            "token": self.identity.id, "manifest": self.identity.manifest, "request": self.request,
            "effect": decided.effect.as_str(), "why": reason, "risk": decided.risk,
        });
        let size = self.arguments.to_string().len();
        let payload = if size <= PAYLOAD_BYTES_MAX { self.arguments.clone() } else { Value::Null };
        entry.of_action(&GovernedAction {
            // Whose data the arguments are is not known yet: they are kept like a person's, under one key an agent.
            subject: Principal::Person(format!("users of {}", self.identity.agent)),
            delegation: Vec::new(),
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
        let Identity { agent, version, .. } = self.identity;
        SecurityEvent {
            id: SecurityEventId(Uuid::now_v7()),
            agent: agent.clone(),
            version: version.clone(),
            cause: SecurityCause::Rule,
            rule: decided.rules.first().cloned(),
            principal: format!("agent {agent}/{version}"),
            detail: decided.reason.clone(),
            stable_shows_it: None,
            at_wall_ms: clock::wall_ms(),
        }
    }
}

/// Written down, then the version is cut off from users and from its tools.
async fn raise(core: &Arc<Core>, event: SecurityEvent) {
    let (agent, version) = (event.agent.clone(), event.version.clone());
    if let Err(error) = core.ports.events.security(event.clone()).await {
        error!(%error, %agent, %version, "a security event is not written down");
    }
    match FusePort(Arc::clone(core)).latch(&event).await {
        Ok(Some(fuse)) => {
            // The next report carries it as well, should this fail.
            if let Err(error) = core.ports.events.fuse(fuse).await {
                warn!(%error, "control could not be told of the fuse; the next report carries it");
            }
        }
        Ok(None) => {}
        Err(error) => error!(%error, %agent, %version, "a fuse could not be latched"),
    }
}

/// Records that something is not done; a record that cannot be made changes nothing about that.
async fn refused(core: &Core, entry: LedgerEntry) -> Option<u64> {
    match core.ports.ledger.record(entry).await {
        Ok(record) => Some(record),
        Err(error) => {
            warn!(%error, "a refusal is not recorded");
            None
        }
    }
}
