//! Calls: steps by their names, functions of the file, and what nobody knows.

use std::rc::Rc;

use super::super::super::{Does, Occasion};
use super::super::known::{self, Step as Kind};
use super::super::syntax::{Block, Call, Expression, Value};
use super::super::value::Known;
use super::{Around, CALLS_MAX, NAMES_MAX, Reader, Used, perhaps};
use crate::finding::Place;
use crate::shell::Blocking;
use crate::tree::join;

impl<'a> Reader<'a> {
    pub(super) fn call(&mut self, call: &'a Call, place: Place, around: &Around, used: Used) {
        if around.runs.possible().next().is_none() {
            return;
        }
        if !call.is_step() {
            self.method(call, place, around);
            return;
        }
        let name = call.name.as_str();
        if let Some(&(parameters, body)) = self.functions.get(name) {
            self.function(call, parameters, body, around);
            return;
        }
        match name {
            "pipeline" if call.body().is_some() => {
                self.known = true;
                self.pipeline(call, around);
                return;
            }
            "stage" => {
                let name = call.plain().next().and_then(Expression::text).unwrap_or_default();
                match call.body() {
                    Some(body) => self.stage(name, place, |reader| reader.block(body, around)),
                    None => self.known = true,
                }
                return;
            }
            "parallel" => {
                self.known = true;
                self.parallel(call, around);
                return;
            }
            "input" => self.wait(around),
            "build" => self.other_job(call, place, around),
            "load" => {
                let why = "it runs another Groovy file, which is not followed";
                self.opaque(around, place, why.to_owned());
            }
            "library" => {
                let name = call.plain().next().and_then(Expression::text).unwrap_or_default();
                self.library(place, name);
            }
            // It belongs into a declarative stage, and does nothing here; some write it all the same.
            "environment" | "agent" | "options" | "tools" if call.body().is_some() => return,
            "dir" | "withEnv" | "catchError" | "warnError" => {
                self.known = true;
                self.wrapper(call, around);
                return;
            }
            _ => {}
        }
        self.arguments(&call.arguments, around);
        match known::step(name) {
            Some(Kind::Shell) => self.shell(call, place, around, used != Used::No, false),
            Some(Kind::Batch) => self.shell(call, place, around, used != Used::No, true),
            Some(Kind::Around) => {
                self.known = true;
                self.inside(call, around);
            }
            Some(Kind::Perhaps) => self.inside(call, &around.when(&perhaps(&format!("`{name}`")))),
            Some(Kind::Plugin) => self.plugin(call, place, around),
            Some(Kind::Nothing) => self.known |= !matches!(name, "library" | "load" | "properties"),
            None if name == "build" => {}
            None if name == "step" => self.generic(call, place, around),
            None if used == Used::Told => {
                self.inside(call, &around.when(&perhaps(&format!("`{name}`"))));
            }
            None => self.unknown(call, place, around),
        }
    }

    fn unknown(&mut self, call: &'a Call, place: Place, around: &Around) {
        let name = &call.name;
        self.stranger.get_or_insert_with(|| (place, name.clone()));
        let library = match self.libraries.last() {
            Some((_, library)) => format!("it may come from the shared library `{library}`"),
            None => "a shared library or a plugin may bring it".to_owned(),
        };
        self.opaque(
            around,
            place,
            format!("`{name}` is no step of Jenkins that is known: {library}"),
        );
        self.inside(call, &around.when(&perhaps(&format!("`{name}`"))));
    }

    fn function(
        &mut self,
        call: &'a Call,
        parameters: &'a [String],
        body: &'a Block,
        around: &Around,
    ) {
        self.arguments(&call.arguments, around);
        if self.calls >= CALLS_MAX {
            self.cut = true;
            return;
        }
        let mut before = Vec::new();
        for (name, argument) in parameters.iter().zip(&call.arguments) {
            let known = self.names(&around.env).evaluate(&argument.value, Occasion::Main);
            let old = match known {
                Known::Text(text) => self.of_file.insert(name.clone(), text),
                _ => self.of_file.remove(name),
            };
            before.push((name, old));
        }
        self.calls += 1;
        self.block(body, around);
        self.calls -= 1;
        for (name, old) in before {
            match old {
                Some(value) => self.of_file.insert(name.clone(), value),
                None => self.of_file.remove(name),
            };
        }
        // What it was given to run runs somewhere in it.
        self.inside(call, &around.when(&perhaps(&format!("`{}`", call.name))));
    }

