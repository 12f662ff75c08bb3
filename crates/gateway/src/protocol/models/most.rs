//! The most that a request can use, as far as the request says so: what it holds, and where its answer must end.
//!
//! A token is at least one byte of what is sent. That is not so of pictures, files, what the provider keeps or adds by
//! itself: of a request with any of these nothing is known.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::endpoint::Kind;
use crate::protocol::json::Fields;

/// What providers put around what was sent, such as how tools are called: Anthropic names up to 804 tokens of its own.
const AROUND_TOKENS: u64 = 1_024;

/// Where words stand.
const SAID: [&str; 3] = ["input", "messages", "system"];
/// Fields that make neither a request nor its answer larger or dearer than they show. Of any other nothing is known.
const PLAIN: [&str; 49] = [
    "dimensions",
    "encoding_format",
    "frequency_penalty",
    "function_call",
    "functions",
    "include",
    "input",
    "instructions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_key",
    "reasoning",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "stop_sequences",
    "store",
    "stream",
    "stream_options",
    "system",
    "temperature",
    "text",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "verbosity",
    // Those that count elsewhere: their values were looked at by whoever read the request.
    "background",
    "conversation",
    "mcp_servers",
    "previous_response_id",
    "prompt",
    "web_search_options",
];
/// Tiers at the usual prices or below.
const TIERS: [&str; 4] = ["auto", "default", "flex", "standard_only"];
/// Parts that are words, and no more than they show.
const WORDS: [&str; 15] = [
    "ephemeral",
    "function",
    "function_call",
    "function_call_output",
    "input_text",
    "message",
    "output_text",
    "refusal",
    "redacted_thinking",
    "summary_text",
    "text",
    "thinking",
    "tool_result",
    "tool_use",
    "url_citation",
];
/// Keys of what is not words, whatever type it says to be.
const NOT_WORDS: [&str; 9] = [
    "audio",
    "file",
    "file_data",
    "file_id",
    "file_url",
    "image",
    "image_url",
    "input_audio",
    "source",
];

/// At most so many tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Most {
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
}

/// Of a request that was understood, by its body and what policies are asked about.
pub(crate) fn most(kind: Kind, body: &str, arguments: &Value) -> Option<Most> {
    if matches!(kind, Kind::Models | Kind::CountTokens) {
        return Some(Most { input_tokens: 0, output_tokens: 0 });
    }
    let adds = |name: &str| arguments[name].as_array().is_some_and(|all| !all.is_empty());
    if adds("built_in") || adds("betas") || arguments["continues"] == true {
        return None;
    }
    let fields = Fields::read(body, &[]).ok()?;
    if !fields.names().all(|name| PLAIN.contains(&name)) || !is_usual(&fields) {
        return None;
    }
    if !SAID.iter().filter_map(|name| fields.get(name)).all(is_words) {
        return None;
    }
    let output_tokens = if kind == Kind::Embeddings {
        0
    } else {
        let choices = arguments["choices"].as_u64().unwrap_or(1);
        arguments["max_tokens"].as_u64()?.checked_mul(choices)?
    };
    let input_tokens = u64::try_from(body.len()).ok()?.checked_add(AROUND_TOKENS)?;
    Some(Most { input_tokens, output_tokens })
}

fn is_usual(fields: &Fields<'_>) -> bool {
    let Some(tier) = fields.get("service_tier") else { return true };
    let tier: Option<String> = serde_json::from_str(tier).ok();
    tier.is_some_and(|tier| TIERS.contains(&tier.as_str()))
}

fn is_words(text: &str) -> bool {
    let mut reader = serde_json::Deserializer::from_str(text);
    Words { in_list: false }.deserialize(&mut reader).unwrap_or(false)
}

/// Whether a value is nothing but words.
#[derive(Clone, Copy)]
struct Words {
    /// What stands in a list says what it is.
    in_list: bool,
}

