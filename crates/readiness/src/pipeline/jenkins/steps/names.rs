//! Names of a file that get values, by the words around them.

use std::collections::{HashMap, HashSet};

use super::super::lex::{Placed, Token};

/// Longest list of parameters that is looked at.
const LIST_MAX: usize = 64;

/// How often each name gets a value.
pub(super) fn assigned(tokens: &[Placed]) -> HashMap<String, usize> {
    let mut all = HashMap::new();
    for pair in tokens.windows(2) {
        let Token::Sign(sign) = &pair[1].token else { continue };
        if let Token::Name(name) = &pair[0].token
            && matches!(*sign, "=" | "+=" | "-=" | "?=" | "<<=" | "*=" | "++" | "--")
        {
            *all.entry(name.clone()).or_default() += 1;
        }
    }
    all
}

/// Names that get values in other ways: parameters of closures and functions, of loops, of catches, and such as are
/// declared without a value.
pub(super) fn bound(tokens: &[Placed]) -> HashSet<String> {
    let mut all = HashSet::new();
    let name = |at: usize| match tokens.get(at).map(|placed| &placed.token) {
        Some(Token::Name(name)) => Some(name.as_str()),
        _ => None,
    };
    for (at, placed) in tokens.iter().enumerate() {
        match &placed.token {
            Token::Sign("->") => {
                let before = (0..at).rev().take(LIST_MAX).map_while(|at| match &tokens[at].token {
                    Token::Name(name) => Some(Some(name.clone())),
                    Token::Sign("," | "(" | ")") | Token::Line => Some(None),
                    _ => None,
                });
                all.extend(before.flatten());
            }
            Token::Name(word) if matches!(word.as_str(), "def" | "catch" | "for") => {
                // `def a(b, c)`, `def (a, b)`, `catch (A | B e)`, `for (a in b)`.
                let list =
                    (at + 1..tokens.len()).take(LIST_MAX).map_while(|at| match &tokens[at].token {
                        Token::Sign(")" | "{" | "=") | Token::Line => None,
                        Token::Name(name) if name == "in" => None,
                        _ => Some(name(at).map(str::to_owned)),
                    });
                all.extend(list.flatten());
            }
            _ => {}
        }
    }
    all
}
