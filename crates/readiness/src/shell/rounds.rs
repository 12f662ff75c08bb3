//! Loops, round by round where the words that they go through are written out.

use super::lex::{Raw, Word};
use super::parse::List;
use super::walk::{Context, Walk};

/// Most rounds of a script that are gone through one by one.
pub(super) const ROUNDS_MAX: usize = 1_000;

impl Walk {
    /// The rounds of a loop; whether there is one, where that is known.
    pub(super) fn rounds(&mut self, body: &List, certain: Option<bool>, context: &Context) {
        let before = self.flow;
        let inner = Context { blocking: context.blocking.clone(), last: false };
        match certain {
            Some(true) => self.list(body, &inner),
            Some(false) => {}
            None => self.perhaps(&inner, |walk, context| walk.list(body, context)),
        }
        self.flow = self.flow.looped(before);
    }

    /// A loop over words: round by round where all of them are written out.
    pub(super) fn for_each(
        &mut self,
        name: Option<&str>,
        words: Option<&[Raw]>,
        body: &List,
        context: &Context,
    ) {
        let known = match words {
            Some(words) => Some(self.expand_all(words)),
            None => self.arguments.clone(),
        };
        let known = known.filter(|words| words.iter().all(is_one));
        let (Some(name), Some(words)) = (name, known) else {
            // Whatever it held before, it now holds what nobody knows.
            self.vars.extend(name.map(|name| (name.to_owned(), None)));
            let certain = self.has_words(words);
            return self.rounds(body, certain, context);
        };
        let Some(left) = self.rounds_left.checked_sub(words.len()) else {
            self.vars.insert(name.to_owned(), None);
            return self.rounds(body, Some(true), context);
        };
        self.rounds_left = left;
        let before = self.flow;
        for (at, word) in words.iter().enumerate() {
            self.vars.insert(name.to_owned(), Some(word.text.clone()));
            // The status of a loop is that of its last round.
            let last = context.last && at + 1 == words.len();
            self.list(body, &Context { blocking: context.blocking.clone(), last });
            self.flow = self.flow.rounded(before);
            if self.flow.has_ended() {
                break;
            }
        }
        self.flow = self.flow.looped(before);
    }

    /// Whether a loop has words to go through.
    fn has_words(&self, words: Option<&[Raw]>) -> Option<bool> {
        match (words, &self.arguments) {
            (Some(words), _) => {
                let words = self.expand_all(words);
                if words.iter().any(Word::is_fixed) {
                    Some(true)
                } else {
                    words.is_empty().then_some(false)
                }
            }
            (None, Some(arguments)) => Some(!arguments.is_empty()),
            (None, None) => None,
        }
    }
}

/// Whether a word stays one: not a pattern, which becomes the files that are there, nor several in braces.
fn is_one(word: &Word) -> bool {
    word.is_fixed() && !word.text.contains(['*', '?', '[', '{'])
}
