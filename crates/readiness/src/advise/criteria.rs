//! What an answer says for and against each shape, by the rows of the table that the shapes are compared with
//! (docs/readiness.md). Where a row says nothing, nothing is decided.

use std::num::NonZeroU32;

use serde::Serialize;

use super::answer::{Answer, Run};
use crate::gate::Scenario::{self, Microservices, Monolith, Serverless};

/// Something that the shapes are compared by. With a question it is a criterion, and counts one for each shape at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    /// How much is deployed.
    DeploymentComplexity,
    /// How far it scales.
    Scalability,
    /// How much there is to run.
    OperationsComplexity,
    /// What it keeps.
    State,
    /// What is paid for.
    CostModel,
    /// What production demands of people.
    ProductionDemands,
    /// What it is for.
    Fits,
    /// How long a request may run; of no row, but of the path to production.
    Timeout,
}

impl Row {
    /// All of them, as in the table.
    pub const ALL: [Self; 8] = [
        Self::DeploymentComplexity,
        Self::Scalability,
        Self::OperationsComplexity,
        Self::State,
        Self::CostModel,
        Self::ProductionDemands,
        Self::Fits,
        Self::Timeout,
    ];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::DeploymentComplexity => "deployment_complexity",
            Self::Scalability => "scalability",
            Self::OperationsComplexity => "operations_complexity",
            Self::State => "state",
            Self::CostModel => "cost_model",
            Self::ProductionDemands => "production_demands",
            Self::Fits => "fits",
            Self::Timeout => "timeout",
        }
    }
}

/// What a row says of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// For it. Counts one.
    Fits,
    /// Against it. Counts one.
    Against,
    /// It cannot be, whatever else fits. Counts nothing.
    Excludes,
    /// Neither, but to be known. Counts nothing.
    Neutral,
}

impl Verdict {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::Against => "against",
            Self::Excludes => "excludes",
            Self::Neutral => "neutral",
        }
    }
}

/// What an answer says of a shape, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// By which row.
    pub row: Row,
    /// Of which shape.
    pub shape: Scenario,
    /// For or against.
    pub verdict: Verdict,
    /// Why, as a sentence about the shape.
    pub text: &'static str,
}

const fn fits(row: Row, shape: Scenario, text: &'static str) -> Reason {
    Reason { row, shape, verdict: Verdict::Fits, text }
}

const fn against(row: Row, shape: Scenario, text: &'static str) -> Reason {
    Reason { row, shape, verdict: Verdict::Against, text }
}

const fn excludes(row: Row, shape: Scenario, text: &'static str) -> Reason {
    Reason { row, shape, verdict: Verdict::Excludes, text }
}

const fn neutral(row: Row, shape: Scenario, text: &'static str) -> Reason {
    Reason { row, shape, verdict: Verdict::Neutral, text }
}

/// What an answer says of the shapes. Of a shape and a row it says one thing at most.
pub fn reasons(answer: Answer) -> &'static [Reason] {
    match answer {
        Answer::Prototype => PROTOTYPE,
        Answer::Enterprise => ENTERPRISE,
        Answer::Queries => QUERIES,
        Answer::Agents(NonZeroU32::MIN) => ONE_AGENT,
        Answer::Agents(_) => SEVERAL_AGENTS,
        Answer::Stateless => STATELESS,
        Answer::InternalState => INTERNAL_STATE,
        Answer::SharedState => SHARED_STATE,
        Answer::Steady => STEADY,
        Answer::Batch => BATCH,
        Answer::Random => RANDOM,
        Answer::LowLatency => LOW_LATENCY,
        Answer::Alone => ALONE,
        Answer::DevOps => DEV_OPS,
        Answer::Containers => CONTAINERS,
        Answer::Platform => PLATFORM,
        Answer::Fixed => FIXED,
        Answer::ByUse => BY_USE,
        Answer::ByExecution => BY_EXECUTION,
        Answer::LongestRequestS(run_s) => match Run::of(run_s) {
            Run::Short => &[],
            Run::Limit => RUN_AT_LIMIT,
            Run::Long => LONG_RUN,
        },
        Answer::Relaxed | Answer::Together => &[],
    }
}

