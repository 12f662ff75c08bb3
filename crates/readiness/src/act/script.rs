//! Scripts of the repository that a command runs: package.json, Makefile, justfile, shell scripts, tox, nox.

mod make;
mod makefile;
mod npm;
mod program;
mod python;
mod recipes;
mod tox;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use self::make::make;
use self::makefile::Makefile;
use self::npm::{all_packages, npm, package_script};
use self::python::{nox, python_task};
use self::recipes::{just, task};
use self::tox::tox;
use super::command::unwrapped;
use super::idle::is_idle;
use super::invoke::{Asked, Done};
use super::{Class, threshold};
use crate::finding::Evidence;
use crate::shell::program::started;
use crate::shell::{self, Blocking, Options, UNKNOWN, Word};
use crate::toml::Toml;
use crate::tree::{Contents, has_end, join, name};

/// Makefiles that were read, by their paths.
pub(super) type Makefiles = RefCell<BTreeMap<String, Rc<Makefile>>>;

/// What the script that a command runs does; `None` when the command runs none.
pub(super) fn followed(
    asked: &Asked<'_>,
    words: &[&str],
    dir: Option<&str>,
    depth: usize,
) -> Option<Vec<Done>> {
    match words {
        [manager @ ("npm" | "pnpm" | "yarn" | "bun"), rest @ ..] => {
            npm(asked, manager, rest, dir, depth)
        }
        ["turbo" | "lerna" | "wireit" | "wsrun", rest @ ..] => {
            let rest: Vec<&str> =
                rest.iter().copied().filter(|word| !word.starts_with('-')).collect();
            let name = rest.iter().find(|word| **word != "run")?;
            Some(all_packages(asked, name, depth))
        }
        ["run-s" | "run-p" | "npm-run-all" | "npm-run-all2", rest @ ..] => {
            let names = rest.iter().filter(|word| !word.starts_with('-'));
            Some(
                names
                    .flat_map(|name| {
                        package_script(asked, name, dir, depth, &[]).unwrap_or_default()
                    })
                    .collect(),
            )
        }
        ["make" | "gmake", rest @ ..] => Some(make(asked, rest, dir, depth)),
        ["just", rest @ ..] => Some(just(asked, rest, dir, depth)),
        ["task", rest @ ..] => Some(task(asked, rest, dir, depth)),
        ["tox", rest @ ..] => Some(tox(asked, rest, dir, depth)),
        ["nox", rest @ ..] => Some(nox(asked, rest, dir, depth)),
        ["hatch" | "pdm" | "poe" | "rye", rest @ ..] => {
            python_task(asked, words[0], rest, dir, depth)
        }
        ["bash" | "sh" | "zsh" | "dash", ..] => Some(interpreter(asked, words, dir, depth)),
        ["source" | ".", path, ..] => file(asked, path, dir, depth, &By::Source),
        ["cargo", rest @ ..] => cargo_alias(asked, rest, dir, depth),
        ["eval", rest @ ..] => Some(script(asked, &rest.join(" "), LOOSE, dir, depth)),
        _ if program::of_repository(words).is_some() => program::of_repository(words),
        ["pixi" | "mise" | "rtx", "run" | "r", rest @ ..] => {
            let inner: Vec<Word> = rest.iter().map(|&word| Word::new(word)).collect();
            let done = asked.command(&inner, dir, depth + 1);
            if done.is_empty() { program::task(words[0], rest) } else { Some(done) }
        }
        [path, ..] if path.contains('/') && !path.contains(UNKNOWN) => {
            file(asked, path, dir, depth, &By::Itself)
        }
        _ => None,
    }
}

