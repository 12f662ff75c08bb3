//! `rules`, `only` and `except`: when a job of GitLab runs.

use std::collections::BTreeMap;

use regex::RegexBuilder;

use super::super::{Occasion, Occasions, Runs, glob_matches};
use crate::tree::{Tree, has_end};
use crate::yaml::Node;

/// Whether GitLab has such an occasion at all.
pub(super) fn exists(occasion: Occasion) -> bool {
    !matches!(occasion, Occasion::MergeQueue | Occasion::Release | Occasion::Other)
}

/// Variables whose values the files give.
#[derive(Debug, Clone)]
pub(super) struct Variables {
    given: BTreeMap<String, String>,
    main: String,
}

/// What a variable holds on an occasion.
enum Value {
    Text(String),
    Null,
    /// Set outside the files, or not.
    Unknown,
}

impl Variables {
    pub(super) fn of(node: Option<&Node>, main: &str) -> Self {
        Self { given: BTreeMap::new(), main: main.to_owned() }.with(node)
    }

    /// With those of a job.
    pub(super) fn with(&self, node: Option<&Node>) -> Self {
        let mut all = self.clone();
        for entry in node.map(Node::entries).unwrap_or_default() {
            let value = entry.value.get("value").unwrap_or(&entry.value);
            all.given.insert(entry.key.clone(), value.text().unwrap_or_default().to_owned());
        }
        all
    }

    pub(super) fn known(&self) -> BTreeMap<String, String> {
        self.given
            .iter()
            .filter(|(_, value)| !value.contains('$'))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    fn value(&self, name: &str, occasion: Occasion) -> Value {
        let text = |text: &str| Value::Text(text.to_owned());
        let is_request = occasion == Occasion::PullRequest;
        let is_tag = occasion == Occasion::Tag;
        let branch = match occasion {
            Occasion::Branch => "topic",
            Occasion::ReleaseBranch => "release/1.0",
            _ => &self.main,
        };
        match name {
            "CI_PIPELINE_SOURCE" => text(match occasion {
                Occasion::PullRequest => "merge_request_event",
                Occasion::Schedule => "schedule",
                Occasion::Manual => "web",
                _ => "push",
            }),
            "CI_DEFAULT_BRANCH" => text(&self.main),
            "CI_COMMIT_BRANCH" if is_request || is_tag => Value::Null,
            "CI_COMMIT_BRANCH" => text(branch),
            "CI_COMMIT_TAG" if is_tag => text("v1.0.0"),
            "CI_COMMIT_TAG" | "CI_OPEN_MERGE_REQUESTS" | "CI_MERGE_REQUEST_LABELS" => Value::Null,
            "CI_COMMIT_REF_NAME" | "CI_COMMIT_REF_SLUG" => text(if is_tag {
                "v1.0.0"
            } else if is_request {
                "topic"
            } else {
                branch
            }),
            "CI_COMMIT_REF_PROTECTED" => {
                text(if occasion == Occasion::Branch || is_request { "false" } else { "true" })
            }
            "CI_COMMIT_MESSAGE" | "CI_COMMIT_TITLE" | "CI_MERGE_REQUEST_TITLE" => {
                text("Change something")
            }
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME" if is_request => text(&self.main),
            "CI" | "GITLAB_CI" => text("true"),
            _ if name.starts_with("CI_MERGE_REQUEST_") => {
                if is_request {
                    text("1")
                } else {
                    Value::Null
                }
            }
            _ => match self.given.get(name) {
                Some(value) if !value.contains('$') => text(value),
                _ => Value::Unknown,
            },
        }
    }
}

/// When the first rule that holds lets a job run, and whether that rule lets it fail. Of `workflow` a rule without `when` is a yes.
pub(super) fn when(
    rules: Option<&Node>,
    variables: &Variables,
    tree: &Tree,
    is_workflow: bool,
) -> (Occasions, bool) {
    let mut soft = false;
    let runs = Occasions::from_fn(|occasion| {
        if !exists(occasion) {
            return Runs::No;
        }
        let mut unsure = None;
        for rule in rules.map(Node::items).unwrap_or_default() {
            let holds = match rule.get("if").and_then(Node::text) {
                Some(text) => condition(text, variables, occasion),
                None => Some(true),
            };
            if holds == Some(false) || !touched(rule, tree) {
                continue;
            }
            let never = rule.get("when").and_then(Node::text).is_some_and(|when| {
                matches!(when, "never" | "manual") && !is_workflow || when == "never"
            });
            if holds.is_none() {
                unsure = Some(format!(
                    "`if: {}` asks for a variable outside the files",
                    crate::finding::excerpt(
                        rule.get("if").and_then(Node::text).unwrap_or_default()
                    )
                ));
                continue;
            }
            if never {
                return if unsure.is_some() {
                    Runs::Unsure(unsure.unwrap_or_default())
                } else {
                    Runs::No
                };
            }
            if occasion == Occasion::PullRequest || occasion == Occasion::Branch {
                soft |= rule.get("allow_failure").and_then(Node::truth) == Some(true);
            }
            return Runs::Yes;
        }
        unsure.map_or(Runs::No, Runs::Unsure)
    });
    (runs, soft)
}

/// Whether an ordinary change touches what a rule asks for.
fn touched(rule: &Node, tree: &Tree) -> bool {
    let patterns = |key: &str| {
        let node = rule.get(key)?;
        Some(node.get("paths").unwrap_or(node).texts())
    };
    let code = |path: &str| {
        let is_prose = has_end(path, "md") || path.starts_with("docs/");
        !is_prose
    };
    let changes = patterns("changes").is_none_or(|patterns| {
        tree.paths()
            .filter(|path| code(path))
            .any(|path| patterns.iter().any(|pattern| glob_matches(pattern, path)))
    });
    let there = patterns("exists").is_none_or(|patterns| {
        tree.paths().any(|path| patterns.iter().any(|pattern| glob_matches(pattern, path)))
    });
    changes && there
}

/// `only` and `except`, as they are without a word: branches and tags, and no merge requests.
pub(super) fn only(only: Option<&Node>, except: Option<&Node>, main: &str) -> Occasions {
    let (only, except) = (references(only), references(except));
    Occasions::from_fn(|occasion| {
        let named = |refs: &[&str]| refs.iter().any(|name| names(name, occasion, main));
        let inside = only.as_deref().map_or_else(
            || occasion != Occasion::PullRequest,
            |refs| refs.is_empty() || named(refs),
        );
        let outside = except.as_deref().is_some_and(named);
        if exists(occasion) && inside && !outside { Runs::Yes } else { Runs::No }
    })
}

fn references(node: Option<&Node>) -> Option<Vec<&str>> {
    node.map(|node| node.get("refs").unwrap_or(node).texts())
}

fn names(name: &str, occasion: Occasion, main: &str) -> bool {
    let branch = match occasion {
        Occasion::Branch => "topic",
        Occasion::ReleaseBranch => "release/1.0",
        Occasion::Main | Occasion::Schedule | Occasion::Manual => main,
        Occasion::Tag => "v1.0.0",
        _ => "",
    };
    match name {
        "merge_requests" => occasion == Occasion::PullRequest,
        "branches" => !matches!(occasion, Occasion::Tag | Occasion::PullRequest),
        "tags" => occasion == Occasion::Tag,
        "schedules" => occasion == Occasion::Schedule,
        "web" => occasion == Occasion::Manual,
        "pushes" => matches!(
            occasion,
            Occasion::Main | Occasion::Branch | Occasion::ReleaseBranch | Occasion::Tag
        ),
        _ if name.starts_with('/') => matches(name, branch).unwrap_or(false) && !branch.is_empty(),
        _ => name == branch,
    }
}

/// Whether a text fits `/pattern/` or `/pattern/i`.
fn matches(pattern: &str, text: &str) -> Option<bool> {
    let (pattern, flags) = pattern.strip_prefix('/')?.rsplit_once('/')?;
    let built = RegexBuilder::new(pattern)
        .case_insensitive(flags.contains('i'))
        .size_limit(1 << 20)
        .build()
        .ok()?;
    Some(built.is_match(text))
}

/// What an `if` comes to; none when it asks for what is not in the files.
fn condition(text: &str, variables: &Variables, occasion: Occasion) -> Option<bool> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, variables, occasion, depth: 0 };
    let value = parser.or();
    if parser.at == parser.tokens.len() { value } else { None }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Variable(String),
    Text(String),
    Pattern(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let signs = ["&&", "||", "==", "!=", "=~", "!~", "(", ")"];
        if let Some(sign) = signs.iter().find(|sign| rest.starts_with(**sign)) {
            all.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first == '"' || first == '\'' {
            let (inner, after) = rest[1..].split_once(first)?;
            all.push(Token::Text(inner.to_owned()));
            rest = after;
        } else if first == '/' {
            let end = rest[1..]
                .char_indices()
                .find(|(i, c)| *c == '/' && !rest[1..=*i].ends_with('\\'))?
                .0
                + 2;
            let flags = rest[end..].chars().take_while(char::is_ascii_alphabetic).count();
            all.push(Token::Pattern(rest[..end + flags].to_owned()));
            rest = &rest[end + flags..];
        } else if first == '$' {
            let name: String = rest[1..]
                .trim_start_matches('{')
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            let braces = if rest[1..].starts_with('{') { 2 } else { 0 };
            rest = rest.get(1 + name.len() + braces..)?;
            all.push(Token::Variable(name));
        } else if let Some(after) = rest.strip_prefix("null") {
            all.push(Token::Sign("null"));
            rest = after;
        } else {
            return None;
        }
        rest = rest.trim_start();
    }
    Some(all)
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    variables: &'a Variables,
    occasion: Occasion,
    depth: usize,
}

