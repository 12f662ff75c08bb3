//! The words that a word becomes once variables have their values.

use super::UNKNOWN;
use super::lex::{Part, Raw, Word};
use super::walk::Walk;

/// Longest word that variables may make.
const WORD_BYTES_MAX: usize = 16 * 1024;

impl Walk {
    pub(super) fn expand(&self, raw: &Raw) -> Vec<Word> {
        if raw.parts.is_empty() {
            return vec![Word::new("")];
        }
        if let ([Part::Arguments], Some(arguments)) = (raw.parts.as_slice(), &self.arguments) {
            return arguments.clone();
        }
        let mut words = vec![String::new()];
        for part in &raw.parts {
            let current = words.last_mut().expect("there is always one word");
            match part {
                Part::Text(text) => current.push_str(text),
                Part::Variable(name, quoted) => match self.vars.get(name) {
                    Some(Some(value)) if current.len() + value.len() > WORD_BYTES_MAX => {
                        current.push(UNKNOWN);
                    }
                    Some(Some(value)) if *quoted => current.push_str(value),
                    Some(Some(value)) => {
                        let mut pieces = value.split_whitespace();
                        current.push_str(pieces.next().unwrap_or_default());
                        words.extend(pieces.map(str::to_owned));
                    }
                    _ => current.push(UNKNOWN),
                },
                Part::Arguments | Part::Unknown | Part::Substitution(..) => current.push(UNKNOWN),
            }
        }
        let vanishes = words.len() == 1 && words[0].is_empty() && !raw.quoted;
        if vanishes { Vec::new() } else { words.into_iter().map(Word::new).collect() }
    }

    pub(super) fn expand_all(&self, raws: &[Raw]) -> Vec<Word> {
        raws.iter().flat_map(|raw| self.expand(raw)).collect()
    }
}
