//! One JSON-RPC message, read so that nobody can read it otherwise.
//!
//! Servers parse the same bytes again. What two parsers may understand differently is refused: keys that are there
//! twice, arrays of messages, texts that are not Unicode; and in what agents send, keys that differ only in case, which
//! some parsers take for the same.

use serde_json::{Map, Value};

use crate::protocol::json::{Keys, Malformed, folded, value};

/// Bytes of an id.
const ID_BYTES_MAX: usize = 256;
/// Bytes of a method's name.
const METHOD_BYTES_MAX: usize = 128;
/// Fields of `params` that decide what is done.
const COUNTS: [&str; 4] = ["name", "arguments", "uri", "_meta"];

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Message {
    /// Wants an answer.
    Request { id: Value, method: String, params: Map<String, Value> },
    /// Wants none.
    Notification { method: String, params: Map<String, Value> },
    /// An answer.
    Response { id: Value, result: Result<Value, Value> },
}

impl Message {
    /// Reads one of an agent.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::parse(bytes, Keys::Folded)
    }

    /// Reads one of a server, which may hold data of any kind.
    pub(crate) fn read_answer(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::parse(bytes, Keys::Exact)
    }

    fn parse(bytes: &[u8], keys: Keys) -> Result<Self, Malformed> {
        let Value::Object(fields) = value(bytes, keys)? else {
            return Err(Malformed::Shape("a message is one JSON object"));
        };
        Self::of(fields)
    }

    fn of(mut fields: Map<String, Value>) -> Result<Self, Malformed> {
        let known = ["jsonrpc", "id", "method", "params", "result", "error"];
        if fields.keys().any(|key| !known.contains(&key.as_str())) {
            return Err(Malformed::Shape("a message has fields that JSON-RPC does not know"));
        }
        if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(Malformed::Shape("`jsonrpc` is not \"2.0\""));
        }
        let id = fields.remove("id");
        let is_id = |id: &Value| match id {
            Value::String(text) => text.len() <= ID_BYTES_MAX,
            Value::Number(number) => number.is_i64() || number.is_u64(),
            _ => false,
        };
        let result = match (fields.remove("result"), fields.remove("error")) {
            (Some(result), None) => Some(Ok(result)),
            (None, Some(error)) => Some(Err(error)),
            (None, None) => None,
            _ => return Err(Malformed::Shape("an answer is either `result` or `error`")),
        };
        match (fields.remove("method"), result) {
            (None, Some(result)) => {
                // An error may have no id: its sender could not read the request's.
                let id = id.unwrap_or(Value::Null);
                let unread = id.is_null() && result.is_err();
                if !unread && !is_id(&id) || fields.contains_key("params") {
                    return Err(Malformed::Shape("an answer has an `id`, and no `params`"));
                }
                Ok(Self::Response { id, result })
            }
            (Some(Value::String(method)), None) if method.len() <= METHOD_BYTES_MAX => {
                let params = params(fields.remove("params"))?;
                match id {
                    None => Ok(Self::Notification { method, params }),
                    Some(id) if is_id(&id) => Ok(Self::Request { id, method, params }),
                    Some(_) => Err(Malformed::Shape("`id` is neither a text nor a whole number")),
                }
            }
            _ => Err(Malformed::Shape("a message has a `method`, or a `result`, or an `error`")),
        }
    }
}

fn params(value: Option<Value>) -> Result<Map<String, Value>, Malformed> {
    let params = match value {
        None => return Ok(Map::new()),
        Some(Value::Object(params)) => params,
        Some(_) => return Err(Malformed::Shape("`params` is not an object")),
    };
    let disguised =
        |key: &String| !COUNTS.contains(&key.as_str()) && COUNTS.contains(&folded(key).as_str());
    if params.keys().any(disguised) {
        return Err(Malformed::Shape("`params` has a field that another one could be taken for"));
    }
    Ok(params)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Message, Malformed> {
        Message::read(text.as_bytes())
    }

    #[test]
    fn the_three_kinds_are_told_apart() {
        let request =
            read(r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"x"}}"#);
        assert!(matches!(request, Ok(Message::Request { id, method, params })
            if id == "a" && method == "tools/call" && params["name"] == "x"));
        let note = read(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        assert!(matches!(note, Ok(Message::Notification { params, .. }) if params.is_empty()));
        let answer = read(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#);
        assert_eq!(answer, Ok(Message::Response { id: json!(7), result: Ok(json!({})) }));
        let error = read(r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"x"}}"#);
        assert!(matches!(error, Ok(Message::Response { id: Value::Null, result: Err(_) })));
    }

    #[test]
    fn what_could_be_read_otherwise_is_refused() {
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"a":{}1{}}}}}"#,
            "[".repeat(70),
            "]".repeat(70)
        );
        for bad in [
            "",
            "[]",
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"} {}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","argumentſ":{}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n":{"x":1,"x":2}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"path":"/a","Path":"/b"}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"Name":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[1]}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\ud800"}}"#,
            &deep,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(Message::read(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}").is_err());
    }

    #[test]
    fn what_a_server_says_may_hold_keys_of_any_case() {
        let answer = br#"{"jsonrpc":"2.0","id":1,"result":{"it":1,"IT":2}}"#;
        assert!(Message::read_answer(answer).is_ok());
        assert!(Message::read(answer).is_err());
        assert!(
            Message::read_answer(br#"{"jsonrpc":"2.0","id":1,"result":{"it":1,"it":2}}"#).is_err()
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::read(&bytes);
        }

        /// What is taken means the same to the most lenient of readers.
        #[test]
        fn what_is_taken_has_one_meaning(text in r#"\{("jsonrpc":"2.0"|"id":1|"method":"a"|"method":"b"|,){1,9}\}"#) {
            if let Ok(Message::Request { method, .. }) = read(&text) {
                let lenient: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(&lenient["method"], &method);
            }
        }
    }
}
