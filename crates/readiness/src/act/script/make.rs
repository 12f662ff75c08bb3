//! Recipes of Makefiles, justfiles and Taskfiles.

use std::collections::BTreeMap;

use super::super::Class;
use super::super::invoke::{Asked, Done};
use super::{STRICT, is_build, named_for_tests, script};
use crate::finding::Evidence;
use crate::shell::Blocking;
use crate::tree::join;
use crate::yaml::{self, Node};

pub(super) fn make(asked: &Asked<'_>, rest: &[&str], dir: Option<&str>, depth: usize) -> Vec<Done> {
    let mut dir = dir.map(str::to_owned);
    let mut targets = Vec::new();
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match *word {
            "-C" | "--directory" => dir = words.next().and_then(|sub| join(dir.as_deref()?, sub)),
            "-f" | "-j" if words.len() > 0 && word == &"-f" => {
                words.next();
            }
            word if word.starts_with('-') || word.contains('=') => {}
            word => targets.push(word),
        }
    }
    let opaque = |why: String| vec![Done::new(Class::OpaqueTests).why(why)];
    let asks = targets.is_empty() || targets.iter().any(|target| named_for_tests(target));
    let opaque = |why: String| if asks { opaque(why) } else { Vec::new() };
    let Some(dir) = dir else { return opaque("make in a directory that is not known".into()) };
    let files = ["GNUmakefile", "Makefile", "makefile"];
    let Some(file) =
        files.iter().filter_map(|name| join(&dir, name)).find(|file| asked.tree.has(file))
    else {
        return opaque("no Makefile in the directory".into());
    };
    let Some(text) = asked.tree.text(&file) else { return opaque(format!("`{file}` is not read")) };
    let all = make_targets(text);
    let mut done = Vec::new();
    if targets.is_empty() {
        targets.extend(all.first().map(|(name, ..)| *name));
    }
    let mut waiting: Vec<&str> = targets.clone();
    let mut seen: Vec<&str> = Vec::new();
    while let Some(target) = waiting.pop() {
        if seen.contains(&target) || seen.len() > 100 {
            continue;
        }
        seen.push(target);
        let Some((_, needs, recipe, line)) = all.iter().find(|(name, ..)| *name == target) else {
            if targets.contains(&target) {
                done.extend(opaque(format!("`{file}` has no target `{target}`")));
            }
            continue;
        };
        waiting.extend(needs);
        let shown = Evidence::line(&file, text, *line);
        done.extend(
            recipe_of(asked, recipe, &dir, depth)
                .into_iter()
                .map(|done| done.also([shown.clone()])),
        );
    }
    if done.is_empty() && targets.iter().any(|target| is_build(target)) {
        done.push(Done::new(Class::Build));
    }
    if done.is_empty() && targets.iter().any(|target| named_for_tests(target)) {
        return opaque(format!("nothing that `make {}` runs is recognised", targets.join(" ")));
    }
    done
}

/// Every line of a recipe is a script of its own; `-` before it lets it fail.
fn recipe_of(asked: &Asked<'_>, recipe: &[String], dir: &str, depth: usize) -> Vec<Done> {
    let mut all = Vec::new();
    for line in recipe {
        let flags: String = line.chars().take_while(|c| "@-+".contains(*c)).collect();
        let line = line.trim_start_matches(['@', '-', '+']).trim();
        // Variables of make are those of the shell as far as anybody can say here.
        let line = line.replace("$(MAKE)", "make").replace("${MAKE}", "make").replace("$$", "$");
        let line =
            line.replace("$(", "${").replace(')', if line.contains("$(") { "}" } else { ")" });
        for done in script(asked, &line, STRICT, Some(dir), depth) {
            let blocking = if flags.contains('-') {
                Blocking::No("`-` before the line of the Makefile".into())
            } else {
                Blocking::Yes
            };
            let blocking = done.blocking.and(&blocking);
            all.push(Done { blocking, ..done });
        }
    }
    all
}

type Target<'a> = (&'a str, Vec<&'a str>, Vec<String>, usize);

/// Targets with what they need, their recipes and their lines.
fn make_targets(text: &str) -> Vec<Target<'_>> {
    let vars = make_variables(text);
    let mut all: Vec<Target<'_>> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut continued = false;
    for (i, line) in text.lines().enumerate() {
        if let Some(recipe) = line.strip_prefix('\t') {
            for at in &open {
                let recipe = expand_make(recipe.trim(), &vars);
                let lines = &mut all[*at].2;
                match lines.last_mut().filter(|_| continued) {
                    Some(last) => {
                        last.truncate(last.trim_end().trim_end_matches('\\').len());
                        last.push(' ');
                        last.push_str(&recipe);
                    }
                    None => lines.push(recipe),
                }
            }
            continued = line.trim_end().ends_with('\\');
            continue;
        }
        continued = false;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        open.clear();
        let Some((names, needs)) = line.split_once(':') else { continue };
        if needs.starts_with('=') || needs.starts_with(":=") || names.contains('=') {
            continue;
        }
        let needs = needs.trim_start_matches(':').split(['#', ';']).next().unwrap_or_default();
        for name in names.split_whitespace().filter(|name| *name != ".PHONY") {
            let needs: Vec<&str> = needs.split_whitespace().collect();
            if let Some(at) = all.iter().position(|(known, ..)| *known == name) {
                all[at].1.extend(needs);
                open.push(at);
            } else {
                open.push(all.len());
                all.push((name, needs, Vec::new(), i));
            }
        }
    }
    all.retain(|(name, ..)| !name.starts_with('.'));
    all
}

fn make_variables(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter(|line| !line.starts_with(['\t', '#']))
        .filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            let name =
                name.trim_end_matches([':', '?', '+']).trim().trim_start_matches("export ").trim();
            name.chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_')
                .then(|| (name, value.trim()))
        })
        .collect()
}

fn expand_make(line: &str, vars: &BTreeMap<&str, &str>) -> String {
    let mut line = line.to_owned();
    // Values may hold names again; two rounds are what people write.
    for _ in 0..2 {
        for (name, value) in vars.iter().filter(|(_, value)| value.len() < 1024) {
            for form in [format!("$({name})"), format!("${{{name}}}")] {
                if line.contains(&form) && line.len() < 8 * 1024 {
                    line = line.replace(&form, value);
                }
            }
        }
    }
    line
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
            recipe_of(asked, &body, dir.unwrap_or_default(), depth)
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
    let lines: Vec<String> = commands
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
    let done = recipe_of(asked, &lines, dir.unwrap_or_default(), depth);
    done.into_iter().map(|done| done.also([shown.clone()])).collect()
}
