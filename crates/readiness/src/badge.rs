//! An assessment as a badge: a small SVG of two words.

use std::fmt::Write as _;

use crate::assess::Assessment;
use crate::catalog::Dimension;
use crate::finding::Outcome;
use crate::gate::Scenario;
use crate::html::escaped;

/// Width of a character of the font, about, in tenths of a pixel. Texts are fitted to what comes of it.
const CHAR_WIDTH: usize = 60;

/// Free space on each side of a text, in tenths of a pixel.
const PADDING: usize = 60;

/// The badge: the gate of a scenario, or the levels of all dimensions. What is unknown is called so, and never green.
pub fn badge(assessment: &Assessment, scenario: Option<Scenario>) -> String {
    let (label, told, colour) = match scenario {
        Some(scenario) => gate(assessment, scenario),
        None => levels(assessment),
    };
    svg(label, &told, colour)
}

const GREEN: &str = "#14713b";
const YELLOW: &str = "#8a5a00";
const RED: &str = "#b3261e";
const GREY: &str = "#5b6878";

fn gate(assessment: &Assessment, scenario: Scenario) -> (&'static str, String, &'static str) {
    let gate = assessment.gate(scenario);
    let (told, colour) = match (gate.pass, gate.pass_with_attestations) {
        (true, _) => ("ready", GREEN),
        (false, true) => ("ready as attested, not shown", YELLOW),
        (false, false) => ("not ready", RED),
    };
    (scenario.name(), told.to_owned(), colour)
}

/// How many dimensions are at which level, from the highest; unknown and not applicable ones beside.
fn levels(assessment: &Assessment) -> (&'static str, String, &'static str) {
    let standings = || Dimension::ALL.into_iter().map(|dimension| assessment.standing(dimension));
    let mut parts = Vec::new();
    for level in (0..=3).rev() {
        let count = standings().filter(|standing| standing.level == Some(level)).count();
        if count > 0 {
            parts.push(format!("{count}× L{level}"));
        }
    }
    let is_na = |outcome: Outcome| outcome == Outcome::NotApplicable;
    let unknown =
        standings().filter(|standing| standing.level.is_none() && !is_na(standing.outcome)).count();
    let na = standings().filter(|standing| is_na(standing.outcome)).count();
    if unknown > 0 {
        parts.push(format!("{unknown} unknown"));
    }
    if na > 0 {
        parts.push(format!("{na} n/a"));
    }
    let lowest = standings().filter_map(|standing| standing.level).min();
    let colour = match lowest {
        _ if unknown > 0 && lowest != Some(0) => GREY,
        Some(3) => GREEN,
        Some(0) => RED,
        Some(_) => YELLOW,
        None => GREY,
    };
    ("readiness", parts.join(", "), colour)
}

fn svg(label: &str, told: &str, colour: &str) -> String {
    let width = |text: &str| text.chars().count() * CHAR_WIDTH + 2 * PADDING;
    let (left, right) = (width(label), width(told));
    let px = |tenths: usize| format!("{}.{}", tenths / 10, tenths % 10);
    let all = px(left + right);
    let title = format!("{}: {}", escaped(label), escaped(told));
    let mut svg = String::new();
    // Writing to a String does not fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all}\" height=\"20\" role=\"img\" aria-label=\"{title}\">
<title>{title}</title>
<rect width=\"{all}\" height=\"20\" rx=\"3\" fill=\"#3b4450\"/>
<rect x=\"{}\" width=\"{}\" height=\"20\" rx=\"3\" fill=\"{colour}\"/><rect x=\"{}\" width=\"4\" height=\"20\" fill=\"{colour}\"/>
<g fill=\"#fff\" text-anchor=\"middle\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">\n",
        px(left),
        px(right),
        px(left),
    );
    for (text, from, width) in [(label, 0, left), (told, left, right)] {
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"14\" textLength=\"{}\">{}</text>",
            px(from + width / 2),
            px(width - 2 * PADDING),
            escaped(text),
        );
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}
