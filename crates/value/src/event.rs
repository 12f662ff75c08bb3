//! What people and other systems say about an agent's worth, one event at a time.
//!
//! An event is never changed. A correction is a new event that names the one it replaces ([`crate::ledger`]).

mod baseline;
mod bounds;
mod draft;
mod fields;
mod read;
mod what;

use std::fmt;
use std::str::FromStr;

use lockgate_model::ids::{AgentName, VersionName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use baseline::Baseline;
pub use draft::Draft;
pub use what::{Arm, Fact, Finish, Stage, What};

pub(crate) use fields::Fields;

/// Bytes of an event's key, at most.
pub const KEY_BYTES_MAX: usize = 128;

/// Bytes of any other text in an event, at most.
pub const TEXT_BYTES_MAX: usize = 512;

/// The earliest time of an event: 2000-01-01 UTC, milliseconds since the Unix epoch.
pub const AT_MIN_MS: i64 = 946_684_800_000;

/// The latest: 2100-01-01 UTC.
pub const AT_MAX_MS: i64 = 4_102_444_800_000;

/// Tells one event from another; the same key is the same event. Printable ASCII without spaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(std::sync::Arc<str>);

impl Key {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Key {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_good = !text.is_empty()
            && text.len() <= KEY_BYTES_MAX
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_good.then(|| Self(text.into())).ok_or_else(|| {
            Invalid::new(
                "key",
                format!("use 1 to {KEY_BYTES_MAX} printable ASCII characters without spaces"),
            )
        })
    }
}

impl TryFrom<String> for Key {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.as_ref().to_owned()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text of 1 to [`TEXT_BYTES_MAX`] bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(Box<str>);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() || text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(format!(
                "a text here has 1 to {TEXT_BYTES_MAX} bytes and no control characters"
            ));
        }
        Ok(Self(text.into()))
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0.into()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which field of an event is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Invalid {
    /// As it is called in JSON; `event` when no single field is at fault.
    pub field: String,
    /// What to write instead.
    pub reason: String,
}

impl Invalid {
    pub(crate) fn new(field: &str, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

/// One thing that was said. In JSON one flat object, `kind` says which [`What`] it is. Read from JSON it is valid; built
/// otherwise, ask [`Event::check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Event {
    /// Idempotency key: sent twice, it counts once.
    pub key: Key,
    /// When it happened or was so, milliseconds since the Unix epoch; not when it was recorded.
    pub at_wall_ms: i64,
    /// The agent; none when it is about all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// The version, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionName>,
    /// The event that this one replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrects: Option<Key>,
    /// Where it is from: a survey, a study, a ledger, a person's role.
    pub source: Text,
    /// What was said.
    #[serde(flatten)]
    pub what: What,
}

impl Event {
    /// Reads a flat JSON object. Times may be given as `at_wall_ms` or as `at` in RFC 3339, and so for every field that
    /// ends in `_wall_ms`. Fields that are not known are refused.
    pub fn from_json(value: Value) -> Result<Self, Invalid> {
        object(value)?.try_into()
    }

    /// Whether all of it makes sense.
    pub fn check(&self) -> Result<(), Invalid> {
        in_range("at_wall_ms", self.at_wall_ms)?;
        if self.corrects.as_ref() == Some(&self.key) {
            return Err(Invalid::new(
                "corrects",
                "an event cannot correct itself; give the correction a key of its own",
            ));
        }
        if matches!(self.what, What::Withdrawn { .. }) && self.corrects.is_none() {
            return Err(Invalid::new("corrects", "name the event that is withdrawn"));
        }
        if self.version.is_some() && self.agent.is_none() {
            return Err(Invalid::new("agent", "a version is one of an agent; name the agent too"));
        }
        if self.what.needs_agent() && self.agent.is_none() {
            return Err(Invalid::new(
                "agent",
                format!("`{}` is about one agent; name it", self.what.kind()),
            ));
        }
        if let What::Baseline { as_of, .. } = &self.what
            && crate::window::start_of(&jiff::tz::TimeZone::UTC, *as_of)
                .is_none_or(|at| at > self.at_wall_ms.saturating_add(AHEAD_MS))
        {
            return Err(Invalid::new("as_of", format!("{as_of} lies after the event's own time")));
        }
        self.what.check()
    }
}

/// How far the start of a day in UTC may lie ahead of an event of that day, in whatever time zone.
const AHEAD_MS: i64 = 24 * 3_600_000;

impl TryFrom<Fields> for Event {
    type Error = Invalid;
    fn try_from(fields: Fields) -> Result<Self, Invalid> {
        let mut map = fields.distinct()?;
        read::times(&mut map)?;
        let event = read::event(map)?;
        event.check()?;
        Ok(event)
    }
}

fn object(value: Value) -> Result<Fields, Invalid> {
    match value {
        Value::Object(map) => Ok(map.into()),
        _ => Err(Invalid::new("event", NO_OBJECT)),
    }
}

/// What is said of JSON that is something else.
pub(crate) const NO_OBJECT: &str = "an event is a JSON object";

/// A time that events may have.
pub(crate) fn in_range(field: &str, at_wall_ms: i64) -> Result<(), Invalid> {
    if (AT_MIN_MS..=AT_MAX_MS).contains(&at_wall_ms) {
        return Ok(());
    }
    Err(Invalid::new(
        field,
        format!(
            "{at_wall_ms} is no time between 2000 and 2100 in milliseconds since the Unix epoch; seconds are a thousandth of that"
        ),
    ))
}

#[cfg(test)]
mod tests;
