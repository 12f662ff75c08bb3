//! A regular expression that costs a bounded amount of memory and time.

use std::sync::{Arc, OnceLock};

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// The most bytes of an answer that an expression is sought in. Time grows with their number times
/// the size of the expression, and whoever answers chooses both the bytes and their number.
pub const MATCHED_BYTES_MAX: usize = 64 * 1024;

/// Memory that one expression may take once compiled, bytes.
const PROGRAM_BYTES_MAX: usize = 256 * 1024;
/// Memory that a search may take for what it learns on the way, bytes; beyond that it goes slower.
const LEARNT_BYTES_MAX: usize = 512 * 1024;

/// An expression. Compiled when it is first used, and then once for all its copies.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Pattern {
    text: String,
    compiled: Arc<OnceLock<Option<Regex>>>,
}

impl Pattern {
    /// Why this text is no expression, or too large a one.
    pub fn fault(text: &str) -> Option<String> {
        compile(text).err().map(|error| error.to_string())
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is found in `body`. An invalid one is found nowhere.
    pub(super) fn is_in(&self, body: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| compile(&self.text).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(body))
    }
}

fn compile(text: &str) -> Result<Regex, regex::Error> {
    let mut builder = RegexBuilder::new(text);
    builder.size_limit(PROGRAM_BYTES_MAX).dfa_size_limit(LEARNT_BYTES_MAX).build()
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self { text, compiled: Arc::default() }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_compiled_once_for_all_copies() {
        let pattern = Pattern::from("a+b".to_owned());
        let copy = pattern.clone();
        assert!(pattern.compiled.get().is_none());
        assert!(copy.is_in("xaab") && !copy.is_in("xa"));
        assert!(pattern.compiled.get().is_some());
    }

    #[test]
    fn it_is_written_as_its_text() {
        let text = serde_json::to_string(&Pattern::from("[0-9]+".to_owned())).unwrap();
        assert_eq!(text, "\"[0-9]+\"");
        let read: Pattern = serde_json::from_str(&text).unwrap();
        assert_eq!(read.as_str(), "[0-9]+");
        assert!(read.is_in("7"));
    }

    #[test]
    fn a_text_that_is_no_expression_or_too_large_a_one_is_not_valid() {
        assert_eq!(Pattern::fault("[ab]*a[ab]{800}c"), None);
        assert!(Pattern::fault("(").is_some());
        assert!(Pattern::fault("(?:a{1000}){1000}").is_some());
        assert!(!Pattern::from("(".to_owned()).is_in("("));
    }
}
