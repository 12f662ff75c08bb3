//! What is asked: requests of the Authorization API, read from their bytes. Fields that are not known are passed over, as
//! the standard wants it.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Failed;
use crate::protocol::json::{Keys, value};

/// Evaluations in one request.
const EVALUATIONS_MAX: usize = 256;
/// What an evaluation is made of, and what an object of each must have.
const ENTITIES: [(&str, &[&str]); 4] = [
    ("subject", &["type", "id"]),
    ("action", &["name"]),
    ("resource", &["type", "id"]),
    ("context", &[]),
];

/// When to look no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    End,
    FirstDeny,
    FirstPermit,
}

/// A whole request.
#[derive(Debug)]
pub(super) enum Asked {
    One(Box<Evaluation>),
    Several {
        until: Until,
        /// One that cannot be understood is answered by itself.
        evaluations: Vec<Result<Evaluation, String>>,
    },
}

/// Whether somebody may do something.
#[derive(Debug, PartialEq)]
pub(super) struct Evaluation {
    /// Type and id.
    pub(super) subject: (String, String),
    pub(super) resource: (String, String),
    pub(super) action: String,
    /// The properties of the action.
    pub(super) arguments: Value,
    pub(super) context: Map<String, Value>,
    /// Action and resource as they are written.
    pub(super) raw: [String; 2],
}

/// Fields of an object as they are written.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// Reads a request, of several evaluations if it may have them.
pub(super) fn read(body: &[u8], several: bool) -> Result<Asked, Failed> {
    let read = value(body, Keys::Folded);
    let read = read.map_err(|malformed| {
        Failed::unreadable(format!("the request cannot be read: {malformed}"))
    })?;
    let Value::Object(shape) = read else {
        return Err(Failed::unreadable("the request is no JSON object"));
    };
    let unread = |_| Failed::unreadable("the request cannot be read");
    let fields: Fields<'_> = serde_json::from_slice(body).map_err(unread)?;
    let items = match shape.get("evaluations") {
        Some(Value::Array(items)) if several => items.len(),
        Some(_) if several => return Err(Failed::unreadable("`evaluations` is no array")),
        _ => 0,
    };
    if items == 0 {
        return Evaluation::read(&fields, &Fields::new())
            .map(|one| Asked::One(Box::new(one)))
            .map_err(Failed::unreadable);
    }
    if items > EVALUATIONS_MAX {
        let why = format!("a request has at most {EVALUATIONS_MAX} evaluations");
        return Err(Failed::unreadable(why));
    }
    for (name, _) in ENTITIES {
        if shape.get(name).is_some_and(|entity| !entity.is_object()) {
            return Err(Failed::unreadable(format!("`{name}` is no object")));
        }
    }
    let until = until(shape.get("options")).map_err(Failed::unreadable)?;
    let raw = fields.get("evaluations").map_or("[]", |raw| raw.get());
    let raw: Vec<&RawValue> = serde_json::from_str(raw).map_err(unread)?;
    let one = |raw: &RawValue| {
        let own: Fields<'_> =
            serde_json::from_str(raw.get()).map_err(|_| "the evaluation is no object")?;
        Evaluation::read(&own, &fields)
    };
    Ok(Asked::Several { until, evaluations: raw.into_iter().map(one).collect() })
}

fn until(options: Option<&Value>) -> Result<Until, &'static str> {
    let semantic = match options {
        None => None,
        Some(Value::Object(options)) => options.get("evaluations_semantic"),
        Some(_) => return Err("`options` is no object"),
    };
    match semantic.map(Value::as_str) {
        None | Some(Some("execute_all")) => Ok(Until::End),
        Some(Some("deny_on_first_deny")) => Ok(Until::FirstDeny),
        Some(Some("permit_on_first_permit")) => Ok(Until::FirstPermit),
        Some(_) => Err(
            "`evaluations_semantic` is none of execute_all, deny_on_first_deny, permit_on_first_permit",
        ),
    }
}

impl Evaluation {
    /// What an evaluation does not say itself, the request says for all of them.
    fn read(own: &Fields<'_>, defaults: &Fields<'_>) -> Result<Self, String> {
        let [subject, action, resource, context] =
            ENTITIES.map(|(name, needed)| entity(name, needed, own, defaults));
        let (mut subject, mut action, mut resource) = (subject?, action?, resource?);
        let raw = ["action", "resource"].map(|name| {
            let raw = own.get(name).or_else(|| defaults.get(name));
            raw.map_or_else(String::new, |raw| raw.get().to_owned())
        });
        Ok(Self {
            subject: (text(&mut subject, "type"), text(&mut subject, "id")),
            resource: (text(&mut resource, "type"), text(&mut resource, "id")),
            action: text(&mut action, "name"),
            arguments: action.remove("properties").unwrap_or_else(|| Map::new().into()),
            context: context?,
            raw,
        })
    }
}

/// An entity of an evaluation's own, or of the request's. Of the needed fields, one that is missing in the former is
/// taken from the latter; nothing else is mixed.
fn entity(
    name: &str,
    needed: &[&str],
    own: &Fields<'_>,
    defaults: &Fields<'_>,
) -> Result<Map<String, Value>, String> {
    let object = |fields: &Fields<'_>| match fields.get(name) {
        None => Ok(None),
        Some(raw) => {
            let read: Result<Map<String, Value>, _> = serde_json::from_str(raw.get());
            read.map(Some).map_err(|_| format!("`{name}` is no object"))
        }
    };
    let default = object(defaults)?;
    let mut entity = match object(own)? {
        Some(entity) => entity,
        None if needed.is_empty() => default.clone().unwrap_or_default(),
        None => default.clone().ok_or_else(|| format!("`{name}` is missing"))?,
    };
    for field in needed {
        if !entity.contains_key(*field)
            && let Some(value) = default.as_ref().and_then(|default| default.get(*field))
        {
            entity.insert((*field).to_owned(), value.clone());
        }
        if !entity.get(*field).is_some_and(Value::is_string) {
            return Err(format!("`{name}.{field}` is missing, or no text"));
        }
    }
    if entity.get("properties").is_some_and(|properties| !properties.is_object()) {
        return Err(format!("`{name}.properties` is no object"));
    }
    Ok(entity)
}

