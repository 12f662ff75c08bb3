//! Whether health is checked where it runs.

use super::in_code;
use crate::dimension::Seen;
use crate::finding::{Evidence, Finding};
use crate::template::fact::{About, Fact, Is};
use crate::tree::{Tree, is_aside, name};

/// Routes by which a program says how it is.
const ROUTES: &[&str] =
    &["\"/healthz\"", "'/healthz'", "\"/readyz\"", "\"/livez\"", "\"/health\"", "'/health'"];

pub(super) fn health(seen: &Seen<'_>) -> Finding {
    let all: Vec<&Fact> = seen.templates.said(About::Health).collect();
    let of = |is: Is| all.iter().filter(move |fact| fact.is == is);
    let shown = |is: Is| of(is).map(|fact| fact.at.clone());
    if of(Is::Good).next().is_some() {
        let others = of(Is::Bad).map(|fact| fact.why.as_str()).next();
        let others = others.map_or_else(String::new, |why| format!("; but {why}"));
        return Finding::pass(format!("health is checked where it runs{others}"))
            .with(shown(Is::Good));
    }
    if let Some(at) = container(seen.tree) {
        return Finding::pass("health is checked where it runs").with([at]);
    }
    let ends = ["rs", "py", "go", "js", "ts", "java", "kt", "cs", "rb"];
    let calls: Vec<(&str, &[&str])> = ends.into_iter().map(|end| (end, ROUTES)).collect();
    let route = in_code(seen.tree, &calls);
    if let Some(bad) = of(Is::Bad).next() {
        let nobody =
            if route.is_some() { ": it answers about its health, and nobody asks" } else { "" };
        return Finding::fail(format!("{}{nobody}", bad.why)).with(shown(Is::Bad)).with(route);
    }
    match route {
        Some(at) => Finding::pass("it answers about its health").with([at]),
        None if of(Is::Unsure).next().is_some() => {
            let why = of(Is::Unsure).map(|fact| fact.why.clone()).next();
            Finding::unknown(why.unwrap_or_default()).with(shown(Is::Unsure))
        }
        None => Finding::fail("no probes and no health checks"),
    }
}

/// `HEALTHCHECK` of an image, unless the last one takes it away.
fn container(tree: &Tree) -> Option<Evidence> {
    tree.texts().find_map(|(path, text)| {
        let file = name(path);
        let is_container = file.starts_with("Dockerfile")
            || file == "Containerfile"
            || file.ends_with(".dockerfile");
        if !is_container || is_aside(path) || path.starts_with(".github/") {
            return None;
        }
        let is_check = |line: &str| {
            let mut words = line.split_whitespace();
            words.next().is_some_and(|word| word.eq_ignore_ascii_case("healthcheck"))
        };
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.iter().rposition(|line| is_check(line))?;
        let is_off = lines[last]
            .split_whitespace()
            .nth(1)
            .is_some_and(|word| word.eq_ignore_ascii_case("none"));
        (!is_off).then(|| Evidence::line(path, text, last))
    })
}
