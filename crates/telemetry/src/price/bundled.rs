//! The table that is built in. It answers with an estimate where it does not know: with the usual price for a tier that
//! it does not have, and for what stays in a cache for an hour with the price of what stays there shortly. Both are told
//! by the same question at other tokens, and are no prices here.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use genai_prices::{Calculator, PriceRequest, Usage as Counts, UsageKey};
use lockgate_model::interaction::{ServiceTier, Usage};
use lockgate_model::price::{PriceTable, Unpriced};

use super::AtMost;

/// The table; a test compares its version with what is built in.
pub(super) const NAME: &str = "genai-prices";
pub(super) const VERSION: &str = "0.2.1";
/// When that version was published.
const DATE: &str = "2026-10-30";

/// Tells the table to go by the model's name alone, which may begin with its provider's and a slash.
const BY_MODEL: &str = "litellm";

#[derive(Debug)]
pub(super) struct Bundled {
    calculator: &'static Calculator,
    table: Arc<PriceTable>,
}

/// One model at one time, as it is asked about.
#[derive(Clone, Copy)]
struct Asked<'a> {
    calculator: &'static Calculator,
    provider: &'a str,
    model: &'a str,
    at: SystemTime,
    context: Option<(&'static str, &'static str)>,
}

impl Bundled {
    pub(super) fn load() -> Self {
        let table = PriceTable {
            name: NAME.to_owned(),
            version: VERSION.to_owned(),
            date: Some(DATE.to_owned()),
        };
        Self { calculator: Calculator::bundled(), table: Arc::new(table) }
    }

    pub(super) fn table(&self) -> &Arc<PriceTable> {
        &self.table
    }

    /// US dollars, or why the table does not say them.
    pub(super) fn usd(
        &self,
        provider: Option<&str>,
        model: &str,
        usage: &Usage,
        at_wall_ms: i64,
    ) -> Result<f64, Unpriced> {
        let at = u64::try_from(at_wall_ms).ok().map(Duration::from_millis);
        let at = at.and_then(|at| UNIX_EPOCH.checked_add(at)).ok_or(Unpriced::NoPrice)?;
        let (Some(input), Some(output)) = (usage.input_tokens, usage.output_tokens) else {
            return Err(Unpriced::NoTokens);
        };
        let by =
            |provider| Asked { calculator: self.calculator, provider, model, at, context: None };
        // Whose model it is goes by what is always there: input and output, at the usual tier.
        let plain =
            Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() };
        let knows = |asked: &Asked| asked.usd(&counts(&plain)).is_some();
        let usual = provider.map(by).into_iter().chain([by(BY_MODEL)]).find(knows);
        let usual = usual.ok_or(Unpriced::NoPrice)?;
        let tier = usage.tier.filter(|tier| tier.is_special());
        let context = tier.map(|tier| word(tier).ok_or(Unpriced::NoTier)).transpose()?;
        let asked = Asked { context, ..usual };
        let parts =
            [usage.cached_input_tokens, usage.cache_write_tokens].map(|part| part.unwrap_or(0));
        if parts[0].saturating_add(parts[1]) > input {
            return Err(Unpriced::BadTokens);
        }
        let usd = asked.usd(&counts(usage)).ok_or(Unpriced::NoKind)?;
        // Tokens that cost nothing are tokens whose price the table does not have.
        if (input > 0 || output > 0) && usd == 0.0 {
            return Err(Unpriced::NoPrice);
        }
        if !asked.knows_reasoning(usage) {
            return Err(Unpriced::NoTokens);
        }
        if context.is_some() && !asked.knows_tier(usage) {
            // A tier that has prices of input and output may have none of a cache.
            let has_prices = asked.knows_tier(&plain);
            return Err(if has_prices { Unpriced::NoKind } else { Unpriced::NoTier });
        }
        if asked.knows_hour(usage) { Ok(usd) } else { Err(Unpriced::NoKind) }
    }

    /// The dearest of all kinds of input, but for what stays in a cache for an hour, and of output.
    pub(super) fn most_usd(
        &self,
        provider: Option<&str>,
        model: &str,
        most: AtMost,
        at_wall_ms: i64,
    ) -> Option<f64> {
        let usage = Usage {
            input_tokens: Some(most.input_tokens),
            output_tokens: Some(most.output_tokens),
            reasoning_tokens: Some(0),
            ..Usage::default()
        };
        let all = Some(most.input_tokens);
        let ways = [
            Usage { cached_input_tokens: all, ..usage },
            Usage { cache_write_tokens: all, ..usage },
        ];
        let of = |usage: &Usage| self.usd(provider, model, usage, at_wall_ms).ok();
        let thought =
            |usage: &Usage| Usage { reasoning_tokens: Some(most.output_tokens), ..*usage };
        let plain = of(&usage)?;
        // What the table does not tell apart is no dearer way.
        let others = ways.iter().flat_map(|way| [of(way), of(&thought(way))]).flatten();
        Some(others.chain(of(&thought(&usage))).fold(plain, f64::max))
    }
}

