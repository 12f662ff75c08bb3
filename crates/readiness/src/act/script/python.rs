//! What tox, nox and the managers of Python's projects run.

use super::super::Class;
use super::super::invoke::{Asked, Done};
use super::{STRICT, script};
use crate::finding::Evidence;
use crate::shell::Word;
use crate::toml::Toml;
use crate::tree::join;

pub(super) fn tox(asked: &Asked<'_>, _rest: &[&str], dir: Option<&str>, depth: usize) -> Vec<Done> {
    let opaque = |why: &str| vec![Done::new(Class::OpaqueTests).why(why)];
    let Some(dir) = dir else { return opaque("tox in a directory that is not known") };
    for name in ["tox.ini", "setup.cfg"] {
        let Some(file) = join(dir, name).filter(|file| asked.tree.has(file)) else { continue };
        let Some(text) = asked.tree.text(&file) else { continue };
        let mut commands = Vec::new();
        let mut inside = false;
        for (i, line) in text.lines().enumerate() {
            let is_key = !line.starts_with([' ', '\t']) && line.contains('=');
            if is_key || line.starts_with('[') {
                inside = is_key && line.split('=').next().unwrap_or_default().trim() == "commands";
            }
            let command =
                if is_key { line.split_once('=').map_or("", |(_, value)| value) } else { line };
            // `py310: pytest` is for one environment.
            let command = command.trim().trim_start_matches("- ");
            let command = match command.split_once(": ") {
                Some((head, rest)) if !head.contains(' ') => rest.trim(),
                _ => command,
            };
            if inside && !command.is_empty() && !command.starts_with(['#', '[']) {
                commands.push((i, posargs(command)));
            }
        }
        let mut done = Vec::new();
        for (line, command) in commands {
            let shown = Evidence::line(&file, text, line);
            done.extend(
                script(asked, &command, STRICT, Some(dir), depth)
                    .into_iter()
                    .map(|done| done.also([shown.clone()])),
            );
        }
        if !done.is_empty() {
            return done;
        }
    }
    let file = join(dir, "pyproject.toml").unwrap_or_default();
    if let Some(toml) = asked.tree.text(&file).and_then(|text| Toml::read(&file, text))
        && let Some(legacy) = toml.text_at(&["tool", "tox", "legacy_tox_ini"])
    {
        let lines: Vec<&str> = legacy.lines().map(str::trim).collect();
        return lines
            .iter()
            .flat_map(|line| script(asked, line, STRICT, Some(dir), depth))
            .collect();
    }
    if let Some(toml) = asked.tree.text(&file).and_then(|text| Toml::read(&file, text)) {
        let mut tables: Vec<Vec<String>> = vec![vec!["env_run_base".into()]];
        tables.extend(
            toml.names_in(&["tool", "tox", "env"]).into_iter().map(|env| vec!["env".into(), env]),
        );
        let mut done = Vec::new();
        for table in tables {
            let mut keys = vec!["tool", "tox"];
            keys.extend(table.iter().map(String::as_str));
            keys.push("commands");
            for words in toml.lists_at(&keys) {
                let words: Vec<Word> = words.into_iter().map(Word::new).collect();
                let found = asked.command(&words, Some(dir), depth + 1);
                done.extend(found.into_iter().map(|done| done.also([toml.shown(&keys)])));
            }
        }
        if !done.is_empty() {
            return done;
        }
    }
    opaque("nothing that tox runs is recognised")
}

/// The calls `session.run("pytest", …)` with words that stand there.
pub(super) fn nox(asked: &Asked<'_>, dir: Option<&str>, depth: usize) -> Vec<Done> {
    let opaque = |why: &str| vec![Done::new(Class::OpaqueTests).why(why)];
    let Some(file) = dir.and_then(|dir| join(dir, "noxfile.py")) else {
        return opaque("nox in a directory that is not known");
    };
    let Some(text) = asked.tree.text(&file) else {
        return opaque("no noxfile.py in the directory");
    };
    let mut done = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let code = line.trim_start();
        let Some(arguments) = code.strip_prefix("session.run(") else { continue };
        let words: Vec<Word> = if arguments.trim().is_empty() {
            let next =
                text.lines().skip(i + 1).take_while(|line| !line.trim_start().starts_with(')'));
            next.take(40).flat_map(literals).map(Word::new).collect()
        } else {
            literals(arguments).into_iter().map(Word::new).collect()
        };
        let shown = Evidence::line(&file, text, i);
        done.extend(
            asked
                .command(&words, dir, depth + 1)
                .into_iter()
                .map(|done| done.also([shown.clone()])),
        );
    }
    if done.is_empty() { opaque("nothing that nox runs is recognised") } else { done }
}

/// `{posargs:default}` is its default, as nothing is given in a pipeline.
fn posargs(command: &str) -> String {
    let mut out = String::new();
    let mut rest = command;
    while let Some((before, after)) = rest.split_once("{posargs") {
        out.push_str(before);
        let (inner, after) = after.split_once('}').unwrap_or((after, ""));
        out.push_str(inner.trim_start_matches(':'));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The texts in quotes of a line of Python.
fn literals(line: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(['"', '\'', '#']) {
        let quote = &rest[at..=at];
        if quote == "#" {
            break;
        }
        let Some((text, after)) = rest[at + 1..].split_once(quote) else { break };
        all.push(text.to_owned());
        rest = after;
    }
    all
}

/// Tasks that Python's project managers have in pyproject.toml.
pub(super) fn python_task(
    asked: &Asked<'_>,
    program: &str,
    rest: &[&str],
    dir: Option<&str>,
    depth: usize,
) -> Option<Vec<Done>> {
    let file = join(dir?, "pyproject.toml")?;
    let toml = Toml::read(&file, asked.tree.text(&file)?)?;
    let task = match (program, rest) {
        ("poe", [name, ..]) => name,
        ("hatch", ["test", ..]) => {
            let words = ["pytest"].map(Word::new);
            return Some(asked.command(&words, dir, depth + 1));
        }
        (_, ["run", name, ..]) => name.rsplit(':').next()?,
        _ => return None,
    };
    let tables: Vec<Vec<String>> = match program {
        "poe" => vec![vec!["tool".into(), "poe".into(), "tasks".into()]],
        "pdm" => vec![vec!["tool".into(), "pdm".into(), "scripts".into()]],
        "rye" => vec![vec!["tool".into(), "rye".into(), "scripts".into()]],
        _ => toml
            .names_in(&["tool", "hatch", "envs"])
            .into_iter()
            .map(|env| vec!["tool".into(), "hatch".into(), "envs".into(), env, "scripts".into()])
            .collect(),
    };
    for table in tables {
        let mut keys: Vec<&str> = table.iter().map(String::as_str).collect();
        keys.push(task);
        if toml.at(&keys).is_none() {
            continue;
        }
        let shown = toml.shown(&keys);
        let inner = [&keys[..], &["cmd"]].concat();
        let mut lines: Vec<String> = toml.texts_at(&keys).into_iter().map(str::to_owned).collect();
        lines.extend(toml.text_at(&keys).or_else(|| toml.text_at(&inner)).map(str::to_owned));
        let done = lines.iter().flat_map(|line| script(asked, line, STRICT, dir, depth));
        return Some(done.map(|done| done.also([shown.clone()])).collect());
    }
    // No task has that name: it is a program.
    match rest {
        ["run", words @ ..] if program != "hatch" => {
            let words: Vec<Word> = words.iter().map(|word| Word::new(*word)).collect();
            Some(asked.command(&words, dir, depth + 1))
        }
        _ => None,
    }
}
