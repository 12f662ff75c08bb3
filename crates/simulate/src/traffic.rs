//! Requests of one tick, as counts.

use std::sync::Arc;

use lockgate_model::interaction::ErrorClass;
use lockgate_telemetry::arm::Arm;

use crate::draw::Dice;
use crate::trace::Trace;
use crate::truth::Drawn;

/// How users come.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// Mean requests per second.
    pub requests_per_s: f64,
    /// How uneven it is.
    pub arrivals: Arrivals,
    /// Requests of a conversation, when users stay with their version.
    pub conversation: Option<Conversation>,
}

/// How the rate differs from tick to tick.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrivals {
    /// It wanders.
    Bursty {
        /// Deviation of the logarithm of the rate. The trace of a production service shows about
        /// 0.5 between ticks of ten seconds.
        sigma: f64,
    },
    /// As a trace, from a place in it that is drawn, and again from its start.
    Trace(Arc<Trace>),
}

/// Users that stay with the version they began with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conversation {
    /// Mean length, seconds.
    pub length_s: f64,
    /// Mean requests per second of one.
    pub requests_per_s: f64,
    /// Whether users follow the weight, as they do by a sticky key: when it is raised, some of those
    /// under way change over at once. Otherwise only those who begin are drawn.
    pub keyed: bool,
}

impl Conversation {
    /// Six requests in five minutes, which stay where they began.
    pub const USUAL: Self = Self { length_s: 300.0, requests_per_s: 0.02, keyed: false };

    /// Requests of one, on average.
    pub fn requests(&self) -> f64 {
        (self.length_s * self.requests_per_s).max(1.0)
    }

    /// The share of users who meet an error when so many requests fail.
    pub fn users_with_errors(&self, error_rate: f64) -> f64 {
        -(self.requests() * (-error_rate).ln_1p()).exp_m1()
    }

    /// The share of requests that fail when so many users meet an error.
    pub fn failing_requests(&self, users_with_errors: f64) -> f64 {
        -((-users_with_errors).ln_1p() / self.requests()).exp_m1()
    }
}

impl Default for Traffic {
    fn default() -> Self {
        let arrivals = Arrivals::Bursty { sigma: 0.4 };
        Self { requests_per_s: 10.0, arrivals, conversation: None }
    }
}

/// How busy it is now.
#[derive(Debug, Clone)]
pub(crate) enum Weather {
    /// The logarithm of the rate; half of a deviation is kept from tick to tick.
    Wandering { sigma: f64, log: f64 },
    /// A place in a trace.
    Recorded { trace: Arc<Trace>, at_ms: u64 },
}

impl Weather {
    pub(crate) fn new(arrivals: &Arrivals, dice: &mut Dice) -> Self {
        match arrivals {
            Arrivals::Bursty { sigma } => Self::Wandering { sigma: *sigma, log: 0.0 },
            Arrivals::Trace(trace) => {
                Self::Recorded { at_ms: dice.below(trace.span_ms()), trace: Arc::clone(trace) }
            }
        }
    }

    /// The factor of the next tick; 1 on average.
    pub(crate) fn next(&mut self, tick_ms: u64, dice: &mut Dice) -> f64 {
        const KEPT: f64 = 0.5;
        match self {
            Self::Wandering { sigma, .. } if *sigma <= 0.0 => 1.0,
            Self::Wandering { sigma, log } => {
                *log = KEPT * *log + (1.0 - KEPT * KEPT).sqrt() * *sigma * dice.normal();
                (*log - *sigma * *sigma / 2.0).exp()
            }
            Self::Recorded { trace, at_ms } => {
                let busy = trace.busy(*at_ms, tick_ms);
                *at_ms += tick_ms;
                busy
            }
        }
    }
}

/// Where counts go: all evidence of the epoch, the block under way, and what is looked back on.
pub(crate) type Places<'a> = [Option<&'a mut Arm>; 3];

fn each(places: &mut Places<'_>, count: impl Fn(&mut Arm)) {
    places.iter_mut().flatten().for_each(|arm| count(arm));
}

