//! Bills in FOCUS, the `FinOps` Open Cost and Usage Specification (1.0 to 1.3): charges that Lockgate does not see.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use lockgate_model::ids::AgentName;
use sha2::{Digest as _, Sha256};

use super::{RowError, cells, names};
use crate::amount::Amount;
use crate::event::{Event, Invalid, Key, Text, What};

const COST: &str = "BilledCost";
const CURRENCY: &str = "BillingCurrency";
const START: &str = "ChargePeriodStart";
const END: &str = "ChargePeriodEnd";
const SERVICE: &str = "ServiceName";

/// Columns that a bill must have.
const REQUIRED: [&str; 5] = [COST, CURRENCY, START, END, SERVICE];

/// What the provider is called, by version of the specification, newest first.
const PROVIDERS: [&str; 2] = ["ServiceProviderName", "ProviderName"];

const CATEGORY: &str = "ChargeCategory";

/// The columns of a bill, by its header. Those that say nothing here are let be.
#[derive(Debug, Clone)]
pub struct FocusColumns {
    names: Vec<String>,
    agent: Option<AgentName>,
    source: Text,
    model_usage: bool,
}

impl FocusColumns {
    /// From the header, which is line 1. All charges are this agent's, or of all agents. `model_usage` says that they are
    /// of the models' tokens, which interactions have as their cost already.
    pub fn of<'a>(
        header: impl IntoIterator<Item = &'a str>,
        agent: Option<AgentName>,
        source: Text,
        model_usage: bool,
    ) -> Result<Self, RowError> {
        let names = names(header)?;
        for name in REQUIRED {
            if !names.iter().any(|known| known == name) {
                let invalid = Invalid::new(name, "this column is missing; FOCUS has it");
                return Err(RowError { line: 1, invalid });
            }
        }
        Ok(Self { names, agent, source, model_usage })
    }

    /// One record; `line` is that on which it begins. A bill has no keys, so the key is made of all its cells: imported
    /// again a charge counts once. Charges that are alike in every column are one.
    pub fn event<'a>(
        &self,
        line: u64,
        record: impl IntoIterator<Item = &'a str>,
    ) -> Result<Event, RowError> {
        let refused = |invalid| RowError { line, invalid };
        let cells = cells(&self.names, record).map_err(refused)?;
        let event = self.charge(&cells).map_err(refused)?;
        event.check().map_err(refused)?;
        Ok(event)
    }

    fn charge(&self, cells: &[(&str, &str)]) -> Result<Event, Invalid> {
        let start = at(START, cell(cells, START))?;
        let provider = PROVIDERS.into_iter().find(|name| !cell(cells, name).is_empty());
        let cost: Amount =
            cell(cells, COST).parse().map_err(|error| Invalid::new(COST, format!("{error}")))?;
        Ok(Event {
            key: key(cells)?,
            at_wall_ms: start,
            agent: self.agent.clone(),
            version: None,
            corrects: None,
            source: self.source.clone(),
            what: What::ExternalCost {
                billed_cost: cost,
                billing_currency: text(cells, CURRENCY)?,
                charge_period_start_wall_ms: start,
                charge_period_end_wall_ms: at(END, cell(cells, END))?,
                service_name: text(cells, SERVICE)?,
                provider_name: provider.map(|name| text(cells, name)).transpose()?,
                charge_category: (!cell(cells, CATEGORY).is_empty())
                    .then(|| text(cells, CATEGORY))
                    .transpose()?,
                model_usage: self.model_usage,
            },
        })
    }
}

fn cell<'a>(cells: &[(&str, &'a str)], name: &str) -> &'a str {
    cells.iter().find(|(known, _)| *known == name).map_or("", |(_, cell)| cell.trim())
}

fn text(cells: &[(&str, &str)], name: &str) -> Result<Text, Invalid> {
    Text::try_from(cell(cells, name).to_owned()).map_err(|reason| Invalid::new(name, reason))
}

/// FOCUS times are UTC; one without an offset is read so.
fn at(name: &str, text: &str) -> Result<i64, Invalid> {
    let with_offset = text.parse::<Timestamp>();
    let at = with_offset.or_else(|_| {
        text.trim_end_matches(" UTC")
            .parse::<DateTime>()
            .and_then(|at| TimeZone::UTC.to_timestamp(at))
    });
    at.map(Timestamp::as_millisecond)
        .map_err(|_| Invalid::new(name, "write it like 2026-03-01T00:00:00Z"))
}

/// Columns in the order of their names, so that another order of columns is the same charge.
fn key(cells: &[(&str, &str)]) -> Result<Key, Invalid> {
    let mut sorted = cells.to_vec();
    sorted.sort_unstable();
    let mut hash = Sha256::new();
    for text in sorted.iter().flat_map(|(name, cell)| [*name, cell.trim()]) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let bytes = hash.finalize();
    let mut key = String::from("focus-");
    for byte in bytes.iter().take(16) {
        // Writing to a String does not fail.
        let _ = write!(key, "{byte:02x}");
    }
    key.parse()
}
