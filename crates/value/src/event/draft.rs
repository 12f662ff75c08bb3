//! An event as it is sent: whoever records it may leave its time out.

use lockgate_model::ids::AgentName;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::Fields;
use super::{AT_MAX_MS, Event, Invalid, Key, What, object, read};

/// An event that may say no time. Then it is of the time of the event that it corrects, or of the time at which it is
/// recorded; and where its key is there already, of that event's time, so that it can be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Value")]
pub struct Draft {
    /// Without a time of its own the latest that there is stands in for it.
    event: Event,
    has_time: bool,
}

impl Draft {
    /// Reads a flat JSON object, as [`Event::from_json`] does.
    pub fn from_json(value: Value) -> Result<Self, Invalid> {
        object(value)?.try_into()
    }

    /// Tells it from others.
    pub fn key(&self) -> &Key {
        &self.event.key
    }

    /// The agent that it is about.
    pub fn agent(&self) -> Option<&AgentName> {
        self.event.agent.as_ref()
    }

    /// What it corrects.
    pub fn corrects(&self) -> Option<&Key> {
        self.event.corrects.as_ref()
    }

    /// What it says.
    pub fn what(&self) -> &What {
        &self.event.what
    }

    /// Its time, if it says one.
    pub fn at_wall_ms(&self) -> Option<i64> {
        self.has_time.then_some(self.event.at_wall_ms)
    }

    /// The event, of this time where it says none.
    pub fn at(&self, at_wall_ms: i64) -> Result<Event, Invalid> {
        let at_wall_ms = self.at_wall_ms().unwrap_or(at_wall_ms);
        let event = Event { at_wall_ms, ..self.event.clone() };
        event.check()?;
        Ok(event)
    }
}

impl TryFrom<Fields> for Draft {
    type Error = Invalid;

    fn try_from(fields: Fields) -> Result<Self, Invalid> {
        let mut map = fields.distinct()?;
        read::times(&mut map)?;
        let has_time = map.get(read::AT).is_some_and(|at| !at.is_null());
        if !has_time {
            map.insert(read::AT.into(), AT_MAX_MS.into());
        }
        let event = read::event(map)?;
        event.check()?;
        Ok(Self { event, has_time })
    }
}

impl From<Event> for Draft {
    fn from(event: Event) -> Self {
        Self { event, has_time: true }
    }
}

impl From<Draft> for Value {
    fn from(draft: Draft) -> Self {
        let has_time = draft.has_time;
        let mut value = serde_json::to_value(draft.event).unwrap_or_default();
        if let (false, Some(fields)) = (has_time, value.as_object_mut()) {
            fields.remove(read::AT);
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_draft_without_a_time_takes_one_and_another_keeps_its_own() {
        let mut sent = json!({"key": "a", "source": "s", "kind": "survey", "score": 9});
        let timeless = Draft::from_json(sent.clone()).unwrap();
        assert_eq!(timeless.at_wall_ms(), None);
        assert_eq!(timeless.at(1_772_357_400_000).unwrap().at_wall_ms, 1_772_357_400_000);
        assert_eq!(serde_json::to_value(&timeless).unwrap(), sent, "it is sent without one");
        assert!(timeless.at(5).unwrap_err().reason.contains("no time between"));
        sent["at"] = json!("2026-03-01T09:30:00Z");
        let timed: Draft = serde_json::from_str(&sent.to_string()).unwrap();
        assert_eq!(timed.at(5).unwrap().at_wall_ms, 1_772_357_400_000);
    }

    #[test]
    fn what_hangs_on_the_time_is_looked_at_once_there_is_one() {
        let baseline = json!({"key": "a", "source": "s", "kind": "baseline", "measure": "nps", "value": 1, "unit": "points", "as_of": "2026-03-10"});
        let draft = Draft::from_json(baseline).unwrap();
        assert_eq!(draft.at(1_772_357_400_000).unwrap_err().field, "as_of");
    }

    #[test]
    fn a_field_that_is_there_twice_is_refused_and_named() {
        let text = r#"{"key":"a","source":"s","kind":"survey","score":9,"score":1}"#;
        let error = serde_json::from_str::<Draft>(text).unwrap_err().to_string();
        assert!(error.starts_with("score: this field is there twice"), "{error}");
    }
}