/// Adds `requests` that a version answered.
pub(crate) fn answer(places: &mut Places<'_>, version: &Drawn, requests: u64, dice: &mut Dice) {
    if requests == 0 {
        return;
    }
    let errors = dice.binomial(requests, version.truth.error_rate);
    each(places, |arm| {
        arm.assigned += requests;
        arm.completed += requests;
        if errors > 0 {
            *arm.errors.entry(ErrorClass::Upstream5xx).or_default() += errors;
        }
    });
    version.latency.draw(requests, dice, |bin, count| {
        each(places, |arm| arm.plain.total.add(bin, count));
    });
    version.cost.draw(requests, dice, |nanousd, count| {
        let (one, times) = (u128::from(nanousd), u128::from(count));
        each(places, |arm| {
            arm.cost.known += count;
            arm.cost.sum_nanousd += one * times;
            arm.cost.sum_squares += one * one * times;
        });
    });
    let votes = dice.binomial(requests, version.truth.vote_share);
    version.vote.draw(votes, dice, |score, count| {
        each(places, |Arm { feedback, .. }| match score {
            1 => feedback.positive += count,
            0 => feedback.neutral += count,
            _ => feedback.negative += count,
        });
    });
    if let Some(share) = version.truth.resolved {
        let resolved = dice.binomial(requests, share);
        each(places, |Arm { outcomes, .. }| {
            outcomes.resolved += resolved;
            outcomes.escalated += requests - resolved;
        });
    }
    for (name, levels) in &version.measures {
        levels.draw(requests, dice, |level, count| {
            each(places, |arm| {
                *arm.measures.entry(*name).or_default().levels.entry(level).or_default() += count;
            });
        });
    }
}

/// Conversations that are under way on one version.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pinned {
    /// Those without an error in this release.
    clean: u64,
    /// Those with one, none of them in this weight epoch.
    erred_before: u64,
    /// Those with one in this weight epoch.
    erred: u64,
    /// Of all these, the ones that no epoch has met yet.
    unmet: u64,
}

impl Pinned {
    /// As many as there are at this rate when nothing changes.
    pub(crate) fn under_way(traffic: &Traffic) -> Self {
        let count = traffic
            .conversation
            .map_or(0.0, |one| traffic.requests_per_s / one.requests_per_s.max(1e-9));
        let clean = crate::expected::whole(count);
        Self { clean, unmet: clean, ..Self::default() }
    }

    /// So many of them, by chance, change over to another version, where they begin anew.
    pub(crate) fn change_over(&mut self, to: &mut Self, share: f64, dice: &mut Dice) {
        for group in [&mut self.clean, &mut self.erred_before, &mut self.erred] {
            let going = dice.binomial(*group, share);
            *group -= going;
            to.clean += going;
            to.unmet += going;
        }
    }

    fn active(&self) -> u64 {
        self.clean + self.erred_before + self.erred
    }

    /// One tick: some end, `begun` begin, and the rest go on asking. Counts keys as the store
    /// does: each once an epoch, its first error of the epoch once, and that of the release once.
    pub(crate) fn tick(
        &mut self,
        places: &mut Places<'_>,
        version: &Drawn,
        begun: u64,
        conversation: &Conversation,
        tick_s: f64,
        dice: &mut Dice,
    ) {
        let ends = 1.0 - (-tick_s / conversation.length_s).exp();
        for group in [&mut self.clean, &mut self.erred_before, &mut self.erred] {
            *group -= dice.binomial(*group, ends);
        }
        self.clean += begun;
        let asked = conversation.requests_per_s * tick_s;
        let requests = dice.poisson(asked * self.active() as f64);
        answer(places, version, requests, dice);
        let fails = 1.0 - (-asked * version.truth.error_rate).exp();
        let first = dice.binomial(self.clean, fails);
        let again = dice.binomial(self.erred_before, fails);
        self.clean -= first;
        self.erred_before -= again;
        self.erred += first + again;
        each(places, |Arm { keys, .. }| {
            keys.assigned += begun;
            keys.erroring += first + again;
            keys.at_risk += begun;
            keys.first_assigned += begun;
            keys.first_errors += first;
        });
    }

    /// A new epoch meets all that go on, and those at risk that had no error so far.
    pub(crate) fn new_epoch(&mut self, arm: &mut Arm) {
        self.erred_before += std::mem::take(&mut self.erred);
        arm.keys.assigned += self.active();
        arm.keys.at_risk += self.clean;
        arm.keys.first_assigned += std::mem::take(&mut self.unmet);
    }
}

