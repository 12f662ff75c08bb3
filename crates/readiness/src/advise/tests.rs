//! From answers to places.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::gate::Scenario::{Microservices, Monolith, Serverless};

fn n(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// What the table has the monolith for, in every row.
fn prototype() -> [Answer; 6] {
    [
        Answer::Prototype,
        Answer::Agents(n(1)),
        Answer::InternalState,
        Answer::Steady,
        Answer::DevOps,
        Answer::Fixed,
    ]
}

fn of(answers: &[Answer]) -> Advice {
    advise(&answers.iter().copied().collect())
}

#[test]
fn each_shape_comes_first_where_the_table_says_that_it_fits() {
    let prototype = prototype();
    let platform = [
        Answer::Enterprise,
        Answer::Agents(n(5)),
        Answer::SharedState,
        Answer::Alone,
        Answer::Containers,
        Answer::ByUse,
    ];
    let queries = [
        Answer::Queries,
        Answer::Stateless,
        Answer::Random,
        Answer::LowLatency,
        Answer::Platform,
        Answer::ByExecution,
        Answer::LongestRequestS(n(20)),
    ];
    for (answers, shape) in
        [(&prototype[..], Monolith), (&platform, Microservices), (&queries, Serverless)]
    {
        let advice = of(answers);
        assert_eq!(advice.first, [shape]);
        assert_eq!(advice.ranked[0].shape, shape);
        assert_eq!((advice.ranked[0].rank, advice.ranked[0].against), (1, 0));
        assert_eq!(advice.next.require, Some(format!("scenario={}", shape.name())));
    }
}

#[test]
fn an_exclusion_is_no_point_and_nothing_outweighs_it() {
    let wanted = [
        Answer::Queries,
        Answer::Random,
        Answer::LowLatency,
        Answer::Platform,
        Answer::ByExecution,
    ];
    assert_eq!(of(&wanted).first, [Serverless]);
    for (excluding, question) in [
        (Answer::SharedState, Question::State),
        (Answer::InternalState, Question::State),
        (Answer::LongestRequestS(n(61)), Question::LongestRequestS),
    ] {
        let advice = of(&[&wanted[..], &[excluding]].concat());
        let last = &advice.ranked[2];
        assert_eq!((last.shape, last.rank), (Serverless, 3), "{excluding:?}");
        assert_eq!(last.excluded_by, [question]);
        assert!(last.fits > advice.ranked[0].fits, "{excluding:?}");
        assert_eq!(last.against, 0);
        assert!(!advice.first.contains(&Serverless));
        let back = advice.would_change.iter().find(|change| change.first == [Serverless]);
        assert_eq!(back.map(|change| change.question), Some(question));
    }
}

#[test]
fn a_tie_is_told_as_a_tie() {
    let advice = of(&[Answer::Agents(n(1))]);
    assert_eq!(advice.first, [Monolith, Serverless]);
    let ranks: Vec<(usize, Scenario)> =
        advice.ranked.iter().map(|ranked| (ranked.rank, ranked.shape)).collect();
    assert_eq!(ranks, [(1, Monolith), (1, Serverless), (3, Microservices)]);
    assert_eq!(advice.next.require, None);
    let state = advice.unknown.iter().find(|unknown| unknown.question == Question::State);
    let breaks = &state.unwrap().would_change;
    assert!(
        breaks.iter().any(|given| given.to == Answer::Stateless && given.first == [Serverless])
    );
}

#[test]
fn what_is_not_answered_decides_nothing() {
    let advice = of(&[]);
    assert_eq!(advice.first, Scenario::ALL);
    assert!(advice.ranked.iter().all(|ranked| ranked.rank == 1 && ranked.reasons.is_empty()));
    assert!(advice.would_change.is_empty() && !advice.settled);
    let asked: Vec<Question> = advice.unknown.iter().map(|unknown| unknown.question).collect();
    assert_eq!(asked, Question::ALL);
    let could_not: Vec<Question> = advice
        .unknown
        .iter()
        .filter(|unknown| unknown.would_change.is_empty())
        .map(|unknown| unknown.question)
        .collect();
    assert!(could_not.is_empty(), "with nothing known everything matters: {could_not:?}");
}

#[test]
fn an_advice_is_settled_when_no_answers_to_the_unknown_change_it() {
    let decided = prototype();
    let advice = of(&decided);
    assert!(advice.settled, "{:?}", advice.unknown);
    assert_eq!(advice.unknown.len(), 3);
    assert!(!of(&decided[..2]).settled);
}

#[test]
fn answers_that_change_nothing_alone_are_not_settled_when_they_do_together() {
    let open = [
        Answer::Enterprise,
        Answer::Agents(n(2)),
        Answer::Stateless,
        Answer::Together,
        Answer::DevOps,
        Answer::ByUse,
        Answer::LongestRequestS(n(1)),
    ];
    let advice = of(&open);
    assert_eq!(advice.first, [Microservices]);
    assert!(advice.unknown.iter().all(|unknown| unknown.would_change.is_empty()), "{advice:?}");
    assert!(!advice.settled);
    let both = of(&[&open[..], &[Answer::Batch, Answer::LowLatency]].concat());
    assert_eq!(both.first, [Microservices, Serverless]);
    assert!(of(&[&open[..], &[Answer::Batch]].concat()).unknown[0].would_change.len() == 1);
}

#[test]
fn what_would_change_names_the_other_answer_and_the_other_shape() {
    let advice = of(&[Answer::Stateless, Answer::LongestRequestS(n(45))]);
    assert_eq!(advice.first, [Serverless]);
    let told: Vec<String> = advice
        .would_change
        .iter()
        .map(|change| {
            let names: Vec<&str> = change.first.iter().map(|shape| shape.name()).collect();
            let Change { question, from, to, kind, .. } = change;
            format!("{} {from} -> {to} ({kind}): {}", question.name(), names.join("+"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "state none -> internal (internal): monolith",
            "state none -> shared (shared): microservices",
            "longest_request_s 45 -> 61 (more than 60): monolith+microservices",
        ]
    );
}

fn any_answers() -> impl Strategy<Value = Answers> {
    let numbers = (1_u32..100, 1_u32..200);
    (prop::collection::vec(any::<prop::sample::Index>(), Question::ALL.len()), numbers).prop_map(
        |(picks, (agents, run_s))| {
            let pick = |(question, pick): (Question, prop::sample::Index)| {
                let choices = question.choices();
                let picked = choices.get(pick.index(choices.len() + 1)).copied()?;
                Some(match picked {
                    Answer::Agents(_) => Answer::Agents(n(agents)),
                    Answer::LongestRequestS(_) => Answer::LongestRequestS(n(run_s)),
                    other => other,
                })
            };
            Question::ALL.into_iter().zip(picks).filter_map(pick).collect()
        },
    )
}

/// Every answer to a question: all words, and numbers beyond every bound.
fn every(question: Question) -> Vec<Answer> {
    let numbers = || (1..=130).map(n);
    match question {
        Question::Agents => numbers().map(Answer::Agents).collect(),
        Question::LongestRequestS => numbers().map(Answer::LongestRequestS).collect(),
        words => words.choices(),
    }
}

proptest! {
    #[test]
    fn a_single_answer_changes_what_comes_first_exactly_when_it_is_told(answers in any_answers()) {
        let advice = advise(&answers);
        for question in Question::ALL {
            let told: Vec<(String, Vec<Scenario>)> = if answers.get(question).is_some() {
                let about = advice.would_change.iter().filter(|change| change.question == question);
                about.map(|change| (change.kind.clone(), change.first.clone())).collect()
            } else {
                let about = advice.unknown.iter().filter(|unknown| unknown.question == question);
                about
                    .flat_map(|unknown| &unknown.would_change)
                    .map(|given| (given.kind.clone(), given.first.clone()))
                    .collect()
            };
            for answer in every(question) {
                let then = first(&answers.with(answer));
                let entry = told.iter().find(|(kind, _)| *kind == answer.kind());
                if let Some((_, expected)) = entry {
                    prop_assert_eq!(&then, expected);
                    prop_assert_ne!(&then, &advice.first);
                } else {
                    prop_assert_eq!(&then, &advice.first);
                }
            }
        }
    }

    #[test]
    fn places_follow_from_points_and_exclusions(answers in any_answers()) {
        let advice = advise(&answers);
        prop_assert_eq!(&advice, &advise(&answers));
        let key = |ranked: &Ranked| {
            let points = ranked.fits.cast_signed() - ranked.against.cast_signed();
            if ranked.excluded_by.is_empty() { Some(points) } else { None }
        };
        for pair in advice.ranked.windows(2) {
            let [a, b] = pair else { unreachable!("windows of two") };
            prop_assert!(key(a) >= key(b));
            prop_assert_eq!(a.rank == b.rank, key(a) == key(b));
        }
        let firsts: Vec<Scenario> =
            advice.ranked.iter().filter(|ranked| ranked.rank == 1).map(|ranked| ranked.shape).collect();
        prop_assert_eq!(firsts, advice.first);
        for ranked in &advice.ranked {
            let counted = |verdict| ranked.reasons.iter().filter(|told| told.verdict == verdict).count();
            prop_assert_eq!(counted(Verdict::Fits), ranked.fits);
            prop_assert_eq!(counted(Verdict::Against), ranked.against);
            prop_assert_eq!(counted(Verdict::Excludes), ranked.excluded_by.len());
        }
    }

    #[test]
    fn what_is_settled_stays(answers in any_answers(), more in any_answers()) {
        let advice = advise(&answers);
        let mut whole = more;
        answers.iter().for_each(|answer| whole.set(answer));
        if advice.settled {
            prop_assert_eq!(first(&whole), advice.first);
        } else {
            prop_assert!(!advice.unknown.is_empty());
        }
        if advice.unknown.iter().any(|unknown| !unknown.would_change.is_empty()) {
            prop_assert!(!advice.settled);
        }
    }
}