impl Parser<'_> {
    fn take(&mut self, sign: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is);
        is
    }

    fn or(&mut self) -> Option<bool> {
        let mut left = self.and();
        while self.take("||") {
            let right = self.and();
            left = match (left, right) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        left
    }

    fn and(&mut self) -> Option<bool> {
        let mut left = self.comparison();
        while self.take("&&") {
            let right = self.comparison();
            left = match (left, right) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
        }
        left
    }

    fn comparison(&mut self) -> Option<bool> {
        if self.depth < 32 && self.take("(") {
            self.depth += 1;
            let value = self.or();
            self.take(")");
            self.depth -= 1;
            return value;
        }
        let left = self.operand();
        for sign in ["==", "!=", "=~", "!~"] {
            if self.take(sign) {
                let right = self.operand();
                let (left, right) = (left?, right?);
                let same = match sign {
                    "==" | "!=" => left == right,
                    _ => matches(right.as_deref()?, left.as_deref().unwrap_or_default())?,
                };
                return Some(same == matches!(sign, "==" | "=~"));
            }
        }
        Some(left?.is_some_and(|text| !text.is_empty()))
    }

    /// A value; the inner one is none for null, the outer one for what is not known.
    #[expect(clippy::option_option, reason = "null and unknown are two things")]
    fn operand(&mut self) -> Option<Option<String>> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token? {
            Token::Text(text) | Token::Pattern(text) => Some(Some(text)),
            Token::Variable(name) => match self.variables.value(&name, self.occasion) {
                Value::Text(text) => Some(Some(text)),
                Value::Null => Some(None),
                Value::Unknown => None,
            },
            Token::Sign("null") => Some(None),
            Token::Sign(_) => None,
        }
    }
}
