//! `HEALTHCHECK` of images.

use crate::finding::Evidence;
use crate::tree::{Tree, is_aside, name};

/// The check of an image that runs: of its last stage, of one that this is made from, or of one that is asked for by name.
pub(super) fn container(tree: &Tree) -> Option<Evidence> {
    tree.texts().find_map(|(path, text)| {
        let file = name(path);
        let is_container = file.starts_with("Dockerfile")
            || file == "Containerfile"
            || file.ends_with(".dockerfile")
            || file.ends_with(".Dockerfile");
        let is_other = [".github/", ".devcontainer/"].iter().any(|dir| path.contains(dir));
        if !is_container || is_aside(path) || is_other {
            return None;
        }
        let stages = stages(text);
        let checked = |at: usize| of_stage(&stages, at).filter(|check| check.is_on);
        let last = stages.len().checked_sub(1)?;
        let of_others = || {
            let all = stages.iter().enumerate();
            all.filter(|(_, stage)| stage.check.as_ref().is_some_and(|check| check.is_on))
                .find(|(_, stage)| is_asked_for(tree, &stage.name))
                .and_then(|(at, _)| checked(at))
        };
        let check = checked(last).or_else(of_others)?;
        Some(Evidence::line(path, text, check.line))
    })
}

#[derive(Default)]
struct Stage {
    /// Empty for one without.
    name: String,
    from: String,
    check: Option<Check>,
}

#[derive(Clone, Copy)]
struct Check {
    line: usize,
    is_on: bool,
}

fn stages(text: &str) -> Vec<Stage> {
    let mut all: Vec<Stage> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let words: Vec<String> = line.split_whitespace().map(str::to_ascii_lowercase).collect();
        match words.first().map(String::as_str) {
            Some("from") => {
                let mut rest = words.iter().skip(1).filter(|word| !word.starts_with("--"));
                let from = rest.next().cloned().unwrap_or_default();
                let name = rest.nth(1).cloned().unwrap_or_default();
                all.push(Stage { name, from, check: None });
            }
            Some("healthcheck") => {
                if let Some(stage) = all.last_mut() {
                    stage.check = Some(Check { line: at, is_on: is_on(&words[1..]) });
                }
            }
            _ => {}
        }
    }
    all
}

/// `NONE`, and a command that asks nobody, are no checks.
fn is_on(words: &[String]) -> bool {
    let words: Vec<&str> =
        words.iter().map(String::as_str).skip_while(|word| word.starts_with("--")).collect();
    let command = words.get(1..).unwrap_or_default().join(" ");
    let command = command.trim_matches(['[', ']']).replace(['"', ','], "");
    words.first() != Some(&"none")
        && !matches!(command.trim(), "true" | ":" | "exit 0" | "/bin/true")
}

/// What a stage says itself, or one that it is made from.
fn of_stage(stages: &[Stage], at: usize) -> Option<Check> {
    let mut at = at;
    loop {
        let stage = stages.get(at)?;
        if stage.check.is_some() {
            return stage.check;
        }
        // A stage is made from one before it.
        at = stages[..at]
            .iter()
            .rposition(|other| !other.name.is_empty() && other.name == stage.from)?;
    }
}

/// Whether something builds the stage of this name.
fn is_asked_for(tree: &Tree, stage: &str) -> bool {
    let is_name = |word: &str| word.trim_matches(['"', '\'', ',']).eq_ignore_ascii_case(stage);
    let asks = |line: &str| {
        let words: Vec<&str> =
            line.split([' ', '\t', '=']).filter(|word| !word.is_empty()).collect();
        words
            .windows(2)
            .any(|two| matches!(two[0], "target:" | "--target" | "target") && is_name(two[1]))
    };
    !stage.is_empty()
        && tree.texts().any(|(_, text)| text.contains("target") && text.lines().any(asks))
}
