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
}

impl Conversation {
    /// Some six requests in five minutes.
    pub const USUAL: Self = Self { length_s: 300.0, requests_per_s: 0.02 };
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
}

/// Conversations that are under way on one version.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pinned {
    /// All.
    pub(crate) active: u64,
    /// Of those, the ones without an error in this weight epoch.
    pub(crate) clean: u64,
}

impl Pinned {
    /// One tick: some end, `begun` begin, and the rest go on asking. Counts keys as the store
    /// does: each once an epoch, and its first error once.
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
        let ended = dice.binomial(self.active, ends);
        let ended_clean = if self.active == 0 {
            0
        } else {
            dice.binomial(ended, self.clean as f64 / self.active as f64)
        };
        self.active += begun;
        self.active -= ended;
        self.clean += begun;
        self.clean = self.clean.saturating_sub(ended_clean).min(self.active);
        let asked = conversation.requests_per_s * tick_s;
        let requests = dice.poisson(asked * self.active as f64);
        answer(places, version, requests, dice);
        let fails = 1.0 - (-asked * version.truth.error_rate).exp();
        let failed = dice.binomial(self.clean, fails);
        self.clean -= failed;
        each(places, |arm| {
            arm.keys.assigned += begun;
            arm.keys.erroring += failed;
        });
    }

    /// A new epoch counts all that go on anew.
    pub(crate) fn new_epoch(&mut self, arm: &mut Arm) {
        self.clean = self.active;
        arm.keys.assigned += self.active;
    }
}