/// What the commands of a script do, in a directory.
fn script(
    asked: &Asked<'_>,
    text: &str,
    options: Options,
    dir: Option<&str>,
    depth: usize,
) -> Vec<Done> {
    let mut all = Vec::new();
    for command in shell::commands(text, options, asked.env) {
        let inner = match (dir, &command.dir) {
            (Some(base), Some(dir)) => join(base, dir),
            _ => None,
        };
        let asked = Asked { env: &command.env, ..*asked };
        for done in asked.command(&command.words, inner.as_deref(), depth + 1) {
            let blocking = done.blocking.and(&command.blocking);
            all.push(Done { blocking, ..done });
        }
    }
    all.extend(threshold::compared(text));
    all
}

/// Whether a script runs a program that may do something.
fn runs_something(text: &str) -> bool {
    let commands = shell::commands(text, LOOSE, &BTreeMap::new());
    commands.iter().any(|command| {
        let words = command.words.iter().map(|word| word.text.clone()).collect();
        let words = unwrapped(words).words;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        !(words.is_empty() || is_idle(&words) || is_harmless(words[0]))
    })
}

/// Programs that neither build nor test, whatever their words are.
fn is_harmless(program: &str) -> bool {
    matches!(
        program,
        "true"
            | "false"
            | ":"
            | "echo"
            | "printf"
            | "exit"
            | "return"
            | "test"
            | "["
            | "[["
            | "cd"
            | "mkdir"
            | "rm"
            | "export"
            | "set"
            | "sleep"
            | "touch"
            | "ls"
            | "pwd"
    )
}

fn named_for_tests(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    ["test", "check", "ci", "verify", "suite", "coverage"].iter().any(|word| {
        path.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part.starts_with(word))
    })
}

/// Names of scripts that build, with whatever program.
fn is_build(name: &str) -> bool {
    matches!(name, "build" | "compile" | "dist" | "bundle" | "build:prod" | "build:production")
}

/// How `sh -c` runs what programs hand to it: it goes on after a failure.
const LOOSE: Options = Options { errexit: false, pipefail: false };

/// A script file, run by the shell that its first line names, or by one with options of its own.
fn file(
    asked: &Asked<'_>,
    path: &str,
    dir: Option<&str>,
    depth: usize,
    by: &By,
) -> Option<Vec<Done>> {
    if path.starts_with('/') || path.starts_with('~') || path.contains("://") {
        return None;
    }
    let full = join(dir?, path)?;
    let runs = *by != By::Source;
    let opaque = |why: String| {
        (runs && program::may_test(&full)).then(|| vec![Done::new(Class::OpaqueTests).why(why)])
    };
    match asked.tree.contents(&full) {
        Some(Contents::Text(text)) => {
            let first = text.lines().next().unwrap_or_default();
            let is_shell = matches!(by, By::Shell(_))
                || first.starts_with("#!")
                    && (first.contains("sh ") || first.trim_end().ends_with("sh"))
                || !first.starts_with("#!") && (has_end(&full, "sh") || !name(&full).contains('.'));
            if !is_shell {
                return opaque(format!("`{full}` is no shell script"));
            }
            let (options, blocking) = match (by, first.strip_prefix("#!")) {
                (By::Shell(options), _) => (*options, Blocking::Yes),
                (By::Itself, Some(line)) => started(line),
                _ => (LOOSE, Blocking::Yes),
            };
            let shown = Evidence::file(&full, text);
            let found = script(asked, text, options, Some(dir.unwrap_or_default()), depth);
            if found.is_empty() && runs && runs_something(text) {
                // Nothing was recognised: it may still run tests in a way that is not known here.
                return opaque(format!("nothing in `{full}` is recognised"));
            }
            let found = found.into_iter().map(|done| {
                let blocking = done.blocking.and(&blocking);
                Done { blocking, ..done.also([shown.clone()]) }
            });
            Some(found.collect())
        }
        Some(_) => opaque(format!("`{full}` is not read")),
        None => opaque(format!("`{full}` is not in the repository")),
    }
}

