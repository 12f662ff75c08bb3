//! What interactions of one agent and version came to in one hour or one day: small, and mergeable.
//!
//! Merging adds: it is associative and commutative, and counting the same interaction twice counts it twice. Whoever
//! writes rollups counts each interaction once, when its id is new. Distinct users alone are idempotent. An outcome or
//! a vote that comes late changes the rollup in which its interaction was counted ([`Bucket::settle`], [`Bucket::vote`]).

mod bytes;
mod prices;

use std::collections::BTreeMap;

use lockgate_model::ids::{AgentName, VersionName};
use lockgate_model::interaction::{ErrorClass, Interaction, Outcome, Score, Usage};
use lockgate_telemetry::arm::Feedback;
use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::distinct::Users;

pub use bytes::NotABucket;
pub use lockgate_model::price::Unpriced;
pub use prices::Prices;

/// One hour, milliseconds.
pub const HOUR_MS: i64 = 3_600_000;

/// Of which interactions a rollup is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot {
    /// The agent.
    pub agent: AgentName,
    /// The version that answered; none when requests were refused before one was picked.
    pub version: Option<VersionName>,
    /// When it begins, milliseconds since the Unix epoch; a full hour of UTC.
    pub start_wall_ms: i64,
}

impl Slot {
    /// The hour in which an interaction began, whenever it ended or was reported.
    pub fn of(interaction: &Interaction) -> Self {
        Self {
            agent: interaction.agent.clone(),
            version: interaction.version.clone(),
            start_wall_ms: hour_of(interaction.started_wall_ms),
        }
    }

    /// The slot of the same agent and version for the UTC day in which this hour lies.
    #[must_use]
    pub fn day(mut self) -> Self {
        self.start_wall_ms -= self.start_wall_ms.rem_euclid(24 * HOUR_MS);
        self
    }
}

/// The start of the UTC hour in which a time lies.
pub fn hour_of(at_wall_ms: i64) -> i64 {
    at_wall_ms - at_wall_ms.rem_euclid(HOUR_MS)
}

/// Interactions by what came of them. They add up to all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// The user's need was met, without a person.
    pub resolved: u64,
    /// Handed to a person.
    pub escalated: u64,
    /// Neither; also every interaction with an error that is charged to the version.
    pub failed: u64,
    /// Nobody said.
    pub unknown: u64,
}

impl Outcomes {
    /// All interactions.
    pub fn all(&self) -> u64 {
        self.known() + self.unknown
    }

    /// Those of which something is known.
    pub fn known(&self) -> u64 {
        self.resolved + self.escalated + self.failed
    }

    fn slot(&mut self, outcome: Option<Outcome>) -> &mut u64 {
        match outcome {
            Some(Outcome::Resolved) => &mut self.resolved,
            Some(Outcome::Escalated) => &mut self.escalated,
            Some(Outcome::Failed) => &mut self.failed,
            None => &mut self.unknown,
        }
    }
}

/// What interactions cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Interactions whose cost is known.
    pub known: u64,
    /// Interactions whose cost is not.
    pub unknown: u64,
    /// Sum over the known ones, US dollars.
    pub sum_usd: Amount,
}

/// Tokens, where answers said how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Input, all of it.
    pub input: u64,
    /// Of the input: read from a cache.
    pub cached_input: u64,
    /// Of the input: written to a cache.
    pub cache_write: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Interactions without usage.
    pub unknown: u64,
}

/// Answers of users to "how likely are you to recommend us", and plain votes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Votes {
    /// How many gave each answer from 0 to 10.
    pub answers: [u64; 11],
    /// Votes of −1, 0 or 1, of which the answer is not known.
    pub plain: Feedback,
}

impl Votes {
    /// Counts one answer; one above 10 is none.
    pub fn answer(&mut self, answer: u8) {
        if let Some(count) = self.answers.get_mut(usize::from(answer)) {
            *count += 1;
        }
    }

    /// Adds those of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.answers.iter_mut().zip(other.answers).for_each(|(count, more)| *count += more);
        self.plain.positive += other.plain.positive;
        self.plain.neutral += other.plain.neutral;
        self.plain.negative += other.plain.negative;
    }

    /// Takes back those of `other`, which were added before.
    pub fn take_back(&mut self, other: &Self) {
        let less = |count: &mut u64, less: u64| *count = count.saturating_sub(less);
        self.answers.iter_mut().zip(other.answers).for_each(|(count, taken)| less(count, taken));
        less(&mut self.plain.positive, other.plain.positive);
        less(&mut self.plain.neutral, other.plain.neutral);
        less(&mut self.plain.negative, other.plain.negative);
    }

    /// Promoters, passives and detractors.
    pub fn thirds(&self) -> Feedback {
        let mut all = self.plain;
        for (answer, count) in (0..).zip(self.answers) {
            match Score::from_nps(answer) {
                Some(Score::Positive) => all.positive += count,
                Some(Score::Neutral) => all.neutral += count,
                Some(Score::Negative) => all.negative += count,
                None => {}
            }
        }
        all
    }
}

