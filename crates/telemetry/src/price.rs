//! What an answer cost.
//!
//! Prices come from the `genai-prices` table that is built in, at standard rates and as they stood when
//! the answer was given; one's own prices win. A cost that cannot be known is `None`, never zero. Not
//! known here and so not counted: discounted or premium service tiers, and cache writes that live
//! longer than the shortest kind.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use genai_prices::{Calculator, PriceRequest, UsageKey};
use lockgate_model::config::PriceOverride;
use lockgate_model::interaction::Usage;

/// The table and its version, which a test compares with what is built in.
const TABLE: &str = "genai-prices 0.2.1";

/// Tells the table to go by the model's name alone, which may begin with its provider's and a slash.
const BY_MODEL: &str = "litellm";

/// Price table and one's own prices.
#[derive(Debug)]
pub struct Prices {
    own: HashMap<String, PriceOverride>,
    calculator: &'static Calculator,
    table: String,
}

impl Prices {
    /// Loads the table, which takes tens of milliseconds the first time. Of two overrides for one
    /// model the later wins.
    pub fn new(overrides: Vec<PriceOverride>) -> Self {
        let own: HashMap<_, _> =
            overrides.into_iter().map(|price| (price.model.clone(), price)).collect();
        let table = match own.len() {
            0 => TABLE.to_owned(),
            n => format!("{TABLE} and {n} own"),
        };
        Self { own, calculator: Calculator::bundled(), table }
    }

    /// Which prices costs are computed with: the table, its version, and how many of one's own.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The cost of one answer in nano-dollars. `provider` is a hint that decides between equally
    /// named models; a model that the hinted provider does not have is looked for by its name.
    /// `None` when input or output tokens, the model or its price are unknown, or when the numbers
    /// make no sense.
    pub fn cost_nanousd(
        &self,
        provider: Option<&str>,
        model: &str,
        usage: &Usage,
        at_wall_ms: i64,
    ) -> Option<u64> {
        let input = usage.input_tokens?;
        let output = usage.output_tokens?;
        let usd = match self.own.get(model) {
            Some(price) => own_usd(price, usage)?,
            None => self.table_usd(provider, model, usage, at_wall_ms)?,
        };
        // tokens that cost nothing are tokens whose price the table does not have
        if usd == 0.0 && (input > 0 || output > 0) && !self.own.contains_key(model) {
            return None;
        }
        nanousd(usd)
    }

    fn table_usd(
        &self,
        provider: Option<&str>,
        model: &str,
        usage: &Usage,
        at_wall_ms: i64,
    ) -> Option<f64> {
        let at = UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(at_wall_ms).ok()?))?;
        let counts: genai_prices::Usage = [
            (UsageKey::INPUT_TOKENS, usage.input_tokens),
            (UsageKey::CACHE_READ_TOKENS, usage.cached_input_tokens),
            (UsageKey::CACHE_WRITE_TOKENS, usage.cache_write_tokens),
            (UsageKey::OUTPUT_TOKENS, usage.output_tokens),
        ]
        .into_iter()
        .filter_map(|(key, count)| Some((key, count? as f64)))
        .collect();
        provider
            .and_then(|provider| self.usd(provider, model, &counts, at))
            .or_else(|| self.usd(BY_MODEL, model, &counts, at))
    }

    fn usd(
        &self,
        provider: &str,
        model: &str,
        counts: &genai_prices::Usage,
        at: SystemTime,
    ) -> Option<f64> {
        let request =
            PriceRequest::new(model, counts).with_provider_id(provider).with_timestamp(at);
        self.calculator.calculate(&request).ok().map(|price| price.total_price)
    }
}

