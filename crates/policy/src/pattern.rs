//! Shapes of texts: `*` stands for anything, also for nothing; `\*` and `\\` stand for themselves.

use std::fmt;

/// A piece of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// This character.
    Char(char),
    /// Anything, also nothing, also `/`.
    Any,
}

/// The shape of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

impl Pattern {
    /// The pattern that `text` writes; `None` when a `\` stands before something else.
    pub fn new(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            pieces.push(match c {
                '*' => Piece::Any,
                '\\' => match chars.next() {
                    Some(escaped @ ('*' | '\\')) => Piece::Char(escaped),
                    _ => return None,
                },
                plain => Piece::Char(plain),
            });
        }
        // `**` says no more than `*`, and costs more.
        pieces.dedup_by(|a, b| *a == Piece::Any && *b == Piece::Any);
        Some(Self(pieces))
    }

    /// Its pieces, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Whether `text` has this shape.
    pub fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut piece) = (0, 0);
        // Where to go on when what follows the last `*` does not fit: the `*` takes one character more.
        let mut retry = None;
        while at < text.len() {
            match self.0.get(piece) {
                Some(Piece::Any) => {
                    retry = Some((piece, at));
                    piece += 1;
                }
                Some(Piece::Char(c)) if *c == text[at] => {
                    piece += 1;
                    at += 1;
                }
                _ => match retry {
                    Some((any, from)) => {
                        retry = Some((any, from + 1));
                        piece = any + 1;
                        at = from + 1;
                    }
                    None => return false,
                },
            }
        }
        self.0[piece..].iter().all(|rest| *rest == Piece::Any)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Any => f.write_str("*")?,
                Piece::Char(c @ ('*' | '\\')) => write!(f, "\\{c}")?,
                Piece::Char(c) => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_an_escaped_one_for_itself() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*", "a/b", true),
            ("a*c", "abcabc", true),
            ("a*c", "abcab", false),
            ("*.txt", "x.txt.exe", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("\\\\", "\\", true),
            ("", "", true),
            ("", "a", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
        ] {
            let read = Pattern::new(pattern).unwrap();
            assert_eq!(read.fits(text), fits, "{pattern} {text}");
            assert_eq!(Pattern::new(&read.to_string()), Some(read));
        }
        assert!(Pattern::new("a\\b").is_none() && Pattern::new("a\\").is_none());
    }
}
