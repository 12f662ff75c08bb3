//! What `make` runs of a Makefile.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::Class;
use super::super::invoke::{Asked, Done};
use super::makefile::{Makefile, expanded};
use super::recipes::lines;
use super::{LOOSE, is_build, named_for_tests, runs_something};
use crate::finding::Evidence;
use crate::shell::program::{Read, read};
use crate::shell::{Blocking, Options, UNKNOWN};
use crate::tree::join;

/// Most targets that one command makes.
const TARGETS_MAX: usize = 100;

/// What a command asks of `make`.
#[derive(Default)]
struct Wanted<'a> {
    targets: Vec<&'a str>,
    file: Option<&'a str>,
    vars: BTreeMap<&'a str, &'a str>,
    /// Failures are told to be ignored.
    ignores: bool,
    /// Recipes are printed or touched, and not run.
    idle: bool,
}

impl<'a> Wanted<'a> {
    fn read(rest: &[&'a str], dir: &mut Option<String>) -> Self {
        let mut wanted = Self::default();
        let mut words = rest.iter().copied();
        while let Some(word) = words.next() {
            match word {
                "-C" | "--directory" => {
                    let sub = words.next().filter(|sub| !sub.contains(UNKNOWN));
                    *dir = sub.and_then(|sub| join(dir.as_deref()?, sub));
                }
                "-f" | "--file" | "--makefile" => wanted.file = words.next(),
                "-o" | "-W" | "-I" | "--old-file" | "--what-if" => _ = words.next(),
                "--ignore-errors" => wanted.ignores = true,
                _ if word.starts_with("--") => match word.split_once('=') {
                    Some(("--directory", sub)) => {
                        let inner = dir.as_deref().filter(|_| !sub.contains(UNKNOWN));
                        *dir = inner.and_then(|dir| join(dir, sub));
                    }
                    Some(("--file" | "--makefile", file)) => wanted.file = Some(file),
                    _ => {}
                },
                _ if word.starts_with('-') => {
                    let letters = word[1..].split(|c: char| !c.is_ascii_alphabetic()).next();
                    let letters = letters.unwrap_or_default();
                    // Behind these letters stands a value.
                    let letters = letters.split(['C', 'f', 'o', 'W', 'I', 'O']).next();
                    let letters = letters.unwrap_or_default();
                    wanted.ignores |= letters.contains('i');
                    wanted.idle |= letters.contains(['n', 't', 'q']);
                }
                _ => match word.split_once('=') {
                    Some((name, value)) => {
                        let name = name.trim_end_matches([':', '?', '+']);
                        _ = wanted.vars.insert(name, value);
                    }
                    None => wanted.targets.push(word),
                },
            }
        }
        wanted
    }
}

pub(super) fn make(asked: &Asked<'_>, rest: &[&str], dir: Option<&str>, depth: usize) -> Vec<Done> {
    let mut dir = dir.map(str::to_owned);
    let mut wanted = Wanted::read(rest, &mut dir);
    if wanted.idle {
        return Vec::new();
    }
    let asks =
        wanted.targets.is_empty() || wanted.targets.iter().any(|target| named_for_tests(target));
    let opaque = |why: String| {
        if asks { vec![Done::new(Class::OpaqueTests).why(why)] } else { Vec::new() }
    };
    let Some(dir) = dir else { return opaque("make in a directory that is not known".into()) };
    let usual = ["GNUmakefile", "Makefile", "makefile"];
    let names: Vec<&str> = wanted.file.map_or_else(|| usual.to_vec(), |file| vec![file]);
    let mut files = names.iter().filter_map(|name| join(&dir, name));
    let Some(file) = files.find(|file| asked.tree.has(file)) else {
        return opaque("no Makefile in the directory".into());
    };
    if asked.tree.text(&file).is_none() {
        return opaque(format!("`{file}` is not read"));
    }
    let makefile = Rc::clone(
        asked
            .makefiles
            .borrow_mut()
            .entry(format!("{dir}\n{file}"))
            .or_insert_with(|| Rc::new(Makefile::read(asked.tree, &file, &dir))),
    );
    let first = makefile.first.clone();
    if wanted.targets.is_empty() {
        wanted.targets.extend(first.as_deref());
    }
    let made = Made { asked, makefile: &makefile, wanted: &wanted, dir: &dir };
    let (mut done, runs) = made.all(depth);
    if let Some(missing) =
        wanted.targets.iter().find(|target| !makefile.targets.contains_key(**target))
    {
        done.extend(opaque(format!("`{file}` has no target `{missing}`")));
    }
    if done.is_empty() && runs && wanted.targets.iter().any(|target| is_build(target)) {
        done.push(Done::new(Class::Build));
    }
    if done.is_empty() && runs && wanted.targets.iter().any(|target| named_for_tests(target)) {
        return opaque(format!(
            "nothing that `make {}` runs is recognised",
            wanted.targets.join(" ")
        ));
    }
    done
}

/// A Makefile and what is asked of it.
struct Made<'a> {
    asked: &'a Asked<'a>,
    makefile: &'a Makefile,
    wanted: &'a Wanted<'a>,
    dir: &'a str,
}

