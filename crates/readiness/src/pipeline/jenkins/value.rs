//! What names and conditions come to on an occasion, as far as the file says.

use std::collections::BTreeMap;

use regex::RegexBuilder;

use super::super::Occasion;
use super::syntax::{Call, Expression, Part, Text, Value};

/// A value, or that the file does not say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    Text(String),
    Truth(bool),
    Null,
    Unknown,
}

impl Known {
    /// What a condition makes of it.
    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Self::Text(text) => Some(!text.is_empty() && text != "0"),
            Self::Truth(truth) => Some(*truth),
            Self::Null => Some(false),
            Self::Unknown => None,
        }
    }

    fn told(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Truth(truth) => Some(truth.to_string()),
            Self::Null | Self::Unknown => None,
        }
    }
}

impl From<Option<bool>> for Known {
    fn from(truth: Option<bool>) -> Self {
        truth.map_or(Self::Unknown, Self::Truth)
    }
}

/// Names that have values: those of the file, and those that Jenkins gives.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    /// `name`, `env.NAME`, `params.NAME`.
    pub(super) of_file: &'a BTreeMap<String, String>,
    /// `environment` and `withEnv` around it.
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) main: &'a str,
}

/// The name of the branch that is built.
pub(super) fn branch(occasion: Occasion, main: &str) -> &str {
    match occasion {
        Occasion::PullRequest => "PR-1",
        Occasion::Branch => "topic",
        Occasion::ReleaseBranch => "release/1.0",
        Occasion::Tag => "v1.0.0",
        _ => main,
    }
}

