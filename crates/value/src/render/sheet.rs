//! What a report says, as headings, sentences and tables: the same for terminal, Markdown and HTML.

use super::figure::{plain, range, signed, with_unit};
use crate::catalog::{Area, MeasureId};
use crate::forecast::Forecast;
use crate::gather::End;
use crate::judge::{Judged, Side, State};
use crate::measured::Measured;
use crate::report::{Change, Step, Trend, ValueReport, VersionValue};
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

    fn table<const N: usize>(mut self, head: [&'static str; N], rows: impl IntoIterator<Item = [Cell; N]>) -> Self {
        self.head = head.into();
        self.rows = rows.into_iter().map(Vec::from).collect();
        self
    }
}

/// The heading of all.
pub(super) fn title(report: &ValueReport) -> String {
    report.agent.as_ref().map_or_else(|| "Value of all agents".to_owned(), |agent| format!("Value of {agent}"))
}

/// What it is about.
pub(super) fn subtitle(report: &ValueReport) -> String {
    let window = &report.window;
    let days = plain(window.days());
    let (from, to) = (window.told(window.from_wall_ms()), window.told(window.to_wall_ms()));
    format!("{from} to {to} {} ({days} days). What was not seen is missing, never zero.", window.time_zone())
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
    all.push(missing(report));
    all.push(goals(report));
    if formulas {
        all.push(how_made());
    }
    all
}

pub(super) fn score(score: &Score) -> Section {
    let section = Section::new(Part::Score, "Score");
    let section = match (score.raw, score.normalised) {
        (Some(raw), Some(normalised)) => {
            section.line(format!("{} raw, {} of 100 normalised.", plain(raw), plain(normalised)))
        }
        _ => {
            let names: Vec<&str> = score.missing.iter().map(|missing| missing.term.label()).collect();
            let range = range(score.normalised_range);
            section.line(format!(
                "No score: {} missing. Nothing is weighed anew; normalised it can be {range} of 100.",
                names.join(", ")
            ))
        }
    };
    let shown = |value: Option<f64>| value.map_or_else(|| Cell::new("missing", Look::Open), |value| plain(value).into());
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
        let value = one.value.map_or_else(|| "missing".to_owned(), |value| with_unit(value, spec.unit));
        let distance = one.distance.map_or_else(String::new, |distance| signed(distance, spec.unit));
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
    let section = Section::new(part, title).table(["", "measure", "value", "bound", "beyond it by", ""], rows);
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
        [measured.id.spec().label.into(), value, from(measured).into(), chance(measured).into(), notes(measured).into()]
    });
    Section::new(Part::Area, area.title()).table(["measure", "value", "from", "interval", "note"], rows)
}

fn from(measured: &Measured) -> String {
    match (measured.numerator, measured.denominator) {
        (Some(above), Some(below)) => format!("{} / {}, n = {}", plain(above), plain(below), measured.n),
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
    let all: Vec<String> = why.into_iter().chain(open).chain(measured.notes.iter().cloned()).collect();
    all.join("; ")
}

fn funnel(report: &ValueReport) -> Section {
    let first = report.funnel.first().map_or(0, |step| step.count);
    let rows = report.funnel.iter().map(|step| {
        let share = 100.0 * step.count as f64 / first as f64;
        let share = if first > 0 { format!("{} %", plain(share)) } else { String::new() };
        [step.label.clone().into(), plain(step.count as f64).into(), share.into()]
    });
    Section::new(Part::Funnel, "From requests to what they were worth").table(["step", "count", "of all"], rows)
}

fn versions(report: &ValueReport) -> Section {
    let section = Section::new(Part::Versions, "Versions: what each release did");
    if report.versions.is_empty() {
        return section.line("No version answered in this window.");
    }
    let rows = report.versions.iter().map(|one| {
        let mut cells = [
            one.agent.to_string().into(),
            one.version.to_string().into(),
            report.window.told(one.first_wall_ms).into(),
            ended(one).into(),
            "".into(),
            "".into(),
            "".into(),
            "".into(),
            "".into(),
        ];
        let ids = [
            MeasureId::Interactions,
            MeasureId::ReplacementRate,
            MeasureId::ErrorRate,
            MeasureId::CostPerResolved,
            MeasureId::Nps,
        ];
        for (cell, id) in cells.iter_mut().skip(4).zip(ids) {
            *cell = of_version(one, id);
        }
        cells
    });
    section
        .line("A change stands in brackets; it counts as better or worse only when chance alone would not do as much.")
        .table(
            ["agent", "version", "first seen", "release", "interactions", "replacement", "errors", "cost per resolved", "NPS"],
            rows,
        )
}

fn ended(one: &VersionValue) -> &'static str {
    match one.end {
        Some(End::Promoted) => "promoted",
        Some(End::RolledBack) => "rolled back",
        Some(End::Aborted) => "aborted",
        Some(End::Superseded) => "superseded",
        None => "",
    }
}