impl Default for Prices {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

fn own_usd(price: &PriceOverride, usage: &Usage) -> Option<f64> {
    let input = usage.input_tokens?;
    let cached = usage.cached_input_tokens.unwrap_or(0);
    let fresh = input.checked_sub(cached)?;
    let cached_price = price.cached_input_usd_per_mtok.unwrap_or(price.input_usd_per_mtok);
    let prices = [price.input_usd_per_mtok, cached_price, price.output_usd_per_mtok];
    if prices.iter().any(|price| !price.is_finite() || *price < 0.0) {
        return None;
    }
    let counts = [fresh, cached, usage.output_tokens?];
    let sum: f64 = prices.iter().zip(counts).map(|(price, count)| price * count as f64).sum();
    Some(sum / 1e6)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23, noon UTC.
    const AT: i64 = 1_795_435_200_000;

    fn usage(input: u64, cached: Option<u64>, written: Option<u64>, output: u64) -> Usage {
        Usage {
            input_tokens: Some(input),
            cached_input_tokens: cached,
            cache_write_tokens: written,
            output_tokens: Some(output),
        }
    }

    fn own(model: &str, input: f64, cached: Option<f64>, output: f64) -> PriceOverride {
        PriceOverride {
            model: model.into(),
            input_usd_per_mtok: input,
            cached_input_usd_per_mtok: cached,
            output_usd_per_mtok: output,
        }
    }

    fn cost(provider: Option<&str>, model: &str, usage: &Usage) -> Option<u64> {
        Prices::new(Vec::new()).cost_nanousd(provider, model, usage, AT)
    }

    #[test]
    fn the_named_table_is_the_one_built_in() {
        let (name, version) = TABLE.split_once(' ').unwrap();
        let lock = include_str!("../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")));
    }

    #[test]
    fn costs_agree_with_the_published_prices() {
        // gpt-4o-mini: $0.15 input, $0.075 cached, $0.60 output per million
        let cached = usage(1_000, Some(200), None, 100);
        assert_eq!(cost(Some("openai"), "gpt-4o-mini-2024-07-18", &cached), Some(195_000));
        // gpt-4o: $2.50 input, $1.25 cached, $10 output
        assert_eq!(cost(Some("openai"), "gpt-4o", &usage(10, Some(0), None, 10)), Some(125_000));
        // claude-opus-4-5: $5 input, $0.50 read, $6.25 written, $25 output
        let both = usage(10_000, Some(6_000), Some(3_000), 500);
        let expected = 1_000 * 5_000 + 6_000 * 500 + 3_000 * 6_250 + 500 * 25_000;
        assert_eq!(cost(Some("anthropic"), "claude-opus-4-5-20251101", &both), Some(expected));
    }

    #[test]
    fn long_prompts_are_charged_at_their_tier() {
        // gpt-5.4: $2.50 and $15, above 272,000 input tokens $5 and $22.50 for the whole request
        let short = usage(272_000, None, None, 1_000);
        let long = usage(272_001, None, None, 1_000);
        assert_eq!(cost(None, "gpt-5.4", &short), Some(272_000 * 2_500 + 1_000 * 15_000));
        assert_eq!(cost(None, "gpt-5.4", &long), Some(272_001 * 5_000 + 1_000 * 22_500));
    }

    #[test]
    fn a_model_is_found_by_its_name_when_the_hint_is_wrong() {
        let counts = usage(1_000, None, None, 100);
        let right = cost(Some("anthropic"), "claude-opus-4-5", &counts);
        assert_eq!(right, Some(7_500_000));
        assert_eq!(cost(Some("openai"), "claude-opus-4-5", &counts), right);
        assert_eq!(cost(Some("openai"), "anthropic/claude-opus-4-5", &counts), right);
        assert_eq!(cost(Some("no such provider"), "claude-opus-4-5", &counts), right);
        assert_eq!(cost(None, "claude-opus-4-5", &counts), right);
    }

    #[test]
    fn what_is_unknown_stays_unknown() {
        let counts = usage(1_000, None, None, 100);
        assert_eq!(cost(Some("openai"), "demo-agent-1", &counts), None);
        assert_eq!(cost(Some("openai"), "", &counts), None);
        // named in the table, without a price for tokens
        assert_eq!(cost(Some("google"), "gemma-3-27b-it", &counts), None);
        let no_output = Usage { output_tokens: None, ..counts };
        let no_input = Usage { input_tokens: None, ..counts };
        assert_eq!(cost(Some("openai"), "gpt-4o", &no_output), None);
        assert_eq!(cost(Some("openai"), "gpt-4o", &no_input), None);
        assert_eq!(cost(Some("openai"), "gpt-4o", &usage(10, Some(11), None, 1)), None);
        let prices = Prices::new(Vec::new());
        assert_eq!(prices.cost_nanousd(None, "gpt-4o", &counts, -1), None);
        assert!(prices.cost_nanousd(None, "gpt-4o", &counts, i64::MAX).is_some());
    }

    #[test]
    fn an_answer_without_any_tokens_costs_nothing() {
        assert_eq!(cost(Some("openai"), "gpt-4o", &usage(0, None, None, 0)), Some(0));
    }

    #[test]
    fn own_prices_win() {
        let prices = Prices::new(vec![
            own("gpt-4o", 1.0, Some(0.1), 2.0),
            own("in-house", 3.0, None, 4.0),
            own("free", 0.0, None, 0.0),
        ]);
        assert_eq!(prices.table(), "genai-prices 0.2.1 and 3 own");
        let counts = usage(1_000, Some(400), Some(50), 10);
        let of = |model| prices.cost_nanousd(Some("openai"), model, &counts, AT);
        assert_eq!(of("gpt-4o"), Some(600_000 + 40_000 + 20_000));
        assert_eq!(of("in-house"), Some(3_000_000 + 40_000));
        assert_eq!(of("free"), Some(0));
    }

    #[test]
    fn senseless_own_prices_give_no_cost() {
        let counts = usage(1_000, None, None, 10);
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            for price in
                [own("m", bad, None, 1.0), own("m", 1.0, Some(bad), 1.0), own("m", 1.0, None, bad)]
            {
                assert_eq!(Prices::new(vec![price]).cost_nanousd(None, "m", &counts, AT), None);
            }
        }
        let huge = usage(u64::MAX, None, None, 10);
        assert_eq!(
            Prices::new(vec![own("m", 1e9, None, 1.0)]).cost_nanousd(None, "m", &huge, AT),
            None
        );
        assert_eq!(cost(Some("google"), "gemma-3-27b-it", &usage(u64::MAX, None, None, 1)), None);
        let more_cached = usage(10, Some(11), None, 0);
        assert_eq!(
            Prices::new(vec![own("m", 1.0, None, 1.0)]).cost_nanousd(None, "m", &more_cached, AT),
            None
        );
    }
}
