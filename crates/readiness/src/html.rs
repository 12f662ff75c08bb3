//! An assessment as one HTML page: without scripts, and without anything that is fetched.

use std::fmt::Write as _;

use jiff::civil::Date;

use crate::assess::{Assessment, Standing};
use crate::baseline::Changes;
use crate::catalog::Dimension;
use crate::dimension::packages::Package;
use crate::finding::{Check, Outcome, cut, is_unseen};
use crate::gate::Scenario;

const STYLE: &str = include_str!("html/style.css");

/// Notes that are shown.
const NOTES_MAX: usize = 50;

/// Most characters that are shown of a text.
const TEXT_CHARS_MAX: usize = 600;

/// Of what a page is, for who finds it later.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// What the repository is called.
    pub repository: &'a str,
    /// The revision that was asked for; none for files as they lie there.
    pub revision: Option<&'a str>,
    /// The commit of the revision, or the one that is checked out.
    pub commit: Option<&'a str>,
    /// The day of the assessment.
    pub date: Option<Date>,
    /// The version of the program.
    pub version: &'a str,
}

impl About<'_> {
    fn line(&self) -> String {
        let revision = match (self.revision, self.commit) {
            (Some(revision), Some(commit)) if revision != commit => {
                format!("revision {revision} (commit {commit})")
            }
            (Some(revision), _) => format!("revision {revision}"),
            // Files may have changed since.
            (None, Some(commit)) => {
                format!("its files as they lie in a checkout of commit {commit}")
            }
            (None, None) => "its files as they were checked out".to_owned(),
        };
        let date = self.date.map_or_else(String::new, |date| format!(", on {date}"));
        format!("Of {}, {revision}{date}, by lockgate {}", self.repository, self.version)
    }
}

/// The report, with what changed when that is known. The same text for the same assessment.
pub fn html(assessment: &Assessment, about: &About<'_>, changes: Option<&Changes>) -> String {
    let mut page = Page(String::new());
    page.0.push_str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    // Whatever got past the escaping would still run and fetch nothing.
    page.0.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    page.0.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n");
    page.put("<title>Readiness of {}</title>\n<style>\n", &[about.repository]);
    page.0.push_str(STYLE);
    page.0.push_str("</style>\n</head>\n<body>\n<main>\n");
    page.put("<header><h1>Readiness</h1><p>What files show of six dimensions. A level holds when all its checks and all below hold; what is unknown passes nothing.</p><p class=\"soft\">{}.</p></header>\n", &[&about.line()]);
    page.overview(assessment);
    page.gates(assessment);
    for dimension in Dimension::ALL {
        page.dimension(dimension, assessment.standing(dimension));
    }
    page.packages(&assessment.packages);
    let given: Vec<String> = assessment.given.iter().map(crate::given::Told::line).collect();
    page.list("Handed in", &given);
    if let Some(changes) = changes {
        let lines = changes.lines();
        page.list(
            "Changed since the baseline",
            &if lines.is_empty() { vec!["nothing".into()] } else { lines },
        );
    }
    page.list("Notes", &assessment.notes);
    page.0.push_str("</main>\n</body>\n</html>\n");
    page.0
}

struct Page(String);

impl Page {
    /// Markup in which each `{}` is the next of the texts, escaped.
    fn put(&mut self, markup: &str, texts: &[&str]) {
        let mut texts = texts.iter();
        let mut parts = markup.split("{}");
        self.0.push_str(parts.next().unwrap_or_default());
        for part in parts {
            self.0.push_str(&escaped(texts.next().copied().unwrap_or_default()));
            self.0.push_str(part);
        }
    }

    fn overview(&mut self, assessment: &Assessment) {
        self.0.push_str("<nav>\n");
        for dimension in Dimension::ALL {
            let standing = assessment.standing(dimension);
            let name = dimension.name();
            self.put(
                "<a href=\"#{}\">{}<b>{}</b>",
                &[name, &title(name), &standing.level_told("attested")],
            );
            self.meter(standing);
            self.0.push_str("</a>\n");
        }
        self.0.push_str("</nav>\n");
    }

    /// Three steps, of which those that are reached are filled.
    fn meter(&mut self, standing: &Standing) {
        self.put(
            "<span class=\"meter\" role=\"img\" aria-label=\"{} of L3\">",
            &[&standing.level_told("attested")],
        );
        for step in 1..=3 {
            let is_on = standing.level.is_some_and(|level| level >= step);
            self.0.push_str(if is_on { "<i class=\"on\"></i>" } else { "<i></i>" });
        }
        self.0.push_str("</span>");
    }

    fn gates(&mut self, assessment: &Assessment) {
        self.0.push_str("<section>\n<h2>Gates</h2>\n<div class=\"gates\">\n");
        for scenario in Scenario::ALL {
            let gate = assessment.gate(scenario);
            let (class, told) = match (gate.pass, gate.pass_with_attestations) {
                (true, _) => ("pass", "passes"),
                (false, true) => ("unknown", "does not pass; with what is attested it would"),
                (false, false) => ("fail", "does not pass"),
            };
            self.put(
                "<div><p><b>{}</b> <span class=\"mark {}\">{}</span></p>",
                &[scenario.name(), class, told],
            );
            for line in gate.lines() {
                self.put("<p class=\"soft\">{}</p>", &[&line]);
            }
            self.0.push_str("</div>\n");
        }
        self.0.push_str("</div>\n</section>\n");
    }

