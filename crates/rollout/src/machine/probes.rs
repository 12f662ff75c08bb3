//! The set of probes that a candidate in the test environment is to pass.

use lockgate_model::version::Digest;

use super::Work;
use crate::explain::{Cause, Transition};
use crate::state::Phase;

impl Work<'_> {
    /// The set was edited. Runs of the old one say nothing about the new one: those count that come
    /// under an epoch of its own, which gateways are told the set by.
    pub(super) fn probes_changed(
        &mut self,
        names: &[String],
        digest: Option<&Digest>,
        by: &str,
    ) -> Option<Transition> {
        if !self.next.awaits_probes() || self.next.probes_digest.as_ref() == digest {
            return None;
        }
        self.next.probes = names.to_vec();
        self.next.probes_digest = digest.cloned();
        let text = match names.len() {
            0 => "the agent has none any more".to_owned(),
            1 => "the one of the new set is to be run; runs of the old set no longer count".into(),
            n => {
                format!("the {n} of the new set are to be run; runs of the old set no longer count")
            }
        };
        if self.next.has_begun() {
            self.clocks(false);
            let goes_on = matches!(
                self.next.phase,
                Phase::Running | Phase::Extended | Phase::WaitingGate { .. }
            );
            if goes_on {
                self.next.phase = Phase::Confirming;
            }
            self.next.probes_since = self.next.epoch.next();
            self.order_split(|rollout, _| rollout.split_forward());
        }
        let cause = Cause::said(by, "probes changed", text);
        self.transition(vec![cause], "every gateway sends the new set")
    }
}
