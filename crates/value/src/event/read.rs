//! Events out of JSON.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Event, Invalid, What};

/// How fields that are times end.
const TIME: &str = "_wall_ms";

/// Times that may be given as text, under the name without [`TIME`].
const TIMES: [&str; 7] = [
    "at",
    "detected",
    "recovered",
    "finished",
    "committed",
    "charge_period_start",
    "charge_period_end",
];

/// The field with an event's own time.
pub(super) const AT: &str = "at_wall_ms";

/// An event out of its fields, all [`times`] in milliseconds.
pub(super) fn event(mut fields: Map<String, Value>) -> Result<Event, Invalid> {
    Ok(Event {
        key: required(&mut fields, "key", "text that tells this event from all others")?,
        at_wall_ms: required(&mut fields, AT, "when it happened, or `at` in RFC 3339")?,
        agent: optional(&mut fields, "agent")?,
        version: optional(&mut fields, "version")?,
        corrects: optional(&mut fields, "corrects")?,
        source: required(&mut fields, "source", "where it is from")?,
        what: what(&fields)?,
    })
}

/// Times in RFC 3339 become milliseconds.
pub(super) fn times(fields: &mut Map<String, Value>) -> Result<(), Invalid> {
    for name in TIMES {
        let Some(value) = fields.remove(name) else { continue };
        let field = format!("{name}{TIME}");
        if fields.contains_key(&field) {
            return Err(Invalid::new(name, format!("give `{name}` or `{field}`, not both")));
        }
        let at: Option<Timestamp> = value.as_str().and_then(|text| text.parse().ok());
        let Some(at) = at else {
            return Err(Invalid::new(
                name,
                "write it in RFC 3339 with its offset, like 2026-03-01T09:30:00Z or 2026-03-01T10:30:00+01:00",
            ));
        };
        fields.insert(field, at.as_millisecond().into());
    }
    Ok(())
}

fn optional<T: DeserializeOwned>(
    fields: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<T>, Invalid> {
    let value = fields.remove(name).unwrap_or_default();
    serde_json::from_value(value).map_err(|error| Invalid::new(name, plain(&error)))
}

fn required<T: DeserializeOwned>(
    fields: &mut Map<String, Value>,
    name: &str,
    what: &str,
) -> Result<T, Invalid> {
    optional(fields, name)?.ok_or_else(|| Invalid::new(name, format!("missing: {what}")))
}

fn what(fields: &Map<String, Value>) -> Result<What, Invalid> {
    let kind = fields.get("kind").and_then(Value::as_str);
    if !kind.is_some_and(|kind| What::KINDS.contains(&kind)) {
        return Err(Invalid::new("kind", format!("use one of {}", What::KINDS.join(", "))));
    }
    let parsed = |fields: &Map<String, Value>| {
        serde_json::from_value::<What>(Value::Object(fields.clone())).map_err(|error| plain(&error))
    };
    parsed(fields).map_err(|reason| match culprit(fields, &reason, parsed).as_str() {
        "as_of" if !reason.starts_with("missing") => {
            Invalid::new("as_of", "write the date like 2026-01-31")
        }
        field => Invalid::new(field, reason),
    })
}

/// A wrong value is not named by its error; it is the one without which the error is another.
fn culprit(
    fields: &Map<String, Value>,
    reason: &str,
    parsed: impl Fn(&Map<String, Value>) -> Result<What, String>,
) -> String {
    if let Some(field) =
        reason.strip_prefix("missing field `").and_then(|rest| rest.split('`').next())
    {
        return field.to_owned();
    }
    let changes = |name: &str| {
        let mut rest = fields.clone();
        rest.remove(name);
        parsed(&rest).err().as_deref() != Some(reason)
    };
    let named = fields.keys().filter(|name| *name != "kind").find(|name| changes(name));
    // A field without a name is a fault of the event.
    let named = named.filter(|name| !name.is_empty());
    named.map_or_else(|| "event".to_owned(), |name| name.chars().take(64).collect())
}

/// What the field must be, without a place: there is one line.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // An error about a field of the text's own begins with the field, as in `key: use …`.
    let text = text.strip_prefix("key: ").unwrap_or(&text);
    text.chars().take(300).collect()
}
