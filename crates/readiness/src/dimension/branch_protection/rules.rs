//! Rules of branches that are kept as files: as the forge's API has them, and as programs that set them read them.

use super::branch::{MainBranch, Whose};
use super::terraform;
use crate::finding::{Evidence, Place, excerpt};
use crate::tree::{Tree, dir, is_aside, name};
use crate::yaml::{self, Entry, Node};

/// Deepest rules in each other.
const DEPTH_MAX: usize = 12;

/// Rules of one kind.
#[derive(Default)]
pub(super) struct Kept {
    /// Those of the main branch.
    pub(super) of_main: Vec<Evidence>,
    /// The first of a branch of which nobody knows whether it is the main one; why.
    pub(super) open: Option<(Evidence, String)>,
}

impl Kept {
    pub(super) fn add(&mut self, whose: &Whose, evidence: Evidence) {
        match whose {
            Whose::Main => self.of_main.push(evidence),
            Whose::Perhaps(name) => {
                let name = excerpt(name);
                let why = format!(
                    "rules in the repository are for the branch `{name}`, and which one is the main branch is not known"
                );
                self.open.get_or_insert((evidence, why));
            }
            Whose::Other => {}
        }
    }
}

pub(super) struct Rules<'a> {
    pub(super) main: MainBranch<'a>,
    pub(super) reviews: Kept,
    pub(super) checks: Kept,
    pub(super) rulesets: Kept,
    /// The names of the checks that are required on the main branch, and where that stands.
    pub(super) required: Vec<(String, Evidence)>,
    /// A file that looks like rules and holds none; why.
    pub(super) broken: Option<(Evidence, String)>,
}

/// A file of rules.
struct File<'a> {
    path: &'a str,
    text: &'a str,
    main: MainBranch<'a>,
}

impl File<'_> {
    fn at(&self, place: Place) -> Evidence {
        Evidence::at(self.path, self.text, place)
    }
}

impl<'a> Rules<'a> {
    /// `main`: the name of the main branch, where it is known.
    pub(super) fn read(tree: &Tree, main: Option<&'a str>) -> Self {
        let mut rules = Self {
            main: MainBranch(main),
            reviews: Kept::default(),
            checks: Kept::default(),
            rulesets: Kept::default(),
            required: Vec::new(),
            broken: None,
        };
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
        // Settings may say themselves which branch is the main one.
        let said = root.at(&["repository", "default_branch"]).and_then(Node::text);
        let main = MainBranch(self.main.0.or(said));
        self.walk(&File { path, text, main }, &root, &Whose::Main, 0);
    }

    /// Looks for rules wherever they are nested.
    fn walk(&mut self, file: &File<'_>, node: &Node, of: &Whose, depth: usize) {
        let of = of.and(&whose(node, file.main));
        if depth > DEPTH_MAX || of == Whose::Other || !is_active(node) {
            return;
        }
        self.ruleset(file, node, &of);
        for entry in node.entries() {
            let value = &entry.value;
            match entry.key.as_str() {
                // Of `.asf.yaml`: the names of branches, each with its rules.
                "protected_branches" if value.is_map() => {
                    for branch in value.entries() {
                        let of = of.and(&file.main.named(&branch.key));
                        self.walk(file, &branch.value, &of, depth + 1);
                    }
                    continue;
                }
                "required_pull_request_reviews" if value.is_map() => {
                    let approvals =
                        value.get("required_approving_review_count").and_then(Node::text);
                    if approvals.is_none_or(is_positive) {
                        self.reviews.add(&of, file.at(entry.key_place));
                    }
                }
                "required_status_checks" if value.is_map() && names_checks(entry) => {
                    self.checks.add(&of, file.at(entry.key_place));
                    let lists = ["contexts", "checks"];
                    let lists = lists.iter().filter_map(|key| value.get(key));
                    lists.for_each(|list| self.require(&of, contexts(list), &file.at(list.place)));
                }
                _ => {}
            }
            self.walk(file, value, &of, depth + 1);
        }
        for item in node.items() {
            self.walk(file, item, &of, depth + 1);
        }
    }

    /// Keeps the names of required checks.
    pub(super) fn require<'n>(
        &mut self,
        of: &Whose,
        names: impl IntoIterator<Item = &'n str>,
        shown: &Evidence,
    ) {
        if *of == Whose::Main {
            let names = names.into_iter().map(|name| name.trim_matches('"').to_owned());
            self.required.extend(names.map(|name| (name, shown.clone())));
        }
    }

    fn ruleset(&mut self, file: &File<'_>, node: &Node, of: &Whose) {
        let Some(list) = node.get("rules").filter(|rules| !rules.items().is_empty()) else {
            return;
        };
        if node.get("enforcement").is_none() {
            return;
        }
        self.rulesets.add(of, file.at(list.place));
        for rule in list.items() {
            let Some(kind) = rule.get("type") else { continue };
            let approvals =
                rule.at(&["parameters", "required_approving_review_count"]).and_then(Node::text);
            let shown = file.at(kind.place);
            match kind.text().unwrap_or_default() {
                "pull_request" if approvals.is_some_and(is_positive) => self.reviews.add(of, shown),
                "required_status_checks" | "merge_queue" | "copilot_code_review" => {
                    self.checks.add(of, shown);
                    if let Some(list) = rule.at(&["parameters", "required_status_checks"]) {
                        self.require(of, contexts(list), &file.at(list.place));
                    }
                }
                _ => {}
            }
        }
    }
}

/// The names of checks: texts, or what has one as its context.
fn contexts(list: &Node) -> impl Iterator<Item = &str> {
    list.items().iter().filter_map(|item| item.get("context").unwrap_or(item).text())
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

/// Whether rules are more than a trial, and not those of tags.
fn is_active(rules: &Node) -> bool {
    let text = |key: &str| rules.get(key).and_then(Node::text);
    text("enforcement")
        .is_none_or(|state| state == "active" && text("target").is_none_or(|of| of == "branch"))
}

/// Whose rules are, as far as they say so themselves: those of release branches protect the main one from nothing.
fn whose(rules: &Node, main: MainBranch<'_>) -> Whose {
    let text = |key: &str| rules.get(key).and_then(Node::text);
    if rules.get("protection").is_some() {
        return text("name").map_or(Whose::Main, |name| main.named(name));
    }
    // As the forge's API answers.
    let of_api =
        text("url").and_then(|url| url.split_once("/branches/")?.1.split_once("/protection"));
    if let Some((name, _)) = of_api {
        return main.named(name);
    }
    if text("enforcement").is_none() {
        return Whose::Main;
    }
    let of = |key: &str| {
        let names = rules.at(&["conditions", "ref_name", key])?;
        let is_branch = |name: &&str| name.starts_with(['~']) || name.starts_with("refs/heads/");
        Some(main.named_by(names.texts().into_iter().filter(is_branch)))
    };
    of("include").unwrap_or(Whose::Main).without(&of("exclude").unwrap_or(Whose::Other))
}

pub(super) fn is_positive(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|n| n > 0)
}
