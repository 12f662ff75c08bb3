//! What a change needs before it is merged, as far as files indicate it. Only the forge can prove it, so that what no
//! file shows is unknown until the forge is asked.

mod enforced;

use self::enforced::{By, together};
use super::{ON_CHANGES, Seen, Wanted, judge};
use crate::act::{Act, Class};
use crate::finding::{Evidence, Finding, Outcome};
use crate::pipeline::github::MAIN_NAMES;
use crate::pipeline::{Occasion, Runs, glob_matches};
use crate::tree::{Tree, name};
use crate::yaml::{self, Node};

const ONLY_THE_FORGE: &str = "no file indicates it; only the forge can tell";

pub(super) fn findings(seen: &Seen<'_>) -> Vec<(&'static str, Finding)> {
    let rules = Rules::read(seen.tree);
    let mut review = review(seen.tree, &rules);
    let (mut automated, automated_by) = automated(seen, &rules);
    let (mut compliance, compliance_by) = compliance(seen, &rules);
    if let Some(forge) = seen.forge {
        let owned = matches!(catch_all(seen.tree), Some(Ok(_)));
        let enforced = forge.enforced(owned);
        review = together(review, By::Review, &enforced.review, &enforced);
        automated = together(automated, automated_by, &enforced.checks, &enforced);
        compliance = together(compliance, compliance_by, &enforced.signing, &enforced);
    }
    vec![
        ("branch_protection.review", review),
        ("branch_protection.automated_review", automated),
        ("branch_protection.compliance", compliance),
    ]
}

fn review(tree: &Tree, rules: &Rules) -> Finding {
    let mut why = ONLY_THE_FORGE.to_owned();
    let mut shown = Vec::new();
    match catch_all(tree) {
        Some(Ok(evidence)) => {
            return Finding::pass("indicated: everything has an owner").with([evidence]);
        }
        Some(Err((evidence, reason))) => {
            why = format!("{reason}; only the forge can tell more");
            shown.push(evidence);
        }
        None => {}
    }
    if !rules.reviews.is_empty() {
        return Finding::pass("indicated: rules in the repository require reviews")
            .with(rules.reviews.clone());
    }
    if let Some((evidence, reason)) = &rules.broken {
        why = format!("{reason}; only the forge can tell more");
        shown.push(evidence.clone());
    }
    Finding::unknown(why).with(shown)
}

/// The line of CODEOWNERS that gives everything an owner, or why there is none.
fn catch_all(tree: &Tree) -> Option<Result<Evidence, (Evidence, String)>> {
    // The forge reads the first of these.
    let file = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"]
        .into_iter()
        .find(|file| tree.has(file))?;
    let text = tree.text(file).unwrap_or_default();
    let mut found = None;
    for (i, line) in text.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with(['#', '[', '^']) {
            continue;
        }
        let mut words = line.split_whitespace();
        let pattern = words.next().unwrap_or_default();
        if matches!(pattern, "*" | "**" | "/**" | "/**/*" | "**/*" | "/") {
            // The last line that names a file decides; one without owners takes them away.
            let owned = words.any(|owner| owner.starts_with('@') || owner.contains('@'));
            found = owned.then_some(i);
        }
    }
    let shown = |at: usize| Evidence::line(file, text, at);
    if let Some(line) = found {
        return Some(Ok(shown(line)));
    }
    let hidden = text.lines().position(|line| {
        let line = line.trim_start();
        line.starts_with('#') && line.trim_start_matches('#').trim_start().starts_with("* @")
    });
    Some(Err(match hidden {
        Some(line) => (shown(line), "the line of CODEOWNERS for everything is a comment".into()),
        None => (Evidence::file(file, text), "CODEOWNERS has no line for everything".into()),
    }))
}

fn automated(seen: &Seen<'_>, rules: &Rules) -> (Finding, By) {
    let queue = seen
        .pipelines
        .all
        .iter()
        .find(|pipeline| *pipeline.triggers.on(Occasion::MergeQueue) == Runs::Yes);
    if let Some(pipeline) = queue {
        let text = seen.tree.text(&pipeline.file).unwrap_or_default();
        let line = text.lines().position(|line| line.contains("merge_group")).unwrap_or(0);
        let shown = Evidence::line(&pipeline.file, text, line);
        return (Finding::pass("indicated: a merge queue").with([shown]), By::Check);
    }
    for (file, what) in [
        ("bors.toml", "a merge queue"),
        (".coderabbit.yaml", "automated review"),
        (".coderabbit.yml", "automated review"),
    ] {
        if let Some(text) = seen.tree.text(file) {
            let shown = Evidence::file(file, text);
            return (Finding::pass(format!("indicated: {what}")).with([shown]), By::Itself);
        }
    }
    for file in [".mergify.yml", ".github/mergify.yml", ".mergify/config.yml"] {
        let Some(text) = seen.tree.text(file) else { continue };
        if let Ok(Some(root)) = yaml::document(text)
            && let Some(entry) = root.entry("queue_rules")
        {
            let shown = Evidence::at(file, text, entry.key_place);
            return (Finding::pass("indicated: a merge queue").with([shown]), By::Itself);
        }
    }
    if !rules.checks.is_empty() {
        let found = Finding::pass("indicated: rules in the repository require checks");
        return (found.with(rules.checks.clone()), By::Check);
    }
    let what = "automated reviews or a check over all jobs";
    let review = by_pipeline(seen, &|act: &Act| act.class == Class::Review, what);
    if review.outcome == Outcome::Pass {
        return (review, By::Itself);
    }
    let is = |act: &Act| matches!(act.class, Class::Review | Class::Aggregate);
    (by_pipeline(seen, &is, what), By::Check)
}

