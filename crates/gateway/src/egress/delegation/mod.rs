//! Agents that act for agents: authority that one passes on to another, and the word to another agent on who calls it.
//!
//! Both are texts that only gateways with the same key can make and read. The first is of no use without a token of the
//! agent that it is for; the second can be shown once, at the gateway that made it.

pub(crate) mod callers;
pub(crate) mod give;

use std::sync::Arc;

use http::HeaderMap;
use lockgate_model::decision::{Decided, Effect};
use lockgate_model::delegation::Delegation;
use lockgate_model::identity::Identity;

use crate::clock;
use crate::egress::identity::Refused;
use crate::egress::listener::Egress;
use crate::sealed::Sealer;
use callers::Redeemed;

/// With it an agent says for whom it acts.
pub(crate) const DELEGATION: &str = "lockgate-delegation";
/// The longest of these texts.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// Makes and reads them.
pub(crate) struct Delegations {
    passed_on: Sealer,
    callers: Sealer,
    redeemed: Redeemed,
}

impl Delegations {
    /// Under keys of their own.
    pub(crate) fn new(signing_key: &[u8; 32]) -> Self {
        Self {
            passed_on: Sealer::new(signing_key, "lockgate delegation 1"),
            callers: Sealer::new(signing_key, "lockgate caller 1"),
            redeemed: Redeemed::default(),
        }
    }

    /// `None` for what would be too long to be read again.
    fn seal(&self, delegation: &Delegation) -> Option<String> {
        let text = self.passed_on.seal(serde_json::to_vec(delegation).ok()?);
        (text.len() <= TEXT_BYTES_MAX).then_some(text)
    }

    /// What a text says, if it was made by us; whether it is good now and here is for others.
    fn open(&self, text: &str) -> Option<Delegation> {
        let payload = self.passed_on.open_within(text, TEXT_BYTES_MAX)?;
        serde_json::from_slice(&payload).ok()
    }

    /// The same, if it is good now.
    pub(super) fn good(&self, text: &str, now_s: i64) -> Result<Delegation, Refused> {
        let delegation = self.open(text).ok_or(Refused::DelegationForged)?;
        if now_s >= delegation.expires_wall_s {
            return Err(Refused::DelegationExpired);
        }
        Ok(delegation)
    }
}

/// For whom somebody acts, by the headers of a request. What is not good is no call of its own accord; what is forged, or
/// somebody else's, is a security event of the one who shows it.
pub(super) fn acting(
    egress: &Egress,
    identity: Identity,
    headers: &HeaderMap,
) -> Result<Identity, Refused> {
    let shown = shown(egress, &identity, headers)
        .inspect_err(|refused| egress.forgeries.note(&egress.core, &identity, *refused))?;
    Ok(match shown {
        Some(delegation) => Identity { acting: Some(Arc::new(delegation)), ..identity },
        None => identity,
    })
}

/// What somebody shows of it.
fn shown(
    egress: &Egress,
    identity: &Identity,
    headers: &HeaderMap,
) -> Result<Option<Delegation>, Refused> {
    let mut values = headers.get_all(DELEGATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refused::DelegationForged);
    }
    let text = value.to_str().map_err(|_| Refused::DelegationForged)?.trim();
    let delegation = egress.delegations.good(text, clock::wall_ms().div_euclid(1_000))?;
    if delegation.to != identity.agent {
        return Err(Refused::DelegationOther);
    }
    Ok(Some(delegation))
}

/// Agents and versions, as records name them.
pub(super) fn names(givers: &[Identity]) -> Vec<String> {
    let name = |giver: &Identity| format!("agent {}/{}", giver.agent, giver.version);
    givers.iter().map(name).collect()
}

