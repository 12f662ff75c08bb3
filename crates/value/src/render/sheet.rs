//! What a report says, as headings, sentences and tables: the same for terminal, Markdown and HTML.

mod prices;
mod time;

use self::prices::prices;
use self::time::{compared, forecast, trend, versions};
use super::figure::{plain, range, signed, with_unit};
use crate::catalog::{Area, MeasureId};
use crate::judge::{Judged, Side, State};
use crate::measured::Measured;
use crate::report::ValueReport;
use crate::score::Score;

/// How a cell looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Good,
    Bad,
    Open,
    /// A command line.
    Code,
}

/// What stands in a table.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) look: Look,
}

impl Cell {
    fn new(text: impl Into<String>, look: Look) -> Self {
        Self { text: text.into(), look }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Look::Plain)
    }
}

/// Which part of the report a section is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Score,
    Success,
    Failure,
    Area,
    Funnel,
    Versions,
    Compared,
    Trend,
    Forecast,
    Prices,
    Missing,
    Goals,
    Formulas,
}

/// A heading with what stands under it.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) part: Part,
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Section {
    fn new(part: Part, title: impl Into<String>) -> Self {
        Self { part, title: title.into(), lines: Vec::new(), head: Vec::new(), rows: Vec::new() }
    }

    fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    fn table<const N: usize>(
        mut self,
        head: [&'static str; N],
        rows: impl IntoIterator<Item = [Cell; N]>,
    ) -> Self {
        self.head = head.into();
        self.rows = rows.into_iter().map(Vec::from).collect();
        self
    }
}

/// The heading of all.
pub(super) fn title(report: &ValueReport) -> String {
    report
        .agent
        .as_ref()
        .map_or_else(|| "Value of all agents".to_owned(), |agent| format!("Value of {agent}"))
}

/// What it is about.
pub(super) fn subtitle(report: &ValueReport) -> String {
    let window = &report.window;
    let days = plain(window.days());
    let (from, to) = (window.told(window.from_wall_ms()), window.told(window.to_wall_ms()));
    let told = report
        .days
        .told()
        .map_or_else(String::new, |told| format!(" Of what is a week's or a year's, {told}."));
    format!(
        "{from} to {to} {} ({days} days).{told} What was not seen is missing, never zero.",
        window.time_zone()
    )
}

/// Everything, in order. `formulas` adds how each number is made.
pub(super) fn sections(report: &ValueReport, formulas: bool) -> Vec<Section> {
    let mut all = vec![
        score(&report.score),
        judged(report, Part::Success, "Success within twelve months", &report.success),
        judged(report, Part::Failure, "Failure signals", &report.failure),
    ];
    all.extend(Area::ALL.map(|area| measures(report, area)));
    all.push(funnel(report));
    all.push(versions(report));
    all.extend(compared(report));
    all.push(trend(&report.trend));
    all.push(forecast(&report.forecast));
    all.extend(prices(&report.prices));
    all.push(missing(report));
    all.push(goals(report));
    if formulas {
        all.push(how_made());
    }
    all
}

pub(super) fn score(score: &Score) -> Section {
    let section = Section::new(Part::Score, "Score");
    let section = if let (Some(raw), Some(normalised)) = (score.raw, score.normalised) {
        let open = score.normalised_range;
        let is_open = open.low != open.high;
        let sure = if is_open {
            format!(" With what was not seen, {} of 100.", range(open))
        } else {
            String::new()
        };
        section.line(format!("{} raw, {} of 100 normalised.{sure}", plain(raw), plain(normalised)))
    } else {
        let names: Vec<&str> = score.missing.iter().map(|missing| missing.term.label()).collect();
        let range = range(score.normalised_range);
        section.line(format!(
            "No score: {} missing. Nothing is weighed anew; normalised it can be {range} of 100.",
            names.join(", ")
        ))
    };
    let shown = |value: Option<f64>| {
        value.map_or_else(|| Cell::new("missing", Look::Open), |value| plain(value).into())
    };
    let rows = score.terms.iter().map(|term| {
        let weight = format!("{} %", plain(100.0 * term.weight));
        [
            term.term.label().into(),
            weight.into(),
            shown(term.value),
            shown(term.raw_points),
            shown(term.normalised),
            shown(term.normalised_points),
        ]
    });
    section.table(["term", "weight", "value", "raw points", "of 100", "normalised points"], rows)
}

fn judged(report: &ValueReport, part: Part, title: &str, all: &[Judged]) -> Section {
    let is_success = part == Part::Success;
    let rows = all.iter().map(|one| {
        let spec = one.id.spec();
        let (state, look) = match (is_success, one.state) {
            (true, State::Met) => ("✓ met", Look::Good),
            (true, State::NotMet) => ("✗ not met", Look::Bad),
            (false, State::Met) => ("✗ raised", Look::Bad),
            (false, State::NotMet) => ("✓ clear", Look::Good),
            (_, State::Unknown) => ("? unknown", Look::Open),
        };
        let side = if one.side == Side::Above { ">" } else { "<" };
        let value =
            one.value.map_or_else(|| "missing".to_owned(), |value| with_unit(value, spec.unit));
        let distance =
            one.distance.map_or_else(String::new, |distance| signed(distance, spec.unit));
        let bound = format!("{side} {}", with_unit(one.threshold, spec.unit));
        [
            Cell::new(state, look),
            spec.label.into(),
            value.into(),
            bound.into(),
            distance.into(),
            one.why.clone().unwrap_or_default().into(),
        ]
    });
    let section = Section::new(part, title)
        .table(["", "measure", "value", "bound", "beyond it by", ""], rows);
    match report.since_wall_ms.filter(|_| is_success) {
        Some(since) => section.line(format!("Measured since {}.", report.window.told(since))),
        None => section,
    }
}

fn measures(report: &ValueReport, area: Area) -> Section {
    let of_area = report.measures.iter().filter(|measured| measured.id.spec().area == area);
    let rows = of_area.map(|measured| {
        let value = match (measured.value, &measured.missing) {
            (Some(value), _) => with_unit(value, measured.unit).into(),
            _ => Cell::new("missing", Look::Open),
        };
        [
            measured.id.spec().label.into(),
            value,
            from(measured).into(),
            chance(measured).into(),
            notes(measured).into(),
        ]
    });
    Section::new(Part::Area, area.title())
        .table(["measure", "value", "from", "interval", "note"], rows)
}

fn from(measured: &Measured) -> String {
    match (measured.numerator, measured.denominator) {
        (Some(above), Some(below)) => {
            format!("{} / {}, n = {}", plain(above), plain(below), measured.n)
        }
        _ if measured.value.is_some() => format!("n = {}", measured.n),
        _ => String::new(),
    }
}

fn chance(measured: &Measured) -> String {
    let Some(interval) = &measured.interval else { return String::new() };
    let high = interval.high.map_or_else(|| "no end".to_owned(), plain);
    format!("{} to {high} ({} %, {})", plain(interval.low), interval.level_percent, interval.method)
}

fn notes(measured: &Measured) -> String {
    let open = measured.range.map(|open| format!("can be {}", range(open)));
    let why = measured.missing.as_ref().map(|missing| missing.why.clone());
    let all: Vec<String> =
        why.into_iter().chain(open).chain(measured.notes.iter().cloned()).collect();
    all.join("; ")
}

fn funnel(report: &ValueReport) -> Section {
    let first = report.funnel.first().map_or(0, |step| step.count);
    let rows = report.funnel.iter().map(|step| {
        let share = 100.0 * step.count as f64 / first as f64;
        let share = if first > 0 { format!("{} %", plain(share)) } else { String::new() };
        [step.label.clone().into(), plain(step.count as f64).into(), share.into()]
    });
    Section::new(Part::Funnel, "From requests to what they were worth")
        .table(["step", "count", "of all"], rows)
}

fn missing(report: &ValueReport) -> Section {
    let measures = report
        .missing()
        .filter_map(|measured| Some((measured.id.spec().label, measured.missing.as_ref()?)));
    let forecast = report.forecast.missing.as_ref().map(|missing| ("Forecast", missing));
    let mut rows: Vec<[Cell; 3]> = Vec::new();
    for (label, missing) in measures.chain(forecast) {
        rows.push([label.into(), missing.why.clone().into(), how(missing.how.first())]);
        rows.extend(missing.how.iter().skip(1).map(|line| ["".into(), "".into(), how(Some(line))]));
    }
    let section = Section::new(Part::Missing, "What is missing, and how to record it");
    if rows.is_empty() {
        return section.line("Nothing.");
    }
    section.table(["measure", "why", "how"], rows)
}

fn how(line: Option<&String>) -> Cell {
    let Some(line) = line else { return "".into() };
    let look = if line.starts_with("lockgate ") { Look::Code } else { Look::Plain };
    Cell::new(line.clone(), look)
}

fn goals(report: &ValueReport) -> Section {
    let rows = report.goals.iter().map(|goal| {
        let verified =
            if goal.unverified { Cell::new("unverified", Look::Open) } else { "verified".into() };
        [goal.claim.clone().into(), goal.source.clone().into(), verified]
    });
    Section::new(Part::Goals, "What others are said to reach").table(["claim", "source", ""], rows)
}

fn how_made() -> Section {
    let rows = MeasureId::ALL.iter().map(|id| {
        let spec = id.spec();
        [spec.label.into(), spec.formula.into(), spec.denominator.into(), spec.window.into()]
    });
    Section::new(Part::Formulas, "How each number is made")
        .table(["measure", "formula", "divided by", "window"], rows)
}
