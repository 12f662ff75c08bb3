//! Recipes of justfiles and Taskfiles.

use super::super::Class;
use super::super::invoke::{Asked, Done};
use super::{LOOSE, named_for_tests, script};
use crate::finding::Evidence;
use crate::shell::{Blocking, Options};
use crate::tree::join;
use crate::yaml::{self, Node};

/// Every line of a recipe is a script of its own; `-` before it lets it fail.
pub(super) fn lines(
    asked: &Asked<'_>,
    recipe: &[String],
    options: Options,
    dir: &str,
    depth: usize,
) -> Vec<Done> {
    let mut all = Vec::new();
    for line in recipe {
        let flags: String = line.chars().take_while(|c| "@-+".contains(*c)).collect();
        let line = line.trim_start_matches(['@', '-', '+']).trim();
        let blocking = if flags.contains('-') {
            Blocking::No("`-` before the line of the recipe".into())
        } else {
            Blocking::Yes
        };
        for done in script(asked, line, options, Some(dir), depth) {
            let blocking = done.blocking.and(&blocking);
            all.push(Done { blocking, ..done });
        }
    }
    all
}

pub(super) fn just(asked: &Asked<'_>, rest: &[&str], dir: Option<&str>, depth: usize) -> Vec<Done> {
    let opaque = |why: &str| vec![Done::new(Class::OpaqueTests).why(why)];
    let files = ["justfile", "Justfile", ".justfile"];
    let file = files.iter().filter_map(|name| join(dir?, name)).find(|file| asked.tree.has(file));
    let Some((file, text)) = file.as_deref().and_then(|file| Some((file, asked.tree.text(file)?)))
    else {
        return opaque("no justfile in the directory");
    };
    let wanted = rest.iter().find(|word| !word.starts_with('-'));
    let mut waiting: Vec<String> = wanted.map(|&word| word.to_owned()).into_iter().collect();
    let mut seen = Vec::new();
    let mut done = Vec::new();
    while let Some(name) = waiting.pop() {
        if seen.contains(&name) || seen.len() > 50 {
            continue;
        }
        let head = text.lines().position(|line| {
            let head = line.trim_start_matches('@').split([':', ' ']).next().unwrap_or_default();
            head == name && line.contains(':') && !line.contains(":=")
        });
        seen.push(name);
        let Some(head) = head else { continue };
        let line = text.lines().nth(head).unwrap_or_default();
        let needs = line.split_once(':').map_or("", |(_, needs)| needs);
        waiting.extend(needs.split_whitespace().map(str::to_owned));
        let body: Vec<String> = text
            .lines()
            .skip(head + 1)
            .take_while(|line| line.starts_with([' ', '\t']) || line.is_empty())
            .map(|line| line.trim().replace("{{", "${").replace("}}", "}"))
            .collect();
        let shown = Evidence::line(file, text, head);
        done.extend(
            lines(asked, &body, LOOSE, dir.unwrap_or_default(), depth)
                .into_iter()
                .map(|done| done.also([shown.clone()])),
        );
    }
    if done.is_empty() && wanted.is_some_and(|name| named_for_tests(name)) {
        return opaque("nothing that the recipe runs is recognised");
    }
    done
}

pub(super) fn task(asked: &Asked<'_>, rest: &[&str], dir: Option<&str>, depth: usize) -> Vec<Done> {
    let opaque = |why: &str| vec![Done::new(Class::OpaqueTests).why(why)];
    let files = ["Taskfile.yml", "Taskfile.yaml", "taskfile.yml"];
    let file = files.iter().filter_map(|name| join(dir?, name)).find(|file| asked.tree.has(file));
    let Some((file, text)) = file.as_deref().and_then(|file| Some((file, asked.tree.text(file)?)))
    else {
        return opaque("no Taskfile in the directory");
    };
    let Ok(Some(root)) = yaml::document(text) else { return opaque("the Taskfile cannot be read") };
    let name = rest.iter().find(|word| !word.starts_with('-')).copied().unwrap_or("default");
    let Some(node) = root.at(&["tasks", name]) else {
        return opaque("no such task in the Taskfile");
    };
    let shown = Evidence::at(file, text, node.place);
    let commands = node.get("cmds").unwrap_or(node);
    let commands: Vec<String> = commands
        .items()
        .iter()
        .filter_map(|item| match item.get("task").and_then(Node::text) {
            Some(task) => Some(format!("task {task}")),
            None => item
                .get("cmd")
                .unwrap_or(item)
                .text()
                .map(|line| line.replace("{{", "${").replace("}}", "}")),
        })
        .collect();
    let done = lines(asked, &commands, LOOSE, dir.unwrap_or_default(), depth);
    done.into_iter().map(|done| done.also([shown.clone()])).collect()
}
