//! What tokens of a model cost, as tables of prices say it, and which table that was.
//!
//! Not here: counting tokens, and the table that is built in.

pub mod litellm;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::interaction::ServiceTier;

/// US dollars per million tokens. What is `None` is not known, and whoever uses such tokens has no known cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rates {
    /// Input that is neither read from a cache nor written to one.
    #[serde(rename = "input_usd_per_mtok")]
    pub input: f64,
    /// Input read from a cache.
    #[serde(rename = "cached_input_usd_per_mtok")]
    pub cached_input: Option<f64>,
    /// Input written to a cache for the shortest time.
    #[serde(rename = "cache_write_usd_per_mtok")]
    pub cache_write: Option<f64>,
    /// Input written to a cache for an hour.
    #[serde(rename = "cache_write_1h_usd_per_mtok")]
    pub cache_write_1h: Option<f64>,
    /// Output that is no reasoning.
    #[serde(rename = "output_usd_per_mtok")]
    pub output: f64,
    /// Reasoning.
    #[serde(rename = "reasoning_usd_per_mtok")]
    pub reasoning: Option<f64>,
}

/// Prices by the length of what was sent: of a request that is longer, all tokens have the other rates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ladder {
    /// From the first token on.
    #[serde(flatten)]
    pub base: Rates,
    /// Of longer requests, by length, the shortest first.
    pub above: Vec<Above>,
    /// Nothing is known of requests with more input tokens than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_to: Option<u64>,
}

/// Prices of requests with more input tokens than this.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Above {
    /// So many are still cheaper.
    pub input_tokens: u64,
    /// Of all their tokens.
    #[serde(flatten)]
    pub rates: Rates,
}

impl Ladder {
    /// Prices of a request with so many input tokens, where they are known.
    pub fn rates(&self, input_tokens: u64) -> Option<&Rates> {
        if self.known_to.is_some_and(|known| input_tokens > known) {
            return None;
        }
        let longest = self.above.iter().rev().find(|above| input_tokens > above.input_tokens);
        Some(longest.map_or(&self.base, |above| &above.rates))
    }
}

/// What a model costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelPrice {
    /// At the usual tier.
    #[serde(flatten)]
    pub standard: Ladder,
    /// At the tiers whose prices are known.
    pub tiers: BTreeMap<ServiceTier, Ladder>,
}

impl ModelPrice {
    /// Prices at a tier; `None` when they are not known.
    pub fn ladder(&self, tier: Option<ServiceTier>) -> Option<&Ladder> {
        match tier {
            None | Some(ServiceTier::Standard) => Some(&self.standard),
            Some(tier) => self.tiers.get(&tier),
        }
    }
}

/// Rates as they are written, any of which may be left out.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Written {
    /// See [`Rates::input`].
    pub input: Option<f64>,
    /// See [`Rates::cached_input`].
    pub cached_input: Option<f64>,
    /// See [`Rates::cache_write`].
    pub cache_write: Option<f64>,
    /// See [`Rates::cache_write_1h`].
    pub cache_write_1h: Option<f64>,
    /// See [`Rates::output`].
    pub output: Option<f64>,
    /// See [`Rates::reasoning`].
    pub reasoning: Option<f64>,
}

impl Written {
    /// The usual rates: caches cost as other input and reasoning as other output, unless something else is written. What
    /// stays for an hour is dearer wherever it is told apart: its price is known when it is written.
    pub fn standard(&self) -> Option<Rates> {
        let (input, output) = (self.input?, self.output?);
        Some(Rates {
            input,
            cached_input: Some(self.cached_input.unwrap_or(input)),
            cache_write: Some(self.cache_write.unwrap_or(input)),
            cache_write_1h: self.cache_write_1h,
            output,
            reasoning: Some(self.reasoning.unwrap_or(output)),
        })
    }

