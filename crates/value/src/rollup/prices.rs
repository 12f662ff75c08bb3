//! Which tables of prices known costs came from, and of which models the cost is not known. Few of each are named, those
//! that come first by name: who names a thousand models takes no more room than this, and the names that stay do not
//! depend on the order in which rollups are merged. The others are counted by what all of them come to.

use std::collections::BTreeMap;

use lockgate_model::interaction::{Interaction, ServiceTier};
use lockgate_model::price::Unpriced;
use serde::{Deserialize, Serialize};

/// Tables that are named.
pub(super) const TABLES_MAX: usize = 8;
/// Models that are named, for each reason.
pub(super) const MODELS_MAX: usize = 16;
/// Of a name, bytes.
pub(super) const NAME_BYTES_MAX: usize = 100;

/// Why an interaction has no cost, with what is named. What was priced a while ago does not say it.
fn unpriced(interaction: &Interaction) -> (Unpriced, String) {
    let usage = &interaction.usage;
    let Some(model) = &interaction.model else { return (Unpriced::NoModel, String::new()) };
    let tier = usage.tier.filter(|tier| tier.is_special());
    let why = interaction.unpriced.unwrap_or_else(|| {
        let is_silent = usage.input_tokens.is_none() || usage.output_tokens.is_none();
        match tier {
            _ if is_silent => Unpriced::NoTokens,
            Some(_) => Unpriced::NoTier,
            None => Unpriced::NoPrice,
        }
    });
    match (why, tier) {
        (Unpriced::NoTier | Unpriced::NoKind, Some(tier)) => (why, at_tier(model, tier)),
        _ => (why, cut(model)),
    }
}

fn at_tier(model: &str, tier: ServiceTier) -> String {
    let tier = format!(" ({})", tier.as_str());
    let room = NAME_BYTES_MAX - tier.len();
    format!("{}{tier}", &model[..model.floor_char_boundary(room)])
}

fn cut(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_BYTES_MAX)].to_owned()
}

/// Interactions by table, and those without a cost by model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// Interactions whose cost came from a table.
    pub tables: BTreeMap<String, u64>,
    /// Interactions whose cost is not known, by why and by model.
    pub unpriced: BTreeMap<Unpriced, BTreeMap<String, u64>>,
}

impl Prices {
    /// Counts an interaction.
    pub(super) fn record(&mut self, interaction: &Interaction) {
        match (interaction.cost_nanousd, &interaction.price_table) {
            (Some(_), Some(table)) => add(&mut self.tables, cut(&table.to_string()), 1, TABLES_MAX),
            (Some(_), None) => {}
            (None, _) => {
                let (why, model) = unpriced(interaction);
                add(self.unpriced.entry(why).or_default(), model, 1, MODELS_MAX);
            }
        }
    }

    /// Adds those of `other`.
    pub(super) fn merge(&mut self, other: &Self) {
        for (table, count) in &other.tables {
            add(&mut self.tables, table.clone(), *count, TABLES_MAX);
        }
        for (why, models) in &other.unpriced {
            let mine = self.unpriced.entry(*why).or_default();
            for (model, count) in models {
                add(mine, model.clone(), *count, MODELS_MAX);
            }
        }
    }

    /// Whether nothing is named.
    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.unpriced.is_empty()
    }

    /// Known costs whose table is named.
    pub fn known_named(&self) -> u64 {
        self.tables.values().sum()
    }

    /// Unknown costs whose model or reason is named.
    pub fn unknown_named(&self) -> u64 {
        self.unpriced.values().flat_map(BTreeMap::values).sum()
    }
}

fn add(counts: &mut BTreeMap<String, u64>, name: String, count: u64, max: usize) {
    *counts.entry(name).or_default() += count;
    if counts.len() > max {
        counts.pop_last();
    }
}
