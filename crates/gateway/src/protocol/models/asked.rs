//! What a request to a model asks for, as far as a policy decides about it. Of what is said to the model only the size
//! is looked at, and nothing of it is built: a body may have tens of megabytes.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::Api;
use super::endpoint::Kind;
use crate::protocol::json::{Fields, Malformed, one_meaning};

/// Bytes of a model's name.
const MODEL_BYTES_MAX: usize = 256;
/// Bytes of a tool's name or type.
const TOOL_BYTES_MAX: usize = 256;
/// Tools of one request.
const TOOLS_MAX: usize = 1_024;

/// Names of fields that decide what is done.
const COUNTS: [&str; 24] = [
    "audio",
    "background",
    "conversation",
    "functions",
    "input",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "mcp_servers",
    "messages",
    "modalities",
    "model",
    "models",
    "n",
    "prediction",
    "previous_response_id",
    "prompt",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "system",
    "tools",
    "web_search_options",
];

/// What is kept for an hour, and where or how fast it is done, has prices of its own.
const DEAR: [&str; 4] = ["inference_geo", "service_tier", "speed", "ttl"];

/// A request that was understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) model: String,
    /// Whether the answer is to be a stream of events.
    pub(crate) stream: bool,
    /// What policies are asked about.
    pub(crate) arguments: Value,
    /// Whether it asks for what the table of prices does not tell apart.
    pub(crate) is_dear: bool,
    /// The body with a wish for token counts in it; `None` when it is there already, or nothing to wish for.
    pub(crate) counting: Option<String>,
}

impl Asked {
    /// Reads a body.
    pub(crate) fn read(api: Api, kind: Kind, body: &str) -> Result<Self, Malformed> {
        // Whoever approves or records it means the same as the provider.
        let is_dear = one_meaning(body, &DEAR)?;
        let fields = Fields::read(body, &COUNTS)?;
        if fields.get("models").is_some() {
            return Err(Malformed::Shape(
                "`models` names others than the one that is decided about",
            ));
        }
        if bool_of(&fields, "background")? == Some(true) {
            return Err(Malformed::Shape("answers that are made in the background do not pass"));
        }
        let model: String = take(&fields, "model", "`model` is no text")?
            .ok_or(Malformed::Shape("`model` is missing"))?;
        if model.is_empty() || model.len() > MODEL_BYTES_MAX || model.chars().any(char::is_control)
        {
            return Err(Malformed::Shape("`model` is no model's name"));
        }
        let stream = bool_of(&fields, "stream")?.unwrap_or(false);
        let mut arguments = Map::new();
        arguments.insert("model".into(), model.as_str().into());
        arguments.insert("bytes".into(), body.len().into());
        match kind {
            Kind::Embeddings => {
                arguments.insert("inputs".into(), count(&fields, "input")?.into());
            }
            Kind::Models => {}
            Kind::Chat | Kind::Responses | Kind::Messages | Kind::CountTokens => {
                let said = if kind == Kind::Responses { "input" } else { "messages" };
                arguments.insert("messages".into(), count(&fields, said)?.into());
                Tools::read(api, &fields)?.tell(&mut arguments);
            }
        }
        if matches!(kind, Kind::Chat | Kind::Responses | Kind::Messages) {
            arguments.insert("stream".into(), stream.into());
            if let Some(max) = max_tokens(kind, &fields)? {
                arguments.insert("max_tokens".into(), max.into());
            }
        }
        match kind {
            Kind::Chat => {
                let n = take::<u64>(&fields, "n", "`n` is no whole number")?.unwrap_or(1);
                if n == 0 {
                    return Err(Malformed::Shape("`n` is 0"));
                }
                arguments.insert("choices".into(), n.into());
                let stores = bool_of(&fields, "store")?.unwrap_or(false);
                arguments.insert("stores".into(), stores.into());
            }
            Kind::Responses => {
                // The answers of others are there under the same credential.
                let continues = ["previous_response_id", "conversation"]
                    .into_iter()
                    .any(|name| fields.get(name).is_some())
                    || refers(&fields)?;
                arguments.insert("continues".into(), continues.into());
                let stores = bool_of(&fields, "store")?.unwrap_or(true);
                arguments.insert("stores".into(), stores.into());
            }
            _ => {}
        }
        let counting = if kind == Kind::Chat && stream { counting(&fields, body)? } else { None };
        Ok(Self { model, stream, arguments: Value::Object(arguments), is_dear, counting })
    }
}

