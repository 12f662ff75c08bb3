//! Rules of branches as resources of Terraform: blocks with their attributes, as far as these stand in the file.

use super::branch::{MainBranch, Whose};
use super::rules::{Rules, is_positive};
use crate::finding::{Evidence, Place, count};

/// Blocks in each other.
const DEPTH_MAX: usize = 20;

/// A block, or what stands at the top.
#[derive(Default)]
struct Block {
    /// Its type and labels.
    words: Vec<String>,
    /// The line, from 0.
    line: usize,
    attributes: Vec<(String, String)>,
    blocks: Vec<Block>,
}

impl Block {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.blocks.iter().filter(move |block| block.words.first().is_some_and(|word| word == name))
    }

    /// One that is written out; what `dynamic` makes of others is not known.
    fn first(&self, name: &str) -> Option<&Self> {
        self.blocks.iter().find(|block| block.words.first().is_some_and(|word| word == name))
    }
}

pub(super) fn read(rules: &mut Rules<'_>, path: &str, text: &str) {
    if !text.contains("github_") {
        return;
    }
    let top = blocks(text);
    for resource in top.named("resource") {
        if is_none(resource) {
            continue;
        }
        let at = |block: &Block| {
            let line = text.lines().nth(block.line).unwrap_or_default();
            let indent = line.chars().take_while(|c| c.is_whitespace()).count();
            let place = Place { line: count(block.line + 1), column: count(indent + 1) };
            Evidence::shown(path, line, place)
        };
        match resource.words.get(1).map(String::as_str) {
            Some("github_branch_protection" | "github_branch_protection_v3") => {
                let pattern = resource.get("pattern").or(resource.get("branch"));
                let of = pattern.filter(|pattern| is_text(pattern));
                let of = of.map_or(Whose::Main, |pattern| rules.main.named(unquoted(pattern)));
                let reviews = resource.first("required_pull_request_reviews");
                if let Some(block) = reviews.filter(|block| asks_for_reviews(block)) {
                    rules.reviews.add(&of, at(block));
                }
                let checks = resource.first("required_status_checks");
                if let Some(block) = checks.filter(|block| is_some(block, "contexts")) {
                    rules.checks.add(&of, at(block));
                    let names = block.get("contexts").map(list).unwrap_or_default();
                    rules.require(&of, names, &at(block));
                }
            }
            Some("github_repository_ruleset" | "github_organization_ruleset")
                if is_active(resource) =>
            {
                let of = whose(resource, rules.main);
                rules.rulesets.add(&of, at(resource));
                for all in resource.named("rules") {
                    let reviews = all.first("pull_request");
                    if let Some(block) = reviews.filter(|block| has_count(block)) {
                        rules.reviews.add(&of, at(block));
                    }
                    let checks = ["required_status_checks", "merge_queue"];
                    for block in checks.iter().filter_map(|name| all.first(name)) {
                        rules.checks.add(&of, at(block));
                        let checks = block.named("required_check");
                        let names = checks.filter_map(|check| check.get("context"));
                        rules.require(&of, names, &at(block));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether nothing is made of a resource.
fn is_none(resource: &Block) -> bool {
    let each = resource.get("for_each").map(|each| each.replace(' ', ""));
    resource.get("count") == Some("0")
        || each.is_some_and(|each| matches!(each.as_str(), "{}" | "[]" | "toset([])"))
}

/// One approval is what is asked for without a number.
fn asks_for_reviews(block: &Block) -> bool {
    block.get("required_approving_review_count").is_none_or(|n| !is_number(n) || is_positive(n))
}

/// Of rulesets none is asked for without a number.
fn has_count(block: &Block) -> bool {
    block.get("required_approving_review_count").is_some_and(|n| !is_number(n) || is_positive(n))
}

fn is_some(block: &Block, name: &str) -> bool {
    let is_empty = |value: &str| value.chars().all(|c| matches!(c, '[' | ']' | ' '));
    block.get(name).is_none_or(|value| !is_empty(value))
}

fn is_active(ruleset: &Block) -> bool {
    let is = |name: &str, wanted: &str| {
        ruleset.get(name).is_none_or(|value| !is_text(value) || unquoted(value) == wanted)
    };
    is("enforcement", "active") && is("target", "branch")
}

/// Whose a ruleset is. Names that are put in later are taken to be those of the main branch, and to leave it in.
fn whose(ruleset: &Block, main: MainBranch<'_>) -> Whose {
    let names = ruleset.first("conditions").and_then(|block| block.first("ref_name"));
    let listed = |key: &str| Some(list(names?.get(key)?));
    let included = listed("include").map_or(Whose::Main, |all| {
        let of = |name: &str| if is_text(name) { main.named(unquoted(name)) } else { Whose::Main };
        all.into_iter().map(of).min().unwrap_or(Whose::Other)
    });
    let excluded = listed("exclude").unwrap_or_default().into_iter().filter(|name| is_text(name));
    included.without(&main.named_by(excluded.map(unquoted)))
}

/// What stands in a list, each as it is written.
fn list(value: &str) -> Vec<&str> {
    let all = value.trim_matches(['[', ']', ' ']).split(',').map(str::trim);
    all.filter(|one| !one.is_empty()).collect()
}

fn is_number(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit())
}

/// A text without variables in it.
fn is_text(value: &str) -> bool {
    value.starts_with('"') && !value.contains("${")
}

fn unquoted(value: &str) -> &str {
    value.trim_matches('"')
}

/// Reads what stands outside of comments.
fn blocks(text: &str) -> Block {
    let mut stack = vec![Block::default()];
    let mut list: Option<(String, String)> = None;
    for (number, line) in without_comments(text).lines().enumerate() {
        let line = line.trim();
        if let Some((name, mut value)) = list.take() {
            value.push_str(line);
            if line.ends_with(']') {
                close_attribute(&mut stack, name, value);
            } else {
                list = Some((name, value));
            }
            continue;
        }
        // `name {`, `name { key = value }`, `key = value`, `}`.
        let mut rest = line;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('}') {
                close(&mut stack);
                rest = after.trim_start();
                continue;
            }
            let (open, equals) = (outside(rest, '{'), outside(rest, '='));
            match (open, equals) {
                (Some(open), equals) if equals.is_none_or(|equals| open < equals) => {
                    let words =
                        rest[..open].split_whitespace().map(|word| unquoted(word).to_owned());
                    let words = words.collect();
                    if stack.len() < DEPTH_MAX {
                        stack.push(Block { words, line: number, ..Block::default() });
                    }
                    rest = rest[open + 1..].trim_start();
                }
                (_, Some(equals)) => {
                    let name = rest[..equals].trim().to_owned();
                    let value = rest[equals + 1..].trim();
                    if value.starts_with('[') && !value.contains(']') {
                        list = Some((name, value.to_owned()));
                        break;
                    }
                    let end = outside(value, '}').filter(|_| !value.starts_with('{'));
                    let end = end.unwrap_or(value.len());
                    close_attribute(&mut stack, name, value[..end].trim().to_owned());
                    rest = &value[end..];
                }
                _ => break,
            }
        }
    }
    while stack.len() > 1 {
        close(&mut stack);
    }
    stack.pop().unwrap_or_default()
}

fn close_attribute(stack: &mut [Block], name: String, value: String) {
    if let Some(block) = stack.last_mut() {
        block.attributes.push((name, value));
    }
}

fn close(stack: &mut Vec<Block>) {
    if stack.len() > 1
        && let Some(block) = stack.pop()
        && let Some(outer) = stack.last_mut()
    {
        outer.blocks.push(block);
    }
}

/// Where a character first stands outside of quotes.
fn outside(text: &str, wanted: char) -> Option<usize> {
    let mut is_quoted = false;
    text.char_indices()
        .find(|(_, c)| {
            is_quoted ^= *c == '"';
            !is_quoted && *c == wanted
        })
        .map(|(at, _)| at)
}

/// The text with spaces in the place of comments, line by line.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut is_quoted = false;
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\n', _) => is_quoted = false,
            ('"', _) => is_quoted = !is_quoted,
            ('#', _) | ('/', Some('/')) if !is_quoted => {
                while chars.next_if(|c| *c != '\n').is_some() {}
                continue;
            }
            ('/', Some('*')) if !is_quoted => {
                let mut before = ' ';
                for c in chars.by_ref() {
                    if c == '\n' {
                        out.push('\n');
                    }
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}
