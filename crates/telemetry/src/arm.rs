//! What was seen of one version under one split: everything a judge may read. All of it merges.

mod said;

use std::collections::BTreeMap;

use lockgate_model::interaction::{ErrorClass, Outcome, Usage};
use lockgate_model::measure::{LEVELS, MeasureName};
use serde::{Deserialize, Serialize};

use crate::sketch::Sketch;

pub use said::{Feedback, Outcomes};

/// First byte and total of one kind of answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Time to the first byte of the body, microseconds.
    pub first_byte: Sketch,
    /// Time to the end of the body, microseconds.
    pub total: Sketch,
}

impl Latency {
    /// Adds what `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.first_byte.merge(&other.first_byte);
        self.total.merge(&other.total);
    }
}

/// Cost of requests, in nano-dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Requests whose cost is known.
    pub known: u64,
    /// Requests whose cost cannot be known.
    pub unknown: u64,
    /// Sum over the known ones.
    pub sum_nanousd: u128,
    /// Sum of squares over the known ones.
    pub sum_squares: u128,
}

impl Cost {
    /// Counts one request.
    pub fn record(&mut self, cost_nanousd: Option<u64>) {
        match cost_nanousd {
            None => self.unknown += 1,
            Some(cost) => {
                self.known += 1;
                self.sum_nanousd = self.sum_nanousd.saturating_add(u128::from(cost));
                self.sum_squares =
                    self.sum_squares.saturating_add(u128::from(cost) * u128::from(cost));
            }
        }
    }

    /// Adds what `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.known += other.known;
        self.unknown += other.unknown;
        self.sum_nanousd = self.sum_nanousd.saturating_add(other.sum_nanousd);
        self.sum_squares = self.sum_squares.saturating_add(other.sum_squares);
    }

    /// Mean over the requests whose cost is known, US dollars; `None` without any.
    pub fn mean_usd(&self) -> Option<f64> {
        (self.known > 0).then(|| self.sum_nanousd as f64 / self.known as f64 / 1e9)
    }
}

/// Tokens whose number is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Input, cache reads included.
    pub input: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Answers without usage.
    pub unknown: u64,
}

/// Distinct sticky keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Assigned.
    pub assigned: u64,
    /// Of those, with at least one error charged to the version.
    pub erroring: u64,
    /// Of those assigned, the ones without an error before in this release: who could still have
    /// a first one. All of them where no release is looked at.
    #[serde(default)]
    pub at_risk: u64,
    /// Of those, the ones whose first error of the release was seen here. One user who always
    /// fails is one first error, however many epochs meet them.
    #[serde(default)]
    pub first_errors: u64,
    /// Of those assigned, the ones that no earlier epoch of the release met.
    #[serde(default)]
    pub first_assigned: u64,
    /// Sightings of keys that were not listed for want of room: when not 0, the counts above are
    /// too low.
    #[serde(default)]
    pub keys_dropped: u64,
}

/// Requests without a sticky key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyless {
    /// Routed.
    pub assigned: u64,
    /// Ended so that they say something about the version.
    pub judged: u64,
    /// Ended in an error charged to it.
    pub errors: u64,
}

/// Runs of one probe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Answered as expected.
    pub passed: u64,
    /// Not answered, or otherwise.
    pub failed: u64,
    /// What was wrong with one of the failed ones, in words.
    pub why: Option<String>,
}

impl Probed {
    /// One run.
    pub fn of(result: Result<(), String>) -> Self {
        match result {
            Ok(()) => Self { passed: 1, ..Self::default() },
            Err(why) => Self { failed: 1, why: Some(why), ..Self::default() },
        }
    }

    /// Adds the runs of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        // Any of them will do; the greater one, so that the order of merging does not matter.
        self.why = self.why.take().max(other.why.clone());
    }
}

/// What a version reported of one measure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Reports by level, see [`lockgate_model::measure::Measure::level`].
    pub levels: BTreeMap<u8, u64>,
    /// Reports that were no number.
    pub unreadable: u64,
}

impl Measured {
    /// Counts one report.
    pub fn record(&mut self, level: Option<u8>) {
        match level {
            Some(level) => *self.levels.entry(level.min(LEVELS)).or_default() += 1,
            None => self.unreadable += 1,
        }
    }

    /// Reports that were numbers.
    pub fn count(&self) -> u64 {
        self.levels.values().sum()
    }

    /// Reports by their share of the measure's range, 0 to 1.
    pub fn shares(&self) -> impl Iterator<Item = (f64, u64)> + Clone {
        self.levels.iter().map(|(level, count)| (f64::from(*level) / f64::from(LEVELS), *count))
    }