/// Whether an item of the input is only the name of one that the provider keeps.
fn refers(fields: &Fields<'_>) -> Result<bool, Malformed> {
    let Some(input) = fields.get("input").filter(|input| input.starts_with('[')) else {
        return Ok(false);
    };
    let items: Vec<&RawValue> =
        serde_json::from_str(input).map_err(|error| Malformed::Json(error.to_string()))?;
    for item in items.into_iter().map(RawValue::get).filter(|item| item.starts_with('{')) {
        let item = Fields::read(item, &[])?;
        let kind: Option<String> = take(&item, "type", "the type of an item is no text")?;
        let names_another = match kind.as_deref() {
            Some(kind) => kind == "item_reference",
            None => item.get("id").is_some() && item.get("content").is_none(),
        };
        if names_another {
            return Ok(true);
        }
    }
    Ok(false)
}

fn take<'a, T: Deserialize<'a>>(
    fields: &Fields<'a>,
    name: &str,
    wrong: &'static str,
) -> Result<Option<T>, Malformed> {
    let Some(text) = fields.get(name) else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|_| Malformed::Shape(wrong))
}

fn bool_of(fields: &Fields<'_>, name: &str) -> Result<Option<bool>, Malformed> {
    take(fields, name, "a field that is yes or no is neither")
}

/// The largest of all that could be meant there; what another endpoint would read limits nothing here, and is refused.
fn max_tokens(kind: Kind, fields: &Fields<'_>) -> Result<Option<u64>, Malformed> {
    let read: &[&str] = match kind {
        Kind::Chat => &["max_tokens", "max_completion_tokens"],
        Kind::Responses => &["max_output_tokens"],
        _ => &["max_tokens"],
    };
    let mut max = None;
    for name in ["max_tokens", "max_completion_tokens", "max_output_tokens"] {
        let limit = take(fields, name, "a limit of tokens is no whole number")?;
        if limit.is_some() && !read.contains(&name) {
            return Err(Malformed::Shape("its limit of tokens is one of another endpoint"));
        }
        max = max.max(limit);
    }
    Ok(max)
}

/// Items of an array; anything else is one.
fn count(fields: &Fields<'_>, name: &str) -> Result<usize, Malformed> {
    let Some(text) = fields.get(name) else { return Ok(0) };
    if !text.starts_with('[') {
        return Ok(1);
    }
    let Count(count) =
        serde_json::from_str(text).map_err(|error| Malformed::Json(error.to_string()))?;
    Ok(count)
}

struct Count(usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = Count;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Count, A::Error> {
                let mut count = 0;
                while items.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Count(count))
            }
        }
        deserializer.deserialize_seq(Items)
    }
}

/// What the model may ask for, and what its provider does by itself.
#[derive(Debug, Default)]
struct Tools {
    /// Names of functions: the agent calls them, or not.
    functions: Vec<String>,
    /// Types of the provider's own: searches, code, other people's MCP servers. Lockgate does not see what they do.
    built_in: Vec<String>,
}

impl Tools {
    fn read(api: Api, fields: &Fields<'_>) -> Result<Self, Malformed> {
        let mut tools = Self::default();
        for name in ["tools", "functions"] {
            let Some(text) = fields.get(name) else { continue };
            let all: Vec<&RawValue> = serde_json::from_str(text)
                .map_err(|_| Malformed::Shape("the list of tools is no array"))?;
            if all.len() > TOOLS_MAX {
                return Err(Malformed::Shape("there are more tools than are looked at"));
            }
            for tool in all {
                tools.add(api, tool.get(), name == "functions")?;
            }
        }
        for (name, kind) in
            [("mcp_servers", "mcp"), ("web_search_options", "web_search"), ("prompt", "prompt")]
        {
            if fields.get(name).is_some_and(|value| value != "[]") {
                tools.built_in.push(kind.to_owned());
            }
        }
        tools.built_in.sort();
        tools.built_in.dedup();
        Ok(tools)
    }

