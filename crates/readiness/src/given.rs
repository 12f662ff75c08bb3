//! Evidence that somebody hands in beside the files: what tools reported. What kind it is, its contents say.
//!
//! A kind is a variant of [`Kind`], found by [`recognise`], and weighed by the module of that kind.

mod cobertura;
mod coverage;
mod drift;
mod jacoco;
mod lcov;
mod sarif;
mod scan;
mod xml;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use self::coverage::Coverage;
pub(crate) use self::coverage::{Total as Lines, may_run};
use self::drift::Compared;
pub use self::drift::DAYS_MAX as DRIFT_DAYS_MAX;
use self::scan::Scan;
use crate::finding::{Finding, cut};
use crate::package::Roots;
use crate::template::Templates;
use crate::tree::Tree;

/// The longest file that is taken, in bytes.
pub const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most files that are taken.
pub const FILES_MAX: usize = 100;

/// What is older counts for nothing, in days.
pub const AGE_DAYS_MAX: i32 = 90;

/// Longest name of a file, in characters.
const NAME_CHARS_MAX: usize = 200;

/// Why a file is no evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GivenError {
    /// It is none of the kinds that are known.
    #[error("it is no kind of evidence that is known: {0}")]
    Unknown(String),
    /// It is of a known kind, and broken or beyond what is read.
    #[error("it is {kind} that cannot be read: {why}")]
    Broken {
        /// The kind.
        kind: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl GivenError {
    fn broken(kind: &'static str, why: impl Into<String>) -> Self {
        Self::Broken { kind, why: why.into() }
    }
}

/// What a tool reported.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Which lines tests reached.
    Coverage(Coverage),
    /// What scanners found.
    Scans(Vec<Scan>),
    /// Whether what runs is what was written.
    Drift(Compared),
}

/// A file of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    name: String,
    kind: Kind,
}

impl Given {
    /// Reads a file of at most [`BYTES_MAX`] bytes. `name` is what it is called in findings.
    pub fn read(name: &str, text: &str) -> Result<Self, GivenError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Ok(Self { name: cut(name, NAME_CHARS_MAX), kind: recognise(name, text)? })
    }

    /// The same where it is known that the report was made on this day, for what its contents do not date.
    #[must_use]
    pub fn made_on(mut self, day: Date) -> Self {
        match &mut self.kind {
            Kind::Coverage(coverage) => {
                coverage.date = coverage.date.or(Some(day).filter(|_| coverage.odd_day.is_none()));
            }
            Kind::Scans(scans) => {
                for scan in scans {
                    scan.date = scan.date.or(Some(day));
                }
            }
            // It is dated always.
            Kind::Drift(_) => {}
        }
        self
    }

    /// The last day that its contents name as that of the report.
    fn date(&self) -> Option<Date> {
        match &self.kind {
            Kind::Coverage(coverage) => coverage.date,
            Kind::Scans(scans) => scans.iter().filter_map(|scan| scan.date).max(),
            Kind::Drift(compared) => Some(compared.day()),
        }
    }

    /// Why it counts for nothing here, if it does.
    fn why_not(&self, templates: &Templates, today: Option<Date>) -> Option<String> {
        match &self.kind {
            // How old a comparison may be is weighed with what it found.
            Kind::Drift(compared) => compared.why_not(templates),
            Kind::Coverage(Coverage { odd_day: Some(day), .. }) => {
                Some(format!("its day, `{day}`, cannot be read, so that it counts for nothing"))
            }
            Kind::Coverage(_) | Kind::Scans(_) => too_old(self.date(), today),
        }
    }

    fn told(&self, why_not: Option<String>) -> Told {
        let (kind, says) = match &self.kind {
            Kind::Coverage(coverage) => ("coverage", coverage.says()),
            Kind::Scans(scans) => ("scan", scan::says(scans)),
            Kind::Drift(compared) => ("drift", compared.says()),
        };
        Told { file: self.name.clone(), kind, date: self.date(), says, why_not }
    }
}