    /// Rates of a tier. What has a price of its own at the usual tier has one here only when it is written.
    pub fn tier(&self, usual: &Self) -> Option<Rates> {
        let (input, output) = (self.input?, self.output?);
        let other = |written: Option<f64>, usual: Option<f64>, same: f64| match (written, usual) {
            (Some(price), _) => Some(price),
            (None, Some(_)) => None,
            (None, None) => Some(same),
        };
        Some(Rates {
            input,
            cached_input: other(self.cached_input, usual.cached_input, input),
            cache_write: other(self.cache_write, usual.cache_write, input),
            cache_write_1h: self.cache_write_1h,
            output,
            reasoning: other(self.reasoning, usual.reasoning, output),
        })
    }

    /// What is written here, and the rest as it is for shorter requests.
    #[must_use]
    pub fn or(&self, shorter: &Self) -> Self {
        Self {
            input: self.input.or(shorter.input),
            cached_input: self.cached_input.or(shorter.cached_input),
            cache_write: self.cache_write.or(shorter.cache_write),
            cache_write_1h: self.cache_write_1h.or(shorter.cache_write_1h),
            output: self.output.or(shorter.output),
            reasoning: self.reasoning.or(shorter.reasoning),
        }
    }
}

/// Rates as they are written, by the length of what is sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WrittenLadder {
    /// From the first token on.
    pub base: Written,
    /// Above so many input tokens.
    pub above: BTreeMap<u64, Written>,
}

impl WrittenLadder {
    /// The usual prices; `None` without input or output.
    pub fn standard(&self) -> Option<Ladder> {
        self.climb(Written::standard)
    }

    /// Prices of a tier beside the usual ones; `None` without input or output. Where the usual prices change with the
    /// length and nothing is written for the tier, nothing is known.
    pub fn tier(&self, usual: &Self) -> Option<Ladder> {
        let ladder = self.climb(|written| written.tier(&usual.base))?;
        let mut steps = usual.above.keys();
        Some(Ladder {
            known_to: steps.find(|step| !self.above.contains_key(step)).copied(),
            ..ladder
        })
    }

    fn climb(&self, rates: impl Fn(&Written) -> Option<Rates>) -> Option<Ladder> {
        let base = rates(&self.base)?;
        let (mut above, mut shorter) = (Vec::with_capacity(self.above.len()), self.base);
        for (input_tokens, written) in &self.above {
            shorter = written.or(&shorter);
            above.push(Above { input_tokens: *input_tokens, rates: rates(&shorter)? });
        }
        Some(Ladder { base, above, known_to: None })
    }
}

/// Which table a cost came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PriceTable {
    /// Its name.
    pub name: String,
    /// Its version, or the beginning of its digest.
    pub version: String,
    /// The day that it is of, `YYYY-MM-DD`, where it says one.
    pub date: Option<String>,
}

impl PriceTable {
    /// No table: the version said what its answer cost.
    pub fn reported() -> Self {
        Self { name: "lockgate-cost-usd".into(), version: "reported".into(), date: None }
    }
}

impl fmt::Display for PriceTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)?;
        match &self.date {
            Some(date) => write!(f, " of {date}"),
            None => Ok(()),
        }
    }
}

/// Why a cost is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unpriced {
    /// Answers name no model.
    NoModel,
    /// Answers do not say how many tokens they took, of some kind that matters.
    NoTokens,
    /// No table has a price of the model's.
    NoPrice,
    /// No table has the model's price at the tier that the answer names.
    NoTier,
    /// The table that has the model's price has none for a kind of tokens that it used.
    NoKind,
    /// Answers say numbers of tokens that cannot be: more than [`TOKENS_MAX`](crate::interaction::TOKENS_MAX), or parts that
    /// are more than the whole.
    BadTokens,
}

impl Unpriced {
    /// All of them, in a fixed order; what is new comes last.
    pub const ALL: [Self; 6] =
        [Self::NoModel, Self::NoTokens, Self::NoPrice, Self::NoTier, Self::NoKind, Self::BadTokens];
}

/// What an answer cost, and by which table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Nano-dollars.
    pub nanousd: u64,
    /// The table.
    pub table: std::sync::Arc<PriceTable>,
}
