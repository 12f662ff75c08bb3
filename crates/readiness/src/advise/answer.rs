//! What is asked of an agent system, and what can be answered.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use serde::{Serialize, Serializer};

use crate::finding::excerpt;

/// Between what a serverless function sets its timeout on the path to production, in seconds. Some platforms can be told
/// to allow more; the path does not.
const TIMEOUT_S: (u32, u32) = (30, 60);

/// Something that decides about the shape of an agent system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// What it is for.
    Purpose,
    /// How many agents it has.
    Agents,
    /// What it keeps between requests.
    State,
    /// How requests come.
    Load,
    /// How soon an answer is needed.
    Latency,
    /// Whether single agents must scale.
    Scaling,
    /// Who runs it.
    Operations,
    /// How it is paid.
    Budget,
    /// How long the longest request runs, in seconds.
    LongestRequestS,
}

impl Question {
    /// All of them, in the order in which they are asked.
    pub const ALL: [Self; 9] = [
        Self::Purpose,
        Self::Agents,
        Self::State,
        Self::Load,
        Self::Latency,
        Self::Scaling,
        Self::Operations,
        Self::Budget,
        Self::LongestRequestS,
    ];

    /// The name in files and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Purpose => "purpose",
            Self::Agents => "agents",
            Self::State => "state",
            Self::Load => "load",
            Self::Latency => "latency",
            Self::Scaling => "scaling",
            Self::Operations => "operations",
            Self::Budget => "budget",
            Self::LongestRequestS => "longest_request_s",
        }
    }

    /// The question in words.
    pub fn asks(self) -> &'static str {
        match self {
            Self::Purpose => "What is it for?",
            Self::Agents => "How many agents are there?",
            Self::State => "What is kept between requests?",
            Self::Load => "How do requests come?",
            Self::Latency => "How soon is an answer needed?",
            Self::Scaling => "Must single agents scale?",
            Self::Operations => "Who runs it?",
            Self::Budget => "How is it paid?",
            Self::LongestRequestS => "How many seconds does the longest request run?",
        }
    }

    /// The words that answer it, each with its meaning; none where a number does.
    pub fn words(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        WORDS.iter().filter(move |word| word.question == self).map(|word| (word.name, word.means))
    }

    /// The answer that a text gives.
    pub fn answer(self, text: &str) -> Result<Answer, NotAnAnswer> {
        let not = || NotAnAnswer { question: self, given: excerpt(text) };
        match self {
            Self::Agents => number(text).map(Answer::Agents).ok_or_else(not),
            Self::LongestRequestS => number(text).map(Answer::LongestRequestS).ok_or_else(not),
            _ => WORDS
                .iter()
                .find(|word| word.question == self && word.name == text)
                .map(|word| word.answer)
                .ok_or_else(not),
        }
    }

    /// One answer of each kind that is told apart.
    pub fn choices(self) -> Vec<Answer> {
        let numbers = |all: &[u32], answer: fn(NonZeroU32) -> Answer| {
            all.iter().filter_map(|&n| NonZeroU32::new(n)).map(answer).collect()
        };
        let (shortest, longest) = TIMEOUT_S;
        match self {
            Self::Agents => numbers(&[1, 2], Answer::Agents),
            Self::LongestRequestS => {
                numbers(&[shortest, longest, longest + 1], Answer::LongestRequestS)
            }
            _ => {
                WORDS.iter().filter(|word| word.question == self).map(|word| word.answer).collect()
            }
        }
    }

    /// What can be answered, in words.
    pub fn hint(self) -> String {
        let words: Vec<&str> = self.words().map(|(name, _)| name).collect();
        match words.as_slice() {
            [] => format!("a whole number from 1 to {}", u32::MAX),
            words => words.join(", "),
        }
    }
}

