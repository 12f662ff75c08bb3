//! What changed since an assessment before, which is its JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::assess::{Assessment, SCHEMA};
use crate::catalog::{CATALOG, Dimension, entry_of};
use crate::finding::{Check, Outcome, excerpt};

/// Why a text is no assessment to compare with.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is no JSON of an assessment.
    #[error("it is no JSON of an assessment")]
    Unreadable(#[from] serde_json::Error),
    /// It is one of another schema.
    #[error("it has schema {0}, and only {SCHEMA} is known")]
    Schema(u32),
}

/// What is taken from the assessment before.
#[derive(Debug, Deserialize)]
pub struct Baseline {
    dimensions: BTreeMap<String, Before>,
}

#[derive(Debug, Deserialize)]
struct Before {
    level: Option<u8>,
    checks: Vec<CheckBefore>,
}

#[derive(Debug, Deserialize)]
struct CheckBefore {
    id: String,
    outcome: Outcome,
    /// Only whether there was one matters.
    attested: Option<serde::de::IgnoredAny>,
}

/// A check that came out in another way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Turned {
    /// The check.
    pub id: &'static str,
    /// How it came out before.
    pub from: Came,
    /// How it comes out now.
    pub to: Came,
}

/// How a check came out, people's word told apart from proof. From the worst to the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// Not so.
    Fail,
    /// The files cannot show it.
    Unknown,
    /// The files cannot show it, and somebody says so.
    Attested,
    /// Shown.
    Pass,
    /// Neither better nor worse than anything.
    NotApplicable,
}

impl Came {
    fn out(outcome: Outcome, is_attested: bool) -> Self {
        match outcome {
            Outcome::Pass => Self::Pass,
            Outcome::Fail => Self::Fail,
            Outcome::NotApplicable => Self::NotApplicable,
            Outcome::Unknown if is_attested => Self::Attested,
            Outcome::Unknown => Self::Unknown,
        }
    }

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::Attested => "attested",
            Self::Pass => "pass",
            Self::NotApplicable => "not_applicable",
        }
    }
}

/// A dimension whose level is another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LevelTurned {
    /// The dimension.
    pub dimension: Dimension,
    /// The level before; none when it was unknown or not applicable.
    pub from: Option<u8>,
    /// The level now.
    pub to: Option<u8>,
}

/// What changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Levels that are others now.
    pub levels: Vec<LevelTurned>,
    /// Checks that came out better.
    pub better: Vec<Turned>,
    /// Checks that came out worse.
    pub worse: Vec<Turned>,
    /// Checks that were not applicable and are now, or the other way round.
    pub other: Vec<Turned>,
    /// Checks that were not asked before.
    pub new: Vec<&'static str>,
    /// Checks that are not asked any more.
    pub gone: Vec<String>,
}

impl Changes {
    /// In words, a line for each.
    pub fn lines(&self) -> Vec<String> {
        let level = |level: Option<u8>| level.map_or("–".to_owned(), |level| format!("L{level}"));
        let levels = self.levels.iter().map(|turned| {
            let name = turned.dimension.name();
            format!("level of {name}: {} → {}", level(turned.from), level(turned.to))
        });
        let mut lines: Vec<String> = levels.collect();
        for (how, list) in
            [("better", &self.better), ("worse", &self.worse), ("changed", &self.other)]
        {
            lines.extend(list.iter().map(|turned| {
                format!("{how}: {} {} → {}", turned.id, turned.from.name(), turned.to.name())
            }));
        }
        lines.extend(self.new.iter().map(|id| format!("new: {id}")));
        lines.extend(self.gone.iter().map(|id| format!("gone: {id}")));
        lines
    }
}

impl Baseline {
    /// Reads the JSON of an assessment.
    pub fn read(json: &str) -> Result<Self, BaselineError> {
        #[derive(Deserialize)]
        struct Versioned {
            schema: u32,
        }
        // The schema first: another one may have another shape.
        let Versioned { schema } = serde_json::from_str(json)?;
        if schema != SCHEMA {
            return Err(BaselineError::Schema(schema));
        }
        Ok(serde_json::from_str(json)?)
    }

    /// What changed until an assessment. In the order of the catalog.
    pub fn changes(&self, now: &Assessment) -> Changes {
        let mut changes = Changes::default();
        let before: BTreeMap<&str, Came> = self
            .dimensions
            .values()
            .flat_map(|dimension| &dimension.checks)
            .map(|check| (check.id.as_str(), Came::out(check.outcome, check.attested.is_some())))
            .collect();
        for dimension in Dimension::ALL {
            let to = now.standing(dimension).level;
            if let Some(Before { level: from, .. }) = self.dimensions.get(dimension.name())
                && *from != to
            {
                changes.levels.push(LevelTurned { dimension, from: *from, to });
            }
        }
        for check in CATALOG.iter().filter_map(|entry| now.check(entry.id)) {
            match before.get(check.id) {
                Some(from) => changes.turned(check, *from),
                None => changes.new.push(check.id),
            }
        }
        let gone = before.keys().filter(|id| entry_of(id).is_none());
        changes.gone = gone.map(|id| excerpt(id)).collect();
        changes
    }
}

impl Changes {
    fn turned(&mut self, check: &Check, from: Came) {
        let to = Came::out(check.outcome, check.attested.is_some());
        if from == to {
            return;
        }
        let list = if from == Came::NotApplicable || to == Came::NotApplicable {
            &mut self.other
        } else if to > from {
            &mut self.better
        } else {
            &mut self.worse
        };
        list.push(Turned { id: check.id, from, to });
    }
}