    /// Mean share of the range; `None` without reports.
    pub fn mean(&self) -> Option<f64> {
        let n = self.count();
        (n > 0).then(|| self.shares().map(|(x, count)| x * count as f64).sum::<f64>() / n as f64)
    }

    /// Adds what `other` has.
    pub fn merge(&mut self, other: &Self) {
        for (level, count) in &other.levels {
            *self.levels.entry(*level).or_default() += count;
        }
        self.unreadable += other.unreadable;
    }
}

/// Copies of users' requests, and how their answers compare with those that users got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirrored {
    /// Copies that were sent.
    pub sent: u64,
    /// Requests that were chosen and not copied, for want of room.
    pub skipped: u64,
    /// Pairs of answers, both whole.
    pub compared: u64,
    /// Of those, with the same status.
    pub same_status: u64,
    /// Of those, with the same body, byte for byte.
    pub same_body: u64,
}

impl Mirrored {
    /// Adds what `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.skipped += other.skipped;
        self.compared += other.compared;
        self.same_status += other.same_status;
        self.same_body += other.same_body;
    }
}

/// One version under one split (or several epochs of it, merged).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    /// Requests routed to the version, counted at routing.
    pub assigned: u64,
    /// Requests that ended, in whatever way.
    pub completed: u64,
    /// Ends that were not good, by class.
    pub errors: BTreeMap<ErrorClass, u64>,
    /// Distinct sticky keys. Zero when the agent has none. Counted by whoever sees all windows;
    /// merging arms adds them, so merge only disjoint sets.
    pub keys: Keys,
    /// Of the requests, those without a sticky key: all of them where the agent has none.
    #[serde(default)]
    pub keyless: Keyless,
    /// Latency of server-sent event streams.
    pub sse: Latency,
    /// Latency of every other answer.
    pub plain: Latency,
    /// Cost.
    pub cost: Cost,
    /// Tokens.
    pub tokens: Tokens,
    /// Feedback.
    pub feedback: Feedback,
    /// Outcomes.
    pub outcomes: Outcomes,
    /// What was reported besides, by measure. An answer need not report.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<MeasureName, Measured>,
    /// Runs of probes by their names. A probe is no request: it counts nowhere else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub probes: BTreeMap<String, Probed>,
    /// What was mirrored to it. Copies count as requests assigned to it.
    #[serde(default)]
    pub mirrored: Mirrored,
}

/// How one request ended, as the gateway saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completion {
    /// How it failed, if it did.
    pub error: Option<ErrorClass>,
    /// Whether the answer was a stream of server-sent events.
    pub sse: bool,
    /// Microseconds to the first byte, when there was one.
    pub first_byte_us: Option<u64>,
    /// Microseconds to the end, when there was an answer.
    pub total_us: Option<u64>,
    /// Tokens.
    pub usage: Usage,
    /// Nano-dollars.
    pub cost_nanousd: Option<u64>,
    /// What the version reported.
    pub outcome: Option<Outcome>,
    /// Levels of measures that it reported; `None` for what was no number.
    pub measures: Vec<(MeasureName, Option<u8>)>,
}

impl Arm {
    /// Counts the end of one request. Refusals of our own and clients that left do not enter
    /// latency: the version did not decide how long they took. Nor do its own quick refusals and
    /// redirects, which are no answers. Timeouts do, at the time they took.
    pub fn complete(&mut self, completion: &Completion) {
        self.completed += 1;
        if let Some(class) = completion.error {
            *self.errors.entry(class).or_default() += 1;
        }
        if completion.error.is_none_or(ErrorClass::charged) {
            let latency = if completion.sse { &mut self.sse } else { &mut self.plain };
            if let Some(us) = completion.first_byte_us {
                latency.first_byte.record(us);
            }
            if let Some(us) = completion.total_us {
                latency.total.record(us);
            }
        }
        self.cost.record(completion.cost_nanousd);
        match (completion.usage.input_tokens, completion.usage.output_tokens) {
            (None, None) => self.tokens.unknown += 1,
            (input, output) => {
                self.tokens.input = self.tokens.input.saturating_add(input.unwrap_or(0));
                self.tokens.output = self.tokens.output.saturating_add(output.unwrap_or(0));
            }
        }
        if let Some(outcome) = completion.outcome {
            self.outcomes.record(outcome);
        }
        for (name, level) in &completion.measures {
            self.measures.entry(*name).or_default().record(*level);
        }
    }

