//! What tox runs: the commands of the environments that are asked for.

use super::super::Class;
use super::super::flags;
use super::super::invoke::{Asked, Done};
use super::{LOOSE, named_for_tests, script};
use crate::finding::Evidence;
use crate::shell::{Blocking, UNKNOWN, Word};
use crate::toml::Toml;
use crate::tree::join;

/// Most environments of one run, with what braces make of their names.
const ENVS_MAX: usize = 200;

pub(super) fn tox(asked: &Asked<'_>, rest: &[&str], dir: Option<&str>, depth: usize) -> Vec<Done> {
    let opaque = |why: &str| vec![Done::new(Class::OpaqueTests).why(why)];
    let Some(dir) = dir else { return opaque("tox in a directory that is not known") };
    let from_env = asked.env.get("TOXENV").map(String::as_str);
    let mut wanted: Vec<&str> = flags::all(rest, &["-e", "--env", "-f"]);
    if wanted.is_empty() {
        wanted.extend(from_env);
    }
    if wanted.iter().any(|name| name.contains(UNKNOWN)) {
        return opaque("which environments tox runs is only known when it runs");
    }
    let wanted: Vec<String> = wanted.iter().flat_map(|names| names_of(names)).collect();
    for name in ["tox.ini", "setup.cfg"] {
        let Some(file) = join(dir, name).filter(|file| asked.tree.has(file)) else { continue };
        let text = asked.tree.text(&file).unwrap_or_default();
        let sections = Sections::read(text);
        if !sections.0.iter().any(|section| section.name.starts_with("testenv")) {
            continue;
        }
        let shown = |line: usize| vec![Evidence::line(&file, text, line)];
        let (done, any) = of_ini(asked, &sections, &wanted, dir, depth, &shown);
        return if done.is_empty() && any && may_test(&wanted) {
            opaque("nothing that tox runs is recognised")
        } else {
            done
        };
    }
    let file = join(dir, "pyproject.toml").unwrap_or_default();
    let Some(toml) = asked.tree.text(&file).and_then(|text| Toml::read(&file, text)) else {
        return opaque("nothing that tox runs is recognised");
    };
    let done = match toml.text_at(&["tool", "tox", "legacy_tox_ini"]) {
        Some(legacy) => {
            let shown = |_: usize| Vec::new();
            of_ini(asked, &Sections::read(legacy), &wanted, dir, depth, &shown).0
        }
        None => of_toml(asked, &toml, &wanted, dir, depth),
    };
    if done.is_empty() && may_test(&wanted) {
        opaque("nothing that tox runs is recognised")
    } else {
        done
    }
}

/// Whether environments are such as run tests, by their names. Nothing asked for is everything.
fn may_test(wanted: &[String]) -> bool {
    let is = |env: &String| named_for_tests(env) || env.starts_with("py");
    wanted.is_empty() || wanted.iter().any(is)
}

/// What the commands of the environments do, and whether there are any.
fn of_ini(
    asked: &Asked<'_>,
    sections: &Sections<'_>,
    wanted: &[String],
    dir: &str,
    depth: usize,
    shown: &dyn Fn(usize) -> Vec<Evidence>,
) -> (Vec<Done>, bool) {
    let listed = || {
        let list = ["envlist", "env_list"].iter().find_map(|key| sections.get("tox", key));
        let list =
            list.map(|lines| lines.iter().map(|(_, line)| *line).collect::<Vec<_>>().join(","));
        list.map_or_else(Vec::new, |list| names_of(&list))
    };
    let mut envs = if wanted.is_empty() { listed() } else { wanted.to_vec() };
    if envs.is_empty() {
        envs.push("py".to_owned());
    }
    let (mut done, mut any) = (Vec::new(), false);
    for env in envs.iter().take(ENVS_MAX) {
        let own = format!("testenv:{env}");
        let get = |key: &str| sections.get(&own, key).or_else(|| sections.get("testenv", key));
        let outcome = get("ignore_outcome").and_then(|lines| lines.first().map(|(_, line)| *line));
        let ignored = outcome.is_some_and(|line| line.eq_ignore_ascii_case("true"));
        for (line, command) in sections.commands(&own, env, 0) {
            any = true;
            let soft = command.starts_with('-');
            let command = posargs(command.trim_start_matches(['-', '!']).trim());
            let blocking = match (soft, ignored) {
                (true, _) => Blocking::No("`-` before the command of tox".into()),
                (_, true) => Blocking::No("`ignore_outcome = true`".into()),
                _ => Blocking::Yes,
            };
            for found in script(asked, &command, LOOSE, Some(dir), depth) {
                let blocking = found.blocking.and(&blocking);
                let found = Done { blocking, ..found.also(shown(line)) };
                if !done.contains(&found) {
                    done.push(found);
                }
            }
        }
    }
    (done, any)
}

