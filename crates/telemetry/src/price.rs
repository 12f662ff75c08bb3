//! What an answer cost, and by which table.
//!
//! One's own prices come first, then those of a file, last the `genai-prices` table that is built in, as its prices stood
//! when the answer was given. The first that has the model prices it, or nobody does: prices of one model out of two
//! tables are those of nobody. A cost that cannot be known is an error that says why, never zero: that of a tier whose prices the table
//! does not have, or of tokens that it does not price.
//!
//! Not known here and so not counted: searches and other tools of the provider's, and tokens of pictures and sound where
//! they have prices of their own.

mod bundled;
mod rates;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use lockgate_model::config::{PriceOverride, PricesFile};
use lockgate_model::interaction::Usage;
use lockgate_model::price::litellm::PriceList;
use lockgate_model::price::{Cost, ModelPrice, PriceTable, Unpriced};
use lockgate_model::version::Digest;

use bundled::Bundled;

/// Hex digits of a digest that stand for a version.
const DIGITS: usize = 12;

/// Tables of prices, in the order in which they are asked.
#[derive(Debug)]
pub struct Prices {
    own: HashMap<String, ModelPrice>,
    own_table: Arc<PriceTable>,
    file: Option<(Arc<PriceList>, Arc<PriceTable>)>,
    bundled: Bundled,
}

/// What a call may come to, whatever caches, tiers and reasoning it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtMost {
    /// All input.
    pub input_tokens: u64,
    /// All output.
    pub output_tokens: u64,
}

impl Prices {
    /// Loads the built-in table, which takes tens of milliseconds the first time. Of two overrides for one model the
    /// later wins. `since` is the day from which on the configuration with these prices is in force, which stands for a
    /// day that they do not say themselves.
    pub fn new(own: Vec<PriceOverride>, file: Option<&PricesFile>, since: Option<&str>) -> Self {
        let table = |name: &str, digest: &Digest, date: Option<&String>| {
            let hex = digest.as_str().trim_start_matches("sha256:");
            Arc::new(PriceTable {
                name: name.to_owned(),
                version: hex.chars().take(DIGITS).collect(),
                date: date.cloned().or_else(|| since.map(str::to_owned)),
            })
        };
        let own_table = table("lockgate.yaml", &digest(&own), None);
        let own = own.into_iter().map(|one| (one.model, one.price)).collect();
        let file = file.map(|file| {
            let stamp = table(&file.file, &file.digest, file.date.as_ref());
            (Arc::clone(&file.list), stamp)
        });
        Self { own, own_table, file, bundled: Bundled::load() }
    }

    /// What one answer cost. `provider` is a hint that decides between equally named models; a model that the hinted
    /// provider does not have is looked for by its name. An error says why it is not known.
    pub fn cost(
        &self,
        provider: Option<&str>,
        model: &str,
        usage: &Usage,
        at_wall_ms: i64,
    ) -> Result<Cost, Unpriced> {
        if !usage.can_be() {
            return Err(Unpriced::BadTokens);
        }
        let (usd, table) = if let Some((price, table)) = self.written(provider, model) {
            (rates::usd(price, usage)?, table)
        } else {
            let usd = self.bundled.usd(provider, model, usage, at_wall_ms)?;
            (usd, self.bundled.table())
        };
        let nanousd = nanousd(usd).ok_or(Unpriced::BadTokens)?;
        Ok(Cost { nanousd, table: Arc::clone(table) })
    }

    /// The most that so many tokens can cost at the usual tier: the dearest of the ways to use them, but for what stays
    /// in a cache for an hour.
    pub fn most_nanousd(
        &self,
        provider: Option<&str>,
        model: &str,
        most: AtMost,
        at_wall_ms: i64,
    ) -> Option<u64> {
        let usd = match self.written(provider, model) {
            Some((price, _)) => rates::most_usd(price, most)?,
            None => self.bundled.most_usd(provider, model, most, at_wall_ms)?,
        };
        nanousd(usd)
    }

    /// What the first table that is no built-in one says of a model, and which that is.
    fn written(
        &self,
        provider: Option<&str>,
        model: &str,
    ) -> Option<(&ModelPrice, &Arc<PriceTable>)> {
        let own = || self.own.get(model).map(|price| (price, &self.own_table));
        let file = || {
            let (list, table) = self.file.as_ref()?;
            Some((list.find(provider, model)?, table))
        };
        own().or_else(file)
    }
}

impl Default for Prices {
    fn default() -> Self {
        Self::new(Vec::new(), None, None)
    }
}

/// Of prices, which may be no numbers where they do not come from a file that was checked.
fn digest(own: &[PriceOverride]) -> Digest {
    Digest::of(serde_json::to_string(own).unwrap_or_default().as_bytes())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be a whole number within u64"
)]
fn nanousd(usd: f64) -> Option<u64> {
    let nanos = (usd * 1e9).round();
    // up to 2^64, which leaves out NaN and infinities as well
    (0.0..18_446_744_073_709_551_616.0).contains(&nanos).then_some(nanos as u64)
}