/// A script in a directory that is only known when it runs: it may be one that tests.
pub(super) fn elsewhere(program: &str) -> Vec<Done> {
    let Some((_, name)) = program.rsplit_once('/') else { return Vec::new() };
    if name.contains(UNKNOWN) || !program::may_test(name) {
        return Vec::new();
    }
    let why = format!("`…/{name}` is in a directory that is only known when it runs");
    vec![Done::new(Class::OpaqueTests).why(why)]
}

/// What runs a script file.
#[derive(Debug, PartialEq, Eq)]
enum By {
    /// Its first line says which program does.
    Itself,
    /// A shell with these options.
    Shell(Options),
    /// The script that names it.
    Source,
}

fn interpreter(asked: &Asked<'_>, words: &[&str], dir: Option<&str>, depth: usize) -> Vec<Done> {
    let is_option = |word: &str| word.starts_with(['-', '+']) && word != "-";
    let mut at = 1;
    while let Some(word) = words.get(at).filter(|word| is_option(word)) {
        // `-o pipefail`, also as the last letter of several.
        at += if !word.starts_with("--") && word.ends_with('o') { 2 } else { 1 };
    }
    let given: Vec<&str> = words[1..at.min(words.len())].to_vec();
    let text = given.iter().any(|word| {
        word.strip_prefix('-')
            .is_some_and(|letters| !letters.starts_with('-') && letters.contains('c'))
    });
    let shell: Vec<String> = std::iter::once(words[0].to_owned())
        .chain(given.iter().map(|word| {
            let is_short = word.starts_with('-') && !word.starts_with("--");
            if is_short { word.replace('c', "") } else { (*word).to_owned() }
        }))
        .filter(|word| word != "-")
        .collect();
    let (options, blocking) = started(&shell.join(" "));
    if matches!(blocking, Blocking::No(_)) {
        return Vec::new();
    }
    let Some(target) = words.get(at).copied() else { return Vec::new() };
    let found = if text {
        script(asked, target, options, dir, depth)
    } else {
        file(asked, target, dir, depth, &By::Shell(options)).unwrap_or_default()
    };
    let found = found.into_iter().map(|done| {
        let blocking = done.blocking.and(&blocking);
        Done { blocking, ..done }
    });
    found.collect()
}

/// `cargo ci` where `.cargo/config.toml` says what `ci` is.
fn cargo_alias(
    asked: &Asked<'_>,
    rest: &[&str],
    dir: Option<&str>,
    depth: usize,
) -> Option<Vec<Done>> {
    let at = rest.iter().position(|word| !word.starts_with(['-', '+']))?;
    let alias = rest[at];
    let files = [".cargo/config.toml", ".cargo/config"];
    let found = files.iter().find_map(|file| {
        let toml = Toml::read(file, asked.tree.text(file)?)?;
        let keys = ["alias", alias];
        let mut words: Vec<String> = toml.texts_at(&keys).into_iter().map(str::to_owned).collect();
        words.extend(toml.text_at(&keys).unwrap_or_default().split_whitespace().map(str::to_owned));
        (!words.is_empty()).then(|| (words, toml.shown(&keys)))
    });
    if let Some((words, shown)) = found {
        let mut all = vec![Word::new("cargo")];
        all.extend(words.into_iter().map(Word::new));
        all.extend(rest[at + 1..].iter().map(|&word| Word::new(word)));
        let done = asked.command(&all, dir, depth + 1);
        return Some(done.into_iter().map(|done| done.also([shown.clone()])).collect());
    }
    match alias {
        "xtask" | "make" | "x" => {
            let what = format!("`cargo {}` is a program of the repository", rest[at..].join(" "));
            Some(vec![Done::new(Class::OpaqueTests).why(what)])
        }
        "run" | "r" => {
            let what = rest.join(" ");
            named_for_tests(&what).then(|| {
                vec![
                    Done::new(Class::OpaqueTests)
                        .why(format!("`cargo {what}` is a program of the repository")),
                ]
            })
        }
        _ => None,
    }
}
