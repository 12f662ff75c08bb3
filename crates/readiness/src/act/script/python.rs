//! What nox and the managers of Python's projects run.

use super::super::Class;
use super::super::flags;
use super::super::invoke::{Asked, Done};
use super::super::measured::Data;
use super::{LOOSE, script};
use crate::finding::Evidence;
use crate::shell::Word;
use crate::toml::Toml;
use crate::tree::join;

/// The calls `session.run("pytest", …)` with words that stand there.
pub(super) fn nox(asked: &Asked<'_>, rest: &[&str], dir: Option<&str>, depth: usize) -> Vec<Done> {
    let opaque = |why: &str| vec![Done::new(Class::OpaqueTests).why(why)];
    let Some(file) = dir.and_then(|dir| join(dir, "noxfile.py")) else {
        return opaque("nox in a directory that is not known");
    };
    let Some(text) = asked.tree.text(&file) else {
        return opaque("no noxfile.py in the directory");
    };
    let wanted = flags::all(rest, &["-s", "--session", "--sessions", "-e"]);
    let mut session = "";
    let mut done = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix("def ") {
            session = name.split('(').next().unwrap_or_default();
        } else if line.starts_with("@nox") {
            session = "";
        }
        let is_wanted = |name: &&str| name.split(['-', '(']).next() == Some(session);
        let named_else = text.contains("name=");
        if !wanted.is_empty() && !named_else && !wanted.iter().any(is_wanted) {
            continue;
        }
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
        ("hatch", ["test", rest @ ..]) => {
            let words = ["pytest"].map(Word::new);
            let mut done = asked.command(&words, dir, depth + 1);
            if flags::told(rest, &["--cover", "-c", "--cover-quiet"]) {
                for one in &mut done {
                    one.data = Data::Made;
                }
            }
            return Some(done);
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
        let done = lines.iter().flat_map(|line| script(asked, line, LOOSE, dir, depth));
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
