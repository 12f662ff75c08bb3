//! The event with token counts that a client of chat completions did not ask for.

use serde::Deserialize;
use serde_json::value::RawValue;

/// Whether an event of a chat holds token counts and nothing else. A provider sends it when it is asked to, last.
pub(crate) fn only_counts(data: &str) -> bool {
    #[derive(Deserialize)]
    struct Chunk<'a> {
        #[serde(borrow)]
        choices: Option<Vec<&'a RawValue>>,
        #[serde(borrow)]
        usage: Option<&'a RawValue>,
    }
    // Most events hold text.
    if memchr::memmem::find(data.as_bytes(), b"\"usage\"").is_none() {
        return false;
    }
    serde_json::from_str::<Chunk<'_>>(data).is_ok_and(|chunk| {
        chunk.choices.is_some_and(|choices| choices.is_empty())
            && chunk.usage.is_some_and(|usage| usage.get() != "null")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_beside_text_are_not_counts_alone() {
        for (data, alone) in [
            (r#"{"id":"c","choices":[],"usage":{"prompt_tokens":1}}"#, true),
            (r#"{"id":"c","usage":{},"choices": [ ]}"#, true),
            (r#"{"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}"#, false),
            (r#"{"choices":[],"usage":null}"#, false),
            (r#"{"choices":[],"prompt_filter_results":[]}"#, false),
            (r#"{"usage":{"prompt_tokens":1}}"#, false),
            (r#"{"choices":[{"delta":{"content":"\"usage\":{}"}}]}"#, false),
            ("[DONE]", false),
            ("{\"usage\"", false),
        ] {
            assert_eq!(only_counts(data), alone, "{data}");
        }
    }
}