    fn add(&mut self, api: Api, text: &str, is_function: bool) -> Result<(), Malformed> {
        let tool = Fields::read(text, &["type", "name", "function", "custom"])?;
        let kind: Option<String> = take(&tool, "type", "a tool's type is no text")?;
        let kind =
            kind.as_deref().unwrap_or(if api == Api::Anthropic { "custom" } else { "function" });
        let (list, name) = match kind {
            _ if is_function => (&mut self.functions, name_of(&tool)?),
            "function" | "custom" => {
                let inner = tool.get(kind).filter(|_| api == Api::Openai);
                let name = match inner {
                    Some(inner) => name_of(&Fields::read(inner, &["name"])?)?,
                    None => name_of(&tool)?,
                };
                (&mut self.functions, name)
            }
            kind => (&mut self.built_in, kind.to_owned()),
        };
        if name.len() > TOOL_BYTES_MAX {
            return Err(Malformed::Shape("the name of a tool is longer than allowed"));
        }
        list.push(name);
        Ok(())
    }

    fn tell(self, arguments: &mut Map<String, Value>) {
        arguments.insert("tools".into(), self.functions.into());
        arguments.insert("built_in".into(), self.built_in.into());
    }
}

fn name_of(tool: &Fields<'_>) -> Result<String, Malformed> {
    take(tool, "name", "a tool's name is no text")?.ok_or(Malformed::Shape("a tool has no name"))
}

/// The body with a wish for token counts in it, and not one byte different otherwise; `None` when it is there.
fn counting(fields: &Fields<'_>, body: &str) -> Result<Option<String>, Malformed> {
    const WISH: &str = "\"stream_options\":{\"include_usage\":true}";
    let Some(options) = fields.get("stream_options") else {
        // A null would be there twice.
        if fields.has("stream_options") {
            return Ok(Some(body_with(
                body,
                fields.place("stream_options", body),
                "{\"include_usage\":true}",
            )));
        }
        let at = body.find('{').map_or(0, |at| at + 1);
        return Ok(Some(format!("{}{WISH},{}", &body[..at], &body[at..])));
    };
    let mut options: Map<String, Value> = serde_json::from_str(options)
        .map_err(|_| Malformed::Shape("`stream_options` is no object"))?;
    if options.get("include_usage") == Some(&Value::Bool(true)) {
        return Ok(None);
    }
    options.insert("include_usage".into(), json!(true));
    let options = Value::Object(options).to_string();
    Ok(Some(body_with(body, fields.place("stream_options", body), &options)))
}

