//! Rules of branches that are kept as files: as the forge's API has them, and as programs that set them read them.

use super::terraform;
use crate::finding::Evidence;
use crate::pipeline::github::MAIN_NAMES;
use crate::pipeline::glob_matches;
use crate::tree::{Tree, dir, is_aside, name};
use crate::yaml::{self, Entry, Node};

/// Deepest rules in each other.
const DEPTH_MAX: usize = 12;

#[derive(Default)]
pub(super) struct Rules {
    pub(super) reviews: Vec<Evidence>,
    pub(super) checks: Vec<Evidence>,
    pub(super) rulesets: Vec<Evidence>,
    /// A file that looks like rules and holds none; why.
    pub(super) broken: Option<(Evidence, String)>,
}

impl Rules {
    pub(super) fn read(tree: &Tree) -> Self {
        let mut rules = Self::default();
        for (path, text) in tree.texts().filter(|(path, _)| !is_aside(path)) {
            let lower = path.to_ascii_lowercase();
            let is_data = [".json", ".yml", ".yaml"].iter().any(|end| lower.ends_with(end));
            if is_data && (is_kept_for_rules(&lower) || is_settings(path)) {
                rules.data(path, text);
            } else if [".tf", ".tofu"].iter().any(|end| lower.ends_with(end)) {
                terraform::read(&mut rules, path, text);
            }
        }
        rules
    }

    fn data(&mut self, path: &str, text: &str) {
        let Ok(Some(root)) = yaml::document(text) else { return };
        if root.get("message").is_some()
            && root.get("rules").is_none()
            && root.get("required_pull_request_reviews").is_none()
        {
            let evidence = Evidence::file(path, text);
            self.broken = Some((
                evidence,
                format!("{} holds a message of an error, and no rules", name(path)),
            ));
            return;
        }
        self.walk(path, text, &root, 0);
    }

    /// Looks for rules wherever they are nested.
    fn walk(&mut self, path: &str, text: &str, node: &Node, depth: usize) {
        if depth > DEPTH_MAX || !is_in_force(node) {
            return;
        }
        self.ruleset(path, text, node);
        for entry in node.entries() {
            let value = &entry.value;
            match entry.key.as_str() {
                // Of `.asf.yaml`: the names of branches, each with its rules.
                "protected_branches" if value.is_map() => {
                    let of_main = value.entries().iter().filter(|branch| is_of_main(&branch.key));
                    for branch in of_main {
                        self.walk(path, text, &branch.value, depth + 1);
                    }
                    continue;
                }
                "required_pull_request_reviews" if value.is_map() => {
                    let approvals =
                        value.get("required_approving_review_count").and_then(Node::text);
                    if approvals.is_none_or(is_positive) {
                        self.reviews.push(Evidence::at(path, text, entry.key_place));
                    }
                }
                "required_status_checks" if value.is_map() && names_checks(entry) => {
                    self.checks.push(Evidence::at(path, text, entry.key_place));
                }
                _ => {}
            }
            self.walk(path, text, value, depth + 1);
        }
        for item in node.items() {
            self.walk(path, text, item, depth + 1);
        }
    }

    fn ruleset(&mut self, path: &str, text: &str, node: &Node) {
        let Some(list) = node.get("rules").filter(|rules| !rules.items().is_empty()) else {
            return;
        };
        if node.get("enforcement").is_none() {
            return;
        }
        let shown = |node: &Node| Evidence::at(path, text, node.place);
        self.rulesets.push(shown(list));
        for rule in list.items() {
            let Some(kind) = rule.get("type") else { continue };
            let approvals =
                rule.at(&["parameters", "required_approving_review_count"]).and_then(Node::text);
            match kind.text().unwrap_or_default() {
                "pull_request" if approvals.is_some_and(is_positive) => {
                    self.reviews.push(shown(kind));
                }
                "required_status_checks" | "merge_queue" | "copilot_code_review" => {
                    self.checks.push(shown(kind));
                }
                _ => {}
            }
        }
    }
}

fn names_checks(entry: &Entry) -> bool {
    ["contexts", "checks"]
        .iter()
        .any(|key| entry.value.get(key).is_some_and(|list| !list.items().is_empty()))
}

/// Whether a file is called as one of rules is, and lies where such files are kept and not where anything may lie.
fn is_kept_for_rules(lower: &str) -> bool {
    let is_named = |part: &str| {
        ["ruleset", "branch_protection", "branch-protection", "branchprotection"]
            .iter()
            .any(|word| part.contains(word))
    };
    let dir = dir(lower);
    let is_kept = |part: &str| {
        is_named(part)
            || matches!(part, ".github" | "github" | ".gitlab" | "governance" | "repository")
    };
    is_named(lower)
        && !lower.starts_with(".github/workflows/")
        && (dir.is_empty() || dir.split('/').any(is_kept))
}

fn is_settings(path: &str) -> bool {
    matches!(path, ".github/settings.yml" | ".github/settings.yaml" | ".asf.yaml")
}

/// Whether rules are more than a trial, and of the main branch: those of tags and of release branches protect it from nothing.
fn is_in_force(rules: &Node) -> bool {
    let text = |key: &str| rules.get(key).and_then(Node::text);
    if rules.get("protection").is_some() && text("name").is_some_and(|name| !is_of_main(name)) {
        return false;
    }
    let Some(state) = text("enforcement") else { return true };
    let is_included = |of: &str| {
        matches!(of, "~DEFAULT_BRANCH" | "~ALL")
            || of.strip_prefix("refs/heads/").is_some_and(is_of_main)
    };
    let names_main = |key: &str| {
        let names = rules.at(&["conditions", "ref_name", key])?;
        Some(names.texts().into_iter().any(is_included))
    };
    state == "active"
        && text("target").is_none_or(|of| of == "branch")
        && names_main("include").unwrap_or(true)
        && !names_main("exclude").unwrap_or(false)
}

/// Whether a name or a pattern is that of a main branch.
pub(super) fn is_of_main(pattern: &str) -> bool {
    let plain = pattern.strip_prefix("refs/heads/").unwrap_or(pattern);
    matches!(plain, "~DEFAULT_BRANCH" | "~ALL")
        || MAIN_NAMES.iter().any(|main| glob_matches(plain, main))
}

pub(super) fn is_positive(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|n| n > 0)
}
