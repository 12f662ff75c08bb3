//! Whether health is checked where it runs.

use super::image::container;
use super::{answered, in_code};
use crate::dimension::Seen;
use crate::finding::Finding;
use crate::template::fact::{About, Fact, Is};

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
    let route = in_code(seen.tree, &calls, answered);
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