impl Names<'_> {
    fn value(&self, path: &str, on: Occasion) -> Known {
        let bare = path.strip_prefix("env.").unwrap_or(path);
        let text = |text: &str| Known::Text(text.to_owned());
        let of_request = |value: &str| {
            if on == Occasion::PullRequest { text(value) } else { Known::Null }
        };
        match bare {
            "BRANCH_NAME" => return text(branch(on, self.main)),
            "CHANGE_ID" => return of_request("1"),
            "CHANGE_TARGET" => return of_request(self.main),
            "CHANGE_BRANCH" => return of_request("topic"),
            "TAG_NAME" if on == Occasion::Tag => return text("v1.0.0"),
            "CHANGE_FORK" | "TAG_NAME" | "currentBuild.result" => return Known::Null,
            "currentBuild.currentResult" => return text("SUCCESS"),
            _ => {}
        }
        let param = bare.strip_prefix("params.").unwrap_or(bare);
        let given = self.of_file.get(path).or_else(|| self.env.get(bare));
        let given = given.or_else(|| self.of_file.get(&format!("env.{bare}")));
        if let Some(value) = given {
            return text(value);
        }
        // Whoever starts it by hand says what they want.
        match self.of_file.get(&format!("params.{param}")) {
            Some(value) if on != Occasion::Manual => match value.as_str() {
                "true" => Known::Truth(true),
                "false" => Known::Truth(false),
                value => text(value),
            },
            _ => Known::Unknown,
        }
    }

    /// A text with its names replaced; a part that is not known is the one given.
    pub(super) fn text(&self, text: &Text, on: Occasion, unknown: char) -> String {
        let mut all = String::new();
        for part in &text.parts {
            match part {
                Part::Text(text) => all.push_str(text),
                Part::Code(code) => match self.value(code, on).told() {
                    // A value that may be long is not put in again and again.
                    Some(value) if all.len() < 64 * 1024 => all.push_str(&value),
                    _ => all.push(unknown),
                },
            }
        }
        all
    }

    pub(super) fn evaluate(&self, expression: &Expression, on: Occasion) -> Known {
        match &expression.value {
            Value::Text(text) => {
                let told = self.text(text, on, crate::shell::UNKNOWN);
                if told.contains(crate::shell::UNKNOWN) {
                    Known::Unknown
                } else {
                    Known::Text(told)
                }
            }
            Value::Number(number) => Known::Text(number.clone()),
            Value::Truth(truth) => Known::Truth(*truth),
            Value::Null => Known::Null,
            Value::Name(_) | Value::Property(..) => {
                expression.path().map_or(Known::Unknown, |path| self.value(&path, on))
            }
            Value::Not(inner) => self.evaluate(inner, on).truth().map(|truth| !truth).into(),
            Value::Chain(first, rest) => {
                rest.iter().fold(self.evaluate(first, on), |left, (sign, right)| {
                    self.operate(left, sign, right, on)
                })
            }
            Value::Choice(parts) => self.choose(parts, on),
            Value::Call(call) => self.called(call, on),
            Value::List(_) | Value::Map(_) | Value::Closure(_) | Value::Unknown => Known::Unknown,
        }
    }

    fn choose(&self, parts: &[Expression], on: Occasion) -> Known {
        let Some((condition, rest)) = parts.split_first() else { return Known::Unknown };
        let value = self.evaluate(condition, on);
        match (value.truth(), rest) {
            (Some(true), [_]) => value,
            (Some(true), [yes, _]) => self.evaluate(yes, on),
            (Some(false), [.., no]) => self.evaluate(no, on),
            _ => Known::Unknown,
        }
    }

    fn operate(&self, left: Known, sign: &str, right: &Expression, on: Occasion) -> Known {
        if sign == "in" {
            return self.is_in(&left, right, on).into();
        }
        let right = self.evaluate(right, on);
        match sign {
            "&&" => match (left.truth(), right.truth()) {
                (Some(false), _) | (_, Some(false)) => Known::Truth(false),
                (Some(true), Some(true)) => Known::Truth(true),
                _ => Known::Unknown,
            },
            "||" => match (left.truth(), right.truth()) {
                (Some(true), _) | (_, Some(true)) => Known::Truth(true),
                (Some(false), Some(false)) => Known::Truth(false),
                _ => Known::Unknown,
            },
            "==" | "===" | "!=" | "!==" => {
                if left == Known::Unknown || right == Known::Unknown {
                    return Known::Unknown;
                }
                Known::Truth((left == right) == sign.starts_with('='))
            }
            "==~" | "=~" => match (left, right) {
                (Known::Text(text), Known::Text(pattern)) => {
                    fits(&pattern, &text, sign == "==~").into()
                }
                (Known::Null, _) => Known::Truth(false),
                _ => Known::Unknown,
            },
            "+" => match (left.told(), right.told()) {
                (Some(left), Some(right)) if left.len() + right.len() < 64 * 1024 => {
                    Known::Text(left + &right)
                }
                _ => Known::Unknown,
            },
            "as" => left,
            _ => Known::Unknown,
        }
    }

    fn is_in(&self, left: &Known, list: &Expression, on: Occasion) -> Option<bool> {
        let Value::List(items) = &list.value else { return None };
        let mut all_known = *left != Known::Unknown;
        for item in items {
            let item = self.evaluate(item, on);
            if item != Known::Unknown && item == *left {
                return Some(true);
            }
            all_known &= item != Known::Unknown;
        }
        all_known.then_some(false)
    }

    /// Calls that ask a text.
    fn called(&self, call: &Call, on: Occasion) -> Known {
        let Some(of) = &call.of else {
            // Where `sh` runs there is a shell.
            return if call.name == "isUnix" { Known::Truth(true) } else { Known::Unknown };
        };
        let argument = call.plain().next();
        if call.name == "contains"
            && let Some(argument) = argument
            && matches!(of.value, Value::List(_))
        {
            return self.is_in(&self.evaluate(argument, on), of, on).into();
        }
        let text = match self.evaluate(of, on) {
            Known::Text(text) => text,
            // `null?.startsWith(…)` is null.
            Known::Null => return Known::Null,
            Known::Truth(truth) if call.name == "toBoolean" => return Known::Truth(truth),
            Known::Truth(_) | Known::Unknown => return Known::Unknown,
        };
        let asked = argument.map(|argument| self.evaluate(argument, on));
        match (call.name.as_str(), asked) {
            ("trim" | "toString" | "stripIndent", None) => Known::Text(text.trim().to_owned()),
            ("toLowerCase", None) => Known::Text(text.to_lowercase()),
            ("toUpperCase", None) => Known::Text(text.to_uppercase()),
            ("toBoolean", None) => Known::Truth(text == "true"),
            ("isEmpty", None) => Known::Truth(text.is_empty()),
            ("startsWith", Some(Known::Text(asked))) => Known::Truth(text.starts_with(&asked)),
            ("endsWith", Some(Known::Text(asked))) => Known::Truth(text.ends_with(&asked)),
            ("contains", Some(Known::Text(asked))) => Known::Truth(text.contains(&asked)),
            ("equals", Some(Known::Text(asked))) => Known::Truth(text == asked),
            ("equalsIgnoreCase", Some(Known::Text(asked))) => {
                Known::Truth(text.eq_ignore_ascii_case(&asked))
            }
            ("matches", Some(Known::Text(asked))) => fits(&asked, &text, true).into(),
            _ => Known::Unknown,
        }
    }
}

/// Whether a text fits a pattern; none for a pattern that is not understood.
pub(super) fn fits(pattern: &str, text: &str, whole: bool) -> Option<bool> {
    let pattern = if whole { format!("^(?:{pattern})$") } else { pattern.to_owned() };
    let built = RegexBuilder::new(&pattern).size_limit(1 << 20).build().ok()?;
    Some(built.is_match(text))
}
