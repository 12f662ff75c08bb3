//! Taking a release back.

use lockgate_model::ids::FuseId;
use lockgate_model::plan::{Action, AlertLevel, Metric};

use super::Work;
use crate::event::Effect;
use crate::explain::{Cause, Transition, Verdict};
use crate::state::{Phase, RollbackEnd};

impl Work<'_> {
    /// Weight 0, in the way the action says. A rollback under way only becomes more severe.
    pub(super) fn take_back(
        &mut self,
        action: Action,
        end: RollbackEnd,
        alert: AlertLevel,
        causes: Vec<Cause>,
    ) -> Option<Transition> {
        if let Phase::RollingBack { action: under_way, .. } = self.next.phase
            && under_way >= action
        {
            return None;
        }
        self.next.phase = Phase::RollingBack { action, end };
        self.next.taken_back_because = causes.first().map(|cause| cause.text.clone());
        self.next.weight_bp = 0;
        self.next.warming_ms = None;
        self.order_split(|rollout, now| rollout.split_back(action, now));
        if action == Action::StopImmediately {
            self.next.revoked = true;
            let version = self.next.candidate.clone();
            self.effects.push(Effect::Revoke { version });
        }
        self.notify(alert, &format!("rolled back ({action})"), &causes);
        self.transition(causes, "every gateway applies weight 0")
    }

    pub(super) fn security(
        &mut self,
        detail: &str,
        by: &str,
        stable_shows_it: Option<bool>,
    ) -> Option<Transition> {
        self.next.security_events += 1;
        let trigger = self
            .before
            .plan
            .triggers
            .iter()
            .find(|trigger| trigger.metric == Metric::SecurityEvents && !trigger.dry_run)?;
        let excess_only = trigger.bound.is_relative();
        if excess_only && stable_shows_it == Some(true) {
            return None;
        }
        let cause = Cause {
            metric: Some(Metric::SecurityEvents),
            verdict: Some(Verdict::Fail),
            value: Some(self.next.security_events as f64),
            threshold: Some(trigger.bound.to_string()),
            ..Cause::said(by, "trigger security_events", detail)
        };
        self.take_back(trigger.action, RollbackEnd::RolledBack, trigger.alert, vec![cause])
    }

    /// The gateway has already cut the version off; the release follows, then the fuse may yield.
    pub(super) fn fuse(&mut self, id: FuseId, cause: &str, security: bool) -> Option<Transition> {
        if self.next.fuses.contains(&id) {
            return None;
        }
        self.next.fuses.push(id);
        let action = if security { Action::StopImmediately } else { Action::Stop };
        let cause = Cause::plain("fuse of a gateway", cause);
        let end = RollbackEnd::RolledBack;
        let transition = self.take_back(action, end, AlertLevel::Highest, vec![cause]);
        self.effects.push(Effect::AcknowledgeFuses { ids: vec![id] });
        transition
    }
}
