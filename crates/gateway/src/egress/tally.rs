//! How agents' calls ended, for whoever watches: counted since the start, by what their records say in the clear.

use std::collections::BTreeMap;
use std::sync::Mutex;

use lockgate_model::ledger::LedgerEntry;

use crate::live::lock;

/// What a call that is not done is counted as.
pub(crate) const REFUSED: &str = "refused";

/// Calls of one version to one tool that ended one way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallsOf {
    /// The tool.
    pub tool: String,
    /// The agent.
    pub agent: String,
    /// The version.
    pub version: String,
    /// `refused`, or the outcome as it is recorded.
    pub end: String,
}

/// Counts. Tools, versions and ends are few.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<CallsOf, u64>>);

impl Tally {
    /// One more, of which this is the record.
    pub(crate) fn note(&self, entry: &LedgerEntry, end: &str) {
        let label = |name: &str| {
            let found = entry.labels.iter().find(|(label, _)| *label == name);
            found.map_or_else(String::new, |(_, value)| value.clone())
        };
        let (tool, agent, version) = (label("tool"), label("agent"), label("version"));
        let of = CallsOf { tool, agent, version, end: end.to_owned() };
        *lock(&self.0).entry(of).or_default() += 1;
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<(CallsOf, u64)> {
        lock(&self.0).iter().map(|(of, count)| (of.clone(), *count)).collect()
    }
}