const PROTOTYPE: &[Reason] = &[
    fits(Row::Fits, Monolith, "it is for internal agents, test environments and prototypes"),
    against(
        Row::Fits,
        Microservices,
        "it is for multi-agent work, enterprise platforms and complex tasks",
    ),
];

const ENTERPRISE: &[Reason] = &[
    against(Row::Fits, Monolith, "it is for internal agents, test environments and prototypes"),
    fits(Row::Fits, Microservices, "it is for enterprise platforms and complex tasks"),
];

const QUERIES: &[Reason] =
    &[fits(Row::Fits, Serverless, "it is for stateless agents and their queries")];

const ONE_AGENT: &[Reason] = &[
    fits(
        Row::DeploymentComplexity,
        Monolith,
        "its deployment complexity is low: one deployable unit",
    ),
    against(
        Row::DeploymentComplexity,
        Microservices,
        "its deployment complexity is medium: several services, where one agent needs one",
    ),
    fits(
        Row::DeploymentComplexity,
        Serverless,
        "its deployment complexity is low: a function without state",
    ),
];

const SEVERAL_AGENTS: &[Reason] = &[fits(Row::Fits, Microservices, "it is for multi-agent work")];

const STATELESS: &[Reason] =
    &[fits(Row::State, Serverless, "it keeps no state, and none is needed")];

const INTERNAL_STATE: &[Reason] = &[
    fits(Row::State, Monolith, "it keeps state inside, where it must be persisted"),
    against(Row::State, Microservices, "it distributes state, and needs a store for it"),
    excludes(Row::State, Serverless, "it keeps no state between requests"),
];

const SHARED_STATE: &[Reason] = &[
    against(Row::State, Monolith, "it keeps state inside, where nobody else has it"),
    fits(Row::State, Microservices, "it distributes state, by a store"),
    excludes(Row::State, Serverless, "it keeps no state between requests"),
];

const STEADY: &[Reason] =
    &[fits(Row::CostModel, Monolith, "it has fixed resources, which steady load keeps in use")];

const BATCH: &[Reason] = &[fits(Row::Fits, Serverless, "it is for batches")];

const RANDOM: &[Reason] = &[
    against(
        Row::Scalability,
        Monolith,
        "its scalability is limited: one resource pool for every spike",
    ),
    fits(Row::Scalability, Microservices, "its scalability is high: each agent scales alone"),
    fits(Row::Scalability, Serverless, "its scalability is highest, and automatic"),
    fits(Row::Fits, Serverless, "it is for random traffic"),
];

const LOW_LATENCY: &[Reason] = &[
    fits(Row::Fits, Serverless, "it is for low-latency queries"),
    neutral(Row::CostModel, Serverless, "it adds a cold start to an answer after a pause"),
];

const ALONE: &[Reason] = &[
    against(
        Row::Scalability,
        Monolith,
        "its scalability is limited: one resource pool for all agents",
    ),
    fits(Row::Scalability, Microservices, "its scalability is high: each agent scales alone"),
    fits(
        Row::Scalability,
        Serverless,
        "its scalability is highest, and automatic for each function",
    ),
];

const DEV_OPS: &[Reason] = &[fits(
    Row::ProductionDemands,
    Monolith,
    "its demands on people are high: own DevOps, which is there",
)];

const CONTAINERS: &[Reason] = &[
    against(Row::ProductionDemands, Monolith, "its demands on people are high: own DevOps"),
    fits(
        Row::ProductionDemands,
        Microservices,
        "its demands on people are medium: experience of containers, which is there",
    ),
];

const PLATFORM: &[Reason] = &[
    against(
        Row::OperationsComplexity,
        Microservices,
        "its operations complexity is medium: services to coordinate",
    ),
    fits(
        Row::OperationsComplexity,
        Serverless,
        "its operations complexity is low: the platform manages",
    ),
    against(Row::ProductionDemands, Monolith, "its demands on people are high: own DevOps"),
    against(
        Row::ProductionDemands,
        Microservices,
        "its demands on people are medium: experience of containers",
    ),
    fits(
        Row::ProductionDemands,
        Serverless,
        "its demands on people are low: management by the platform",
    ),
];

