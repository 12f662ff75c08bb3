//! Tokens at rates that are written.

use lockgate_model::interaction::Usage;
use lockgate_model::price::{ModelPrice, Rates, Unpriced};

use super::AtMost;

const MTOK: f64 = 1e6;

/// US dollars, or why they are not known.
pub(super) fn usd(price: &ModelPrice, usage: &Usage) -> Result<f64, Unpriced> {
    let input = usage.input_tokens.ok_or(Unpriced::NoTokens)?;
    let ladder = price.ladder(usage.tier).ok_or(Unpriced::NoTier)?;
    let rates = ladder.rates(input).ok_or(Unpriced::NoTier)?;
    let cached = usage.cached_input_tokens.unwrap_or(0);
    let written = usage.cache_write_tokens.unwrap_or(0);
    let for_an_hour = usage.cache_write_1h_tokens.unwrap_or(0);
    let fresh = less(less(input, cached)?, written)?;
    let parts = [
        part(Some(rates.input), fresh)?,
        part(rates.cached_input, cached)?,
        part(rates.cache_write, less(written, for_an_hour)?)?,
        part(rates.cache_write_1h, for_an_hour)?,
        output(rates, usage)?,
    ];
    Ok(parts.iter().sum::<f64>() / MTOK)
}

fn output(rates: &Rates, usage: &Usage) -> Result<f64, Unpriced> {
    let output = usage.output_tokens.ok_or(Unpriced::NoTokens)?;
    if output == 0 || rates.reasoning == Some(rates.output) {
        return part(Some(rates.output), output);
    }
    // How much of it was reasoning matters, and is not zero because nobody says it.
    let reasoning = usage.reasoning_tokens.ok_or(Unpriced::NoTokens)?;
    Ok(part(Some(rates.output), less(output, reasoning)?)? + part(rates.reasoning, reasoning)?)
}

/// A part is no more than the whole.
fn less(whole: u64, part: u64) -> Result<u64, Unpriced> {
    whole.checked_sub(part).ok_or(Unpriced::BadTokens)
}

/// Tokens that are not there cost nothing, whatever they would cost.
fn part(rate: Option<f64>, tokens: u64) -> Result<f64, Unpriced> {
    if tokens == 0 {
        return Ok(0.0);
    }
    let rate = rate.filter(|rate| rate.is_finite() && *rate >= 0.0);
    rate.map(|rate| rate * tokens as f64).ok_or(Unpriced::NoKind)
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