impl Serialize for Question {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Digits alone: a sign or a point is a slip of the one who wrote it.
fn number(text: &str) -> Option<NonZeroU32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// What somebody says to a question. There is none for what is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// Purpose: an internal agent, a test environment or a prototype.
    Prototype,
    /// Purpose: an enterprise platform, or complex tasks.
    Enterprise,
    /// Purpose: queries that are independent of each other.
    Queries,
    /// How many agents there are.
    Agents(NonZeroU32),
    /// State: nothing is kept.
    Stateless,
    /// State: kept by the agent itself.
    InternalState,
    /// State: shared by several agents or instances.
    SharedState,
    /// Load: steady.
    Steady,
    /// Load: in batches.
    Batch,
    /// Load: random, with spikes.
    Random,
    /// Latency: low.
    LowLatency,
    /// Latency: nobody waits for it.
    Relaxed,
    /// Scaling: single agents by themselves.
    Alone,
    /// Scaling: all agents together.
    Together,
    /// Operations: by an own team that knows servers.
    DevOps,
    /// Operations: by people with experience of containers.
    Containers,
    /// Operations: by nobody but the platform.
    Platform,
    /// Budget: fixed resources.
    Fixed,
    /// Budget: by use.
    ByUse,
    /// Budget: by execution.
    ByExecution,
    /// How long the longest request runs, in seconds.
    LongestRequestS(NonZeroU32),
}

/// How long a request runs, beside a serverless timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// Within every timeout.
    Short,
    /// Within the longest timeout.
    Limit,
    /// Beyond the longest timeout.
    Long,
}

impl Run {
    pub(super) fn of(run_s: NonZeroU32) -> Self {
        let (shortest, longest) = TIMEOUT_S;
        match run_s.get() {
            run_s if run_s <= shortest => Self::Short,
            run_s if run_s <= longest => Self::Limit,
            _ => Self::Long,
        }
    }
}

impl Answer {
    /// The question that it answers.
    pub fn question(self) -> Question {
        match self {
            Self::Agents(_) => Question::Agents,
            Self::LongestRequestS(_) => Question::LongestRequestS,
            Self::Prototype | Self::Enterprise | Self::Queries => Question::Purpose,
            Self::Stateless | Self::InternalState | Self::SharedState => Question::State,
            Self::Steady | Self::Batch | Self::Random => Question::Load,
            Self::LowLatency | Self::Relaxed => Question::Latency,
            Self::Alone | Self::Together => Question::Scaling,
            Self::DevOps | Self::Containers | Self::Platform => Question::Operations,
            Self::Fixed | Self::ByUse | Self::ByExecution => Question::Budget,
        }
    }

    /// As it is said of all answers that decide the same: `2 or more` of three agents.
    pub fn kind(self) -> String {
        let (shortest, longest) = TIMEOUT_S;
        match self {
            Self::Agents(NonZeroU32::MIN) => "1".into(),
            Self::Agents(_) => "2 or more".into(),
            Self::LongestRequestS(run_s) => match Run::of(run_s) {
                Run::Short => format!("{shortest} or less"),
                Run::Limit => format!("{} to {longest}", shortest + 1),
                Run::Long => format!("more than {longest}"),
            },
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agents(number) | Self::LongestRequestS(number) => number.fmt(f),
            _ => f.write_str(
                WORDS.iter().find(|word| word.answer == *self).map_or("unknown", |word| word.name),
            ),
        }
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Agents(number) | Self::LongestRequestS(number) => {
                serializer.serialize_u32(number.get())
            }
            _ => serializer.collect_str(self),
        }
    }
}

struct Word {
    question: Question,
    name: &'static str,
    answer: Answer,
    means: &'static str,
}

const fn word(question: Question, name: &'static str, answer: Answer, means: &'static str) -> Word {
    Word { question, name, answer, means }
}

