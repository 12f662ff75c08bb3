//! Which lines tests reached, counted; what a report claims as a rate is not looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;

use super::{GivenError, several};
use crate::act::is_test;
use crate::finding::{Finding, Outcome, cut};
use crate::package::Roots;
use crate::tree::{Tree, has_end, is_aside, name};

/// Most files of a report.
const FILES_MAX: usize = 200_000;

/// Most lines of a report, over all files.
const LINES_MAX: usize = 5_000_000;

/// A report knows at least one of so many lines of a file that may run: what is no statement, such as a bracket or the
/// middle of a long one, is not counted by any.
const SPARSE: u64 = 10;

/// Shorter files may have next to no statements.
const SPARSE_LINES_MIN: u64 = 50;

/// What has to be passed, in percent.
const PERCENT_MIN: u64 = 80;

/// A report of coverage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Coverage {
    format: &'static str,
    /// The last day that it names.
    pub(super) date: Option<Date>,
    /// It names a day that cannot be read; how.
    pub(super) odd_day: Option<String>,
    files: Vec<Covered>,
}

/// The lines of a file that can run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Covered {
    /// As the report has it.
    path: String,
    lines: u64,
    reached: u64,
    /// The last line that the report knows; 0 when it names none.
    last: u32,
}

impl Coverage {
    /// The same where it names a day that cannot be read.
    pub(super) fn with_odd_day(self, odd_day: Option<String>) -> Self {
        Self { odd_day, ..self }
    }

    pub(super) fn says(&self) -> String {
        let total = Total::of(&self.files);
        match total.percent() {
            Some(percent) => format!(
                "{}: {percent} of {} in {} reached",
                self.format,
                several(total.lines, "line"),
                several(self.files.len() as u64, "file")
            ),
            None => format!("{}: it holds no line that can run", self.format),
        }
    }
}

/// Lines that can run, and those that did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Total {
    lines: u64,
    pub(crate) reached: u64,
}

impl Total {
    fn of<'a>(files: impl IntoIterator<Item = &'a Covered>) -> Self {
        files.into_iter().fold(Self::default(), |sum, file| Self {
            lines: sum.lines.saturating_add(file.lines),
            reached: sum.reached.saturating_add(file.reached),
        })
    }

    /// Hundredths of a percent, rounded down; no lines have no share.
    fn hundredths(self) -> Option<u64> {
        let share = u128::from(self.reached) * 10_000 / u128::from(self.lines).max(1);
        (self.lines > 0).then(|| u64::try_from(share).unwrap_or(10_000).min(10_000))
    }

    fn percent(self) -> Option<String> {
        let hundredths = self.hundredths()?;
        let whole = hundredths / 100;
        Some(match hundredths % 100 {
            0 => format!("{whole} %"),
            rest if rest.is_multiple_of(10) => format!("{whole}.{} %", rest / 10),
            rest => format!("{whole}.{rest:02} %"),
        })
    }

    /// More than is asked for, exactly.
    fn is_enough(self) -> bool {
        u128::from(self.reached) * 100 > u128::from(self.lines) * u128::from(PERCENT_MIN)
    }
}

/// Collects a report file by file; a file or a line that comes again is one, and reached when it was once.
pub(super) struct Builder {
    kind: &'static str,
    format: &'static str,
    files: BTreeMap<(String, String), Lines>,
    open: Option<(String, String)>,
    lines: usize,
}

#[derive(Default)]
struct Lines {
    by_number: BTreeMap<u32, bool>,
    /// Lines and reached ones where a report only counts them.
    counted: Option<(u64, u64)>,
}

impl Builder {
    pub(super) fn new(kind: &'static str, format: &'static str) -> Self {
        Self { kind, format, files: BTreeMap::new(), open: None, lines: 0 }
    }

    /// What follows is about this file. Files of two groups are two, whatever they are called.
    pub(super) fn file(&mut self, group: &str, path: &str) -> Result<(), GivenError> {
        let key = (group.to_owned(), path.trim().replace('\\', "/"));
        self.files.entry(key.clone()).or_default();
        if self.files.len() > FILES_MAX {
            return Err(GivenError::broken(
                self.kind,
                format!("it has more than {FILES_MAX} files"),
            ));
        }
        self.open = Some(key);
        Ok(())
    }

    pub(super) fn line(&mut self, number: u32, reached: bool) -> Result<(), GivenError> {
        self.lines += 1;
        if self.lines > LINES_MAX {
            return Err(GivenError::broken(
                self.kind,
                format!("it has more than {LINES_MAX} lines"),
            ));
        }
        if let Some(lines) = self.open.as_ref().and_then(|open| self.files.get_mut(open)) {
            *lines.by_number.entry(number).or_default() |= reached;
        }
        Ok(())
    }