/// The kind of a text, by how it begins and what it holds.
fn recognise(name: &str, text: &str) -> Result<Kind, GivenError> {
    let start = text.trim_start();
    if start.starts_with('<') {
        return match xml::root(start)?.as_str() {
            "coverage" => cobertura::read(text).map(Kind::Coverage),
            "report" => jacoco::read(text).map(Kind::Coverage),
            other => Err(GivenError::Unknown(format!("XML that begins with <{}>", cut(other, 40)))),
        };
    }
    if start.starts_with('{') {
        if let Some(compared) = drift::read(name, text)? {
            return Ok(Kind::Drift(compared));
        }
        return sarif::read(text).map(Kind::Scans);
    }
    if lcov::is_one(start) {
        return lcov::read(text).map(Kind::Coverage);
    }
    let why = if start.is_empty() { "it is empty" } else { "neither LCOV, XML nor JSON" };
    Err(GivenError::Unknown(why.into()))
}

/// `1 line`, `2 lines`.
fn several(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// What was handed in, and whether it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// What the file is called.
    pub file: String,
    /// `coverage`, `scan` or `drift`.
    pub kind: &'static str,
    /// The day of the report; none when nothing in it names one.
    pub date: Option<Date>,
    /// What it says.
    pub says: String,
    /// Why it counts for nothing, when it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

impl Told {
    /// In words.
    pub fn line(&self) -> String {
        let date = self.date.map_or("no date is in it".to_owned(), |date| date.to_string());
        let why_not = self.why_not.as_ref().map_or_else(String::new, |why| format!("; {why}"));
        format!("{} ({date}): {}{why_not}", self.file, self.says)
    }
}

/// What counts of what was handed in.
pub(crate) struct Counting<'a> {
    all: Vec<(&'a Given, Option<String>)>,
    templates: &'a Templates,
    today: Option<Date>,
}

impl<'a> Counting<'a> {
    /// Without the day of today, nothing is too old.
    pub(crate) fn of(given: &'a [Given], templates: &'a Templates, today: Option<Date>) -> Self {
        let all = given.iter().map(|one| (one, one.why_not(templates, today)));
        Self { all: all.collect(), templates, today }
    }

    /// What a check comes to with it.
    pub(crate) fn weigh(&self, id: &str, finding: Finding, tree: &Tree) -> Finding {
        let finding = coverage::weigh(id, finding, &self.coverage(), tree);
        let finding = scan::weigh(id, finding, &self.scans());
        drift::weigh(id, finding, &self.compared(), self.templates, self.today)
    }

    /// The lines of packages that reports know, by the directories of packages.
    pub(crate) fn reached<'r>(&self, tree: &Tree, roots: &'r Roots) -> BTreeMap<&'r str, Lines> {
        coverage::by_package(&self.coverage(), tree, roots)
    }

    /// Whether enough lines of a package were reached.
    pub(crate) fn covered(lines: Option<&Lines>) -> Finding {
        coverage::of_package(lines)
    }

    pub(crate) fn told(self) -> Vec<Told> {
        self.all.into_iter().map(|(given, why_not)| given.told(why_not)).collect()
    }

    fn counted(&self) -> impl Iterator<Item = &'a Given> {
        self.all.iter().filter(|(_, why_not)| why_not.is_none()).map(|(given, _)| *given)
    }

    fn coverage(&self) -> Vec<(&'a str, &'a Coverage)> {
        let of = |given: &'a Given| match &given.kind {
            Kind::Coverage(coverage) => Some((given.name.as_str(), coverage)),
            Kind::Scans(_) | Kind::Drift(_) => None,
        };
        self.counted().filter_map(of).collect()
    }

    fn compared(&self) -> Vec<&'a Compared> {
        let of = |given: &'a Given| match &given.kind {
            Kind::Drift(compared) => Some(compared),
            Kind::Coverage(_) | Kind::Scans(_) => None,
        };
        self.counted().filter_map(of).collect()
    }

    fn scans(&self) -> Vec<(&'a str, &'a Scan)> {
        let of = |given: &'a Given| match &given.kind {
            Kind::Scans(scans) => scans.as_slice(),
            Kind::Coverage(_) | Kind::Drift(_) => &[],
        };
        self.counted()
            .flat_map(|given| of(given).iter().map(|scan| (given.name.as_str(), scan)))
            .collect()
    }
}

/// Why a report of a day counts for nothing today. One day ahead may be a matter of the time zone.
fn too_old(date: Option<Date>, today: Option<Date>) -> Option<String> {
    let age_days = today?.since(date?).ok()?.get_days();
    if age_days > AGE_DAYS_MAX {
        return Some(format!(
            "it is {age_days} days old, and counts for nothing after {AGE_DAYS_MAX}"
        ));
    }
    (age_days < -1).then(|| "its day is in the future, so that it counts for nothing".to_owned())
}