fn compliance(seen: &Seen<'_>, rules: &Rules) -> (Finding, By) {
    if !rules.rulesets.is_empty() {
        let found = Finding::pass("indicated: rulesets in the repository");
        return (found.with(rules.rulesets.clone()), By::Rules);
    }
    if let Some(text) = seen.tree.text(".github/dco.yml") {
        let shown = Evidence::file(".github/dco.yml", text);
        return (Finding::pass("indicated: sign-offs").with([shown]), By::Check);
    }
    let is = |act: &Act| act.class == Class::SignOff;
    (by_pipeline(seen, &is, "checks of sign-offs or signatures"), By::Check)
}

fn by_pipeline(seen: &Seen<'_>, is: &dyn Fn(&Act) -> bool, what: &str) -> Finding {
    let wanted = Wanted {
        is,
        on: ON_CHANGES,
        what,
        when: "on pull requests",
        by_scripts: false,
        need_not_block: false,
    };
    let finding = judge(seen, &wanted);
    match finding.outcome {
        Outcome::Pass => Finding { reason: format!("indicated: {}", finding.reason), ..finding },
        _ => Finding::unknown(ONLY_THE_FORGE).with(finding.evidence),
    }
}

/// Rules of branches that are kept as files.
#[derive(Default)]
struct Rules {
    reviews: Vec<Evidence>,
    checks: Vec<Evidence>,
    rulesets: Vec<Evidence>,
    /// A file that looks like rules and holds none; why.
    broken: Option<(Evidence, String)>,
}

impl Rules {
    fn read(tree: &Tree) -> Self {
        let mut rules = Self::default();
        for (path, text) in tree.texts() {
            let lower = path.to_ascii_lowercase();
            let in_name = lower.contains("ruleset")
                || lower.contains("branch_protection")
                || lower.contains("branch-protection")
                || lower.contains("branchprotection");
            let is_settings =
                matches!(path, ".github/settings.yml" | ".github/settings.yaml" | ".asf.yaml");
            let is_data = [".json", ".yml", ".yaml"].iter().any(|end| lower.ends_with(end));
            if is_data && (in_name && !path.starts_with(".github/workflows/") || is_settings) {
                rules.data(path, text);
            } else if [".tf", ".tofu"].iter().any(|end| lower.ends_with(end)) {
                rules.terraform(path, text);
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
        if depth > 12 {
            return;
        }
        let shown = |node: &Node| Evidence::at(path, text, node.place);
        if !is_in_force(node) {
            return;
        }
        if let Some(list) = node.get("rules").filter(|rules| rules.is_list())
            && node.get("enforcement").is_some()
        {
            self.rulesets.push(shown(list));
            for rule in list.items() {
                let Some(kind) = rule.get("type") else { continue };
                let approvals = rule
                    .at(&["parameters", "required_approving_review_count"])
                    .and_then(Node::text);
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
        for entry in node.entries() {
            let value = &entry.value;
            match entry.key.as_str() {
                "required_pull_request_reviews" if value.is_map() => {
                    let approvals =
                        value.get("required_approving_review_count").and_then(Node::text);
                    if approvals.is_none_or(is_positive) {
                        self.reviews.push(Evidence::at(path, text, entry.key_place));
                    }
                }
                "required_status_checks" if value.is_map() => {
                    let any = ["contexts", "checks"]
                        .iter()
                        .any(|key| value.get(key).is_some_and(|list| !list.items().is_empty()));
                    if any {
                        self.checks.push(Evidence::at(path, text, entry.key_place));
                    }
                }
                _ => {}
            }
            self.walk(path, text, value, depth + 1);
        }
        for item in node.items() {
            self.walk(path, text, item, depth + 1);
        }
    }

    /// Resources of Terraform, each up to the line that closes it.
    fn terraform(&mut self, path: &str, text: &str) {
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let is_protection = line.starts_with("resource \"github_branch_protection");
            let is_ruleset = line.starts_with("resource \"github_repository_ruleset\"")
                || line.starts_with("resource \"github_organization_ruleset\"");
            if !is_protection && !is_ruleset {
                continue;
            }
            let body =
                lines[i + 1..].iter().enumerate().take_while(|(_, line)| !line.starts_with('}'));
            for (j, line) in body {
                let shown = Evidence::line(path, text, i + 1 + j);
                let line = line.trim_start();
                if line.starts_with("required_pull_request_reviews {")
                    || is_ruleset && line.starts_with("pull_request {")
                {
                    self.reviews.push(shown);
                } else if line.starts_with("required_status_checks {")
                    || line.starts_with("merge_queue {")
                {
                    self.checks.push(shown);
                }
            }
            if is_ruleset {
                self.rulesets.push(Evidence::line(path, text, i));
            }
        }
    }
}

/// Whether rules are more than a trial, and of the main branch: those of tags and of release branches protect it from nothing.
fn is_in_force(rules: &Node) -> bool {
    let text = |key: &str| rules.get(key).and_then(Node::text);
    let Some(state) = text("enforcement") else { return true };
    let is_of_main = |of: &str| {
        let names = |pattern| MAIN_NAMES.iter().any(|main| glob_matches(pattern, main));
        matches!(of, "~DEFAULT_BRANCH" | "~ALL")
            || of.strip_prefix("refs/heads/").is_some_and(names)
    };
    state == "active"
        && text("target").is_none_or(|of| of == "branch")
        && rules
            .at(&["conditions", "ref_name", "include"])
            .is_none_or(|include| include.texts().into_iter().any(is_of_main))
}

fn is_positive(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|n| n > 0)
}
