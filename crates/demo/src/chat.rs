//! The part of the `OpenAI` chat completions API that the agent speaks.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::text::tokens;

/// What a client asks.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ChatRequest {
    /// The conversation so far; the last message of a user is the question.
    pub(crate) messages: Vec<Message>,
    /// Older name of the next field.
    pub(crate) max_tokens: Option<u64>,
    /// Longest answer.
    pub(crate) max_completion_tokens: Option<u64>,
    /// Whether the answer comes as server-sent events.
    #[serde(default)]
    pub(crate) stream: bool,
    /// What a stream carries besides.
    pub(crate) stream_options: Option<StreamOptions>,
}

/// What a stream carries besides the text.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct StreamOptions {
    /// Whether usage comes in a last event.
    #[serde(default)]
    pub(crate) include_usage: bool,
}

/// One message.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Message {
    /// `system`, `user`, `assistant` …
    pub(crate) role: String,
    /// Text, or parts of which `text` ones count.
    pub(crate) content: Value,
}

impl Message {
    /// Its text; parts that are no text are left out.
    pub(crate) fn text(&self) -> String {
        match &self.content {
            Value::String(text) => text.clone(),
            Value::Array(parts) => {
                let texts = parts.iter().filter_map(|part| part["text"].as_str());
                texts.collect::<Vec<_>>().join(" ")
            }
            _ => String::new(),
        }
    }
}

/// Words of an answer when the client sets no limit.
const TOKENS_DEFAULT: u64 = 160;

impl ChatRequest {
    /// The question: the last line of the last message of a user. Lines before it are history.
    pub(crate) fn question(&self) -> Option<String> {
        let message = self.messages.iter().rev().find(|message| message.role == "user")?;
        let text = message.text();
        let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
        Some(line.trim().to_owned())
    }

    /// Longest visible answer.
    pub(crate) fn tokens_max(&self) -> u64 {
        self.max_completion_tokens.or(self.max_tokens).unwrap_or(TOKENS_DEFAULT).clamp(1, 4_000)
    }

    /// Tokens of all messages.
    pub(crate) fn prompt_tokens(&self) -> u64 {
        self.messages.iter().map(|message| tokens(&message.text())).sum()
    }
}

/// What was used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// Read.
    pub(crate) prompt: u64,
    /// Written, reasoning included.
    pub(crate) completion: u64,
    /// Of those, reasoning that nobody sees.
    pub(crate) reasoning: u64,
}

impl Used {
    fn json(self) -> Value {
        json!({
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        })
    }
}

/// An answer before it is put into bytes.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// Its id.
    pub(crate) id: String,
    /// Seconds since the Unix epoch. Derived from the request, so that one request always gives
    /// the same bytes.
    pub(crate) created: u64,
    /// The model it names.
    pub(crate) model: String,
    /// The text.
    pub(crate) text: String,
    /// What was used.
    pub(crate) used: Used,
}

impl Reply {
    /// As one JSON document.
    pub(crate) fn whole(&self) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": self.text, "refusal": null},
                "logprobs": null,
                "finish_reason": "stop",
            }],
            "usage": self.used.json(),
            "service_tier": "default",
        })
    }

    /// As server-sent events: the role, the text in `pieces`, the end, usage if asked for.
    pub(crate) fn events(&self, pieces: usize, include_usage: bool) -> Vec<String> {
        let words: Vec<&str> = self.text.split_inclusive(' ').collect();
        let piece_len = words.len().div_ceil(pieces.max(1)).max(1);
        let start = self.event(&json!({"role": "assistant", "content": ""}), None, include_usage);
        let texts = words
            .chunks(piece_len)
            .map(|piece| self.event(&json!({"content": piece.concat()}), None, include_usage));
        let end = self.event(&json!({}), Some("stop"), include_usage);
        let mut events: Vec<String> =
            std::iter::once(start).chain(texts).chain(std::iter::once(end)).collect();
        if include_usage {
            let mut last = self.frame(&json!([]));
            last["usage"] = self.used.json();
            events.push(format!("data: {last}\n\n"));
        }
        events.push("data: [DONE]\n\n".to_owned());
        events
    }

    fn event(&self, delta: &Value, finish: Option<&str>, usage_null: bool) -> String {
        let mut frame = self.frame(&json!([
            {"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}
        ]));
        if usage_null {
            frame["usage"] = Value::Null;
        }
        format!("data: {frame}\n\n")
    }

    fn frame(&self, choices: &Value) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        })
    }
}

/// An error in the API's own form.
pub(crate) fn error(message: &str, kind: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": null}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply() -> Reply {
        Reply {
            id: "chatcmpl-1".into(),
            created: 1,
            model: "m".into(),
            text: "one two three four five six seven".into(),
            used: Used { prompt: 3, completion: 9, reasoning: 2 },
        }
    }

    #[test]
    fn pieces_of_a_stream_make_the_whole_text() {
        for pieces in [0, 1, 3, 50] {
            let events = reply().events(pieces, true);
            let text: String = events
                .iter()
                .filter_map(|event| event.strip_prefix("data: {"))
                .map(|rest| serde_json::from_str::<Value>(&format!("{{{rest}")).expect("JSON"))
                .filter_map(|frame| {
                    frame["choices"][0]["delta"]["content"].as_str().map(str::to_owned)
                })
                .collect();
            assert_eq!(text, reply().text);
            assert_eq!(events.last().map(String::as_str), Some("data: [DONE]\n\n"));
        }
    }

    #[test]
    fn usage_comes_only_when_asked_for_and_adds_up() {
        assert!(reply().events(2, false).iter().all(|event| !event.contains("usage")));
        let events = reply().events(2, true);
        assert!(events[events.len() - 2].contains(r#""total_tokens":12"#));
        assert_eq!(reply().whole()["usage"]["total_tokens"], 12);
    }

    #[test]
    fn the_question_is_the_last_line_of_the_last_user() {
        let request: ChatRequest = serde_json::from_value(json!({"messages": [
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "no"},
            {"role": "user", "content": [{"type": "text", "text": "history\nWhat now?\n"}]},
        ]}))
        .expect("a request");
        assert_eq!(request.question().as_deref(), Some("What now?"));
        assert_eq!(request.prompt_tokens(), 5);
    }
}
