//! Charts as SVG inside a page. Each has a title that says what it shows; what is missing is drawn as a gap.

use std::fmt::Write as _;

use super::figure::{plain, with_unit};
use super::html::escaped;
use crate::catalog::MeasureId;
use crate::judge::{Judged, State};
use crate::report::{FunnelStep, Point, Trend, VersionValue};
use crate::score::Score;

/// Bars of one chart.
const BARS_MAX: usize = 40;

/// Height of a row with a bar.
const ROW: f64 = 24.0;

/// Where bars begin and how long they can be.
const LEFT: f64 = 210.0;
const LENGTH: f64 = 330.0;
const WIDTH: f64 = 700.0;

struct Svg(String);

impl Svg {
    fn new(title: &str, width: f64, height: f64) -> Self {
        let title = escaped(title);
        // Writing to a String does not fail, here and below.
        let mut svg = String::new();
        let _ = write!(
            svg,
            "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>"
        );
        Self(svg)
    }

    fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        let _ = write!(
            self.0,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
            width.max(0.0)
        );
    }

    fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        let _ = write!(
            self.0,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escaped(text)
        );
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = write!(
            self.0,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    fn end(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

/// A bar with what stands before and behind it.
struct Bar {
    label: String,
    /// Of the whole length; none is missing.
    share: Option<f64>,
    told: String,
    class: &'static str,
    /// Where a bound is.
    mark: Option<f64>,
}

fn bars(title: &str, bars: &[Bar]) -> String {
    if bars.is_empty() {
        return String::new();
    }
    let mut svg = Svg::new(title, WIDTH, ROW * bars.len() as f64 + 4.0);
    let mut y = 4.0;
    for bar in bars {
        svg.text("", 0.0, y + 12.0, &shortened(&bar.label));
        match bar.share {
            Some(share) => {
                svg.rect("back", LEFT, y, LENGTH, 16.0);
                svg.rect(bar.class, LEFT, y, LENGTH * share.clamp(0.0, 1.0), 16.0);
            }
            None => svg.rect("gap", LEFT, y, LENGTH, 16.0),
        }
        if let Some(mark) = bar.mark {
            let x = LEFT + LENGTH * mark.clamp(0.0, 1.0);
            svg.line("edge", (x, y - 2.0), (x, y + 18.0));
        }
        svg.text("dim", LEFT + LENGTH + 8.0, y + 12.0, &bar.told);
        y += ROW;
    }
    svg.end()
}

fn shortened(label: &str) -> String {
    const CHARS_MAX: usize = 30;
    if label.chars().count() <= CHARS_MAX {
        return label.to_owned();
    }
    label.chars().take(CHARS_MAX - 1).chain(['…']).collect()
}

/// What each term adds to the normalised score, of what it could.
pub(super) fn composition(score: &Score) -> String {
    let all = score.terms.iter().map(|term| {
        let most = 100.0 * term.weight;
        let told = term.normalised_points.map_or_else(
            || format!("missing, up to {}", plain(most)),
            |points| format!("{} of {} points", plain(points), plain(most)),
        );
        Bar {
            label: term.term.label().into(),
            share: term.normalised_points.map(|points| points / most),
            told,
            class: "bar",
            mark: None,
        }
    });
    bars("Composition of the normalised score", &all.collect::<Vec<_>>())
}

/// How far each measure is from its threshold, which is where the mark stands.
pub(super) fn distances(judged: &[Judged]) -> String {
    const MARK: f64 = 0.75;
    let all = judged.iter().map(|one| {
        let unit = one.id.spec().unit;
        let bound = with_unit(one.threshold, unit);
        Bar {
            label: one.id.spec().label.into(),
            share: one.value.map(|value| MARK * value / one.threshold),
            told: one.value.map_or_else(
                || format!("missing, of {bound}"),
                |value| format!("{} of {bound}", plain(value)),
            ),
            class: match one.state {
                State::Met => "met",
                State::NotMet => "not",
                State::Unknown => "open",
            },
            mark: Some(MARK),
        }
    });
    bars("Distance to each target", &all.collect::<Vec<_>>())
}

/// Steps as parts of the first.
pub(super) fn funnel(steps: &[FunnelStep]) -> String {
    let first = steps.first().map_or(0, |step| step.count);
    if first == 0 {
        return String::new();
    }
    let all = steps.iter().map(|step| Bar {
        label: step.label.clone(),
        share: Some(step.count as f64 / first as f64),
        told: plain(step.count as f64),
        class: "bar",
        mark: None,
    });
    bars("From requests to what was resolved", &all.collect::<Vec<_>>())
}

/// Cost per resolved interaction, version by version.
pub(super) fn cost_by_version(versions: &[VersionValue]) -> String {
    let value = |one: &VersionValue| {
        one.measures
            .iter()
            .find(|measured| measured.id == MeasureId::CostPerResolved)
            .and_then(|cost| cost.value)
    };
    let most = versions.iter().filter_map(value).fold(0.0, f64::max);
    let latest = versions.len().saturating_sub(BARS_MAX);
    let all = versions.iter().skip(latest).map(|one| Bar {
        label: format!("{} {}", one.agent, one.version),
        share: value(one).map(|cost| if most > 0.0 { cost / most } else { 0.0 }),
        told: value(one)
            .map_or_else(|| "missing".to_owned(), |cost| format!("{} USD", plain(cost))),
        class: "bar",
        mark: None,
    });
    bars("Cost per resolved interaction by version", &all.collect::<Vec<_>>())
}

/// What a chart shows of a point.
type Read = fn(&Point) -> Option<f64>;

/// A small chart for each measure.
pub(super) fn trend(trend: &Trend) -> String {
    let series: [(&str, Read); 5] = [
        ("Interactions", |point| Some(point.interactions as f64)),
        ("Replacement rate, %", |point| point.replacement_rate),
        ("Error rate, %", |point| point.error_rate),
        ("NPS, points", |point| point.nps),
        ("Cost, USD", |point| point.cost_usd),
    ];
    let charts: Vec<String> =
        series.iter().filter_map(|(label, of)| curve(label, trend, *of)).collect();
    if charts.is_empty() {
        return String::new();
    }
    format!("<div class=\"small\">\n{}</div>\n", charts.concat())
}

/// A line through the points, broken where one is missing.
fn curve(label: &str, trend: &Trend, of: Read) -> Option<String> {
    const LEFT: f64 = 64.0;
    const RIGHT: f64 = 330.0;
    const TOP: f64 = 26.0;
    const BOTTOM: f64 = 96.0;
    let known: Vec<f64> = trend.points.iter().filter_map(of).collect();
    let most = known.iter().copied().fold(0.0, f64::max);
    let least = known.iter().copied().fold(0.0, f64::min);
    let (begin, end) = (trend.points.first()?.from, trend.points.last()?.from);
    if known.is_empty() {
        return None;
    }
    let days = |to: jiff::civil::Date| begin.duration_until(to).as_secs_f64();
    let span = days(end).max(1.0);
    let height = (most - least).max(f64::MIN_POSITIVE);
    let mut svg = Svg::new(&format!("{label} over time"), 340.0, 120.0);
    svg.text("", 0.0, 14.0, label);
    for (value, y) in [(most, TOP), (least, BOTTOM)] {
        svg.line("axis", (LEFT, y), (RIGHT, y));
        svg.text("dim", 0.0, y + 4.0, &plain(value));
    }
    svg.text("dim", LEFT, 114.0, &begin.to_string());
    svg.text("dim", RIGHT - 66.0, 114.0, &end.to_string());
    let at = |point: &Point| {
        let x = LEFT + (RIGHT - LEFT) * days(point.from) / span;
        of(point).map(|value| (x, BOTTOM - (BOTTOM - TOP) * (value - least) / height))
    };
    for run in trend.points.iter().map(at).collect::<Vec<_>>().split(Option::is_none) {
        let places: Vec<String> =
            run.iter().flatten().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = write!(svg.0, "<polyline class=\"line\" points=\"{}\"/>", places.join(" "));
        if let [Some((x, y))] = run {
            let _ = write!(svg.0, "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
        }
    }
    Some(svg.end())
}