    /// How many lines of the file there are. Lines that are named go before it.
    pub(super) fn counted(&mut self, missed: u64, reached: u64) -> Result<(), GivenError> {
        let lines = missed.checked_add(reached);
        let lines =
            lines.ok_or_else(|| GivenError::broken(self.kind, "it counts too many lines"))?;
        if let Some(file) = self.open.as_ref().and_then(|open| self.files.get_mut(open)) {
            file.counted = Some((lines, reached));
        }
        Ok(())
    }

    pub(super) fn finish(self, date: Option<Date>) -> Coverage {
        let files = self.files.into_iter().map(|((_, path), file)| {
            let named = (
                file.by_number.len() as u64,
                file.by_number.values().filter(|reached| **reached).count() as u64,
            );
            let (lines, reached) =
                if named.0 > 0 { named } else { file.counted.unwrap_or_default() };
            let last = file.by_number.last_key_value().map_or(0, |(number, _)| *number);
            Covered { path, lines, reached, last }
        });
        Coverage { format: self.format, date, odd_day: None, files: files.collect() }
    }
}

/// The day of a time in milliseconds since the epoch, UTC.
pub(super) fn day_of(ms: u64) -> Option<Date> {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
    Some(jiff::tz::TimeZone::UTC.to_datetime(at).date())
}

/// What reports of coverage make of a check. A threshold that is enforced is another question, and stays one.
pub(super) fn weigh(
    id: &str,
    finding: Finding,
    reports: &[(&str, &Coverage)],
    tree: &Tree,
) -> Finding {
    if id != "tests.coverage_over_80" || reports.is_empty() {
        return finding;
    }
    let names: Vec<&str> = reports.iter().map(|(name, _)| *name).collect();
    let (outcome, reason) = reached(reports, tree);
    let found = match (outcome, finding.outcome) {
        (Outcome::Fail, Outcome::Pass) => {
            Finding::unknown(format!("{reason}, though {}", finding.reason))
        }
        // What a pipeline enforces needs no report.
        (Outcome::Unknown, Outcome::Pass) => Finding::pass(format!("{}; {reason}", finding.reason)),
        _ => Finding::new(outcome, reason),
    };
    found.with(finding.evidence).given(names)
}

/// Each report must be enough, and all together also when every line of what they leave out was not reached.
fn reached(reports: &[(&str, &Coverage)], tree: &Tree) -> (Outcome, String) {
    let places = Places::of(tree);
    let mut all = Total::default();
    let mut known = BTreeSet::new();
    let mut said = Vec::new();
    let mut worst = Outcome::Pass;
    for (name, report) in reports {
        let here: Vec<(&Covered, &str)> =
            report.files.iter().filter_map(|file| Some((file, places.find(&file.path)?))).collect();
        let total = Total::of(here.iter().map(|(file, _)| *file));
        let Some(percent) = total.percent() else {
            return (Outcome::Unknown, format!("{name} holds no line of a file that is here"));
        };
        let is_other = |(file, path): &&(&Covered, &str)| {
            tree.text(path).is_some_and(|text| text.lines().count() < file.last as usize)
        };
        if let Some((file, path)) = here.iter().find(is_other) {
            let why = format!(
                "{name} is about another state of {}: it has no line {}",
                cut(path, 100),
                file.last
            );
            return (Outcome::Unknown, why);
        }
        if !total.is_enough() {
            worst = Outcome::Fail;
        }
        said.push(format!(
            "{percent} of {} in {} reached, by {name}",
            several(total.lines, "line"),
            several(here.len() as u64, "file")
        ));
        all = Total { lines: all.lines + total.lines, reached: all.reached + total.reached };
        known.extend(here.into_iter().map(|(_, path)| path));
    }
    let mut reason = said.join("; ");
    if worst == Outcome::Fail {
        return (worst, format!("{reason}, which is not above {PERCENT_MIN} %"));
    }
    let (files, lines) = left_out(tree, &known);
    let sparse = sparse(reports, &places, tree);
    let (files, lines) = (files + sparse.0, lines.saturating_add(sparse.1));
    if files > 0 && !(Total { lines: all.lines.saturating_add(lines), ..all }).is_enough() {
        reason = format!(
            "{reason}; source files with up to {lines} lines are in no report{} ({files} of them), and decide",
            if sparse.0 > 0 { ", or hardly" } else { "" }
        );
        return (Outcome::Unknown, reason);
    }
    (worst, reason)
}