fn body_with(body: &str, place: std::ops::Range<usize>, text: &str) -> String {
    format!("{}{text}{}", &body[..place.start], &body[place.end..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chat(body: &Value) -> Asked {
        Asked::read(Api::Openai, Kind::Chat, &body.to_string()).unwrap()
    }

    fn refused(api: Api, kind: Kind, body: &str) -> String {
        Asked::read(api, kind, body).expect_err(body).to_string()
    }

    #[test]
    fn a_chat_is_told_by_what_a_policy_can_be_about() {
        let body = json!({
            "model": "gpt-4o", "stream": true, "max_tokens": 5, "max_completion_tokens": 70, "n": 3,
            "messages": [{ "role": "user", "content": "secret" }, { "role": "user", "content": "x" }],
            "tools": [
                { "type": "function", "function": { "name": "look_up", "parameters": { "a": 1, "A": 2 } } },
                { "type": "custom", "custom": { "name": "shell" } },
            ],
            "web_search_options": {},
        });
        let asked = chat(&body);
        assert_eq!((asked.model.as_str(), asked.stream), ("gpt-4o", true));
        let bytes = body.to_string().len();
        assert_eq!(
            asked.arguments,
            json!({
                "model": "gpt-4o", "bytes": bytes, "messages": 2, "tools": ["look_up", "shell"],
                "built_in": ["web_search"], "stream": true, "max_tokens": 70, "choices": 3, "stores": false,
            })
        );
        assert!(!asked.arguments.to_string().contains("secret"));
    }

    #[test]
    fn responses_and_messages_are_told_in_the_same_words() {
        let body = json!({ "model": "m", "input": "hi", "max_output_tokens": 9, "previous_response_id": "resp_1",
            "tools": [{ "type": "function", "name": "f" }, { "type": "mcp", "server_url": "https://x" }] });
        let asked = Asked::read(Api::Openai, Kind::Responses, &body.to_string()).unwrap();
        assert_eq!(
            asked.arguments,
            json!({ "model": "m", "bytes": body.to_string().len(), "messages": 1, "tools": ["f"], "built_in": ["mcp"],
                "stream": false, "max_tokens": 9, "continues": true, "stores": true })
        );
        let body = json!({ "model": "c", "max_tokens": 10, "messages": [1, 2, 3], "mcp_servers": [{}],
            "tools": [{ "name": "f", "input_schema": {} }, { "type": "web_search_20250305", "name": "web_search" }] });
        let asked = Asked::read(Api::Anthropic, Kind::Messages, &body.to_string()).unwrap();
        assert_eq!(
            asked.arguments,
            json!({ "model": "c", "bytes": body.to_string().len(), "messages": 3, "tools": ["f"],
                "built_in": ["mcp", "web_search_20250305"], "stream": false, "max_tokens": 10 })
        );
        let asked = Asked::read(Api::Anthropic, Kind::CountTokens, &body.to_string()).unwrap();
        assert!(
            asked.arguments.get("stream").is_none() && asked.arguments.get("max_tokens").is_none()
        );
        let body = json!({ "model": "e", "input": ["a", "b"] });
        let asked = Asked::read(Api::Openai, Kind::Embeddings, &body.to_string()).unwrap();
        assert_eq!(asked.arguments["inputs"], 2);
    }

    /// What the provider keeps is gone on from, however it is named.
    #[test]
    fn an_item_that_only_names_another_continues() {
        for (input, continues) in [
            (json!("hi"), false),
            (
                json!([{ "role": "user", "content": "hi" }, { "type": "function_call_output", "id": "f" }]),
                false,
            ),
            (json!([{ "id": "m", "role": "assistant", "content": [] }]), false),
            (json!([{ "id": "msg_1" }]), true),
            (json!([{ "type": null, "id": "msg_1" }]), true),
            (
                json!([{ "role": "user", "content": "hi" }, { "type": "item_reference", "id": "m" }]),
                true,
            ),
        ] {
            let body = json!({ "model": "m", "input": input }).to_string();
            let asked = Asked::read(Api::Openai, Kind::Responses, &body).unwrap();
            assert_eq!(asked.arguments["continues"], continues, "{body}");
        }
    }

    #[test]
    fn what_has_prices_of_its_own_is_seen_however_it_is_written() {
        for (more, is_dear) in [
            (r#""service_tier":"default""#, true),
            (
                r#""system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]"#,
                true,
            ),
            (
                r#""system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","\u0074tl":"1h"}}]"#,
                true,
            ),
            (r#""inference_geo":"us""#, true),
            (r#""speed":"fast""#, true),
            (r#""system":"\"ttl\": of a name""#, false),
            (
                r#""system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]"#,
                false,
            ),
        ] {
            let body = format!(r#"{{"model":"m","max_tokens":1,"messages":[],{more}}}"#);
            let asked = Asked::read(Api::Anthropic, Kind::Messages, &body).unwrap();
            assert_eq!(asked.is_dear, is_dear, "{body}");
        }
    }

    #[test]
    fn what_could_be_read_otherwise_is_refused() {
        for bad in [
            "",
            "[]",
            "null",
            r#"{"model":"a"} x"#,
            r#"{"messages":[]}"#,
            r#"{"model":null}"#,
            r#"{"model":7}"#,
            r#"{"model":""}"#,
            r#"{"model":"a\nb"}"#,
            r#"{"model":"a","model":"b"}"#,
            r#"{"model":"a","mod\u0065l":"b"}"#,
            r#"{"model":"a","Model":"b"}"#,
            r#"{"model":"a","modeL":"b"}"#,
            r#"{"model":"a","models":["b"]}"#,
            r#"{"model":"a","stream":"true"}"#,
            r#"{"model":"a","background":true}"#,
            r#"{"model":"a","max_tokens":-1}"#,
            r#"{"model":"a","max_output_tokens":1}"#,
            r#"{"model":"a","n":0}"#,
            r#"{"model":"a","Service_Tier":"priority"}"#,
            r#"{"model":"a","max_tokens":1.5}"#,
            r#"{"model":"a","tools":{}}"#,
            r#"{"model":"a","tools":[{"type":"function"}]}"#,
            r#"{"model":"a","tools":[{"type":"function","function":{"name":"a","name":"b"}}]}"#,
            r#"{"model":"a","tools":[{"type":"function","type":"mcp","name":"a"}]}"#,
            r#"{"model":"a","tools":[7]}"#,
            r#"{"model":"a","messages":[1,]}"#,
            r#"{"model":"a","messages":[{"content":"x","content":"y"}]}"#,
            r#"{"model":"a","stream":true,"stream_options":7}"#,
        ] {
            refused(Api::Openai, Kind::Chat, bad);
        }
        let deep =
            format!(r#"{{"model":"a","messages":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(refused(Api::Openai, Kind::Chat, &deep).contains("levels"));
        let many = vec![json!({ "type": "x" }); TOOLS_MAX + 1];
        let many = json!({ "model": "a", "tools": many }).to_string();
        assert!(refused(Api::Openai, Kind::Chat, &many).contains("more tools"));
    }

    #[test]
    fn a_stream_is_asked_for_its_counts_and_is_the_same_otherwise() {
        let counting = |body: &str| Asked::read(Api::Openai, Kind::Chat, body).unwrap().counting;
        assert_eq!(
            counting(r#" {"model":"m","stream":true,"temperature":0.10}"#).as_deref(),
            Some(
                r#" {"stream_options":{"include_usage":true},"model":"m","stream":true,"temperature":0.10}"#
            )
        );
        assert_eq!(
            counting(
                r#"{"model":"m","stream_options": {"x":1,"include_usage":false},"stream":true}"#
            )
            .as_deref(),
            Some(r#"{"model":"m","stream_options": {"x":1,"include_usage":true},"stream":true}"#)
        );
        assert_eq!(
            counting(r#"{"model":"m","stream_options": null ,"stream":true}"#).as_deref(),
            Some(r#"{"model":"m","stream_options": {"include_usage":true} ,"stream":true}"#)
        );
        for same in [
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"model":"m","stream":false}"#,
            r#"{"model":"m"}"#,
        ] {
            assert_eq!(counting(same), None, "{same}");
        }
        let body = r#"{"model":"m","stream":true}"#;
        assert_eq!(Asked::read(Api::Anthropic, Kind::Messages, body).unwrap().counting, None);
        assert_eq!(Asked::read(Api::Openai, Kind::Responses, body).unwrap().counting, None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = Asked::read(Api::Openai, Kind::Chat, &text);
        }

        /// What is sent on means the same to the most lenient of readers.
        #[test]
        fn what_is_taken_has_one_meaning(
            text in r#"\{("model":"a"|"model":"b"|"Model":"c"|"stream":true|"stream_options":(null|\{\})|"x":[1]|,| ){1,9}\}"#,
        ) {
            if let Ok(asked) = Asked::read(Api::Openai, Kind::Chat, &text) {
                let sent = asked.counting.as_deref().unwrap_or(&text);
                let lenient: Value = serde_json::from_str(sent).unwrap();
                prop_assert_eq!(&lenient["model"], &asked.model);
                prop_assert_eq!(lenient["stream_options"]["include_usage"] == true, asked.stream);
                Asked::read(Api::Openai, Kind::Chat, sent).unwrap();
            }
        }
    }
}
