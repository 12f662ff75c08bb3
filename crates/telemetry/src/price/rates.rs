//! Tokens at rates that are written.

use lockgate_model::interaction::Usage;
use lockgate_model::price::{ModelPrice, Rates};

use super::AtMost;

const MTOK: f64 = 1e6;

/// US dollars; `None` when one of the tokens that were used has no price, or the numbers make no sense.
pub(super) fn usd(price: &ModelPrice, usage: &Usage) -> Option<f64> {
    let input = usage.input_tokens?;
    let rates = price.ladder(usage.tier)?.rates(input)?;
    let cached = usage.cached_input_tokens.unwrap_or(0);
    let written = usage.cache_write_tokens.unwrap_or(0);
    let for_an_hour = usage.cache_write_1h_tokens.unwrap_or(0);
    let fresh = input.checked_sub(cached)?.checked_sub(written)?;
    let parts = [
        part(Some(rates.input), fresh)?,
        part(rates.cached_input, cached)?,
        part(rates.cache_write, written.checked_sub(for_an_hour)?)?,
        part(rates.cache_write_1h, for_an_hour)?,
        output(rates, usage)?,
    ];
    Some(parts.iter().sum::<f64>() / MTOK)
}

fn output(rates: &Rates, usage: &Usage) -> Option<f64> {
    let output = usage.output_tokens?;
    if output == 0 || rates.reasoning == Some(rates.output) {
        return part(Some(rates.output), output);
    }
    // How much of it was reasoning matters, and is not zero because nobody says it.
    let reasoning = usage.reasoning_tokens?;
    Some(
        part(Some(rates.output), output.checked_sub(reasoning)?)?
            + part(rates.reasoning, reasoning)?,
    )
}

/// Tokens that are not there cost nothing, whatever they would cost.
fn part(rate: Option<f64>, tokens: u64) -> Option<f64> {
    if tokens == 0 {
        return Some(0.0);
    }
    rate.filter(|rate| rate.is_finite() && *rate >= 0.0).map(|rate| rate * tokens as f64)
}

/// The dearest rate for all input, but for what stays in a cache for an hour, and the dearest for all output, of any length up to this one: fewer tokens than these
/// may be used, and shorter requests may be the dearer ones.
pub(super) fn most_usd(price: &ModelPrice, most: AtMost) -> Option<f64> {
    let ladder = &price.standard;
    let reached = ladder.above.iter().filter(|above| most.input_tokens > above.input_tokens);
    let steps: Vec<&Rates> =
        std::iter::once(&ladder.base).chain(reached.map(|above| &above.rates)).collect();
    let (mut input, mut output) = (0.0_f64, 0.0_f64);
    for rates in steps {
        let all = [Some(rates.input), rates.cached_input, rates.cache_write];
        for rate in all.into_iter().flatten() {
            input = input.max(checked(rate)?);
        }
        for rate in [Some(rates.output), rates.reasoning].into_iter().flatten() {
            output = output.max(checked(rate)?);
        }
    }
    Some((input * most.input_tokens as f64 + output * most.output_tokens as f64) / MTOK)
}

fn checked(rate: f64) -> Option<f64> {
    Some(rate).filter(|rate| rate.is_finite() && *rate >= 0.0)
}
