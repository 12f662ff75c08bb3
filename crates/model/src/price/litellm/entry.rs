//! One model of the file.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::interaction::ServiceTier;
use crate::price::{Ladder, ModelPrice, Rates, Written, WrittenLadder};

/// The dearest token, US dollars. Prices per thousand or million tokens are meant otherwise than they are written.
const USD_PER_TOKEN_MAX: f64 = 1.0;
const PER_MTOK: f64 = 1e6;

/// Why a model is not priced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unusable {
    /// Its name.
    Name,
    /// It is no object.
    Shape,
    /// A price that is none.
    Field(String),
    /// Not by tokens.
    NoTokens,
    /// By input or by output alone.
    Half,
    /// At nothing, which is how a price that is not known is written.
    Zero,
    /// By the hour of the day.
    OffPeak,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("names that no model can have"),
            Self::Shape => f.write_str("models that are no objects with prices"),
            Self::Field(field) => write!(f, "models with a `{field}` that is no price"),
            Self::NoTokens => f.write_str("models without prices of tokens"),
            Self::Half => f.write_str("models with a price of input or of output alone"),
            Self::Zero => f.write_str("models at 0, which is how unknown prices are written"),
            Self::OffPeak => {
                f.write_str("models with prices by the hour of the day, which are not read")
            }
        }
    }
}

impl Unusable {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Name | Self::Shape => "each entry is a model's name and an object",
            Self::Field(_) => "prices are US dollars per token, such as 2.5e-06, from 0 to 1",
            Self::NoTokens | Self::Half | Self::OffPeak => {
                "write a price of your own under `prices` if its answers have tokens"
            }
            Self::Zero => "write a price of your own under `prices` if it is free",
        }
    }
}

/// What is priced.
#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Input,
    Cached,
    CacheWrite,
    CacheWrite1h,
    Output,
    Reasoning,
}

/// How fields begin. The longer of two that begin alike comes first.
const FIELDS: [(&str, What); 6] = [
    ("input_cost_per_token", What::Input),
    ("cache_read_input_token_cost", What::Cached),
    ("cache_creation_input_token_cost_above_1hr", What::CacheWrite1h),
    ("cache_creation_input_token_cost", What::CacheWrite),
    ("output_cost_per_token", What::Output),
    ("output_cost_per_reasoning_token", What::Reasoning),
];

/// How the names of tiers are written at the end of fields.
const TIERS: [(&str, ServiceTier); 4] = [
    ("_batches", ServiceTier::Batch),
    ("_flex", ServiceTier::Flex),
    ("_priority", ServiceTier::Priority),
    ("_fast", ServiceTier::Fast),
];

/// What a field is the price of.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Slot {
    what: What,
    tier: Option<ServiceTier>,
    above: Option<u64>,
}

impl Slot {
    /// `None` for a field that is no price of tokens.
    fn of(field: &str) -> Option<Self> {
        let (rest, what) =
            FIELDS.iter().find_map(|(name, what)| Some((field.strip_prefix(name)?, *what)))?;
        let mut slot = Self { what, tier: None, above: None };
        let mut rest = rest;
        while !rest.is_empty() {
            let tier = TIERS.iter().find_map(|(end, tier)| Some((rest.strip_prefix(end)?, *tier)));
            rest = match (tier, above(rest)) {
                (Some((rest, tier)), _) if slot.tier.is_none() => {
                    slot.tier = Some(tier);
                    rest
                }
                (None, Some((rest, tokens))) if slot.above.is_none() => {
                    slot.above = Some(tokens);
                    rest
                }
                _ => return None,
            };
        }
        Some(slot)
    }
}

/// `_above_200k_tokens`, and what follows it.
fn above(text: &str) -> Option<(&str, u64)> {
    let (tokens, rest) = text.strip_prefix("_above_")?.split_once("_tokens")?;
    let (number, thousands) = match tokens.strip_suffix('k') {
        Some(number) => (number, 1_000),
        None => (tokens, 1),
    };
    Some((rest, number.parse::<u64>().ok()?.checked_mul(thousands)?))
}