/// What interactions came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// By what came of them.
    pub outcomes: Outcomes,
    /// By error, those that are charged to the version and others.
    pub errors: BTreeMap<ErrorClass, u64>,
    /// Requests that were refused before any version was asked. They are no interactions of the agent.
    pub refused: u64,
    /// Cost.
    pub cost: Cost,
    /// Where costs came from, and which are not known.
    #[serde(default)]
    pub prices: Prices,
    /// Tokens.
    pub tokens: Tokens,
    /// What users think.
    pub votes: Votes,
    /// Different users.
    pub users: Users,
    /// Interactions without a user that could be told from others.
    pub anonymous: u64,
}

impl Bucket {
    /// Counts an interaction. An outcome that was said stands; with none, an error that is charged to the version means
    /// that it failed.
    pub fn record(&mut self, interaction: &Interaction) {
        let refused = interaction.error == Some(ErrorClass::GatewayRefused);
        if refused || interaction.version.is_none() {
            self.refused += 1;
            return;
        }
        let outcome = outcome(interaction);
        *self.outcomes.slot(outcome) += 1;
        let failed = (outcome == Some(Outcome::Failed)).then_some(ErrorClass::OutcomeFailed);
        if let Some(error) = interaction.error.or(failed) {
            *self.errors.entry(error).or_default() += 1;
        }
        self.cost(interaction.cost_nanousd);
        self.prices.record(interaction);
        self.tokens(&interaction.usage);
        match interaction.user {
            Some(user) => self.users.insert(user),
            None => self.anonymous += 1,
        }
    }

    fn cost(&mut self, cost_nanousd: Option<u64>) {
        match cost_nanousd {
            Some(nano) => {
                self.cost.known += 1;
                self.cost.sum_usd = self.cost.sum_usd + Amount::from_nano(i128::from(nano));
            }
            None => self.cost.unknown += 1,
        }
    }

    fn tokens(&mut self, usage: &Usage) {
        let Usage { input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, .. } =
            *usage;
        if input_tokens.is_none() && output_tokens.is_none() {
            self.tokens.unknown += 1;
        }
        let add = |sum: &mut u64, more: Option<u64>| *sum = sum.saturating_add(more.unwrap_or(0));
        add(&mut self.tokens.input, input_tokens);
        add(&mut self.tokens.cached_input, cached_input_tokens);
        add(&mut self.tokens.cache_write, cache_write_tokens);
        add(&mut self.tokens.output, output_tokens);
    }

    /// An outcome that became known after the interaction was counted: it moves from `before` to `after`, and a failure
    /// that is new is an error, too, unless it ended in an error of its own (`is_broken`), which stays one whatever is said.
    /// Says whether one was counted under `before`; otherwise nothing changes.
    pub fn settle(&mut self, before: Option<Outcome>, after: Outcome, is_broken: bool) -> bool {
        let Some(fewer) = self.outcomes.slot(before).checked_sub(1) else { return false };
        *self.outcomes.slot(before) = fewer;
        *self.outcomes.slot(Some(after)) += 1;
        let is_failure = |outcome| outcome == Some(Outcome::Failed);
        match (is_failure(before), is_failure(Some(after))) {
            _ if is_broken => {}
            (false, true) => *self.errors.entry(ErrorClass::OutcomeFailed).or_default() += 1,
            (true, false) => self.forgive(),
            _ => {}
        }
        true
    }

    /// One failed outcome fewer.
    fn forgive(&mut self) {
        if let Some(count) = self.errors.get_mut(&ErrorClass::OutcomeFailed) {
            *count -= 1;
            if *count == 0 {
                self.errors.remove(&ErrorClass::OutcomeFailed);
            }
        }
    }

    /// A vote, whenever it came.
    pub fn vote(&mut self, score: Score) {
        self.votes.plain.record(score);
    }

    /// Adds what `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.outcomes.resolved += other.outcomes.resolved;
        self.outcomes.escalated += other.outcomes.escalated;
        self.outcomes.failed += other.outcomes.failed;
        self.outcomes.unknown += other.outcomes.unknown;
        for (class, count) in &other.errors {
            *self.errors.entry(*class).or_default() += count;
        }
        self.refused += other.refused;
        self.cost.known += other.cost.known;
        self.cost.unknown += other.cost.unknown;
        self.cost.sum_usd = self.cost.sum_usd + other.cost.sum_usd;
        self.prices.merge(&other.prices);
        self.tokens.input = self.tokens.input.saturating_add(other.tokens.input);
        self.tokens.cached_input =
            self.tokens.cached_input.saturating_add(other.tokens.cached_input);
        self.tokens.cache_write = self.tokens.cache_write.saturating_add(other.tokens.cache_write);
        self.tokens.output = self.tokens.output.saturating_add(other.tokens.output);
        self.tokens.unknown += other.tokens.unknown;
        self.votes.merge(&other.votes);
        self.users.merge(&other.users);
        self.anonymous += other.anonymous;
    }

    /// All interactions that a version answered.
    pub fn interactions(&self) -> u64 {
        self.outcomes.all()
    }

    /// Errors that are charged to the version.
    pub fn errors_charged(&self) -> u64 {
        let charged = self.errors.iter().filter(|(class, _)| class.charged());
        charged.map(|(_, count)| count).sum()
    }
}

/// What came of an interaction as it is counted: what was said, or that it failed when its error is the version's.
pub fn outcome(interaction: &Interaction) -> Option<Outcome> {
    let failed = interaction.error.is_some_and(ErrorClass::charged).then_some(Outcome::Failed);
    interaction.outcome.or(failed)
}

#[cfg(test)]
mod tests;
