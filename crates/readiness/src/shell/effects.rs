//! What builtins do to the rest of a script.

use super::caught::no;
use super::flow::Scope;
use super::lex::Word;
use super::parse::{self, Node};
use super::status::keeps_status;
use super::walk::Walk;
use super::{Blocking, SWAYING, UNKNOWN};
use crate::tree::join;

/// Most directories that `pushd` keeps.
const DIRS_MAX: usize = 100;

impl Walk {
    pub(super) fn effects(&mut self, words: &[Word]) {
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        match texts.as_slice() {
            ["cd", "-"] => std::mem::swap(&mut self.dir, &mut self.dir_before),
            ["cd" | "pushd", rest @ ..] => self.change_dir(rest, texts[0] == "pushd"),
            ["popd", ..] => self.dir = self.dirs.pop().flatten(),
            ["read" | "mapfile" | "readarray", rest @ ..] => {
                self.vars.extend(rest.iter().map(|name| ((*name).to_owned(), None)));
            }
            ["set", rest @ ..] => self.set(rest),
            ["export" | "declare" | "local" | "readonly", rest @ ..] => {
                self.export(rest, texts[0] == "export");
            }
            ["shift", ..] => {
                if let Some(arguments) =
                    self.arguments.as_mut().filter(|arguments| !arguments.is_empty())
                {
                    arguments.remove(0);
                }
            }
            ["alias", rest @ ..] => {
                let names = rest.iter().filter_map(|word| word.split_once('='));
                self.aliases.extend(names.map(|(name, _)| name.to_owned()));
            }
            ["trap", script, signals @ ..] if on_end(signals) => self.trapped = self.trap(script),
            _ => {}
        }
    }

    /// What ends the script, the function or the round of the loop that it stands in.
    pub(super) fn end(&mut self, words: &[Word], succeeds: Option<bool>) {
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let fails = succeeds == Some(false);
        match texts.as_slice() {
            ["return", ..] if self.calls > 0 => self.flow.end(Scope::Function, fails),
            // Whatever its status, the words behind `exit` are a status of the script.
            ["exit" | "return", ..] => self.flow.end(Scope::Script, fails),
            ["exec", _, ..] | ["circleci-agent", "step", "halt", ..] => {
                self.flow.end(Scope::Script, false);
            }
            ["continue", ..] => self.flow.end(Scope::Round, false),
            ["break", ..] => self.flow.end(Scope::Loop, false),
            ["set", rest @ ..] if reads_only(rest) => self.flow.end(Scope::Script, false),
            _ => {}
        }
    }

    fn change_dir(&mut self, rest: &[&str], keeps: bool) {
        let target = rest.iter().find(|word| !word.starts_with('-'));
        let dir = match (target, &self.dir) {
            (Some(target), _) if target.contains(UNKNOWN) || target.starts_with(['/', '~']) => None,
            (Some(target), Some(dir)) => join(dir, target),
            _ => None,
        };
        if keeps && self.dirs.len() < DIRS_MAX {
            self.dirs.push(self.dir.clone());
        }
        self.dir_before = std::mem::replace(&mut self.dir, dir);
    }

    fn set(&mut self, rest: &[&str]) {
        for (i, word) in rest.iter().enumerate() {
            let Some(on) =
                word.starts_with('-').then_some(true).or(word.starts_with('+').then_some(false))
            else {
                continue;
            };
            if word[1..].contains('e') {
                self.options.errexit = on;
            }
            match rest.get(i + 1) {
                Some(&"pipefail") => self.options.pipefail = on,
                Some(&"errexit") => self.options.errexit = on,
                _ => {}
            }
        }
    }

    fn export(&mut self, rest: &[&str], exported: bool) {
        for word in rest.iter().filter(|word| !word.starts_with('-')) {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (*word, self.vars.get(*word).cloned().flatten()),
            };
            if exported && SWAYING.contains(&name) {
                self.env
                    .insert(name.to_owned(), value.clone().unwrap_or_else(|| UNKNOWN.to_string()));
            }
            if word.contains('=') {
                let value = value.filter(|value| !value.contains(UNKNOWN));
                self.vars.insert(name.to_owned(), value);
            }
        }
    }

    /// What a trap makes of the status of the script.
    fn trap(&self, script: &str) -> Blocking {
        if script == "-" || script.is_empty() {
            return Blocking::Yes;
        }
        if script.starts_with(UNKNOWN) {
            return Blocking::Unsure("a trap decides about the status of the script".into());
        }
        let list = parse::script(script, 0);
        let body = self.functions.get(script.split_whitespace().next().unwrap_or_default());
        let in_function =
            body.is_some_and(|body| matches!(body, Node::Group { body, .. } if keeps_status(body)));
        if in_function || keeps_status(&list) {
            return Blocking::Yes;
        }
        let ending = self.ending_of(&list, None, 0);
        match (ending.exits, ending.succeeds) {
            (false, _) | (true, Some(false)) => Blocking::Yes,
            (true, Some(true)) => no("a trap of the script ends it without a failure"),
            (true, None) => {
                Blocking::Unsure("a trap decides about the status of the script".into())
            }
        }
    }
}

fn on_end(signals: &[&str]) -> bool {
    signals.iter().any(|signal| matches!(*signal, "EXIT" | "ERR" | "0" | "SIGEXIT"))
}

/// `set -n`: what follows is read and not run.
fn reads_only(rest: &[&str]) -> bool {
    let options = rest.iter().take_while(|word| **word != "--");
    options.enumerate().any(|(i, word)| {
        word.starts_with('-')
            && !word.starts_with("--")
            && (word.contains('n') || rest.get(i + 1) == Some(&"noexec"))
    })
}
