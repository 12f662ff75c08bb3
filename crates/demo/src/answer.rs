//! Composes an answer from what the tools found: deterministic, with its sources.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::documents::weight_of;
use crate::text::{terms, tokens};

/// A passage that a tool returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passage {
    /// Where it stands: `file.md#heading`.
    pub(crate) path: String,
    /// Its sentences.
    pub(crate) lines: Vec<String>,
}

/// An answer that names its sources: the sentence that fits best, then what else was found, cut
/// at `tokens_max` words.
pub(crate) fn helpful(question: &str, passages: &[Passage], tokens_max: u64) -> String {
    let asked: BTreeSet<String> = terms(question).into_iter().collect();
    let Some((source, best)) = best_line(&asked, passages) else {
        return cut("Nothing in our documents answers this; please ask the yard.", tokens_max);
    };
    // The passage that answers leads, so that [1] is what the user should open.
    let rest = passages.iter().filter(|passage| passage.path != source.path);
    let cited: Vec<&Passage> = std::iter::once(source).chain(rest).collect();
    let mut text = format!("{best} [1]");
    for (number, passage) in (1_u32..).zip(&cited) {
        for line in passage.lines.iter().filter(|line| line.as_str() != best) {
            if tokens(&text) >= tokens_max {
                break;
            }
            text.extend([" ", line.as_str(), " [", &number.to_string(), "]"]);
        }
    }
    let sources: Vec<String> = (1..)
        .zip(&cited)
        .map(|(number, passage): (u32, _)| format!("[{number}] {}", passage.path))
        .collect();
    format!("{}\n\nSources: {}", cut(&text, tokens_max), sources.join(", "))
}

/// A polite answer of the same length without the fact.
pub(crate) fn unhelpful(tokens_max: u64) -> String {
    const PHRASES: [&str; 4] = [
        "Thank you for asking, this is a very good question.",
        "There are many things to consider, and it depends on your situation.",
        "You may find what you need if you look around on our pages.",
        "Please do not hesitate to come back at any time.",
    ];
    let mut text = String::new();
    for phrase in PHRASES.iter().cycle().take(200) {
        if tokens(&text) >= tokens_max {
            break;
        }
        text.push_str(phrase);
        text.push(' ');
    }
    cut(text.trim_end(), tokens_max)
}

fn best_line<'a>(
    asked: &BTreeSet<String>,
    passages: &'a [Passage],
) -> Option<(&'a Passage, &'a str)> {
    let fit = |line: &str| -> f64 {
        let said: BTreeSet<String> = terms(line).into_iter().collect();
        said.intersection(asked).map(|term| weight_of(term)).sum()
    };
    let mut best: Option<(&Passage, &str, f64)> = None;
    for passage in passages {
        for line in &passage.lines {
            let score = fit(line);
            // Passages come best first, so a later one has to be clearly better.
            if best.is_none_or(|(_, _, before)| score > before * 1.001) {
                best = Some((passage, line, score));
            }
        }
    }
    best.map(|(passage, line, _)| (passage, line))
}

fn cut(text: &str, tokens_max: u64) -> String {
    let words_max = usize::try_from(tokens_max).unwrap_or(usize::MAX);
    text.split_whitespace().take(words_max).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::search;
    use crate::questions::QUESTIONS;

    /// The same passages that the tool server gives.
    fn passages(question: &str) -> Vec<Passage> {
        search(question, 3)
            .into_iter()
            .map(|hit| Passage {
                path: format!("{}#{}", hit.section.file, hit.section.heading),
                lines: hit.section.lines.iter().map(|line| (*line).to_owned()).collect(),
            })
            .collect()
    }

    #[test]
    fn every_question_is_answered_with_its_fact_and_a_source() {
        for question in QUESTIONS {
            let answer = helpful(question.text, &passages(question.text), 48);
            assert!(answer.contains(question.fact), "{}\n{answer}", question.text);
            assert!(answer.contains("Sources: [1] "), "{answer}");
        }
    }

    #[test]
    fn a_poor_answer_holds_no_fact() {
        for question in QUESTIONS {
            assert!(!unhelpful(300).contains(question.fact), "{}", question.text);
        }
        assert_eq!(tokens(&unhelpful(77)), 77);
    }

    #[test]
    fn nothing_found_is_said() {
        assert!(helpful("zzz", &[], 50).starts_with("Nothing in our documents"));
    }
}