    fn dimension(&mut self, dimension: Dimension, standing: &Standing) {
        let name = dimension.name();
        self.put(
            "<section id=\"{}\">\n<div class=\"head\"><h2>{}</h2><b>{}</b>",
            &[name, &title(name), &standing.level_told("attested")],
        );
        self.meter(standing);
        self.0.push_str("</div>\n<ul>\n");
        for check in &standing.checks {
            self.check(check);
        }
        self.0.push_str("</ul>\n</section>\n");
    }

    fn check(&mut self, check: &Check) {
        let (class, outcome) = words(check.outcome);
        let level = check.level.map_or("every gate".to_owned(), |level| format!("L{level}"));
        self.put("<li><span class=\"mark {}\">{}</span> <code>{}</code> <span class=\"soft\">{}</span>\n<p>{}</p>\n", &[class, outcome, check.id, &level, &check.reason]);
        for one in &check.evidence {
            let place = format!("{}:{}", one.file, one.line);
            self.put("<pre>{}\n{}</pre>\n", &[&place, &one.text]);
        }
        if !check.given.is_empty() {
            self.put("<p class=\"soft\">handed in: {}</p>\n", &[&check.given.join(", ")]);
        }
        if let Some(by) = &check.attested {
            self.put("<p><b>attested</b> by {} until {}: <a rel=\"noopener noreferrer nofollow\" href=\"{}\">{}</a></p>\n", &[&by.owner, &by.until.to_string(), &by.link, &by.link]);
        }
        if let Some(accepted) = &check.suppressed {
            self.put(
                "<p><b>accepted</b> until {}: {}</p>\n",
                &[&accepted.until.to_string(), &accepted.reason],
            );
        }
        if check.is_open() {
            self.put("<p class=\"soft\">At risk: {}.<br>Fix: ", &[check.risk]);
            self.ours(check.fix);
            self.0.push_str(".</p>\n");
        }
        self.0.push_str("</li>\n");
    }

    /// What we wrote, in which backticks are around code.
    fn ours(&mut self, text: &str) {
        for (at, part) in text.split('`').enumerate() {
            let (open, close) = if at % 2 == 1 { ("<code>", "</code>") } else { ("", "") };
            self.0.push_str(open);
            self.0.push_str(&marked_up(part));
            self.0.push_str(close);
        }
    }

    fn packages(&mut self, packages: &[Package]) {
        if packages.is_empty() {
            return;
        }
        self.0.push_str("<section>\n<h2>Packages</h2>\n<div class=\"wide\"><table>\n<tr><th>package</th><th>build</th><th>unit</th><th>integration</th><th>end-to-end</th><th>coverage</th></tr>\n");
        for package in packages {
            self.put("<tr><td><code>{}</code></td>", &[&package.path]);
            let parts = [
                &package.build,
                &package.unit,
                &package.integration,
                &package.end_to_end,
                &package.coverage,
            ];
            for part in parts {
                let (class, outcome) = words(part.outcome);
                self.put("<td class=\"{}\">{}</td>", &[class, outcome]);
            }
            self.0.push_str("</tr>\n");
        }
        self.0.push_str("</table></div>\n</section>\n");
    }

    fn list(&mut self, title: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        self.put("<section>\n<h2>{}</h2>\n<ul>\n", &[title]);
        for line in lines.iter().take(NOTES_MAX) {
            self.put("<li>{}</li>\n", &[line]);
        }
        if lines.len() > NOTES_MAX {
            // Writing to a String does not fail.
            let _ = writeln!(self.0, "<li>{} more</li>", lines.len() - NOTES_MAX);
        }
        self.0.push_str("</ul>\n</section>\n");
    }
}

/// How it looks, and what it is called.
fn words(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Pass => ("pass", "✓ pass"),
        Outcome::Fail => ("fail", "✗ fail"),
        Outcome::Unknown => ("unknown", "? unknown"),
        Outcome::NotApplicable => ("na", "– not applicable"),
    }
}

/// `ci_cd` as people write it.
fn title(name: &str) -> String {
    match name {
        "ci_cd" => "CI/CD".to_owned(),
        name => {
            let words = name.replace('_', " ");
            words[..1].to_ascii_uppercase() + &words[1..]
        }
    }
}

/// What others wrote, as text of an element or of a quoted attribute, also of SVG. A link is cut by nobody: it was found
/// to be one, and is short.
pub(crate) fn escaped(text: &str) -> String {
    marked_up(&cut(text, TEXT_CHARS_MAX))
}

/// A text of any length, with its spaces.
fn marked_up(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if is_unseen(c) => escaped.push(char::REPLACEMENT_CHARACTER),
            c => escaped.push(c),
        }
    }
    escaped
}
