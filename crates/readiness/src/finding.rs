//! What is found: checks with their outcomes, and the lines that prove them.

use serde::{Deserialize, Serialize};

use crate::attest::{Attestation, Suppression};
use crate::secret::without_secrets;

/// Longest excerpt, in characters.
const EXCERPT_CHARS_MAX: usize = 160;

/// How a check came out. Unknown is a state of its own and passes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Shown by evidence.
    Pass,
    /// Not so.
    Fail,
    /// Asks for something that this repository has no use for.
    NotApplicable,
    /// The files cannot show it.
    Unknown,
}

/// A place in a file; line and column count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Place {
    /// Where a text starts.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// Who shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A file of the repository.
    File,
    /// An answer of the forge's API.
    Forge,
}

impl Source {
    /// Whether it is a file of the repository.
    pub fn is_file(&self) -> bool {
        *self == Self::File
    }
}

/// A line that shows something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Evidence {
    /// Path of the file, from the root. Of an answer: the forge, a colon, and the path that was asked, from the root of
    /// its API.
    pub file: String,
    /// The line, from 1. An answer is laid out with each value on a line of its own, as `jq .` does.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
    /// The line as it stands there, cut when it is long.
    pub text: String,
    /// Who shows it; in JSON only where it is no file.
    #[serde(skip_serializing_if = "Source::is_file")]
    pub source: Source,
}

impl Evidence {
    /// The line at a place of a text.
    pub(crate) fn at(file: &str, text: &str, place: Place) -> Self {
        let index = usize::try_from(place.line).unwrap_or(usize::MAX).saturating_sub(1);
        Self::shown(file, text.lines().nth(index).unwrap_or_default(), place)
    }

    /// A line that is at a place.
    pub(crate) fn shown(file: &str, line: &str, place: Place) -> Self {
        Self {
            file: file.to_owned(),
            line: place.line,
            column: place.column,
            text: excerpt(line),
            source: Source::File,
        }
    }

    /// The line at a place of an answer of the forge.
    pub(crate) fn in_answer(file: &str, text: &str, place: Place) -> Self {
        Self { source: Source::Forge, ..Self::at(file, text, place) }
    }

    /// An answer of the forge that has no text, in words.
    pub(crate) fn answer(file: &str, words: &str) -> Self {
        Self::in_answer(file, words, Place::START)
    }

    /// The file itself, by its first line that says something.
    pub(crate) fn file(file: &str, text: &str) -> Self {
        let mut ends: Option<&str> = None;
        let says = |line: &str| {
            let line = line.trim();
            if let Some(end) = ends {
                ends = ends.filter(|_| !line.contains(end));
                return false;
            }
            let begun =
                [("/*", "*/"), ("<!--", "-->"), ("{-", "-}"), ("{{/*", "*/"), ("{{- /*", "*/")];
            if let Some((start, end)) = begun.into_iter().find(|(start, _)| line.starts_with(start))
            {
                ends = Some(end).filter(|end| !line[start.len()..].contains(end));
                return false;
            }
            let marks = ["#", "//", "--", ";", "<?xml"];
            !line.is_empty() && !marks.iter().any(|mark| line.starts_with(mark))
        };
        let at = text.lines().position(says).unwrap_or(0);
        Self::line(file, text, at)
    }

    /// A line of a text, counted from 0, from its first character that is no space.
    pub(crate) fn line(file: &str, text: &str, index: usize) -> Self {
        Self::indented(file, text.lines().nth(index).unwrap_or_default(), index)
    }

    /// A line, counted from 0, from its first character that is no space.
    pub(crate) fn indented(file: &str, line: &str, index: usize) -> Self {
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        let place = Place { line: count(index + 1), column: count(indent + 1) };
        Self::shown(file, line, place)
    }
}

/// A number of lines or columns.
pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// One line, trimmed, without controls, and not longer than people look at.
pub(crate) fn excerpt(line: &str) -> String {
    // A line may be a whole file.
    let start: String = line.trim().chars().take(4 * EXCERPT_CHARS_MAX).collect();
    cut(&without_secrets(&start), EXCERPT_CHARS_MAX)
}

/// The same of another length.
pub(crate) fn cut(line: &str, chars_max: usize) -> String {
    let plain = line.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut text: String = plain.clone().take(chars_max).collect();
    if plain.count() > chars_max {
        text.push('…');
    }
    text
}

/// Marks that turn the direction of text or cannot be seen.
pub(crate) fn is_unseen(c: char) -> bool {
    matches!(c, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// A check and how it came out here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable: `dimension.check`.
    pub id: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// The level that it belongs to; none when it is asked for beside the levels.
    pub level: Option<u8>,
    /// What shows it, or shows why not.
    pub evidence: Vec<Evidence>,
    /// Why it came out so.
    pub reason: String,
    /// What is at risk without it.
    pub risk: &'static str,
    /// What would change it.
    pub fix: &'static str,
    /// Files that were handed in and that it was weighed with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<String>,
    /// Who says that it is so, when the files cannot show it. It stays unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attested: Option<Attestation>,
    /// Why it is accepted for a time. It stays what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<Suppression>,
}

impl Check {
    /// How it comes out for one who takes people's word for what no file shows.
    pub fn outcome_with_attestation(&self) -> Outcome {
        if self.attested.is_some() { Outcome::Pass } else { self.outcome }
    }

    /// How it would come out if what is unknown were so.
    pub(crate) fn outcome_at_best(&self) -> Outcome {
        if self.outcome == Outcome::Unknown { Outcome::Pass } else { self.outcome }
    }

    /// Neither shown nor without use here.
    pub fn is_open(&self) -> bool {
        matches!(self.outcome, Outcome::Fail | Outcome::Unknown)
    }
}

/// The evidence that is shown of a check.
pub(crate) const EVIDENCE_MAX: usize = 5;

/// How a check came out, before it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) reason: String,
    /// Names of files that were handed in.
    pub(crate) given: Vec<String>,
}

impl Finding {
    pub(crate) fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { outcome, evidence: Vec::new(), reason: reason.into(), given: Vec::new() }
    }

    pub(crate) fn pass(reason: impl Into<String>) -> Self {
        Self::new(Outcome::Pass, reason)
    }

    pub(crate) fn fail(reason: impl Into<String>) -> Self {
        Self::new(Outcome::Fail, reason)
    }

    pub(crate) fn unknown(reason: impl Into<String>) -> Self {
        Self::new(Outcome::Unknown, reason)
    }

    pub(crate) fn with(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        for one in evidence {
            if self.evidence.len() == EVIDENCE_MAX {
                break;
            }
            if !self.evidence.contains(&one) {
                self.evidence.push(one);
            }
        }
        self
    }

    /// Says which files that were handed in it rests on.
    pub(crate) fn given<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        for name in names {
            if !self.given.iter().any(|known| known == name) {
                self.given.push(name.to_owned());
            }
        }
        self
    }
}
