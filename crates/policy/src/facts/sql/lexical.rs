//! Texts that every database splits into the same tokens.
//!
//! They differ in: backslashes before quotes, `#` and `--x` comments, nested comments, comments that MySQL runs,
//! dollar quotes, prefixes of strings, and whether a carriage return ends a comment.

use sqlparser::dialect::Dialect;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use crate::facts::{Decided, unicode};

/// Operators that can nest what is left of them, each once: the tree that is walked is as deep.
const NESTING_MAX: usize = 256;

const NESTING_WORDS: [&str; 24] = [
    "AND",
    "OR",
    "XOR",
    "NOT",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "MINUS",
    "IS",
    "ISNULL",
    "NOTNULL",
    "LIKE",
    "ILIKE",
    "RLIKE",
    "REGEXP",
    "SIMILAR",
    "BETWEEN",
    "IN",
    "COLLATE",
    "AT",
    "DIV",
    "MOD",
    "OVERLAPS",
    "MEMBER",
];

/// What can be seen before the text is split.
pub(super) fn unambiguous(text: &str) -> Decided<()> {
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        return Err("control characters");
    }
    let bytes = text.as_bytes();
    for pair in bytes.windows(2) {
        match pair {
            [b'\\', b'\'' | b'"' | b'`'] => return Err("a backslash before a quote"),
            [b'\r', after] if *after != b'\n' => return Err("a carriage return by itself"),
            _ => {}
        }
    }
    if ["/*!", "/*M!", "/*+"].iter().any(|hint| text.contains(hint)) {
        return Err("a comment that some databases run");
    }
    Ok(())
}

/// The tokens, if the dialect can split the text.
pub(super) fn tokens(text: &str, dialect: &dyn Dialect) -> Decided<Option<Vec<Token>>> {
    let Ok(tokens) = Tokenizer::new(dialect, text).tokenize() else { return Ok(None) };
    if matches!(tokens.last(), Some(Token::Whitespace(Whitespace::MultiLineComment(_))))
        && !text.ends_with("*/")
    {
        return Err("an open comment");
    }
    let mut nesting = 0;
    for token in &tokens {
        if let Some(why) = ambiguous(token) {
            return Err(why);
        }
        nesting += usize::from(nests(token));
    }
    if nesting > NESTING_MAX { Err("too deep") } else { Ok(Some(tokens)) }
}

pub(super) fn is_comment(token: &Token) -> bool {
    matches!(
        token,
        Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_))
    )
}

fn ambiguous(token: &Token) -> Option<&'static str> {
    match token {
        Token::Whitespace(Whitespace::SingleLineComment { comment, prefix }) => {
            let spaced = comment.is_empty() || comment.starts_with([' ', '\t', '\n', '\r']);
            (prefix != "--" || !spaced).then_some("a comment that is none to some databases")
        }
        Token::Whitespace(Whitespace::MultiLineComment(text)) => {
            text.contains("/*").then_some("nested comments")
        }
        Token::DollarQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::TripleSingleQuotedString(_)
        | Token::TripleDoubleQuotedString(_)
        | Token::TripleSingleQuotedByteStringLiteral(_)
        | Token::TripleDoubleQuotedByteStringLiteral(_)
        | Token::TripleSingleQuotedRawStringLiteral(_)
        | Token::TripleDoubleQuotedRawStringLiteral(_)
        | Token::SingleQuotedRawStringLiteral(_)
        | Token::DoubleQuotedRawStringLiteral(_)
        | Token::QuoteDelimitedStringLiteral(_)
        | Token::NationalQuoteDelimitedStringLiteral(_) => {
            Some("a string that databases read differently")
        }
        Token::Word(word)
            if word.quote_style.is_none()
                && word.value.chars().any(|c| unicode::ambiguous(c).is_some()) =>
        {
            Some("characters that databases read differently")
        }
        Token::Backslash | Token::CopyData { .. } | Token::Sharp => {
            Some("not SQL to all databases")
        }
        _ => None,
    }
}

fn nests(token: &Token) -> bool {
    match token {
        Token::Word(word) => {
            word.quote_style.is_none()
                && NESTING_WORDS.iter().any(|nesting| word.value.eq_ignore_ascii_case(nesting))
        }
        Token::Number(..)
        | Token::Whitespace(_)
        | Token::Comma
        | Token::LParen
        | Token::RParen
        | Token::Period
        | Token::SemiColon
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::Placeholder(_)
        | Token::EOF => false,
        _ => true,
    }
}