impl<'de> DeserializeSeed<'de> for Words {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Words {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        let mut all = true;
        while let Some(words) = items.next_element_seed(Self { in_list: true })? {
            all &= words;
        }
        Ok(all)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<bool, A::Error> {
        let (mut all, mut says) = (true, false);
        while let Some(key) = fields.next_key::<String>()? {
            all &= match key.as_str() {
                "type" => {
                    says = true;
                    let kind: Value = fields.next_value()?;
                    kind.as_str().is_some_and(|kind| WORDS.contains(&kind))
                }
                "role" => {
                    says = true;
                    fields.next_value::<Value>()?.is_string()
                }
                // With what a function was called: it is read as it stands.
                "input" => {
                    fields.next_value::<IgnoredAny>()?;
                    true
                }
                name if NOT_WORDS.contains(&name) => fields.next_value::<Value>()?.is_null(),
                _ => fields.next_value_seed(Self { in_list: false })?,
            };
        }
        Ok(all && (says || !self.in_list))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Api;
    use super::super::asked::Asked;
    use super::*;

    fn of(api: Api, kind: Kind, body: &Value) -> Option<Most> {
        let body = body.to_string();
        let asked = Asked::read(api, kind, &body).unwrap();
        most(kind, &body, &asked.arguments)
    }

    #[test]
    fn a_request_of_words_with_an_end_has_a_most() {
        let chat = json!({ "model": "m", "max_tokens": 10, "n": 3, "service_tier": "default", "messages": [
            { "role": "system", "content": "a" },
            { "role": "user", "content": [{ "type": "text", "text": "b" }] },
            { "role": "assistant", "content": null, "audio": null,
              "tool_calls": [{ "id": "1", "type": "function", "function": { "name": "f", "arguments": "{}" } }] },
        ] });
        let bytes = chat.to_string().len() as u64;
        let most = Most { input_tokens: bytes + AROUND_TOKENS, output_tokens: 30 };
        assert_eq!(of(Api::Openai, Kind::Chat, &chat), Some(most));
        let told = json!({ "model": "m", "max_tokens": 10, "system": "s",
            "messages": [{ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "1", "content": "x" }] }] });
        assert_eq!(of(Api::Anthropic, Kind::Messages, &told).unwrap().output_tokens, 10);
        let input = json!({ "model": "e", "input": ["a", "b"] });
        assert_eq!(of(Api::Openai, Kind::Embeddings, &input).unwrap().output_tokens, 0);
        assert_eq!(
            of(Api::Anthropic, Kind::CountTokens, &told),
            Some(Most { input_tokens: 0, output_tokens: 0 })
        );
    }

    #[test]
    fn what_is_more_than_it_shows_has_none() {
        let chat = |more: Value| {
            let mut body = json!({ "model": "m", "max_tokens": 1, "messages": [{ "role": "user", "content": "x" }] });
            for (name, value) in more.as_object().unwrap() {
                body[name] = value.clone();
            }
            body
        };
        assert!(of(Api::Openai, Kind::Chat, &chat(json!({}))).is_some());
        let part = |part: Value| json!({ "messages": [{ "role": "user", "content": [part] }] });
        for more in [
            json!({ "max_tokens": null }),
            json!({ "prediction": { "type": "content", "content": "x" } }),
            json!({ "modalities": ["text", "audio"] }),
            json!({ "service_tier": "priority" }),
            json!({ "service_tier": 7 }),
            json!({ "web_search_options": {} }),
            json!({ "tools": [{ "type": "web_search" }] }),
            json!({ "max_tokens": u64::MAX, "n": 2 }),
            part(json!({ "type": "image_url", "image_url": { "url": "https://x" } })),
            part(json!({ "image_url": { "url": "https://x" } })),
            part(json!({ "type": "text", "text": "x", "file_id": "f" })),
            part(json!({ "type": "input_audio", "input_audio": {} })),
            part(json!({ "type": "whatever comes next" })),
            part(json!({ "type": ["text"] })),
            part(json!({ "video_url": { "url": "https://x" } })),
            part(json!({ "id": "part_1" })),
            json!({ "n_predict": -1 }),
            json!({ "plugins": [{ "id": "web" }] }),
        ] {
            assert_eq!(of(Api::Openai, Kind::Chat, &chat(more.clone())), None, "{more}");
        }
        let picture = json!({ "model": "m", "max_tokens": 1, "messages": [{ "role": "user", "content": [
            { "type": "image", "source": { "type": "base64", "data": "" } }] }] });
        assert_eq!(of(Api::Anthropic, Kind::Messages, &picture), None);
        let goes_on = json!({ "model": "m", "max_output_tokens": 1, "input": "x", "previous_response_id": "r" });
        assert_eq!(of(Api::Openai, Kind::Responses, &goes_on), None);
        let beta = json!({ "max_tokens": 1, "betas": ["fast-mode"] });
        assert_eq!(most(Kind::Messages, r#"{"model":"m"}"#, &beta), None);
    }
}