const WORDS: &[Word] = &[
    word(
        Question::Purpose,
        "prototype",
        Answer::Prototype,
        "an internal agent, a test environment or a prototype",
    ),
    word(
        Question::Purpose,
        "enterprise",
        Answer::Enterprise,
        "an enterprise platform, or complex tasks",
    ),
    word(
        Question::Purpose,
        "queries",
        Answer::Queries,
        "queries that need nothing from one another",
    ),
    word(Question::State, "none", Answer::Stateless, "nothing"),
    word(Question::State, "internal", Answer::InternalState, "what one agent needs itself"),
    word(
        Question::State,
        "shared",
        Answer::SharedState,
        "what several agents or instances need together",
    ),
    word(Question::Load, "steady", Answer::Steady, "about as many at any time"),
    word(Question::Load, "batch", Answer::Batch, "many at a time, and then none"),
    word(Question::Load, "random", Answer::Random, "nobody can say, with spikes"),
    word(Question::Latency, "low", Answer::LowLatency, "somebody waits for it"),
    word(Question::Latency, "relaxed", Answer::Relaxed, "nobody waits for it"),
    word(Question::Scaling, "alone", Answer::Alone, "yes, each alone"),
    word(Question::Scaling, "together", Answer::Together, "no, all together are enough"),
    word(Question::Operations, "devops", Answer::DevOps, "an own team that does DevOps"),
    word(
        Question::Operations,
        "containers",
        Answer::Containers,
        "people with experience of containers, and no DevOps team",
    ),
    word(Question::Operations, "platform", Answer::Platform, "nobody but the platform"),
    word(Question::Budget, "fixed", Answer::Fixed, "fixed resources, known beforehand"),
    word(Question::Budget, "by_use", Answer::ByUse, "what is used"),
    word(Question::Budget, "by_execution", Answer::ByExecution, "each execution"),
];

/// A text that answers nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnAnswer {
    /// What was asked.
    pub question: Question,
    given: String,
}

impl fmt::Display for NotAnAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` does not answer `{}`", self.given, self.question.name())
    }
}

impl std::error::Error for NotAnAnswer {}

/// What is known. A question that is not in it is not answered, and decides nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Answers(BTreeMap<Question, Answer>);

impl Answers {
    /// Takes an answer, in place of an earlier one to its question.
    pub fn set(&mut self, answer: Answer) {
        self.0.insert(answer.question(), answer);
    }

    /// The same with an answer, in place of an earlier one to its question.
    #[must_use]
    pub fn with(&self, answer: Answer) -> Self {
        let mut other = self.clone();
        other.set(answer);
        other
    }

    /// What was answered.
    pub fn get(&self, question: Question) -> Option<Answer> {
        self.0.get(&question).copied()
    }

    /// Every answer, in the order of the questions.
    pub fn iter(&self) -> impl Iterator<Item = Answer> {
        self.0.values().copied()
    }

    /// The questions without an answer.
    pub fn unknown(&self) -> impl Iterator<Item = Question> {
        Question::ALL.into_iter().filter(|question| !self.0.contains_key(question))
    }
}

impl FromIterator<Answer> for Answers {
    fn from_iter<I: IntoIterator<Item = Answer>>(all: I) -> Self {
        let mut answers = Self::default();
        all.into_iter().for_each(|answer| answers.set(answer));
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_answers_its_own_question_by_its_own_name() {
        for question in Question::ALL {
            let choices = question.choices();
            assert!(choices.len() > 1, "{question:?}");
            for choice in choices {
                assert_eq!(choice.question(), question);
                assert_eq!(question.answer(&choice.to_string()), Ok(choice));
                assert_ne!(choice.to_string(), "unknown");
            }
        }
    }

    #[test]
    fn numbers_of_a_kind_are_told_alike() {
        for (question, text, kind) in [
            (Question::Agents, "1", "1"),
            (Question::Agents, "2", "2 or more"),
            (Question::Agents, "4294967295", "2 or more"),
            (Question::LongestRequestS, "1", "30 or less"),
            (Question::LongestRequestS, "30", "30 or less"),
            (Question::LongestRequestS, "31", "31 to 60"),
            (Question::LongestRequestS, "60", "31 to 60"),
            (Question::LongestRequestS, "61", "more than 60"),
        ] {
            assert_eq!(question.answer(text).unwrap().kind(), kind, "{question:?} {text}");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for (question, text) in [
            (Question::Agents, "0"),
            (Question::Agents, "-1"),
            (Question::Agents, "+1"),
            (Question::Agents, "1.5"),
            (Question::Agents, ""),
            (Question::Agents, "many"),
            (Question::Agents, "4294967296"),
            (Question::LongestRequestS, "NaN"),
            (Question::LongestRequestS, "30s"),
            (Question::State, ""),
            (Question::State, "None"),
            (Question::State, "steady"),
            (Question::Purpose, "unknown"),
        ] {
            assert!(question.answer(text).is_err(), "{question:?} {text}");
        }
    }
}