const FIXED: &[Reason] = &[
    fits(Row::CostModel, Monolith, "it has fixed resources and a fixed budget"),
    against(Row::CostModel, Microservices, "it is paid by use, and maintenance comes on top"),
    against(Row::CostModel, Serverless, "it is paid by execution, which nobody knows beforehand"),
];

const BY_USE: &[Reason] = &[
    against(Row::CostModel, Monolith, "it has fixed resources, paid also when nobody uses them"),
    fits(Row::CostModel, Microservices, "it is paid by use, and maintenance comes on top"),
];

const BY_EXECUTION: &[Reason] = &[
    against(Row::CostModel, Monolith, "it has fixed resources, paid also when nothing is executed"),
    fits(Row::CostModel, Serverless, "it is paid by execution, and cold starts come on top"),
];

const RUN_AT_LIMIT: &[Reason] = &[neutral(
    Row::Timeout,
    Serverless,
    "its timeout is 30 to 60 s: set it to more than the longest request takes",
)];

const LONG_RUN: &[Reason] = &[excludes(
    Row::Timeout,
    Serverless,
    "its timeout is 60 s at most: what runs longer is stopped",
)];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::advise::answer::Question;

    #[test]
    fn of_a_shape_and_a_row_an_answer_says_one_thing() {
        for answer in Question::ALL.into_iter().flat_map(Question::choices) {
            let mut seen = BTreeSet::new();
            for reason in reasons(answer) {
                assert!(seen.insert((reason.row, reason.shape)), "{answer:?} {reason:?}");
                assert!(!reason.text.is_empty());
            }
        }
    }

    #[test]
    fn every_row_and_every_question_decides_something() {
        let decides = |answer: Answer| {
            reasons(answer).iter().filter(|reason| reason.verdict != Verdict::Neutral)
        };
        let rows: BTreeSet<Row> = Question::ALL
            .into_iter()
            .flat_map(Question::choices)
            .flat_map(decides)
            .map(|reason| reason.row)
            .collect();
        assert_eq!(rows, BTreeSet::from(Row::ALL));
        for question in Question::ALL {
            let some = question.choices().into_iter().any(|answer| decides(answer).count() > 0);
            assert!(some, "{question:?}");
        }
    }

    #[test]
    fn answers_weigh_as_the_table_says() {
        use Verdict::{Against, Excludes, Fits, Neutral};
        let n = |n| NonZeroU32::new(n).unwrap();
        let all = [
            (Answer::Agents(n(1)), Monolith, Row::DeploymentComplexity, Fits),
            (Answer::Agents(n(1)), Microservices, Row::DeploymentComplexity, Against),
            (Answer::Agents(n(7)), Microservices, Row::Fits, Fits),
            (Answer::InternalState, Serverless, Row::State, Excludes),
            (Answer::SharedState, Serverless, Row::State, Excludes),
            (Answer::SharedState, Microservices, Row::State, Fits),
            (Answer::LongestRequestS(n(60)), Serverless, Row::Timeout, Neutral),
            (Answer::LongestRequestS(n(61)), Serverless, Row::Timeout, Excludes),
            (Answer::Platform, Monolith, Row::ProductionDemands, Against),
            (Answer::LowLatency, Serverless, Row::CostModel, Neutral),
            (Answer::Random, Monolith, Row::Scalability, Against),
            (Answer::Fixed, Serverless, Row::CostModel, Against),
        ];
        for (answer, shape, row, verdict) in all {
            let found = reasons(answer)
                .iter()
                .find(|reason| reason.shape == shape && reason.row == row)
                .map(|reason| reason.verdict);
            assert_eq!(found, Some(verdict), "{answer:?} {shape:?} {row:?}");
        }
        for answer in [Answer::LongestRequestS(n(30)), Answer::Relaxed, Answer::Together] {
            assert!(reasons(answer).is_empty(), "{answer:?}");
        }
    }
}