fn of_version(one: &VersionValue, id: MeasureId) -> Cell {
    let measured = one.measures.iter().find(|measured| measured.id == id);
    let Some(value) = measured.and_then(|measured| measured.value) else { return Cell::new("missing", Look::Open) };
    let shown = with_unit(value, id.spec().unit);
    let change = one.change.as_ref().and_then(|change| change.rows.iter().find(|row| row.id == id));
    match change.and_then(|row| Some((row, row.change?))) {
        Some((row, change)) => Cell::new(format!("{shown} ({})", signed(change, id.spec().unit)), look(row)),
        None => shown.into(),
    }
}

fn look(change: &Change) -> Look {
    match change.better {
        Some(true) => Look::Good,
        Some(false) => Look::Bad,
        None => Look::Plain,
    }
}

fn compared(report: &ValueReport) -> Option<Section> {
    let compared = report.compared.as_ref()?;
    let before = &compared.before;
    let (from, to) = (before.told(before.from_wall_ms()), before.told(before.to_wall_ms()));
    let rows = compared.rows.iter().map(|row| {
        let spec = row.id.spec();
        let shown = |value: Option<f64>| value.map_or_else(|| "missing".to_owned(), |value| with_unit(value, spec.unit));
        let change = row.change.map_or_else(String::new, |change| signed(change, spec.unit));
        [spec.label.into(), shown(row.before).into(), shown(row.after).into(), Cell::new(change, look(row))]
    });
    let section = Section::new(Part::Compared, "Against another window").line(format!("Before: {from} to {to} {}.", before.time_zone()));
    Some(section.table(["measure", "before", "now", "change"], rows))
}

fn trend(trend: &Trend) -> Section {
    let step = match trend.step {
        Step::Day => "day",
        Step::Week => "week",
        Step::Month => "month",
    };
    let section = Section::new(Part::Trend, format!("By {step}"));
    if trend.points.is_empty() {
        return section.line("Nothing happened in this window.");
    }
    let shown = |value: Option<f64>, unit: &str| value.map_or_else(|| Cell::new("missing", Look::Open), |value| format!("{}{unit}", plain(value)).into());
    let rows = trend.points.iter().map(|point| {
        [
            point.from.to_string().into(),
            plain(point.interactions as f64).into(),
            shown(point.replacement_rate, " %"),
            shown(point.error_rate, " %"),
            shown(point.nps, ""),
            shown(point.cost_usd, " USD"),
        ]
    });
    section.table(["from", "interactions", "replacement", "errors", "NPS", "cost"], rows)
}

fn forecast(forecast: &Forecast) -> Section {
    let mut section = Section::new(Part::Forecast, "When the investment comes back");
    let month = |date: jiff::civil::Date| date.strftime("%Y-%m").to_string();
    if let Some(missing) = &forecast.missing {
        section = section.line(format!("No month: {}.", missing.why));
    }
    if let Some(payback) = forecast.payback {
        let told = if forecast.reached { "It came back in" } else { "At the mean of the months seen it comes back in" };
        section = section.line(format!("{told} {}.", month(payback)));
        if !forecast.reached {
            let earliest = forecast.earliest.map_or_else(|| "unknown".to_owned(), month);
            let latest = forecast.latest.map_or_else(|| "perhaps never".to_owned(), month);
            section = section.line(format!("95 % interval of the mean: {earliest} to {latest}."));
        }
    }
    if let (Some(mean), Some(low), Some(high)) = (forecast.monthly_net_usd, forecast.monthly_low_usd, forecast.monthly_high_usd) {
        section = section.line(format!("Net saving of a month: {} USD ({} to {}).", plain(mean), plain(low), plain(high)));
    }
    if let Some(investment) = forecast.investment_usd {
        section = section.line(format!("Invested: {} USD.", plain(investment)));
    }
    for assumption in &forecast.assumptions {
        section = section.line(format!("Assumed: {assumption}."));
    }
    let rows = forecast.months.iter().map(|one| {
        let owed = one.cumulative_usd.map_or_else(String::new, |sum| format!("{} USD", plain(sum)));
        [month(one.month).into(), format!("{} USD", plain(one.net_usd)).into(), owed.into()]
    });
    section.table(["month", "net saving", "sum less investment"], rows)
}

fn missing(report: &ValueReport) -> Section {
    let measures = report.missing().filter_map(|measured| Some((measured.id.spec().label, measured.missing.as_ref()?)));
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
        let verified = if goal.unverified { Cell::new("unverified", Look::Open) } else { "verified".into() };
        [goal.claim.clone().into(), goal.source.clone().into(), verified]
    });
    Section::new(Part::Goals, "What others are said to reach").table(["claim", "source", ""], rows)
}

fn how_made() -> Section {
    let rows = MeasureId::ALL.iter().map(|id| {
        let spec = id.spec();
        [spec.label.into(), spec.formula.into(), spec.denominator.into(), spec.window.into()]
    });
    Section::new(Part::Formulas, "How each number is made").table(["measure", "formula", "divided by", "window"], rows)
}