/// A field that was seen to be text.
fn text(entity: &mut Map<String, Value>, field: &str) -> String {
    match entity.remove(field) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one() -> Value {
        json!({
            "subject": { "type": "agent", "id": "support" },
            "resource": { "type": "tool", "id": "desk", "properties": { "owner": "ada" } },
            "action": { "name": "read", "properties": { "path": "/a" } },
        })
    }

    fn with(mut value: Value, at: &str, is: Value) -> Value {
        *value.pointer_mut(at).unwrap() = is;
        value
    }

    fn without(mut value: Value, at: &str) -> Value {
        let (parent, field) = at.rsplit_once('/').unwrap();
        value.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
        value
    }

    fn failed(value: &Value) -> String {
        let failed = read(value.to_string().as_bytes(), true).expect_err("it is refused");
        assert_eq!(failed.status, 400);
        failed.why
    }

    fn several(value: &Value) -> (Until, Vec<Result<Evaluation, String>>) {
        match read(value.to_string().as_bytes(), true).unwrap() {
            Asked::Several { until, evaluations } => (until, evaluations),
            Asked::One(_) => panic!("one"),
        }
    }

    #[test]
    fn a_request_says_who_does_what_with_what() {
        let mut whole = one();
        whole["context"] = json!({ "time": "now" });
        whole["future"] = json!({ "x": [1] });
        whole["evaluations"] = json!([]);
        let Asked::One(read) = read(whole.to_string().as_bytes(), true).unwrap() else { panic!() };
        assert_eq!(read.subject, ("agent".into(), "support".into()));
        assert_eq!(read.resource, ("tool".into(), "desk".into()));
        assert_eq!((read.action.as_str(), &read.arguments), ("read", &json!({ "path": "/a" })));
        assert_eq!(read.context["time"], "now");
    }

    #[test]
    fn what_is_missing_or_of_another_kind_is_said() {
        for (at, words) in [
            ("/subject", "`subject` is missing"),
            ("/subject/type", "`subject.type`"),
            ("/subject/id", "`subject.id`"),
            ("/action", "`action` is missing"),
            ("/action/name", "`action.name`"),
            ("/resource", "`resource` is missing"),
            ("/resource/type", "`resource.type`"),
            ("/resource/id", "`resource.id`"),
        ] {
            let why = failed(&without(one(), at));
            assert!(why.contains(words), "{at}: {why}");
            assert!(!failed(&with(one(), at, json!(7))).is_empty(), "{at}");
            assert!(!failed(&with(one(), at, Value::Null)).is_empty(), "{at}");
        }
        for properties in [json!([]), json!("x"), Value::Null] {
            assert!(failed(&with(one(), "/action/properties", properties)).contains("properties"));
        }
        for text in ["", "{", "[]", "\"x\"", r#"{"subject":{},"Subject":{}}"#] {
            assert_eq!(read(text.as_bytes(), true).unwrap_err().status, 400, "{text}");
        }
    }

    #[test]
    fn an_evaluation_has_its_own_or_what_the_request_has() {
        let mut boxcar = one();
        boxcar["evaluations"] = json!([
            {},
            { "action": { "name": "write" } },
            { "resource": { "id": "shelf" } },
            { "subject": "ada" },
            7,
        ]);
        let (until, all) = several(&boxcar);
        assert_eq!((until, all.len()), (Until::End, 5));
        let first = all[0].as_ref().unwrap();
        assert_eq!(first.arguments, json!({ "path": "/a" }));
        let second = all[1].as_ref().unwrap();
        assert_eq!(
            (second.action.as_str(), &second.arguments),
            ("write", &json!({})),
            "an own action has none of the other's properties"
        );
        let third = all[2].as_ref().unwrap();
        assert_eq!(third.resource, ("tool".into(), "shelf".into()));
        assert!(all[3].is_err() && all[4].is_err());
        boxcar["evaluations"] = vec![json!({}); EVALUATIONS_MAX].into();
        assert_eq!(several(&boxcar).1.len(), EVALUATIONS_MAX);
        boxcar["evaluations"] = vec![json!({}); EVALUATIONS_MAX + 1].into();
        assert!(failed(&boxcar).contains("at most"));
        boxcar["evaluations"] = json!({});
        assert!(failed(&boxcar).contains("no array"));
    }

    #[test]
    fn when_to_stop_is_one_of_three() {
        let with = |options: Value| {
            let mut boxcar = one();
            boxcar["evaluations"] = json!([{}]);
            boxcar["options"] = options;
            boxcar
        };
        for (semantic, until) in [
            ("execute_all", Until::End),
            ("deny_on_first_deny", Until::FirstDeny),
            ("permit_on_first_permit", Until::FirstPermit),
        ] {
            let asked = with(json!({ "evaluations_semantic": semantic, "another": 1 }));
            assert_eq!(several(&asked).0, until);
        }
        for options in [
            json!([]),
            json!({ "evaluations_semantic": "all" }),
            json!({ "evaluations_semantic": null }),
        ] {
            assert!(!failed(&with(options)).is_empty());
        }
    }
}
