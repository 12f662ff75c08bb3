//! How often an action may be done, and how much it may use: it is counted before it is done, in every count that binds
//! it, or not done. What it did use replaces what was reserved for it when it is over.

use lockgate_model::decision::Decided;
use lockgate_model::identity::Identity;
use lockgate_model::limit::{CountBy, Counted, LimitOf, LimitTerm, Place, Reserved};
use serde_json::json;
use tracing::error;

use crate::egress::call::{Asked, REFUSED, Verdict};
use crate::egress::listener::Egress;
use crate::egress::refusal::Why;

/// What an action uses of a model: at most, or as it turned out. `None` for what is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Uses {
    pub(crate) tokens: Option<u64>,
    pub(crate) cost_nanousd: Option<u64>,
}

impl Uses {
    /// What is no model uses none.
    pub(crate) const NOTHING: Self = Self { tokens: Some(0), cost_nanousd: Some(0) };
    /// Whatever it is.
    pub(crate) const UNKNOWN: Self = Self { tokens: None, cost_nanousd: None };

    /// What is reserved for it; `None` when nobody can say.
    fn at_most(self, term: &LimitTerm) -> Option<u64> {
        self.of(term.of).or(term.otherwise)
    }

    fn of(self, of: LimitOf) -> Option<u64> {
        match of {
            LimitOf::Calls => Some(1),
            LimitOf::Tokens => self.tokens,
            LimitOf::CostNanousd => self.cost_nanousd,
            LimitOf::Amount(amount) => amount,
        }
    }
}

/// What is reserved for one action.
#[derive(Debug, Default)]
pub(crate) struct Held(Vec<(LimitOf, Place)>);

impl Held {
    /// As its intent says: how much of which limit.
    pub(crate) fn as_json(&self) -> Option<serde_json::Value> {
        let one = |(_, place): &(LimitOf, Place)| json!({ "limit": place.rule, "reserved": place.amount });
        (!self.0.is_empty()).then(|| self.0.iter().map(one).collect())
    }

    /// What takes its place, as far as that is known. Calls and amounts stay as they are.
    pub(crate) fn settled(self, used: Uses) -> Vec<(Place, u64)> {
        let known = |(of, place): (LimitOf, Place)| match of {
            LimitOf::Tokens | LimitOf::CostNanousd => used.of(of).map(|used| (place, used)),
            LimitOf::Calls | LimitOf::Amount(_) => None,
        };
        self.0.into_iter().filter_map(known).collect()
    }
}

impl Asked<'_> {
    /// Reserves what it can use in each count; what may not go on is refused.
    pub(super) async fn reserve(
        &self,
        egress: &Egress,
        decided: &Decided,
    ) -> Result<Held, Verdict> {
        if decided.limits.is_empty() {
            return Ok(Held::default());
        }
        let uses = (self.uses)();
        let mut counts = Vec::with_capacity(decided.limits.len());
        let mut of = Vec::with_capacity(decided.limits.len());
        for term in &decided.limits {
            let Some(amount) = uses.at_most(term) else {
                let why = format!("limit {} cannot bind it: {}", term.rule, unknown(term.of));
                return Err(self.refuse(egress, decided, Some(&term.rule), why).await);
            };
            if amount == 0 {
                continue;
            }
            let Some(whose) = self.whose(egress, term) else {
                let why = "it cannot be told apart from other actions, and so not counted";
                return Err(Verdict::Refused(Why::unrecorded(why)));
            };
            let LimitTerm { rule, most, span_ms, .. } = term;
            // Whoever does it and whom it is done for may be counted together: it is one action then.
            let is_counted = |one: &Counted| one.rule == *rule && one.whose == whose;
            if counts.iter().any(is_counted) {
                continue;
            }
            of.push(term.of);
            let (most, span_ms) = (*most, *span_ms);
            counts.push(Counted { rule: rule.clone(), whose, amount, most, span_ms });
        }
        if counts.is_empty() {
            return Ok(Held::default());
        }
        match egress.core.ports.reservations.reserve(&counts).await {
            Ok(Reserved::Taken(places)) => Ok(Held(of.into_iter().zip(places).collect())),
            Ok(Reserved::Full { rule, left, after_ms }) => {
                let why = full(&counts, &rule, left, after_ms);
                Err(self.refuse(egress, decided, Some(&rule), why).await)
            }
            Err(error) => {
                error!(%error, "an action is refused: it cannot be counted");
                let why = "it cannot be counted, so it is not done";
                Err(Verdict::Refused(Why::unrecorded(why)))
            }
        }
    }

    /// Records that it is allowed and not done all the same: by this limit, or for now.
    pub(super) async fn refuse(
        &self,
        egress: &Egress,
        decided: &Decided,
        limit: Option<&str>,
        reason: String,
    ) -> Verdict {
        let about = self.about(decided, true);
        let mut entry = self.entry(&about, REFUSED, decided, &reason);
        entry.detail["limit"] = json!(limit);
        let record = self.refused(egress, entry).await;
        let rules = limit.into_iter().map(str::to_owned).collect();
        Verdict::Refused(Why { reason, record, rules, ..Why::default() })
    }

    /// Who is not known is counted together with all others who are not. `None` for what cannot be told from others.
    fn whose(&self, egress: &Egress, term: &LimitTerm) -> Option<String> {
        let Identity { agent, version, .. } = self.identity;
        let (agent, version) = term.giver.as_ref().map_or((agent, version), |(a, v)| (a, v));
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
                let call = format!("{}/{} {}", self.server.name, self.action, (self.exact)()?);
                format!("{} {}", in_session(), egress.core.question_salt.tag(call.as_bytes()))
            }
        };
        // A rule that counts something else now counts anew.
        Some(match term.of {
            LimitOf::Calls => whose,
            LimitOf::Tokens => format!("tokens of {whose}"),
            LimitOf::CostNanousd => format!("cost of {whose}"),
            LimitOf::Amount(_) => format!("sum of {whose}"),
        })
    }
}