    /// `parallel(a: { … }, b: { … })`; what is put together elsewhere cannot be seen.
    fn parallel(&mut self, call: &'a Call, around: &Around) {
        let mut seen = false;
        for argument in &call.arguments {
            let entries = match &argument.value.value {
                Value::Map(entries) => entries.as_slice(),
                _ => std::slice::from_ref(argument),
            };
            for entry in entries {
                match &entry.value.value {
                    Value::Closure(body) => {
                        seen = true;
                        self.block(body, around);
                    }
                    Value::Truth(_) => {}
                    Value::Name(map) if self.branches.iter().any(|(known, ..)| known == map) => {
                        seen = true;
                        let of_map = self.branches.iter().filter(|(known, ..)| known == map);
                        for (_, body, runs) in of_map.cloned().collect::<Vec<_>>() {
                            self.block(body, &around.when(&runs));
                        }
                    }
                    _ => {
                        let place = entry.value.place;
                        let why = "what `parallel` runs here is put together when it runs";
                        self.opaque(around, place, why.to_owned());
                    }
                }
            }
        }
        self.known |= seen;
    }

    /// `dir`, `withEnv` and what keeps a failure from ending the build.
    fn wrapper(&mut self, call: &'a Call, around: &Around) {
        let first = call.plain().next().or_else(|| call.named("path"));
        let inner = match call.name.as_str() {
            "dir" => {
                let dir = first
                    .map(|path| self.names(&around.env).evaluate(path, Occasion::Main))
                    .and_then(|path| match path {
                        Known::Text(path) => join(around.dir.as_deref()?, &path),
                        _ => None,
                    });
                Around { dir, ..around.clone() }
            }
            "withEnv" => {
                let mut env = (*around.env).clone();
                for item in first.map(items).unwrap_or_default() {
                    let known = self.names(&around.env).evaluate(item, Occasion::Main);
                    if let Known::Text(text) = known
                        && let Some((name, value)) = text.split_once('=')
                        && env.len() < NAMES_MAX
                    {
                        env.insert(name.to_owned(), value.to_owned());
                    }
                }
                Around { env: Rc::new(env), ..around.clone() }
            }
            "warnError" => around.soft(&Blocking::No("`warnError` makes it a warning".into())),
            _ => around.soft(&catch_error(call)),
        };
        self.inside(call, &inner);
    }

    fn other_job(&mut self, call: &'a Call, place: Place, around: &Around) {
        self.known = true;
        let job = call.named("job").or_else(|| call.plain().next()).and_then(Expression::text);
        let job = job.unwrap_or_else(|| "another one".to_owned());
        let is_false =
            |name: &str| call.named(name).is_some_and(|value| value.value == Value::Truth(false));
        let blocking = if is_false("propagate") || is_false("wait") {
            Blocking::No("it does not wait for what becomes of the other job".into())
        } else {
            Blocking::Yes
        };
        let why = format!("it starts the job `{job}` of Jenkins, which no file here shows");
        self.step(around, place, &blocking, Does::Opaque(why));
    }
}

fn items(list: &Expression) -> Vec<&Expression> {
    match &list.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![list],
    }
}

/// What `catchError` makes of a failure: the build fails all the same, unless it is told otherwise.
pub(in super::super) fn catch_error(call: &Call) -> Blocking {
    let Some(result) = call.named("buildResult") else { return Blocking::Yes };
    match result.text().as_deref() {
        Some("FAILURE" | "ABORTED") => Blocking::Yes,
        Some(result) => Blocking::No(format!("`catchError(buildResult: '{result}')`")),
        None if result.value == Value::Null => {
            Blocking::No("`catchError(buildResult: null)`".into())
        }
        None => Blocking::Unsure("`buildResult` of `catchError` is decided when it runs".into()),
    }
}
