//! The published rubric.

use lockgate_readiness::advise::{Question, reasons};
use lockgate_readiness::catalog::CATALOG;
use lockgate_readiness::path::STEPS;

#[test]
fn the_page_lists_every_check_as_it_is() {
    let page = include_str!("../../../../docs/readiness.md");
    let rows: Vec<String> = CATALOG
        .iter()
        .map(|entry| {
            let level = entry.level.map_or("–".to_owned(), |level| format!("L{level}"));
            format!(
                "| `{}` | {level} | {} | {} | {} |",
                entry.id, entry.asks, entry.risk, entry.fix
            )
        })
        .collect();
    let told: Vec<&str> = page
        .lines()
        .filter(|line| {
            line.starts_with("| `") && line.contains('.') && line.matches(" | ").count() == 4
        })
        .collect();
    assert_eq!(told, rows, "docs/readiness.md has:\n{}\n", rows.join("\n"));
}

#[test]
fn the_page_lists_every_criterion_as_it_is() {
    let page = include_str!("../../../../docs/readiness.md");
    let mut rows = Vec::new();
    for answer in Question::ALL.into_iter().flat_map(Question::choices) {
        rows.extend(reasons(answer).iter().map(|reason| {
            format!(
                "| {} | {} | {} | {} | {} | {} |",
                answer.question().name(),
                answer.kind(),
                reason.row.name(),
                reason.shape.name(),
                reason.verdict.name(),
                reason.text,
            )
        }));
    }
    let told: Vec<&str> = page
        .lines()
        .skip_while(|line| !line.starts_with("| question | answer |"))
        .skip(2)
        .take_while(|line| line.starts_with("| "))
        .collect();
    assert_eq!(told, rows, "docs/readiness.md has:\n{}\n", rows.join("\n"));
}

#[test]
fn the_page_lists_every_step_as_it_is() {
    let page = include_str!("../../../../docs/paths.md");
    let rows: Vec<String> = STEPS
        .iter()
        .map(|step| {
            let (due, by) = (step.phase.name(), step.sees.words());
            format!("| `{}` | {due} | {by} | {} | {} |", step.id, step.asks, step.next)
        })
        .collect();
    let told: Vec<&str> = page
        .lines()
        .skip_while(|line| !line.starts_with("| step | due |"))
        .skip(2)
        .take_while(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(told, rows, "docs/paths.md has:\n{}\n", rows.join("\n"));
}