/// How many files reports know next to nothing of, and how many lines of them may run besides.
fn sparse(reports: &[(&str, &Coverage)], places: &Places<'_>, tree: &Tree) -> (usize, u64) {
    let mut known: BTreeMap<&str, u64> = BTreeMap::new();
    for file in reports.iter().flat_map(|(_, report)| &report.files) {
        if let Some(path) = places.find(&file.path) {
            let lines = known.entry(path).or_default();
            *lines = file.lines.max(*lines);
        }
    }
    let rest = known.into_iter().filter_map(|(path, lines)| {
        let all = tree.text(path)?.lines().filter(|line| may_run(line)).count() as u64;
        let is_sparse = all >= SPARSE_LINES_MIN && lines.saturating_mul(SPARSE) < all;
        (is_sparse && !is_test(path)).then(|| all - lines)
    });
    rest.fold((0, 0), |(files, sum), lines| (files + 1, sum + lines))
}

/// How many source files in the languages of reports no report knows, and how many lines of them may run at most.
fn left_out(tree: &Tree, known: &BTreeSet<&str>) -> (usize, u64) {
    let end = |path: &str| name(path).rsplit_once('.').map(|(_, end)| end.to_owned());
    let ends: BTreeSet<String> = known.iter().filter_map(|path| end(path)).collect();
    let (mut files, mut lines) = (0, 0);
    for (path, text) in tree.texts() {
        let is_source = ends.iter().any(|end| has_end(path, end));
        if !is_source || known.contains(path) || is_aside(path) || is_test(path) {
            continue;
        }
        let may_run = text.lines().filter(|line| may_run(line)).count();
        if may_run > 0 {
            files += 1;
            lines += may_run as u64;
        }
    }
    (files, lines)
}

/// The lines of each package that reports know. A file in several reports counts as in the one that reached most of it.
pub(super) fn by_package<'r>(
    reports: &[(&str, &Coverage)],
    tree: &Tree,
    roots: &'r Roots,
) -> BTreeMap<&'r str, Total> {
    let mut by_file: BTreeMap<&str, Total> = BTreeMap::new();
    if reports.is_empty() {
        return BTreeMap::new();
    }
    let places = Places::of(tree);
    for file in reports.iter().flat_map(|(_, report)| &report.files) {
        let Some(path) = places.find(&file.path) else { continue };
        let known = by_file.entry(path).or_default();
        if file.reached >= known.reached {
            *known = Total { lines: file.lines.max(known.lines), reached: file.reached };
        }
    }
    let mut all: BTreeMap<&str, Total> = BTreeMap::new();
    for (path, of_file) in by_file {
        if let Some(dir) = roots.of(path) {
            let sum = all.entry(dir).or_default();
            sum.lines = sum.lines.saturating_add(of_file.lines);
            sum.reached = sum.reached.saturating_add(of_file.reached);
        }
    }
    all
}

/// Whether enough lines of a package were reached.
pub(super) fn of_package(lines: Option<&Total>) -> Finding {
    match lines.and_then(|total| Some((total, total.percent()?))) {
        None => Finding::unknown("no report that was handed in knows a line of it"),
        Some((total, percent)) => {
            let outcome = if total.is_enough() { Outcome::Pass } else { Outcome::Fail };
            Finding::new(outcome, format!("{percent} of {} reached", several(total.lines, "line")))
        }
    }
}

/// Neither empty, nor a comment by its first characters.
pub(crate) fn may_run(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !["//", "#", "/*", "*", "--"].iter().any(|mark| line.starts_with(mark))
}

/// The files of a tree by their names.
struct Places<'a>(HashMap<&'a str, Vec<&'a str>>);

impl<'a> Places<'a> {
    fn of(tree: &'a Tree) -> Self {
        let mut all: HashMap<&str, Vec<&str>> = HashMap::new();
        for path in tree.paths() {
            all.entry(name(path)).or_default().push(path);
        }
        Self(all)
    }

    /// The one file that a path of another machine means: one is the end of the other. Of several that would do, the
    /// longest; none when two are alike.
    fn find(&self, reported: &str) -> Option<&'a str> {
        let reported = reported.trim_start_matches("./").trim_start_matches('/');
        let ends = |long: &str, short: &str| {
            long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        };
        let fits = |path: &&&str| ends(path, reported) || ends(reported, path);
        let fitting: Vec<&&str> = self.0.get(name(reported))?.iter().filter(fits).collect();
        let exact = fitting.iter().find(|path| ***path == reported);
        if let Some(path) = exact {
            return Some(path);
        }
        // Those that the reported path ends with are known in full; those that end with it only by their end.
        let whole =
            fitting.iter().filter(|path| ends(reported, path)).max_by_key(|path| path.len());
        let only = || if let [path] = fitting.as_slice() { Some(path) } else { None };
        whole.or_else(only).map(|path| **path)
    }
}
