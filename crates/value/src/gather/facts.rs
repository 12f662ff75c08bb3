//! What holds until it is said otherwise, as of the end of a window.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::Party;
use crate::amount::Amount;
use crate::event::{Baseline, Event, Key, Stage, Text, What};

/// A figure that was recorded, and where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// How much.
    pub value: Amount,
    /// Of what.
    pub unit: Text,
    /// The day as of which it was found out.
    pub as_of: Date,
    /// Who says so.
    pub source: Text,
}

/// Which of two statements is the newer: the later as-of day, then the later time, then the later key.
type Newness = (Option<Date>, i64, Key);

/// Facts, the newest of each.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    baselines: BTreeMap<(Party, Baseline), (Newness, Figure)>,
    people: BTreeMap<(Party, People), (Newness, u64)>,
    use_cases: BTreeMap<(Party, Text), (Newness, Stage)>,
    systems: BTreeMap<Text, (Newness, Stage)>,
}

/// Which people are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum People {
    /// All employees.
    Employees,
    /// Those who work with knowledge.
    KnowledgeWorkers,
    /// Those who are given the agent.
    Seats,
}

impl Facts {
    pub(super) fn learn(&mut self, event: &Event) {
        let newness = |as_of| (as_of, event.at_wall_ms, event.key.clone());
        let party = event.agent.clone();
        match &event.what {
            What::Baseline { measure, value, unit, as_of } => {
                let figure = Figure {
                    value: *value,
                    unit: unit.clone(),
                    as_of: *as_of,
                    source: event.source.clone(),
                };
                keep(&mut self.baselines, (party, *measure), newness(Some(*as_of)), figure);
            }
            What::Headcount { employees, knowledge_workers, seats } => {
                let counts = [
                    (People::Employees, employees),
                    (People::KnowledgeWorkers, knowledge_workers),
                    (People::Seats, seats),
                ];
                for (people, count) in counts {
                    if let Some(count) = count {
                        keep(&mut self.people, (party.clone(), people), newness(None), *count);
                    }
                }
            }
            What::UseCase { name, stage } => {
                keep(&mut self.use_cases, (party, name.clone()), newness(None), *stage);
            }
            What::System { name, stage } => {
                keep(&mut self.systems, name.clone(), newness(None), *stage);
            }
            _ => {}
        }
    }

    /// A baseline of an agent, or of all where it has none of its own.
    pub fn baseline(&self, party: &Party, measure: Baseline) -> Option<&Figure> {
        let own = self.baselines.get(&(party.clone(), measure));
        own.or_else(|| self.baselines.get(&(None, measure))).map(|(_, figure)| figure)
    }

    /// How many people there are around an agent, or in all where that is not known.
    pub fn people(&self, party: &Party, people: People) -> Option<u64> {
        let own = self.people.get(&(party.clone(), people));
        own.or_else(|| self.people.get(&(None, people))).map(|(_, count)| *count)
    }

    /// Use cases at a stage.
    pub fn use_cases(&self, stage: Stage) -> u64 {
        self.use_cases.values().filter(|(_, at)| *at == stage).count() as u64
    }

    /// Systems that were recorded, with their stage. The name of an agent stands for it.
    pub fn systems(&self) -> impl Iterator<Item = (&str, Stage)> {
        self.systems.iter().map(|(name, (_, stage))| (name.as_str(), *stage))
    }

    /// Whether any use case was recorded.
    pub fn has_use_cases(&self) -> bool {
        !self.use_cases.is_empty()
    }
}

fn keep<K: Ord, V>(map: &mut BTreeMap<K, (Newness, V)>, key: K, newness: Newness, value: V) {
    let is_newer = map.get(&key).is_none_or(|(known, _)| *known < newness);
    if is_newer {
        map.insert(key, (newness, value));
    }
}