/// The provider and the price of a model.
pub(super) fn read(text: &str) -> Result<(Option<String>, ModelPrice), Unusable> {
    let fields: Map<String, Value> = serde_json::from_str(text).map_err(|_| Unusable::Shape)?;
    if fields.get("off_peak_pricing").is_some_and(|block| !block.is_null()) {
        return Err(Unusable::OffPeak);
    }
    let mut ladders: BTreeMap<Option<ServiceTier>, WrittenLadder> = BTreeMap::new();
    for (name, value) in &fields {
        let Some(slot) = Slot::of(name) else { continue };
        let Some(price) = price(name, value)? else { continue };
        let ladder = ladders.entry(slot.tier).or_default();
        let written = match slot.above {
            None => &mut ladder.base,
            Some(tokens) => ladder.above.entry(tokens).or_default(),
        };
        put(written, slot.what, price);
    }
    let mut usual = ladders.remove(&None).unwrap_or_default();
    if let Some(Value::Array(steps)) = fields.get("tiered_pricing") {
        by_ranges(&mut usual, steps)?;
    }
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let provider = text("litellm_provider");
    let mode = text("mode");
    if mode.as_deref() == Some("embedding") {
        // There is no output.
        usual.base.output.get_or_insert(0.0);
    }
    let standard = standard(&usual)?;
    let mut tiers: BTreeMap<ServiceTier, Ladder> = BTreeMap::new();
    for (tier, written) in &mut ladders {
        if mode.as_deref() == Some("embedding") {
            written.base.output.get_or_insert(0.0);
        }
        // A tier at 0 has no price that is known.
        let ladder = written.tier(&usual).filter(|ladder| !has_free_step(ladder));
        if let (Some(tier), Some(ladder)) = (tier, ladder) {
            tiers.insert(*tier, ladder);
        }
    }
    if let (Some("openai"), Some(priority)) =
        (provider.as_deref(), tiers.get(&ServiceTier::Priority))
    {
        // The newer name of the same.
        let priority = priority.clone();
        tiers.entry(ServiceTier::Fast).or_insert(priority);
    }
    Ok((provider, ModelPrice { standard, tiers }))
}

fn standard(usual: &WrittenLadder) -> Result<Ladder, Unusable> {
    match (usual.base.input, usual.base.output) {
        (None, None) => Err(Unusable::NoTokens),
        (None, _) | (_, None) => Err(Unusable::Half),
        _ => {
            let ladder = usual.standard().ok_or(Unusable::Half)?;
            if has_free_step(&ladder) { Err(Unusable::Zero) } else { Ok(ladder) }
        }
    }
}

fn is_free(rates: &Rates) -> bool {
    rates.input == 0.0 && rates.output == 0.0
}

/// Whether tokens cost nothing, of whatever length the request is: 0 is how unknown prices are written.
fn has_free_step(ladder: &Ladder) -> bool {
    is_free(&ladder.base) || ladder.above.iter().any(|above| is_free(&above.rates))
}

/// Prices by ranges of input tokens: the first range is the base.
fn by_ranges(usual: &mut WrittenLadder, steps: &[Value]) -> Result<(), Unusable> {
    for step in steps {
        let Some(step) = step.as_object() else {
            return Err(Unusable::Field("tiered_pricing".into()));
        };
        // Ranges of something else than tokens are prices of something else.
        let Some(range) = step.get("range") else { continue };
        let from = range.get(0).and_then(Value::as_f64).filter(|from| (0.0..1e12).contains(from));
        let Some(from) = from else { return Err(Unusable::Field("tiered_pricing".into())) };
        let mut written = Written::default();
        for (name, value) in step {
            let Some(Slot { what, tier: None, above: None }) = Slot::of(name) else { continue };
            if let Some(price) = price(name, value)? {
                put(&mut written, what, price);
            }
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within 0 and 1e12"
        )]
        let from = from as u64;
        if from == 0 {
            usual.base = written.or(&usual.base);
        } else {
            usual.above.insert(from, written);
        }
    }
    Ok(())
}

fn put(written: &mut Written, what: What, price: f64) {
    let slot = match what {
        What::Input => &mut written.input,
        What::Cached => &mut written.cached_input,
        What::CacheWrite => &mut written.cache_write,
        What::CacheWrite1h => &mut written.cache_write_1h,
        What::Output => &mut written.output,
        What::Reasoning => &mut written.reasoning,
    };
    *slot = Some(price);
}

/// US dollars per million tokens; `None` where nothing is written. Numbers may stand in quotes.
fn price(field: &str, value: &Value) -> Result<Option<f64>, Unusable> {
    let usd = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match usd.filter(|usd: &f64| (0.0..=USD_PER_TOKEN_MAX).contains(usd)) {
        Some(usd) => Ok(Some(usd * PER_MTOK)),
        None => Err(Unusable::Field(field.chars().take(60).collect())),
    }
}
