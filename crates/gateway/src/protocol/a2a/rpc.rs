//! A request in JSON-RPC.

use serde_json::Value;

use super::action::Action;
use super::{Asked, Unclear, Version, arguments};
use crate::protocol::json::Malformed;
use crate::protocol::mcp::message::Message;

/// A request that can be answered, whatever it asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rpc {
    pub(crate) id: Value,
    pub(crate) asked: Result<Asked, Wrong>,
}

/// Why it is not one that may be asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wrong {
    /// No version has such a method.
    Method,
    /// The version that it says has no such method.
    Version,
    /// Its parameters.
    Params(Unclear),
}

impl Rpc {
    /// Reads a body.
    pub(crate) fn read(
        body: &[u8],
        version: Version,
        extensions: &[String],
    ) -> Result<Self, Unclear> {
        let message = Message::read(body).map_err(|malformed| match malformed {
            Malformed::Json(why) => Unclear::Json(why),
            Malformed::Shape(why) => Unclear::Request(why),
        })?;
        let Message::Request { id, method, params } = message else {
            return Err(Unclear::Request("a request has a `method` and an `id`"));
        };
        let asked = match Action::of_method(&method) {
            None => Err(Wrong::Method),
            Some((_, of)) if of != version => Err(Wrong::Version),
            Some((action, _)) => arguments::read(action, version, &params, body.len(), extensions)
                .map_err(Wrong::Params),
        };
        Ok(Self { id, asked })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str, version: Version) -> Result<Rpc, Unclear> {
        Rpc::read(text.as_bytes(), version, &[])
    }

    #[test]
    fn a_method_is_of_the_version_that_is_said() {
        let get = |method: &str| {
            json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": { "id": "t" } })
                .to_string()
        };
        let rpc = read(&get("GetTask"), Version::V1_0).unwrap();
        assert_eq!((rpc.id, rpc.asked.unwrap().arguments), (json!(7), json!({ "task": "t" })));
        let rpc = read(&get("tasks/get"), Version::V0_3).unwrap();
        assert_eq!(rpc.asked.unwrap().action, Action::GetTask);
        assert_eq!(read(&get("GetTask"), Version::V0_3).unwrap().asked, Err(Wrong::Version));
        assert_eq!(read(&get("tasks/get"), Version::V1_0).unwrap().asked, Err(Wrong::Version));
        assert_eq!(read(&get("tasks/list"), Version::V0_3).unwrap().asked, Err(Wrong::Method));
        assert!(matches!(
            read(&get("ListTasks"), Version::V1_0).unwrap().asked,
            Err(Wrong::Params(_))
        ));
    }

    #[test]
    fn what_is_no_single_request_is_refused() {
        for bad in [
            "",
            "{",
            "[]",
            r#"[{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"t"}}]"#,
            r#"{"jsonrpc":"2.0","method":"GetTask","params":{"id":"t"}}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"GetTask","params":{"id":"t"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"t","id":"u"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"t","Id":"u"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"GetTask","params":["t"]}"#,
        ] {
            assert!(read(bad, Version::V1_0).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Rpc::read(&bytes, Version::V1_0, &[]);
        }

        /// What is taken means the same to the most lenient of readers.
        #[test]
        fn what_is_taken_has_one_meaning(
            text in r#"\{"jsonrpc":"2.0","id":1,"method":"GetTask","params":\{("id":"a"|"id":"b"|"ID":"c"|"i_d":"d"|"historyLength":1|,){1,5}\}\}"#,
        ) {
            if let Ok(Rpc { asked: Ok(asked), .. }) = read(&text, Version::V1_0) {
                let lenient: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(&lenient["params"]["id"], &asked.arguments["task"]);
                prop_assert!(lenient["params"].as_object().unwrap().keys().all(|key| ["id", "historyLength"].contains(&key.as_str())));
            }
        }
    }
}
