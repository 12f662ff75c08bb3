//! Rows of files as events: one CSV record or one line of JSONL at a time, whoever splits the file into them. Each error
//! names its line.

mod focus;
mod header;

use lockgate_model::ids::AgentName;
use serde_json::{Map, Number, Value};

use self::header::{cells, names, refused};
use crate::event::{Draft, Event, Fields, Invalid, NO_OBJECT, Text};

pub use focus::FocusColumns;

/// The longest line or record, bytes.
pub const LINE_BYTES_MAX: usize = 65_536;

/// Columns with whole numbers.
const NUMBERS: [&str; 15] = [
    "at_wall_ms",
    "score",
    "employees",
    "knowledge_workers",
    "seats",
    "tasks",
    "visitors",
    "converted",
    "detected_wall_ms",
    "recovered_wall_ms",
    "charge_period_start_wall_ms",
    "charge_period_end_wall_ms",
    "finished_wall_ms",
    "committed_wall_ms",
    "count",
];

/// Columns with yes or no.
const SWITCHES: [&str; 2] = ["model_usage", "verified"];

/// Columns with texts, and with numbers that need not be whole.
const TEXTS: [&str; 33] = [
    "key",
    "at",
    "agent",
    "version",
    "corrects",
    "source",
    "kind",
    "measure",
    "value",
    "unit",
    "as_of",
    "minutes",
    "user",
    "arm",
    "detected",
    "recovered",
    "caused_by",
    "release",
    "billed_cost",
    "billing_currency",
    "charge_period_start",
    "charge_period_end",
    "service_name",
    "provider_name",
    "charge_category",
    "name",
    "stage",
    "outcome",
    "finished",
    "committed",
    "interaction",
    "detail",
    "reason",
];

/// A row that is no event, and why. `line` counts from 1 and includes a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {invalid}")]
pub struct RowError {
    /// The line on which the row begins.
    pub line: u64,
    /// What is wrong.
    #[source]
    pub invalid: Invalid,
}

/// What holds for every row that says nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The kind of event.
    pub kind: Option<String>,
    /// The agent.
    pub agent: Option<AgentName>,
    /// Where the rows are from.
    pub source: Option<Text>,
}

impl Defaults {
    fn fill(&self, fields: &mut Map<String, Value>) {
        let agent = self.agent.as_ref().map(AgentName::as_str);
        let source = self.source.as_ref().map(Text::as_str);
        for (name, value) in [("kind", self.kind.as_deref()), ("agent", agent), ("source", source)]
        {
            if let Some(value) = value.filter(|_| !fields.contains_key(name)) {
                fields.insert(name.into(), value.into());
            }
        }
    }
}

/// One line of JSONL; a blank one is none.
pub fn jsonl(line: u64, text: &str, defaults: &Defaults) -> Result<Option<Event>, RowError> {
    let refused = |invalid| RowError { line, invalid };
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > LINE_BYTES_MAX {
        return Err(refused(Invalid::new(
            "event",
            format!("a line has at most {LINE_BYTES_MAX} bytes"),
        )));
    }
    let mut fields: Fields = serde_json::from_str(text).map_err(|error| {
        let reason = if error.is_data() {
            NO_OBJECT.to_owned()
        } else {
            format!("column {}: this is no JSON object in one line", error.column())
        };
        refused(Invalid::new("event", reason))
    })?;
    defaults.fill(&mut fields.map);
    Event::try_from(fields).map(Some).map_err(refused)
}

/// The columns of a CSV file with events, by its header. They are called like the fields in JSON.
#[derive(Debug, Clone)]
pub struct Columns {
    names: Vec<String>,
    defaults: Defaults,
}

impl Columns {
    /// From the header, which is line 1.
    pub fn of<'a>(
        header: impl IntoIterator<Item = &'a str>,
        defaults: Defaults,
    ) -> Result<Self, RowError> {
        let columns = Self::named(header, defaults)?;
        let is_there = |name: &str| columns.names.iter().any(|known| known == name);
        let kind = is_there("kind") || columns.defaults.kind.is_some();
        let source = is_there("source") || columns.defaults.source.is_some();
        let at = is_there("at") || is_there("at_wall_ms");
        for (name, is_there) in
            [("key", is_there("key")), ("at", at), ("kind", kind), ("source", source)]
        {
            if !is_there {
                return Err(refused(name, "this column is missing"));
            }
        }
        Ok(columns)
    }

    /// Columns that there are, each once.
    fn named<'a>(
        header: impl IntoIterator<Item = &'a str>,
        defaults: Defaults,
    ) -> Result<Self, RowError> {
        let known = || NUMBERS.iter().chain(&SWITCHES).chain(&TEXTS).copied();
        let is_known = |name: &str| known().any(|known| known == name);
        let names = names(header, is_known)?;
        if let Some(name) = names.iter().find(|name| !is_known(name)) {
            let all: Vec<&str> = known().collect();
            let name = if name.is_empty() { "header" } else { name };
            return Err(refused(name, format!("no such column; there are {}", all.join(", "))));
        }
        Ok(Self { names, defaults })
    }

    /// One record; `line` is that on which it begins. An empty cell is a field that is not there.
    pub fn event<'a>(
        &self,
        line: u64,
        record: impl IntoIterator<Item = &'a str>,
    ) -> Result<Event, RowError> {
        let fields = self.fields(record);
        fields.and_then(Event::try_from).map_err(|invalid| RowError { line, invalid })
    }

    fn fields<'a>(&self, record: impl IntoIterator<Item = &'a str>) -> Result<Fields, Invalid> {
        let mut fields = Map::new();
        for (name, cell) in cells(&self.names, record)? {
            let cell = cell.trim();
            if !cell.is_empty() {
                fields.insert(name.to_owned(), value(name, cell)?);
            }
        }
        self.defaults.fill(&mut fields);
        Ok(fields.into())
    }
}

/// One event, out of the names of its fields and what they are as texts. It may say no time.
pub fn written<'a>(
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    defaults: Defaults,
) -> Result<Draft, Invalid> {
    let (names, cells): (Vec<&str>, Vec<&str>) = fields.into_iter().unzip();
    let columns = Columns::named(names, defaults).map_err(|error| error.invalid)?;
    Draft::try_from(columns.fields(cells)?)
}

fn value(name: &str, cell: &str) -> Result<Value, Invalid> {
    if NUMBERS.contains(&name) {
        let number: Number = cell.parse::<i64>().map(Number::from).map_err(|_| {
            let cell: String = cell.chars().take(40).collect();
            Invalid::new(name, format!("`{cell}` is no whole number"))
        })?;
        return Ok(Value::Number(number));
    }
    if SWITCHES.contains(&name) {
        return match cell.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(true.into()),
            "false" | "no" | "0" => Ok(false.into()),
            _ => Err(Invalid::new(name, "use true or false")),
        };
    }
    Ok(cell.into())
}

#[cfg(test)]
mod tests;
