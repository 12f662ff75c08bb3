//! `if` and `branches`: Buildkite's own language of conditions.

use std::collections::BTreeMap;

use regex::RegexBuilder;

use super::super::{Occasion, Occasions, Runs, glob_matches};
use crate::finding::excerpt;
use crate::yaml::Node;

/// Deepest parentheses.
const DEPTH_MAX: usize = 32;

/// Most words and signs of a condition.
const TOKENS_MAX: usize = 2_000;

/// What a condition may ask for.
#[derive(Clone, Copy)]
pub(super) struct Build<'a> {
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) main: &'a str,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(String),
    Truth(bool),
    Null,
    /// A list of which it is known that nothing is in it.
    Empty,
    /// Set outside the files.
    Unknown,
}

/// The name of the branch that is built; a tag's build has the name of the tag.
fn branch(on: Occasion, main: &str) -> String {
    match on {
        Occasion::PullRequest | Occasion::Branch => "topic".to_owned(),
        Occasion::ReleaseBranch => "release/1.0".to_owned(),
        Occasion::Tag => "v1.0.0".to_owned(),
        Occasion::MergeQueue => format!("gh-readonly-queue/{main}/pr-1"),
        _ => main.to_owned(),
    }
}

impl Build<'_> {
    /// On which occasions a step is there.
    pub(super) fn runs(&self, step: &Node) -> Occasions {
        let branches = step.get("branches").map(branch_patterns).unwrap_or_default();
        let condition = step.get("if").and_then(Node::text);
        Occasions::from_fn(|on| {
            if !names_branch(&branches, &branch(on, self.main)) {
                return Runs::No;
            }
            match condition.map_or(Some(true), |text| self.holds(text, on)) {
                Some(true) => Runs::Yes,
                Some(false) => Runs::No,
                None => Runs::Unsure(format!(
                    "`if: {}` asks for what the files do not say",
                    excerpt(condition.unwrap_or_default())
                )),
            }
        })
    }

    /// What a condition comes to; none when it asks for what is not in the files, or is not understood.
    pub(super) fn holds(&self, text: &str, on: Occasion) -> Option<bool> {
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, build: self, on };
        let value = parser.or();
        if parser.at == tokens.len() { truth(&value) } else { None }
    }

    fn value(&self, name: &str, on: Occasion) -> Value {
        let text = |text: &str| Value::Text(text.to_owned());
        let if_request = |value: Value| {
            if on == Occasion::PullRequest { value } else { Value::Null }
        };
        match name {
            "build.branch" => Value::Text(branch(on, self.main)),
            "build.tag" if on == Occasion::Tag => text("v1.0.0"),
            "build.pull_request.id" => if_request(text("1")),
            "build.pull_request.base_branch" => if_request(text(self.main)),
            "build.pull_request.draft" | "build.pull_request.repository.fork" => {
                if_request(Value::Truth(false))
            }
            "build.pull_request.labels" => Value::Empty,
            "build.merge_queue.base_branch" if on == Occasion::MergeQueue => text(self.main),
            "build.tag" | "build.pull_request.label" | "build.merge_queue.base_branch" => {
                Value::Null
            }
            "build.message" => text("Change something"),
            "build.source" => text(match on {
                Occasion::Schedule => "schedule",
                Occasion::Manual => "ui",
                Occasion::Other => "trigger_job",
                _ => "webhook",
            }),
            "pipeline.default_branch" => text(self.main),
            _ => Value::Unknown,
        }
    }

    fn variable(&self, name: &str, on: Occasion) -> Value {
        match name {
            "BUILDKITE_BRANCH" => self.value("build.branch", on),
            "BUILDKITE_TAG" => self.value("build.tag", on),
            "BUILDKITE_MESSAGE" => self.value("build.message", on),
            "BUILDKITE_SOURCE" => self.value("build.source", on),
            "BUILDKITE_PIPELINE_DEFAULT_BRANCH" => self.value("pipeline.default_branch", on),
            "BUILDKITE_PULL_REQUEST_BASE_BRANCH" => {
                self.value("build.pull_request.base_branch", on)
            }
            "BUILDKITE_PULL_REQUEST" => {
                Value::Text(if on == Occasion::PullRequest { "1" } else { "false" }.to_owned())
            }
            _ => match self.env.get(name) {
                Some(value) if !value.contains('$') => Value::Text(value.clone()),
                _ => Value::Unknown,
            },
        }
    }
}

