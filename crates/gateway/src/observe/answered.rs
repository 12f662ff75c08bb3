//! What an answer comes to: how it failed, and what it cost.

use std::sync::{Arc, LazyLock};

use http::response::Parts;
use lockgate_model::interaction::{ErrorClass, Outcome};
use lockgate_model::measure::{Measure, MeasureName};
use lockgate_model::price::{Cost, PriceTable, Unpriced};
use lockgate_telemetry::price::Prices;

use crate::ingress::headers;
use crate::protocol::Scanned;

/// What was read from the head of an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) sse: bool,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) cost_nanousd: Option<u64>,
    pub(crate) measures: Vec<(MeasureName, Option<u8>)>,
}

impl Answered {
    /// Of this head, from a version of an agent that declares these measures.
    pub(crate) fn of(parts: &Parts, declared: &[Measure]) -> Self {
        Self {
            status: parts.status.as_u16(),
            sse: headers::is_sse(&parts.headers),
            outcome: headers::outcome(&parts.headers),
            cost_nanousd: headers::cost_nanousd(&parts.headers),
            measures: headers::measures(&parts.headers, declared),
        }
    }
}

/// How a whole answer failed, if it did.
pub(crate) fn class_of(answered: &Answered, scanned: Option<&Scanned>) -> Option<ErrorClass> {
    match answered.status {
        500.. => Some(ErrorClass::Upstream5xx),
        429 => Some(ErrorClass::Upstream429),
        400..=499 => Some(ErrorClass::Client4xx),
        300..=399 if answered.status != 304 => Some(ErrorClass::Upstream3xx),
        _ if scanned.is_some_and(|scanned| scanned.stream_error) => Some(ErrorClass::StreamError),
        _ if answered.outcome == Some(Outcome::Failed) => Some(ErrorClass::OutcomeFailed),
        _ => None,
    }
}

/// What it cost: by the version's own word, or by model, tokens and time; or why that is not known.
pub(crate) fn cost(
    prices: &Prices,
    answered: &Answered,
    scanned: Option<&Scanned>,
    started_wall_ms: i64,
) -> Result<Cost, Unpriced> {
    static REPORTED: LazyLock<Arc<PriceTable>> = LazyLock::new(|| Arc::new(PriceTable::reported()));
    match answered.cost_nanousd {
        Some(nanousd) => Ok(Cost { nanousd, table: Arc::clone(&REPORTED) }),
        None => priced(prices, scanned.ok_or(Unpriced::NoModel)?, started_wall_ms),
    }
}

/// By model, tokens and time.
pub(crate) fn priced(
    prices: &Prices,
    scanned: &Scanned,
    started_wall_ms: i64,
) -> Result<Cost, Unpriced> {
    let model = scanned.model.as_deref().ok_or(Unpriced::NoModel)?;
    if scanned.bad_usage {
        return Err(Unpriced::BadTokens);
    }
    prices.cost(scanned.provider, model, &scanned.usage, started_wall_ms)
}
