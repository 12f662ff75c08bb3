//! Which shape an agent system should have: from answers to ranked shapes, each with its reasons, and what would change it.
//!
//! Every criterion counts one for a shape or against it, none more than another. What excludes a shape is no point:
//! the shape comes last, whatever else fits. Shapes with as many points are tied, and are told as tied.

mod answer;
mod criteria;
mod file;

use std::cmp::Reverse;

use serde::Serialize;

pub use self::answer::{Answer, Answers, NotAnAnswer, Question};
pub use self::criteria::{Reason, Row, Verdict, reasons};
pub use self::file::{Mistake, read};
use crate::gate::Scenario;

/// The version of the JSON that an advice becomes.
pub const SCHEMA: u32 = 1;

/// The shapes for some answers. As JSON the same bytes for the same answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The version of this form.
    pub schema: u32,
    /// What was answered.
    pub answers: Answers,
    /// The shape that comes first; several when they are tied.
    pub first: Vec<Scenario>,
    /// All shapes, the first one first. Tied ones have the same rank.
    pub ranked: Vec<Ranked>,
    /// Each single other answer that would bring another shape, or a tie, or the end of one, to the first place.
    pub would_change: Vec<Change>,
    /// What was not answered.
    pub unknown: Vec<Unknown>,
    /// Whether no answers to what is unknown, however many of them, would change what comes first.
    pub settled: bool,
    /// What follows.
    pub next: Next,
}

/// A shape in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ranked {
    /// One more than there are better ones.
    pub rank: usize,
    /// Which shape.
    pub shape: Scenario,
    /// How many criteria are for it.
    pub fits: usize,
    /// How many are against it.
    pub against: usize,
    /// The questions whose answers exclude it.
    pub excluded_by: Vec<Question>,
    /// Why, by question.
    pub reasons: Vec<Told>,
}

/// A reason with the answer that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// To what.
    pub question: Question,
    /// The answer.
    pub answer: Answer,
    /// By which row of the table.
    pub row: Row,
    /// For or against.
    pub verdict: Verdict,
    /// Why.
    pub text: &'static str,
}

/// An answer that would change what comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// To what.
    pub question: Question,
    /// The answer now.
    pub from: Answer,
    /// The answer that would change it; of a number, the nearest of its kind to the other kinds.
    pub to: Answer,
    /// All answers of the kind, such as `2 or more`.
    pub kind: String,
    /// What would come first then.
    pub first: Vec<Scenario>,
}

/// A question without an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// Which.
    pub question: Question,
    /// The answers that, each given alone, would change what comes first.
    pub would_change: Vec<Given>,
}

/// An answer to what is unknown, and what would come first with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Given {
    /// The answer.
    pub to: Answer,
    /// All answers of the kind, such as `2 or more`.
    pub kind: String,
    /// What would come first then.
    pub first: Vec<Scenario>,
}

/// What follows an advice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Next {
    /// What `lockgate assess --require` should ask for; none while shapes are tied.
    pub require: Option<String>,
}

/// The shapes for some answers.
pub fn advise(answers: &Answers) -> Advice {
    let ranked = ranked(answers);
    let first = first(answers);
    let would_change = answers.iter().flat_map(|from| changes(answers, from, &first)).collect();
    let unknown = answers.unknown().map(|question| unknown(answers, question, &first)).collect();
    let require = match first.as_slice() {
        [only] => Some(format!("scenario={}", only.name())),
        _ => None,
    };
    Advice {
        schema: SCHEMA,
        answers: answers.clone(),
        settled: is_settled(answers, &first),
        first,
        ranked,
        would_change,
        unknown,
        next: Next { require },
    }
}

/// What the criteria add up to. The greater is the better one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    excluded: Reverse<bool>,
    points: i32,
}

impl Score {
    fn of(answers: &Answers, shape: Scenario) -> Self {
        let mut score = Self::default();
        for reason in answers.iter().flat_map(reasons).filter(|reason| reason.shape == shape) {
            match reason.verdict {
                Verdict::Fits => score.points += 1,
                Verdict::Against => score.points -= 1,
                Verdict::Excludes => score.excluded = Reverse(true),
                Verdict::Neutral => {}
            }
        }
        if score.excluded.0 {
            // Among excluded shapes points say nothing.
            score.points = 0;
        }
        score
    }
}

/// The shapes that none is better than, but for excluded ones.
fn first(answers: &Answers) -> Vec<Scenario> {
    let scores = Scenario::ALL.map(|shape| (shape, Score::of(answers, shape)));
    let best = scores.iter().map(|(_, score)| *score).max().unwrap_or_default();
    let is_first = |score: &Score| *score == best && !score.excluded.0;
    scores.into_iter().filter(|(_, score)| is_first(score)).map(|(shape, _)| shape).collect()
}

fn ranked(answers: &Answers) -> Vec<Ranked> {
    let mut scores = Scenario::ALL.map(|shape| (Score::of(answers, shape), shape));
    // Tied ones stay in the order of all.
    scores.sort_by_key(|(score, _)| Reverse(*score));
    scores
        .iter()
        .map(|(score, shape)| {
            let better = scores.iter().filter(|(other, _)| other > score).count();
            of_shape(answers, *shape, better + 1)
        })
        .collect()
}

fn of_shape(answers: &Answers, shape: Scenario, rank: usize) -> Ranked {
    let told = |answer: Answer| {
        let about = reasons(answer).iter().filter(move |reason| reason.shape == shape);
        about.map(move |reason| Told {
            question: answer.question(),
            answer,
            row: reason.row,
            verdict: reason.verdict,
            text: reason.text,
        })
    };
    let reasons: Vec<Told> = answers.iter().flat_map(told).collect();
    let of = |verdict: Verdict| reasons.iter().filter(move |told| told.verdict == verdict);
    Ranked {
        rank,
        shape,
        fits: of(Verdict::Fits).count(),
        against: of(Verdict::Against).count(),
        excluded_by: of(Verdict::Excludes).map(|told| told.question).collect(),
        reasons,
    }
}

/// The answers to a question that would change what comes first, one of each kind.
fn others(answers: &Answers, question: Question, now: &[Scenario]) -> Vec<Given> {
    let given = |to: Answer| Given { to, kind: to.kind(), first: first(&answers.with(to)) };
    question.choices().into_iter().map(given).filter(|given| given.first != now).collect()
}

fn changes(answers: &Answers, from: Answer, now: &[Scenario]) -> Vec<Change> {
    let question = from.question();
    others(answers, question, now)
        .into_iter()
        .map(|Given { to, kind, first }| Change { question, from, to, kind, first })
        .collect()
}

fn unknown(answers: &Answers, question: Question, now: &[Scenario]) -> Unknown {
    Unknown { question, would_change: others(answers, question, now) }
}

/// Tries all answers to what is unknown; with nothing answered these are a few thousand, and an early one differs.
fn is_settled(answers: &Answers, now: &[Scenario]) -> bool {
    match answers.unknown().next() {
        None => first(answers) == now,
        Some(question) => {
            question.choices().into_iter().all(|answer| is_settled(&answers.with(answer), now))
        }
    }
}

#[cfg(test)]
mod tests;
