//! A program and its arguments as a list of words, which no shell reads. The facts are those of [`super::shell`].

use serde_json::Value;

use super::shell::{BYTES_MAX, FACTS, Word, facts_of_words};
use super::{Decided, Fact, unknown};

/// More words than a person reads.
pub(super) const WORDS_MAX: usize = 1024;

pub(super) fn extract(argument: &Value) -> Vec<Fact> {
    match words(argument) {
        Ok(words) => facts_of_words(&words),
        Err(why) => unknown(FACTS, why),
    }
}

fn words(argument: &Value) -> Decided<Vec<Word>> {
    let Value::Array(items) = argument else { return Err("not a list of texts") };
    if items.is_empty() {
        return Err("nothing to run");
    }
    if items.len() > WORDS_MAX {
        return Err("too long");
    }
    let mut bytes = 0;
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        let text = item.as_str().ok_or("not a list of texts")?;
        bytes += text.len();
        if bytes > BYTES_MAX {
            return Err("too long");
        }
        if text.contains('\0') {
            return Err("control characters");
        }
        words.push(Word::literal(text));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn programs(argument: &Value) -> Option<Vec<String>> {
        match extract(argument).swap_remove(3) {
            Fact::Texts(found) => Some(found.into_iter().collect()),
            _ => None,
        }
    }

    #[test]
    fn words_are_not_split() {
        for (argument, expected) in [
            (json!(["ls", "; rm x", "$(id)"]), vec!["ls"]),
            (json!(["/bin/sh", "-c", "ls; rm x"]), vec!["ls", "rm", "sh"]),
            (json!(["env", "X=$Y", "rm"]), vec!["env", "rm"]),
        ] {
            let expected = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(programs(&argument), Some(expected), "{argument}");
        }
        for argument in [
            json!([]),
            json!("ls"),
            json!(["ls", 1]),
            json!(["ls -l"]),
            json!(["X=1", "ls"]),
            json!([""]),
            json!(["sh", "x"]),
        ] {
            assert_eq!(programs(&argument), None, "{argument}");
        }
    }
}