/// `branches: "main feature/* !feature/beta"`, or a list of them.
pub(super) fn branch_patterns(node: &Node) -> Vec<String> {
    node.texts().iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
}

/// Any positive pattern must match, when there is one, and no negative one.
fn names_branch(patterns: &[String], branch: &str) -> bool {
    // `*` crosses `/` here.
    let names = |pattern: &str| glob_matches(&pattern.replace('*', "**"), branch);
    let mut positive = patterns.iter().filter(|pattern| !pattern.starts_with('!')).peekable();
    let any = positive.peek().is_none() || positive.any(|pattern| names(pattern));
    let mut negative = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!'));
    any && !negative.any(names)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Pattern(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    const SIGNS: [&str; 10] = ["&&", "||", "==", "!=", "=~", "!~", "(", ")", "!", ","];
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if all.len() >= TOKENS_MAX {
            return None;
        }
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            all.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first == '"' || first == '\'' {
            let (inner, after) = rest[1..].split_once(first)?;
            all.push(Token::Text(inner.replace("$$", "$")));
            rest = after;
        } else if first == '/' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let ends = c == '/' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            })? + 2;
            let flags = rest[end..].chars().take_while(char::is_ascii_alphabetic).count();
            all.push(Token::Pattern(rest[..end + flags].replace("$$", "$")));
            rest = &rest[end + flags..];
        } else if first.is_ascii_alphanumeric() || first == '_' {
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            all.push(Token::Name(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            return None;
        }
        rest = rest.trim_start();
    }
    Some(all)
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Truth(truth) => Some(*truth),
        Value::Null | Value::Empty => Some(false),
        Value::Text(text) => Some(!text.is_empty()),
        Value::Unknown => None,
    }
}

fn known(truth: Option<bool>) -> Value {
    truth.map_or(Value::Unknown, Value::Truth)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    build: &'a Build<'a>,
    on: Occasion,
}

impl Parser<'_> {
    fn take(&mut self, sign: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is);
        is
    }

    fn or(&mut self) -> Value {
        let mut left = self.and();
        while self.take("||") {
            let right = self.and();
            left = known(match (truth(&left), truth(&right)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            });
        }
        left
    }

    fn and(&mut self) -> Value {
        let mut left = self.comparison();
        while self.take("&&") {
            let right = self.comparison();
            left = known(match (truth(&left), truth(&right)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            });
        }
        left
    }

    fn comparison(&mut self) -> Value {
        let left = self.operand();
        for sign in ["==", "!="] {
            if self.take(sign) {
                let right = self.operand();
                if left == Value::Unknown || right == Value::Unknown {
                    return Value::Unknown;
                }
                return Value::Truth((left == right) == (sign == "=="));
            }
        }
        for sign in ["=~", "!~"] {
            if self.take(sign) {
                let pattern = match self.tokens.get(self.at) {
                    Some(Token::Pattern(pattern)) => pattern.clone(),
                    _ => return Value::Unknown,
                };
                self.at += 1;
                let text = match left {
                    Value::Text(text) => text,
                    Value::Null => String::new(),
                    _ => return Value::Unknown,
                };
                return known(fits(&pattern, &text).map(|fits| fits == (sign == "=~")));
            }
        }
        if matches!(self.tokens.get(self.at), Some(Token::Name(name)) if name == "includes") {
            self.at += 1;
            self.operand();
            // An ordinary change has no labels; who made it nobody knows.
            return if left == Value::Empty { Value::Truth(false) } else { Value::Unknown };
        }
        left
    }

    fn operand(&mut self) -> Value {
        let mut not = false;
        while self.take("!") {
            not = !not;
        }
        let value = self.single();
        if not { known(truth(&value).map(|truth| !truth)) } else { value }
    }

    fn single(&mut self) -> Value {
        if self.depth < DEPTH_MAX && self.take("(") {
            self.depth += 1;
            let value = self.or();
            self.depth -= 1;
            return if self.take(")") { value } else { Value::Unknown };
        }
        let token = self.tokens.get(self.at).cloned();
        self.at += usize::from(token.is_some());
        match token {
            Some(Token::Text(text)) => Value::Text(text),
            Some(Token::Name(name)) if matches!(name.as_str(), "build.env" | "env") => {
                if !self.take("(") {
                    return Value::Unknown;
                }
                let name = match self.tokens.get(self.at) {
                    Some(Token::Text(name)) => name.clone(),
                    _ => return Value::Unknown,
                };
                self.at += 1;
                if !self.take(")") {
                    return Value::Unknown;
                }
                self.build.variable(&name, self.on)
            }
            Some(Token::Name(name)) => match name.as_str() {
                "true" => Value::Truth(true),
                "false" => Value::Truth(false),
                "null" => Value::Null,
                name if name.bytes().all(|byte| byte.is_ascii_digit()) => {
                    Value::Text(name.to_owned())
                }
                name => self.build.value(name, self.on),
            },
            Some(Token::Pattern(_) | Token::Sign(_)) | None => Value::Unknown,
        }
    }
}

