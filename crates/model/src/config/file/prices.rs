//! The file form of prices.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::field::Field;
use crate::config::text::{DateText, FileNameText, SomeText};

/// A table of prices in the form of LiteLLM's.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "PricesFile", extend("required" = ["file"]))]
pub(in crate::config) struct PricesFileFile {
    /// A file beside this one, such as LiteLLM's `model_prices_and_context_window.json`.
    pub(in crate::config) file: Field<FileNameText>,
    /// The day that its prices are of. Default: not said.
    pub(in crate::config) date: Field<DateText>,
}

/// US dollars per million tokens of a model.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(
    deny_unknown_fields,
    rename = "Price",
    extend("required" = ["model", "input_usd_per_mtok", "output_usd_per_mtok"])
)]
pub(in crate::config) struct PriceFile {
    /// The model as answers name it.
    pub(in crate::config) model: Field<SomeText>,
    /// Input.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) input_usd_per_mtok: Field<f64>,
    /// Input read from a cache. Default: as other input.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) cached_input_usd_per_mtok: Field<f64>,
    /// Input written to a cache. Default: as other input.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) cache_write_usd_per_mtok: Field<f64>,
    /// Input written to a cache to stay for an hour. Default: not known, nor is the cost of answers that have some.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) cache_write_1h_usd_per_mtok: Field<f64>,
    /// Output.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) output_usd_per_mtok: Field<f64>,
    /// Of the output: reasoning. Default: as other output.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) reasoning_usd_per_mtok: Field<f64>,
    /// Prices of all tokens of longer requests. Default: the same at any length.
    #[schemars(extend("maxItems" = 8))]
    pub(in crate::config) above: Field<Vec<Field<AboveFile>>>,
    /// Prices of answers of a batch. Default: not known, nor is what they cost.
    pub(in crate::config) batch: Field<TierFile>,
    /// Prices at the tier `flex`. Default: not known, nor is what such answers cost.
    pub(in crate::config) flex: Field<TierFile>,
    /// Prices at the tier `priority`. Default: not known, nor is what such answers cost.
    pub(in crate::config) priority: Field<TierFile>,
    /// Prices at the tier or the speed `fast`. Default: not known, nor is what such answers cost.
    pub(in crate::config) fast: Field<TierFile>,
}

/// US dollars per million tokens of requests that are longer than so many tokens. What is left out is as for shorter ones.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "PriceAbove", extend("required" = ["input_tokens"]))]
pub(in crate::config) struct AboveFile {
    /// Requests with more input tokens than this.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(in crate::config) input_tokens: Field<u64>,
    /// Input.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) input_usd_per_mtok: Field<f64>,
    /// Input read from a cache.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) cached_input_usd_per_mtok: Field<f64>,
    /// Input written to a cache.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) cache_write_usd_per_mtok: Field<f64>,
    /// Input written to a cache to stay for an hour.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) cache_write_1h_usd_per_mtok: Field<f64>,
    /// Output.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) output_usd_per_mtok: Field<f64>,
    /// Of the output: reasoning.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) reasoning_usd_per_mtok: Field<f64>,
}

/// US dollars per million tokens at a tier. What has a price of its own at the usual tier needs one here.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(
    deny_unknown_fields,
    rename = "PriceTier",
    extend("required" = ["input_usd_per_mtok", "output_usd_per_mtok"])
)]
pub(in crate::config) struct TierFile {
    /// Input.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) input_usd_per_mtok: Field<f64>,
    /// Input read from a cache.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) cached_input_usd_per_mtok: Field<f64>,
    /// Input written to a cache.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) cache_write_usd_per_mtok: Field<f64>,
    /// Input written to a cache to stay for an hour.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) cache_write_1h_usd_per_mtok: Field<f64>,
    /// Output.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) output_usd_per_mtok: Field<f64>,
    /// Of the output: reasoning.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) reasoning_usd_per_mtok: Field<f64>,
    /// Prices of all tokens of longer requests. Where the usual prices change with the length, theirs at this tier are
    /// not known unless they are written.
    #[schemars(extend("maxItems" = 8))]
    pub(in crate::config) above: Field<Vec<Field<AboveFile>>>,
}