impl Made<'_> {
    /// What the targets and what they need do, and whether they run anything at all.
    fn all(&self, depth: usize) -> (Vec<Done>, bool) {
        let (mut done, mut runs) = (Vec::new(), false);
        let Some((options, shell)) = self.shell() else { return (done, runs) };
        let mut waiting: Vec<&str> = self.wanted.targets.clone();
        let mut seen: Vec<&str> = Vec::new();
        while let Some(name) = waiting.pop() {
            if seen.contains(&name) || seen.len() > TARGETS_MAX {
                continue;
            }
            seen.push(name);
            let Some(target) = self.makefile.targets.get(name) else { continue };
            waiting.extend(target.needs.iter().map(String::as_str));
            let text = self.asked.tree.text(&target.file).unwrap_or_default();
            let shown = Evidence::line(&target.file, text, target.line);
            let mut recipe: Vec<String> =
                target.recipe.iter().map(|line| self.as_shell(line)).collect();
            if self.makefile.one_shell {
                recipe = vec![recipe.join("\n")];
            }
            runs |=
                recipe.iter().any(|line| runs_something(line.trim_start_matches(['@', '-', '+'])));
            let blocking = self.blocking(name, target.doubtful).and(&shell);
            for done_here in lines(self.asked, &recipe, options, self.dir, depth) {
                let blocking = done_here.blocking.and(&blocking);
                done.push(Done { blocking, ..done_here.also([shown.clone()]) });
            }
        }
        (done, runs)
    }

    fn blocking(&self, target: &str, doubtful: bool) -> Blocking {
        let ignored = &self.makefile.ignored;
        if self.wanted.ignores {
            Blocking::No("make is told to ignore errors".into())
        } else if ignored
            .as_ref()
            .is_some_and(|all| all.is_empty() || all.iter().any(|one| one == target))
        {
            Blocking::No("`.IGNORE` of the Makefile".into())
        } else if doubtful {
            Blocking::Unsure("a condition of the Makefile decides about the recipe".into())
        } else {
            Blocking::Yes
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        let own = self.wanted.vars.get(name).copied();
        own.or_else(|| self.makefile.vars.get(name).map(String::as_str))
    }

    /// How lines are run: by `sh -c`, which stops at no failure, unless the Makefile says otherwise. `None` for what runs
    /// nothing.
    fn shell(&self) -> Option<(Options, Blocking)> {
        let flags = self.value(".SHELLFLAGS").unwrap_or("-c");
        let shell = self.value("SHELL").unwrap_or("sh");
        // Where it is looked for when make runs, it is still that shell.
        let shell = if shell.contains("bash") { "bash" } else { shell };
        let flags = flags.trim().strip_suffix('c').unwrap_or(flags);
        let flags = flags.strip_suffix(['-']).unwrap_or(flags);
        match read(&format!("{shell} {flags}")) {
            Read::As(options) => Some((options, Blocking::Yes)),
            Read::Not => None,
            Read::Unsure(why) => Some((LOOSE, Blocking::Unsure(why))),
        }
    }

    /// A line of a recipe as the shell gets it. What is not known stays so.
    fn as_shell(&self, line: &str) -> String {
        expanded(line, &|name| match name {
            "MAKE" => Some("make".to_owned()),
            name => self.value(name).map(str::to_owned),
        })
        .replace("$$", "$")
    }
}