/// Why nobody can say how much it would use, and what to do about it.
fn unknown(of: LimitOf) -> &'static str {
    match of {
        LimitOf::Tokens => {
            "how many tokens it can use is not known; send text only, and name max_tokens"
        }
        LimitOf::CostNanousd => {
            "what it can cost is not known; send text only to a model with a known price, and name max_tokens"
        }
        LimitOf::Calls | LimitOf::Amount(_) => "the amount is not known",
    }
}

fn full(counts: &[Counted], rule: &str, left: u64, after_ms: Option<u64>) -> String {
    let amount = counts.iter().find(|count| count.rule == rule).map_or(1, |count| count.amount);
    let what = if amount == 1 {
        format!("limit {rule} is reached")
    } else {
        format!("limit {rule} has {left} left, and this may use {amount}")
    };
    match after_ms {
        Some(after_ms) => {
            format!("{what}; there may be room again in {} s", after_ms.div_ceil(1_000))
        }
        None => format!("{what}, which is more than there ever is"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_knows_is_what_the_rule_says_otherwise_or_nothing() {
        let term = |of, otherwise| LimitTerm {
            rule: "r".into(),
            of,
            most: 100,
            span_ms: 1_000,
            by: CountBy::Agent,
            otherwise,
            giver: None,
        };
        let known = Uses { tokens: Some(7), cost_nanousd: None };
        for (of, otherwise, amount) in [
            (LimitOf::Calls, None, Some(1)),
            (LimitOf::Tokens, Some(50), Some(7)),
            (LimitOf::CostNanousd, Some(50), Some(50)),
            (LimitOf::CostNanousd, None, None),
            (LimitOf::Amount(None), None, None),
            (LimitOf::Amount(Some(3)), None, Some(3)),
        ] {
            assert_eq!(known.at_most(&term(of, otherwise)), amount, "{of:?} {otherwise:?}");
        }
    }

    #[test]
    fn what_is_not_known_stays_reserved() {
        let place = |rule: &str, amount| Place {
            rule: rule.into(),
            whose: String::new(),
            slot_ms: 1,
            began_ms: 0,
            amount,
        };
        let held = || {
            Held(vec![
                (LimitOf::Calls, place("calls", 1)),
                (LimitOf::Tokens, place("tokens", 100)),
                (LimitOf::CostNanousd, place("cost", 500)),
                (LimitOf::Amount(Some(7)), place("sum", 7)),
            ])
        };
        let settled = |used| -> Vec<(String, u64)> {
            held().settled(used).into_iter().map(|(place, used)| (place.rule, used)).collect()
        };
        assert_eq!(settled(Uses::UNKNOWN), []);
        let tokens = Uses { tokens: Some(30), cost_nanousd: None };
        assert_eq!(settled(tokens), [("tokens".to_owned(), 30)]);
        assert_eq!(settled(Uses::NOTHING), [("tokens".to_owned(), 0), ("cost".to_owned(), 0)]);
    }
}
