//! Bills in FOCUS, the `FinOps` Open Cost and Usage Specification (1.0 to 1.3): charges that Lockgate does not see.

mod identity;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use lockgate_model::ids::AgentName;

use self::identity::{APART, Seen};
use super::RowError;
use super::header::{cells, names, refused};
use crate::amount::NotAnAmount;
use crate::event::{Event, Invalid, Text, What};

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
    seen: Seen,
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
        let names = names(header, |name| REQUIRED.contains(&name))?;
        for name in REQUIRED {
            if !names.iter().any(|known| known == name) {
                return Err(refused(name, "this column is missing; FOCUS has it"));
            }
        }
        Ok(Self { names, agent, source, model_usage, seen: Seen::default() })
    }

    /// The next record; `line` is that on which it begins. A bill has no keys, so the key is made of what tells a charge
    /// from others: exported and imported again, in whatever order, it counts once. Charges that are alike in all of that
    /// are counted through within the file.
    pub fn event<'a>(
        &mut self,
        line: u64,
        record: impl IntoIterator<Item = &'a str>,
    ) -> Result<Event, RowError> {
        let refused = |invalid| RowError { line, invalid };
        let cells = cells(&self.names, record).map_err(refused)?;
        let (start, what) = charge(&cells, self.model_usage).map_err(refused)?;
        let event = Event {
            key: self.seen.key(&apart(&cells, &what)).map_err(refused)?,
            at_wall_ms: start,
            agent: self.agent.clone(),
            version: None,
            corrects: None,
            source: self.source.clone(),
            what,
        };
        event.check().map_err(refused)?;
        Ok(event)
    }
}

/// What a charge says, and the start of its period.
fn charge(cells: &[(&str, &str)], model_usage: bool) -> Result<(i64, What), Invalid> {
    let start = at(START, cell(cells, START))?;
    let provider = PROVIDERS.into_iter().find(|name| !cell(cells, name).is_empty());
    let category = Some(CATEGORY).filter(|name| !cell(cells, name).is_empty());
    let what = What::ExternalCost {
        billed_cost: cell(cells, COST)
            .parse()
            .map_err(|error: NotAnAmount| Invalid::new(COST, error.to_string()))?,
        billing_currency: text(cells, CURRENCY)?,
        charge_period_start_wall_ms: start,
        charge_period_end_wall_ms: at(END, cell(cells, END))?,
        service_name: text(cells, SERVICE)?,
        provider_name: provider.map(|name| text(cells, name)).transpose()?,
        charge_category: category.map(|name| text(cells, name)).transpose()?,
        model_usage,
    };
    Ok((start, what))
}

/// What tells a charge from others. Of numbers and times that which they say: they can be written in more than one way.
fn apart<'a>(cells: &[(&'a str, &'a str)], what: &What) -> Vec<(&'a str, String)> {
    let mut parts: Vec<(&str, String)> =
        APART.iter().map(|name| (*name, cell(cells, name).to_owned())).collect();
    if let What::ExternalCost {
        billed_cost,
        billing_currency,
        charge_period_start_wall_ms,
        charge_period_end_wall_ms,
        service_name,
        provider_name,
        charge_category,
        ..
    } = what
    {
        let text = |text: &Option<Text>| text.as_ref().map_or("", Text::as_str).to_owned();
        parts.extend([
            (COST, billed_cost.to_string()),
            (CURRENCY, billing_currency.to_string()),
            (START, charge_period_start_wall_ms.to_string()),
            (END, charge_period_end_wall_ms.to_string()),
            (SERVICE, service_name.to_string()),
            (PROVIDERS[0], text(provider_name)),
            (CATEGORY, text(charge_category)),
        ]);
    }
    parts
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
