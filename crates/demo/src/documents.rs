//! The documents that the agent answers from, cut into sections, and a search over them.
//!
//! They ship inside the binary; nothing else on the disk can be read through them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::text::terms;

const FILES: [(&str, &str); 8] = [
    ("hire.md", include_str!("../documents/hire.md")),
    ("refunds.md", include_str!("../documents/refunds.md")),
    ("locks.md", include_str!("../documents/locks.md")),
    ("moorings.md", include_str!("../documents/moorings.md")),
    ("fuel.md", include_str!("../documents/fuel.md")),
    ("pets.md", include_str!("../documents/pets.md")),
    ("safety.md", include_str!("../documents/safety.md")),
    ("route.md", include_str!("../documents/route.md")),
];

/// A heading and the sentences under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// The file, such as `locks.md`.
    pub(crate) file: &'static str,
    /// The heading.
    pub(crate) heading: &'static str,
    /// One sentence or two per line.
    pub(crate) lines: Vec<&'static str>,
    /// How often each term occurs, heading included.
    terms: BTreeMap<String, u32>,
}

/// A section that matches, best first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    /// Which.
    pub(crate) section: &'static Section,
    /// Higher is better; above 0.
    pub(crate) score: f64,
}

static SECTIONS: LazyLock<Vec<Section>> =
    LazyLock::new(|| FILES.iter().flat_map(|(file, text)| sections_of(file, text)).collect());

/// In how many sections each term occurs.
static SECTIONS_WITH: LazyLock<BTreeMap<&'static str, u32>> = LazyLock::new(|| {
    let mut count = BTreeMap::new();
    for term in SECTIONS.iter().flat_map(|section| section.terms.keys()) {
        *count.entry(term.as_str()).or_default() += 1;
    }
    count
});

fn sections_of(file: &'static str, text: &'static str) -> Vec<Section> {
    let blocks = text.split("\n## ").skip(1);
    blocks
        .map(|block| {
            let (heading, body) = block.split_once('\n').unwrap_or((block, ""));
            let mut counts = BTreeMap::new();
            for term in terms(heading).into_iter().chain(terms(body)) {
                *counts.entry(term).or_default() += 1;
            }
            let lines = body.lines().filter(|line| !line.trim().is_empty()).collect();
            Section { file, heading, lines, terms: counts }
        })
        .collect()
}

/// Every section, in a fixed order.
pub(crate) fn sections() -> &'static [Section] {
    &SECTIONS
}

/// How much a term says: rare terms say more (the inverse document frequency of BM25).
pub(crate) fn weight_of(term: &str) -> f64 {
    let with = f64::from(SECTIONS_WITH.get(term).copied().unwrap_or(0));
    let all = SECTIONS.len() as f64;
    (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
}

/// The sections that share terms with `query`, best first; ties keep the documents' order.
pub(crate) fn search(query: &str, count_max: usize) -> Vec<Hit> {
    let asked: BTreeSet<String> = terms(query).into_iter().collect();
    let mut hits: Vec<Hit> = SECTIONS
        .iter()
        .map(|section| Hit { section, score: score(section, &asked) })
        .filter(|hit| hit.score > 0.0)
        .collect();
    hits.sort_by(|a, b| b.score.total_cmp(&a.score));
    hits.truncate(count_max);
    hits
}

/// BM25 with k₁ = 1.2 and no length normalisation: the sections are of one size.
fn score(section: &Section, asked: &BTreeSet<String>) -> f64 {
    let of = |term: &String| {
        let times = f64::from(section.terms.get(term).copied().unwrap_or(0));
        weight_of(term) * times * 2.2 / (times + 1.2)
    };
    asked.iter().map(of).sum()
}

/// Why a path was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// It leads out of the documents: not an oversight but an attempt.
    Outside,
    /// No such document or section.
    Missing,
}

/// Reads `file.md#heading`.
pub(crate) fn read(path: &str) -> Result<&'static Section, ReadError> {
    let (file, heading) = path.split_once('#').unwrap_or((path, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if file.is_empty() || !file.chars().all(plain) || file.contains("..") {
        return Err(ReadError::Outside);
    }
    SECTIONS
        .iter()
        .find(|section| section.file == file && section.heading == heading)
        .ok_or(ReadError::Missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_can_be_read_by_its_path() {
        assert!(sections().len() > 20);
        for section in sections() {
            let path = format!("{}#{}", section.file, section.heading);
            assert_eq!(read(&path), Ok(section));
            assert!(!section.lines.is_empty(), "{path}");
        }
    }

    #[test]
    fn paths_that_lead_out_are_told_from_paths_that_lead_nowhere() {
        for path in ["../secrets.md#x", "/etc/passwd", "a/b.md", "..", "", "locks.md\0", "%2e%2e/x"]
        {
            assert_eq!(read(path), Err(ReadError::Outside), "{path}");
        }
        for path in ["none.md", "locks.md", "locks.md#None"] {
            assert_eq!(read(path), Err(ReadError::Missing), "{path}");
        }
    }

    #[test]
    fn a_query_without_shared_terms_finds_nothing() {
        assert_eq!(search("zzz qqq", 3), Vec::new());
        assert_eq!(search("", 3), Vec::new());
    }
}