/// What a tier is called in the table: key and word.
fn word(tier: ServiceTier) -> Option<(&'static str, &'static str)> {
    match tier {
        ServiceTier::Flex => Some(("service_tier", "flex")),
        ServiceTier::Priority => Some(("service_tier", "priority")),
        ServiceTier::Fast => Some(("service_tier", "fast")),
        ServiceTier::Batch => Some(("processing", "batch")),
        ServiceTier::Standard | ServiceTier::Other => None,
    }
}

fn counts(usage: &Usage) -> Counts {
    [
        (UsageKey::INPUT_TOKENS, usage.input_tokens),
        (UsageKey::CACHE_READ_TOKENS, usage.cached_input_tokens),
        (UsageKey::CACHE_WRITE_TOKENS, usage.cache_write_tokens),
        (UsageKey::CACHE_WRITE_1H_TOKENS, usage.cache_write_1h_tokens),
        (UsageKey::OUTPUT_TOKENS, usage.output_tokens),
        (UsageKey::OUTPUT_REASONING_TOKENS, usage.reasoning_tokens),
    ]
    .into_iter()
    .filter_map(|(key, count)| Some((key, count? as f64)))
    .collect()
}

impl Asked<'_> {
    fn usd(&self, counts: &Counts) -> Option<f64> {
        let mut request = PriceRequest::new(self.model, counts)
            .with_provider_id(self.provider)
            .with_timestamp(self.at);
        if let Some((key, value)) = self.context {
            request = request.with_price_context(key, value);
        }
        self.calculator.calculate(&request).ok().map(|price| price.total_price)
    }

    /// Whether it is said how much of the output was reasoning, or does not matter.
    fn knows_reasoning(&self, usage: &Usage) -> bool {
        let (Some(output), None) = (usage.output_tokens, usage.reasoning_tokens) else {
            return true;
        };
        let of =
            |reasoning| self.usd(&counts(&Usage { reasoning_tokens: Some(reasoning), ..*usage }));
        output == 0 || of(0) == of(output)
    }

    /// Whether what stays in a cache for an hour has a price of its own, where there is some.
    fn knows_hour(&self, usage: &Usage) -> bool {
        if usage.cache_write_1h_tokens.unwrap_or(0) == 0 {
            return true;
        }
        self.usd(&counts(usage))
            != self.usd(&counts(&Usage { cache_write_1h_tokens: None, ..*usage }))
    }

    /// Whether all kinds of tokens that were used have another price at this tier than at the usual one.
    fn knows_tier(&self, usage: &Usage) -> bool {
        let usual = Self { context: None, ..*self };
        let input = usage.input_tokens.unwrap_or(0);
        let cached = usage.cached_input_tokens.unwrap_or(0);
        let written = usage.cache_write_tokens.unwrap_or(0);
        let alone = Usage { input_tokens: usage.input_tokens, ..Usage::default() };
        // The length stays as it is, as prices may depend on it.
        let kinds = [
            (input.saturating_sub(cached).saturating_sub(written), alone),
            (cached, Usage { cached_input_tokens: usage.input_tokens, ..alone }),
            (written, Usage { cache_write_tokens: usage.input_tokens, ..alone }),
            (
                usage.cache_write_1h_tokens.unwrap_or(0),
                Usage {
                    cache_write_tokens: usage.input_tokens,
                    cache_write_1h_tokens: usage.input_tokens,
                    ..alone
                },
            ),
        ];
        let differs =
            |used: u64, of: &Usage| used == 0 || self.usd(&counts(of)) != usual.usd(&counts(of));
        let output = |asked: &Self| {
            let with = Usage { output_tokens: usage.output_tokens, ..alone };
            Some(asked.usd(&counts(&with))? - asked.usd(&counts(&alone))?)
        };
        let is_same = |a: Option<f64>, b: Option<f64>| match (a, b) {
            // Differences of sums, which rounding may touch.
            (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
            _ => true,
        };
        let has_output = usage.output_tokens.unwrap_or(0) > 0;
        kinds.iter().all(|(used, of)| differs(*used, of))
            && !(has_output && is_same(output(self), output(&usual)))
    }
}
