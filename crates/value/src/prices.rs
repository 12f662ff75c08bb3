//! Where the costs of a window came from, and of which models they are not known.

use serde::{Deserialize, Serialize};

use crate::rollup::{Bucket, Unpriced};

/// Models that a report names; the rest is counted.
const NAMED_MAX: usize = 32;

/// Where costs of interactions came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceSources {
    /// Interactions whose cost is known.
    pub known: u64,
    /// By table of prices, the table with the most first.
    pub tables: Vec<PricedBy>,
    /// Known costs whose table is not named: from before tables were recorded, or of more tables than are kept.
    pub known_unnamed: u64,
    /// Interactions whose cost is not known, and is in no sum.
    pub unknown: u64,
    /// By model and reason, the most first.
    pub unpriced: Vec<UnpricedModel>,
    /// Unknown costs whose model is not named: from before models were recorded, or of more models than are kept.
    pub unknown_unnamed: u64,
}

/// Costs out of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricedBy {
    /// Its name, version and day.
    pub table: String,
    /// How many interactions.
    pub interactions: u64,
}

/// A model whose cost is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpricedModel {
    /// Why.
    pub why: Unpriced,
    /// The model, with its tier where that is why; none when answers name none.
    pub model: Option<String>,
    /// How many interactions.
    pub interactions: u64,
}

/// Of what interactions came to.
pub(crate) fn sources(bucket: &Bucket) -> PriceSources {
    let prices = &bucket.prices;
    let tables = prices
        .tables
        .iter()
        .map(|(table, count)| PricedBy { table: table.clone(), interactions: *count });
    let mut tables: Vec<PricedBy> = tables.collect();
    tables.sort_by(|a, b| b.interactions.cmp(&a.interactions).then(a.table.cmp(&b.table)));
    let models = prices.unpriced.iter().flat_map(|(why, models)| {
        models.iter().map(|(model, count)| UnpricedModel {
            why: *why,
            model: Some(model.clone()).filter(|model| !model.is_empty()),
            interactions: *count,
        })
    });
    let mut unpriced: Vec<UnpricedModel> = models.collect();
    unpriced.sort_by(|a, b| {
        let of = |one: &UnpricedModel| (one.why, one.model.clone());
        b.interactions.cmp(&a.interactions).then_with(|| of(a).cmp(&of(b)))
    });
    unpriced.truncate(NAMED_MAX);
    let named: u64 = unpriced.iter().map(|one| one.interactions).sum();
    PriceSources {
        known: bucket.cost.known,
        tables,
        known_unnamed: bucket.cost.known.saturating_sub(prices.known_named()),
        unknown: bucket.cost.unknown,
        unpriced,
        unknown_unnamed: bucket.cost.unknown.saturating_sub(named),
    }
}

impl UnpricedModel {
    /// Why, in words.
    pub(crate) fn why(&self) -> &'static str {
        match self.why {
            Unpriced::NoModel => "answers name no model",
            Unpriced::NoTokens => "answers do not say how many tokens they took",
            Unpriced::NoPrice => "no table has its price",
            Unpriced::NoTier => "no table has its price at this tier",
            Unpriced::NoKind => "its table has no price for a kind of tokens that it used",
            Unpriced::BadTokens => "answers count tokens in numbers that cannot be",
        }
    }
}