    /// Errors charged to the version.
    pub fn errors_charged(&self) -> u64 {
        self.errors.iter().filter(|(class, _)| class.charged()).map(|(_, count)| count).sum()
    }

    /// Ended requests that say something about the version: answered, or failed by it. Not those refused
    /// here or left by the client, nor those that it refused or sent elsewhere: they are neither
    /// errors nor a sign of health. The denominator of the error rate by request.
    pub fn judged(&self) -> u64 {
        let others = self.errors.iter().filter(|(class, _)| !class.charged());
        self.completed.saturating_sub(others.map(|(_, count)| count).sum())
    }

    /// Ended requests that say nothing about the version, but for those refused here.
    pub fn unjudged(&self) -> u64 {
        self.answered().saturating_sub(self.judged())
    }

    /// Ended requests that a version was asked: all but those refused here.
    pub fn answered(&self) -> u64 {
        let refused = self.errors.get(&ErrorClass::GatewayRefused).copied().unwrap_or(0);
        self.completed.saturating_sub(refused)
    }

    /// Answers that can be resolved or not: all but those of users of whom enough outcomes were counted. An outcome may be
    /// there before its answer has ended.
    pub fn heard(&self) -> u64 {
        self.answered().saturating_sub(self.outcomes.unheard).max(self.outcomes.count())
    }

    /// Counts the routing of a request without a sticky key, and its end.
    pub fn keyless(&mut self, ended: Option<Option<ErrorClass>>) {
        match ended {
            None => self.keyless.assigned += 1,
            Some(error) => {
                self.keyless.judged += u64::from(error.is_none_or(ErrorClass::charged));
                self.keyless.errors += u64::from(error.is_some_and(ErrorClass::charged));
            }
        }
    }

    /// Adds everything of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.assigned += other.assigned;
        self.completed += other.completed;
        for (class, count) in &other.errors {
            *self.errors.entry(*class).or_default() += count;
        }
        self.keys.assigned += other.keys.assigned;
        self.keys.erroring += other.keys.erroring;
        self.keys.at_risk += other.keys.at_risk;
        self.keys.first_errors += other.keys.first_errors;
        self.keys.first_assigned += other.keys.first_assigned;
        self.keys.keys_dropped += other.keys.keys_dropped;
        self.keyless.assigned += other.keyless.assigned;
        self.keyless.judged += other.keyless.judged;
        self.keyless.errors += other.keyless.errors;
        self.sse.merge(&other.sse);
        self.plain.merge(&other.plain);
        self.cost.merge(&other.cost);
        self.tokens.input = self.tokens.input.saturating_add(other.tokens.input);
        self.tokens.output = self.tokens.output.saturating_add(other.tokens.output);
        self.tokens.unknown += other.tokens.unknown;
        self.feedback.merge(&other.feedback);
        self.outcomes.merge(&other.outcomes);
        for (name, measured) in &other.measures {
            self.measures.entry(*name).or_default().merge(measured);
        }
        for (name, probed) in &other.probes {
            self.probes.entry(name.clone()).or_default().merge(probed);
        }
        self.mirrored.merge(&other.mirrored);
    }
}

/// Candidate and stable, seen at the same time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arms {
    /// The version being released.
    pub candidate: Arm,
    /// The version it is compared with.
    pub stable: Arm,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_or_the_gateway_did_is_not_charged() {
        let mut arm = Arm::default();
        for class in ErrorClass::ALL {
            arm.complete(&Completion {
                error: Some(class),
                total_us: Some(10),
                ..Completion::default()
            });
        }
        assert_eq!(arm.completed, 11);
        assert_eq!(arm.errors_charged(), 6);
        assert_eq!((arm.judged(), arm.unjudged()), (6, 4));
        assert_eq!(arm.plain.total.count(), 6);
    }

    #[test]
    fn unknown_cost_is_counted_apart_and_never_as_zero() {
        let mut cost = Cost::default();
        cost.record(None);
        assert_eq!(cost.mean_usd(), None);
        cost.record(Some(2_000_000_000));
        assert_eq!((cost.known, cost.unknown, cost.mean_usd()), (1, 1, Some(2.0)));
    }

    #[test]
    fn reports_of_a_measure_merge_and_none_is_unknown() {
        let mut one = Measured::default();
        assert_eq!(one.mean(), None);
        one.record(Some(40));
        one.record(None);
        let mut other = Measured::default();
        other.record(Some(80));
        other.record(Some(40));
        one.merge(&other);
        assert_eq!((one.count(), one.unreadable), (3, 1));
        assert!((one.mean().unwrap() - 160.0 / 300.0).abs() < 1e-12);
    }
}