/// Whether a text fits `/pattern/` or `/pattern/i`.
fn fits(pattern: &str, text: &str) -> Option<bool> {
    let (pattern, flags) = pattern.strip_prefix('/')?.rsplit_once('/')?;
    // Ruby lets a slash be escaped; here that would be an error.
    let built = RegexBuilder::new(&pattern.replace("\\/", "/"))
        .case_insensitive(flags.contains('i'))
        .multi_line(true)
        .size_limit(1 << 20)
        .build()
        .ok()?;
    Some(built.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_come_to_what_buildkite_says() {
        let env = BTreeMap::from([("DEPLOY".to_owned(), "yes".to_owned())]);
        let build = Build { env: &env, main: "main" };
        for (text, on, expected) in [
            ("build.branch == 'main'", Occasion::Main, Some(true)),
            ("build.branch == 'main'", Occasion::PullRequest, Some(false)),
            ("build.branch == pipeline.default_branch", Occasion::Main, Some(true)),
            ("build.pull_request.id != null", Occasion::PullRequest, Some(true)),
            ("build.pull_request.id == null", Occasion::Branch, Some(true)),
            ("build.tag =~ /^v[0-9]+\\./", Occasion::Tag, Some(true)),
            ("build.tag =~ /^v[0-9]+\\./", Occasion::Main, Some(false)),
            ("build.tag", Occasion::Main, Some(false)),
            ("!build.tag && build.branch !~ /^release\\//", Occasion::Branch, Some(true)),
            (
                "build.source == \"schedule\" || build.branch == \"main\"",
                Occasion::Schedule,
                Some(true),
            ),
            ("build.branch =~ /^(main|.*-stable)$$/", Occasion::Main, Some(true)),
            ("build.pull_request.labels includes 'slow'", Occasion::PullRequest, Some(false)),
            ("build.creator.teams includes 'deploy'", Occasion::Main, None),
            ("build.env('DEPLOY') == 'yes'", Occasion::Main, Some(true)),
            ("build.env('OTHER') == 'yes'", Occasion::Main, None),
            ("build.env('OTHER') == 'yes' && build.branch == 'x'", Occasion::Main, Some(false)),
            ("build.message !~ /skip/i // not this one", Occasion::Main, Some(true)),
            ("(build.branch == 'main') == true", Occasion::Main, Some(true)),
            ("build.branch ==", Occasion::Main, None),
            ("build.branch == 'main", Occasion::Main, None),
            ("", Occasion::Main, None),
            ("build.branch = 'main'", Occasion::Main, None),
        ] {
            assert_eq!(build.holds(text, on), expected, "{text} {on:?}");
        }
        let deep = format!("{}true{}", "(".repeat(5_000), ")".repeat(5_000));
        assert_eq!(build.holds(&deep, Occasion::Main), None);
    }

    #[test]
    fn patterns_of_branches_are_any_and_none() {
        for (patterns, branch, expected) in [
            ("main", "main", true),
            ("main", "maintenance", false),
            ("!production", "topic", true),
            ("main features/*", "features/a/b", true),
            ("stages/* !stages/production", "stages/production", false),
            ("stages/* !stages/production", "stages/demo", true),
            ("v*.0", "v1.0", true),
            ("", "topic", true),
        ] {
            let all: Vec<String> = patterns.split_whitespace().map(str::to_owned).collect();
            assert_eq!(names_branch(&all, branch), expected, "{patterns} {branch}");
        }
    }
}