#[cfg(test)]
mod tests {
    use lockgate_model::plan::{Bound, Metric};
    use lockgate_rollout::state::Phase;

    use super::*;
    use crate::plans::standard;
    use crate::release::{Setting, run};
    use crate::truth::Truth;

    #[test]
    fn one_conversation_that_always_fails_is_one_error_in_four_epochs() {
        let always = Drawn::new(Truth { error_rate: 1.0, ..Truth::default() }, &[]);
        let endless = Conversation { length_s: 1e12, requests_per_s: 10.0, keyed: false };
        let (mut pinned, mut dice) = (Pinned::default(), Dice::new(1));
        let mut sum = Arm::default();
        for epoch in 0..4 {
            let mut arm = Arm::default();
            pinned.new_epoch(&mut arm);
            let begun = u64::from(epoch == 0);
            pinned.tick(
                &mut [Some(&mut arm), None, None],
                &always,
                begun,
                &endless,
                10.0,
                &mut dice,
            );
            assert_eq!((arm.keys.assigned, arm.keys.erroring), (1, 1), "in every epoch");
            sum.merge(&arm);
        }
        assert_eq!((sum.keys.at_risk, sum.keys.first_errors), (1, 1));
    }

    #[test]
    fn users_with_errors_and_failing_requests_are_two_sides_of_one() {
        let six = Conversation::USUAL;
        assert!((six.users_with_errors(0.002) - 0.011_94).abs() < 1e-5);
        for rate in [0.0, 0.0005, 0.3] {
            assert!((six.failing_requests(six.users_with_errors(rate)) - rate).abs() < 1e-12);
        }
    }

    #[test]
    fn users_by_key_follow_the_weight_at_once() {
        let mut setting = Setting::identical(Arc::new(standard()));
        let mut share = |keyed| {
            let conversation = Some(Conversation { keyed, ..Conversation::USUAL });
            setting.traffic = Traffic { conversation, ..Traffic::default() };
            setting.candidate.error_rate = 1.0;
            let found = run(&setting, 1);
            assert_eq!(found.phase, Phase::RolledBack);
            found.candidate_requests as f64 / found.requests as f64
        };
        // Taken back after some seconds: who only draws those who begin has few by then.
        let [by_key, by_conversation] = [share(true), share(false)];
        assert!(by_key > 0.06, "{by_key}");
        assert!(by_conversation < 0.05, "{by_conversation}");
    }

    /// From 10 to 25 %, while conversations that began before keep the real share low.
    #[test]
    fn s50_doubled_errors_are_found_under_pinned_conversations() {
        let mut plan = standard();
        plan.stages[1].duration_ms = 60 * 60 * 1_000;
        plan.stages.iter_mut().for_each(|stage| stage.gates.clear());
        plan.triggers.retain(|trigger| matches!(trigger.bound, Bound::AboveBaselineBy(_)));
        plan.triggers.retain(|trigger| trigger.metric == Metric::ErrorRate);
        plan.triggers[0].min_samples = 200;
        let errors = |error_rate| Truth { error_rate, ..Truth::default() };
        let long = Conversation { length_s: 2.0 * 3_600.0, requests_per_s: 0.01, keyed: false };
        let traffic =
            Traffic { requests_per_s: 20.0, conversation: Some(long), ..Traffic::default() };
        let identical = Setting {
            traffic,
            stable: errors(0.002),
            candidate: errors(0.002),
            ..Setting::identical(Arc::new(plan))
        };
        let doubled = Setting { candidate: errors(0.004), ..identical.clone() };
        for seed in 0..8 {
            let found = run(&doubled, seed);
            assert_eq!(found.phase, Phase::RolledBack, "{seed}: {:?}", found.rule());
            let share = found.candidate_requests as f64 / found.requests as f64;
            let weight = f64::from(identical.plan.stages[found.stage].weight_bp) / 1e4;
            assert!(found.stage > 1 && share < 0.9 * weight, "{share} of requests at {weight}");
            assert_eq!(run(&identical, seed).phase, Phase::Promoted, "{seed}");
        }
    }
}