fn of_toml(
    asked: &Asked<'_>,
    toml: &Toml,
    wanted: &[String],
    dir: &str,
    depth: usize,
) -> Vec<Done> {
    let named = toml.names_in(&["tool", "tox", "env"]);
    let listed: Vec<String> =
        toml.texts_at(&["tool", "tox", "env_list"]).into_iter().map(str::to_owned).collect();
    let envs = match (wanted.is_empty(), listed.is_empty()) {
        (false, _) => wanted.to_vec(),
        (true, false) => listed,
        (true, true) => named.iter().cloned().chain(["py".to_owned()]).collect(),
    };
    let mut done: Vec<Done> = Vec::new();
    for env in envs.iter().take(ENVS_MAX) {
        let own = ["tool", "tox", "env", env.as_str(), "commands"];
        let base = ["tool", "tox", "env_run_base", "commands"];
        let keys = if toml.at(&own).is_some() { &own[..] } else { &base[..] };
        for words in toml.lists_at(keys) {
            let soft = words.first().is_some_and(|word| *word == "-");
            let words: Vec<Word> =
                words.into_iter().skip(usize::from(soft)).map(Word::new).collect();
            for found in asked.command(&words, Some(dir), depth + 1) {
                let found = found.also([toml.shown(keys)]);
                let soft = soft.then(|| Blocking::No("`-` before the command of tox".into()));
                let blocking = found.blocking.and(&soft.unwrap_or(Blocking::Yes));
                let found = Done { blocking, ..found };
                if !done.contains(&found) {
                    done.push(found);
                }
            }
        }
    }
    done
}

/// A section with its keys; each has lines with their numbers.
struct Section<'a> {
    name: &'a str,
    keys: Vec<(&'a str, Vec<(usize, &'a str)>)>,
}

struct Sections<'a>(Vec<Section<'a>>);

impl<'a> Sections<'a> {
    fn read(text: &'a str) -> Self {
        let mut all: Vec<Section<'a>> = Vec::new();
        for (i, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                all.push(Section { name: name.trim(), keys: Vec::new() });
                continue;
            }
            let Some(section) = all.last_mut() else { continue };
            if line.starts_with([' ', '\t']) {
                if let Some((_, lines)) = section.keys.last_mut() {
                    lines.push((i, trimmed));
                }
            } else if let Some((key, value)) = line.split_once('=') {
                let value = value.trim();
                let first = (!value.is_empty()).then_some((i, value));
                section.keys.push((key.trim(), first.into_iter().collect()));
            }
        }
        Self(all)
    }

    /// The lines of a key. The name of a section may stand for several environments: `testenv:{py39,py310}-x`.
    fn get(&self, section: &str, key: &str) -> Option<&[(usize, &'a str)]> {
        let is = |name: &str| {
            let env = section.strip_prefix("testenv:");
            name == section
                || name
                    .strip_prefix("testenv:")
                    .zip(env)
                    .is_some_and(|(names, env)| names_of(names).iter().any(|name| name == env))
        };
        let mut found = self.0.iter().filter(|section| is(section.name));
        let keys = found.find_map(|section| section.keys.iter().find(|(name, _)| *name == key));
        keys.map(|(_, lines)| lines.as_slice())
    }

    /// The commands of an environment: its own, or those of all.
    fn commands(&self, section: &str, env: &str, depth: usize) -> Vec<(usize, String)> {
        let own = self.get(section, "commands").or_else(|| self.get("testenv", "commands"));
        let mut all: Vec<(usize, String)> = Vec::new();
        for (line, text) in own.unwrap_or_default() {
            if let Some(named) =
                text.strip_prefix("{[").and_then(|rest| rest.strip_suffix("]commands}"))
            {
                if depth < 5 {
                    all.extend(self.commands(named, env, depth + 1));
                }
                continue;
            }
            let Some(text) = of_factors(text, env) else { continue };
            match all.last_mut().filter(|(_, last)| last.ends_with('\\')) {
                Some((_, last)) => {
                    last.pop();
                    last.push_str(text);
                }
                None => all.push((*line, text.to_owned())),
            }
        }
        all
    }
}

/// `py310,lint: pytest` is for environments with one of these factors; `!lint: …` for those without.
fn of_factors<'t>(line: &'t str, env: &str) -> Option<&'t str> {
    let Some((head, rest)) = line.split_once(": ") else { return Some(line) };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.,!{}".contains(c);
    if head.is_empty() || !head.chars().all(is_name) {
        return Some(line);
    }
    let factors: Vec<&str> = env.split('-').collect();
    let holds = |all: &str| {
        all.split('-').all(|factor| match factor.strip_prefix('!') {
            Some(factor) => !factors.contains(&factor),
            None => factors.contains(&factor),
        })
    };
    names_of(head).iter().any(|all| holds(all)).then_some(rest.trim())
}

/// Names between commas, spaces and lines, with what braces make of them.
fn names_of(list: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut depth = 0;
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && (c == ',' || c.is_whitespace()) {
            names.push(String::new());
        } else if let Some(name) = names.last_mut() {
            name.push(c);
        }
    }
    names
        .iter()
        .filter(|name| !name.is_empty())
        .flat_map(|name| braces(name))
        .take(ENVS_MAX)
        .collect()
}

/// `a{b,c}` is `ab` and `ac`.
fn braces(name: &str) -> Vec<String> {
    let Some((before, rest)) = name.split_once('{') else { return vec![name.to_owned()] };
    let (inner, after) = rest.split_once('}').unwrap_or((rest, ""));
    let after = if after.matches('{').count() > 4 { vec![String::new()] } else { braces(after) };
    let one = |inner: &str| -> Vec<String> {
        after.iter().map(|after| format!("{before}{}{after}", inner.trim())).collect()
    };
    inner.split(',').flat_map(one).take(ENVS_MAX).collect()
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
