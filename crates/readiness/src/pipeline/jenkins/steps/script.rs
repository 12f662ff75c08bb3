//! `sh` and its like as scripts.

use super::super::super::{Does, Occasion, Script};
use super::super::syntax::{Call, Expression, Value};
use super::super::value::Known;
use super::{Around, Reader};
use crate::finding::Place;
use crate::shell::program::{of_windows, started};
use crate::shell::{Blocking, Options, UNKNOWN};

/// A script's text, and where it stands.
struct Given {
    text: String,
    line: u32,
    literal: bool,
}

impl Reader<'_> {
    /// A step that runs a script.
    pub(super) fn shell(
        &mut self,
        call: &Call,
        place: Place,
        around: &Around,
        used: bool,
        windows: bool,
    ) {
        self.known = true;
        let given = call.named("script").or_else(|| call.plain().next());
        let given = given.and_then(|given| self.given(given, around));
        let Some(given) = given.filter(|given| !given.text.trim_matches(UNKNOWN).trim().is_empty())
        else {
            let why = format!("what `{}` runs is put together when it runs", call.name);
            self.opaque(around, place, why);
            return;
        };
        let blocking = if call.named("returnStatus").is_some_and(is_true) {
            if used {
                Blocking::Unsure("`returnStatus: true`, and something looks at the status".into())
            } else {
                Blocking::No("`returnStatus: true`".into())
            }
        } else {
            Blocking::Yes
        };
        let (text, (options, of_shell)) = if windows {
            (batch(&given.text), of_windows(&given.text))
        } else {
            let interpreter = interpreter(&given.text);
            (given.text, interpreter)
        };
        let blocking = blocking.and(&of_shell);
        let mut vars = (*around.env).clone();
        for (name, value) in &self.of_file {
            if let Some(name) = name.strip_prefix("env.").or_else(|| name.strip_prefix("params.")) {
                vars.entry(name.to_owned()).or_insert_with(|| value.clone());
            }
        }
        let script = Script {
            text,
            line: given.line,
            literal: given.literal,
            options,
            vars,
            dir: around.dir.clone(),
        };
        self.step(around, place, &blocking, Does::Script(script));
    }

    /// A step that does what a command does.
    pub(super) fn docker(&mut self, place: Place, around: &Around, command: &str) {
        self.known = true;
        let script = Script {
            text: command.to_owned(),
            line: place.line,
            literal: false,
            options: Options { errexit: true, pipefail: false },
            vars: (*around.env).clone(),
            dir: around.dir.clone(),
        };
        self.step(around, place, &Blocking::Yes, Does::Script(script));
    }

    fn given(&self, expression: &Expression, around: &Around) -> Option<Given> {
        let names = self.names(&around.env);
        match &expression.value {
            Value::Text(text) => Some(Given {
                text: names.text(text, Occasion::Main, UNKNOWN),
                line: text.line,
                literal: text.literal,
            }),
            Value::Call(call) => {
                let of = call.of.as_ref()?;
                let plain = ["stripIndent", "stripMargin", "trim", "toString"];
                if !plain.contains(&call.name.as_str()) {
                    return None;
                }
                let given = self.given(of, around)?;
                // `trim` may take lines away.
                Some(Given { literal: given.literal && call.name == "stripIndent", ..given })
            }
            Value::Chain(first, rest) if rest.iter().all(|(sign, _)| *sign == "+") => {
                let mut all = String::new();
                for part in std::iter::once(&**first).chain(rest.iter().map(|(_, part)| part)) {
                    match self.given(part, around) {
                        Some(given) => all.push_str(&given.text),
                        None => all.push(UNKNOWN),
                    }
                }
                Some(Given { text: all, line: expression.place.line, literal: false })
            }
            _ => match names.evaluate(expression, Occasion::Main) {
                Known::Text(text) => {
                    Some(Given { text, line: expression.place.line, literal: false })
                }
                _ => None,
            },
        }
    }
}

fn is_true(expression: &Expression) -> bool {
    expression.value == Value::Truth(true)
}

/// Jenkins runs `sh -xe`; a script that names its own interpreter is run by that one, as it says.
fn interpreter(text: &str) -> (Options, Blocking) {
    match text.strip_prefix("#!") {
        Some(first) => started(first.lines().next().unwrap_or_default()),
        None => (Options { errexit: true, pipefail: false }, Blocking::Yes),
    }
}

/// A script of Windows with the slashes of a shell; lines stay lines.
fn batch(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let plain = line.trim().trim_start_matches('@').replace('\\', "/");
        match plain.strip_prefix("call ") {
            Some(rest) => rest.to_owned(),
            None if plain.starts_with("rem ") || plain.starts_with("::") => String::new(),
            None => plain,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}