/// What is decided about an action of one that is done for another: whoever is more careful decides.
pub(super) fn both(own: Decided, giver: &Identity, givers: Decided) -> Decided {
    match (own.effect, givers.effect) {
        (Effect::Deny, _) => own,
        (_, Effect::Deny) => Decided {
            reason: format!(
                "agent {}, for whom it is done, may not do it: {}",
                giver.agent, givers.reason
            ),
            giver: Some((giver.agent.clone(), giver.version.clone())),
            ..givers
        },
        _ => {
            // A person is to be shown what the one has to say who wants them asked.
            let (reason, message, risk) =
                if givers.effect == Effect::Ask && own.effect != Effect::Ask {
                    (givers.reason, givers.message, givers.risk)
                } else {
                    (own.reason, own.message, own.risk)
                };
            let Decided { effect, mut asks, mut limits, mut rules, .. } = givers;
            let giver = (giver.agent.clone(), giver.version.clone());
            for term in &mut limits {
                term.giver = Some(giver.clone());
            }
            asks.retain(|term| !own.asks.contains(term));
            rules.retain(|rule| !own.rules.contains(rule));
            Decided {
                effect: if own.effect == Effect::Ask { own.effect } else { effect },
                reason,
                message,
                risk,
                rules: [own.rules, rules].concat(),
                asks: [own.asks, asks].concat(),
                limits: [own.limits, limits].concat(),
                ..own
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use Effect::{Allow, Ask, Deny};
    use lockgate_model::approval::AskTerm;
    use lockgate_model::limit::{CountBy, LimitOf, LimitTerm};

    use super::*;
    use crate::egress::identity::somebody;

    fn decided(effect: Effect, rule: &str) -> Decided {
        let term = LimitTerm {
            rule: format!("limit {rule}"),
            of: LimitOf::Calls,
            most: 1,
            span_ms: 1_000,
            by: CountBy::Agent,
            otherwise: None,
            giver: None,
        };
        let ask = AskTerm { rule: rule.into(), approvals: 1, from: Vec::new() };
        Decided {
            effect,
            rules: vec![rule.into()],
            reason: format!("by {rule}"),
            asks: if effect == Effect::Ask { vec![ask] } else { Vec::new() },
            limits: vec![term],
            ..Decided::nothing()
        }
    }

    #[test]
    fn whoever_is_more_careful_decides_and_all_limits_bind() {
        let giver = somebody("support", "v1");
        for (own, givers, effect, rules, asks) in [
            (Allow, Allow, Allow, &["own", "givers"][..], &[][..]),
            (Allow, Ask, Ask, &["own", "givers"], &["givers"]),
            (Ask, Allow, Ask, &["own", "givers"], &["own"]),
            (Ask, Ask, Ask, &["own", "givers"], &["own", "givers"]),
            (Allow, Deny, Deny, &["givers"], &[]),
            (Ask, Deny, Deny, &["givers"], &[]),
            (Deny, Allow, Deny, &["own"], &[]),
            (Deny, Deny, Deny, &["own"], &[]),
        ] {
            let both = both(decided(own, "own"), &giver, decided(givers, "givers"));
            assert_eq!(both.effect, effect, "{own:?} {givers:?}");
            assert_eq!(both.rules, rules, "{own:?} {givers:?}");
            let asked: Vec<&str> = both.asks.iter().map(|term| term.rule.as_str()).collect();
            assert_eq!(asked, asks, "{own:?} {givers:?}");
            if effect != Deny {
                let whose: Vec<bool> =
                    both.limits.iter().map(|term| term.giver.is_some()).collect();
                assert_eq!(whose, [false, true]);
            }
        }
        let denied = both(decided(Allow, "own"), &giver, decided(Deny, "givers"));
        assert_eq!(denied.reason, "agent support, for whom it is done, may not do it: by givers");
        assert_eq!(denied.giver, Some((giver.agent.clone(), giver.version.clone())));
        let asked = both(decided(Allow, "own"), &giver, decided(Ask, "givers"));
        assert_eq!((asked.reason.as_str(), asked.giver), ("by givers", None));
        // A rule about both is asked about once.
        let same = both(decided(Ask, "r"), &giver, decided(Ask, "r"));
        assert_eq!((same.asks.len(), same.rules.len()), (1, 1));
    }
}
