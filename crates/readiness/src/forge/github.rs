//! GitHub: the rules of rulesets first, then the classic protection of branches.
//!
//! Fields as of REST API version 2022-11-28. Rules in rulesets that are only evaluated or switched off are not among the
//! active rules, and count for nothing.

use super::{
    About, Document, Enforced, Forge, Heard, Kind, asks_sign_off, counted, is_sign_off, is_true,
    number,
};
use crate::finding::{Evidence, Finding};
use crate::yaml::Node;

/// The role "write" among those who bypass; 2 is "maintain" and 5 is "admin".
const ROLE_WRITE: u64 = 4;

/// Robots that merge when their own conditions hold, and show that as a required check.
const MERGERS: [&str; 5] = ["tide", "bors", "mergify", "pullapprove", "code-review/reviewable"];

struct Asked<'a> {
    branch: &'a str,
    rules: Heard<'a>,
    protection: Heard<'a>,
    of_branch: Heard<'a>,
    details: Vec<Heard<'a>>,
}

fn asked<'a>(forge: &'a Forge, branch: &'a str) -> Asked<'a> {
    Asked {
        branch,
        rules: forge.hear(About::Rules),
        protection: forge.hear(About::Protection),
        of_branch: forge.hear(About::Branch),
        details: forge.hear_all(About::Ruleset).collect(),
    }
}

/// Whether a check of this name is required.
pub(super) fn requires(forge: &Forge, branch: &str, check: &str) -> Finding {
    let asked = asked(forge, branch);
    let found = asked.contexts().find(|(_, name)| *name == check);
    match found {
        Some((evidence, _)) => {
            Finding::pass(format!("GitHub requires `{check}` on {branch}")).with([evidence])
        }
        None => asked.none(&format!("check `{check}`"), "required_status_checks"),
    }
}

pub(super) fn enforced(forge: &Forge, branch: &str, owned: bool) -> Enforced {
    let asked = asked(forge, branch);
    Enforced {
        review: asked.review(owned),
        checks: asked.checks(),
        signing: asked.signing(),
        rules: asked.any(),
    }
}

/// Who may pass by a rule.
enum Bypass {
    /// Whoever may write: nobody is held by it.
    Everyone(Evidence),
    /// Others, in words; empty for nobody.
    Some(String),
}

impl<'a> Asked<'a> {
    /// The active rules of a kind.
    fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&Document<'a>, &Node)> {
        let items = self.rules.document().map(|rules| (rules, rules.root.items()));
        items
            .into_iter()
            .flat_map(|(rules, items)| items.iter().map(move |rule| (rules, rule)))
            .filter(move |(_, rule)| rule.get("type").and_then(Node::text) == Some(kind))
    }

    fn review(&self, owned: bool) -> Finding {
        let branch = self.branch;
        let mut seen = Vec::new();
        let mut passed_by = None;
        for (rules, rule) in self.of_kind("pull_request") {
            let Some(parameters) = rule.get("parameters") else { continue };
            let required = required(parameters, owned, "require_code_owner_review");
            let Some((words, key)) = required else {
                seen.push(rules.field_of(parameters, "required_approving_review_count"));
                continue;
            };
            let evidence = rules.field_of(parameters, key);
            match self.bypass(rule) {
                Bypass::Everyone(by) => passed_by = Some([evidence, by]),
                Bypass::Some(who) => {
                    return Finding::pass(format!("GitHub requires {words} on {branch}{who}"))
                        .with([evidence]);
                }
            }
        }
        if let Some(protection) = self.protection.document()
            && let Some(entry) = protection.root.entry("required_pull_request_reviews")
            && entry.value.is_map()
        {
            if let Some((words, key)) = required(&entry.value, owned, "require_code_owner_reviews")
            {
                let who = passing_by(protection, &entry.value);
                return Finding::pass(format!("GitHub requires {words} on {branch}{who}"))
                    .with([protection.field_of(&entry.value, key)]);
            }
            seen.push(protection.field_of(&entry.value, "required_approving_review_count"));
        }
        if let Some(evidence) = passed_by {
            let why = format!(
                "GitHub requires a review on {branch}, but whoever may write may pass it by"
            );
            return Finding::fail(why).with(evidence);
        }
        if let Some((evidence, robot)) = self.merger() {
            let why = format!(
                "GitHub requires no review on {branch}; whether `{robot}` does, which it requires, only that robot knows"
            );
            return Finding::unknown(why).with([evidence]);
        }
        self.none("review", "pull_request").with(seen)
    }

    fn checks(&self) -> Finding {
        let branch = self.branch;
        for (kind, words) in [
            ("merge_queue", "a merge queue"),
            ("copilot_code_review", "an automated review"),
            ("code_scanning", "the results of code scanning"),
            ("code_quality", "the results of code quality"),
        ] {
            if let Some((rules, rule)) = self.of_kind(kind).next() {
                return Finding::pass(format!("GitHub requires {words} on {branch}"))
                    .with([rules.field_of(rule, "type")]);
            }
        }
        for (kind, list) in
            [("required_status_checks", "required_status_checks"), ("workflows", "workflows")]
        {
            for (rules, rule) in self.of_kind(kind) {
                let Some(entry) = rule.get("parameters").and_then(|all| all.entry(list)) else {
                    continue;
                };
                if !entry.value.items().is_empty() {
                    let count = counted(entry.value.items().len() as u64, "check");
                    let named = entry.value.items().first();
                    let named = named.and_then(|item| item.entry("context"));
                    return Finding::pass(format!("GitHub requires {count} on {branch}"))
                        .with([rules.field(named.unwrap_or(entry))]);
                }
            }
        }
        let classic = self
            .protection
            .document()
            .and_then(|document| Some((document, document.root.get("required_status_checks")?)));
        let told = self.of_branch.document().and_then(|document| {
            let checks = document.root.at(&["protection", "required_status_checks"])?;
            let is_on = checks.get("enforcement_level").and_then(Node::text) != Some("off");
            is_on.then_some((document, checks))
        });
        for (document, checks) in classic.into_iter().chain(told) {
            for list in ["contexts", "checks"] {
                let Some(entry) = checks.entry(list) else { continue };
                if !entry.value.items().is_empty() {
                    let count = counted(entry.value.items().len() as u64, "check");
                    return Finding::pass(format!("GitHub requires {count} on {branch}"))
                        .with([document.field(entry)]);
                }
            }
        }
        self.none("check, merge queue or automated review", "required_status_checks")
    }

    fn signing(&self) -> Finding {
        let branch = self.branch;
        if let Some((rules, rule)) = self.of_kind("required_signatures").next() {
            return Finding::pass(format!("GitHub requires signed commits on {branch}"))
                .with([rules.field_of(rule, "type")]);
        }
        for (rules, rule) in self.of_kind("commit_message_pattern") {
            let Some(parameters) = rule.get("parameters") else { continue };
            let pattern = parameters.get("pattern").and_then(Node::text).unwrap_or_default();
            if asks_sign_off(pattern) && !is_true(parameters, "negate") {
                return Finding::pass(format!("GitHub requires sign-offs on {branch}"))
                    .with([rules.field_of(parameters, "pattern")]);
            }
        }
        if let Some((evidence, name)) = self.contexts().find(|(_, name)| is_sign_off(name)) {
            return Finding::pass(format!("GitHub requires the check `{name}` on {branch}"))
                .with([evidence]);
        }
        if let Some(protection) = self.protection.document()
            && let Some(signatures) = protection.root.get("required_signatures")
            && is_true(signatures, "enabled")
        {
            return Finding::pass(format!("GitHub requires signed commits on {branch}"))
                .with([protection.field_of(signatures, "enabled")]);
        }
        self.none("signature or sign-off", "required_signatures")
    }

    /// Whether there are rules at all.
    fn any(&self) -> Finding {
        if let Some(rules) = self.rules.document()
            && let Some(rule) = rules.root.items().first()
        {
            return Finding::pass("GitHub has active rules").with([rules.field_of(rule, "type")]);
        }
        if let Some(protection) = self.protection.document() {
            return Finding::pass("GitHub protects the branch").with([protection.start()]);
        }
        self.none("rule", "")
    }

    /// Checks that are required, by their names.
    fn contexts(&self) -> impl Iterator<Item = (Evidence, &str)> {
        let in_rules = self.of_kind("required_status_checks").flat_map(|(rules, rule)| {
            let checks = rule.at(&["parameters", "required_status_checks"]);
            let checks = checks.map(Node::items).unwrap_or_default();
            checks.iter().filter_map(move |check| {
                Some((rules.field_of(check, "context"), check.get("context")?.text()?))
            })
        });
        let classic = self.protection.document().into_iter().flat_map(|document| {
            let contexts = document.root.at(&["required_status_checks", "contexts"]);
            let contexts = contexts.map(Node::items).unwrap_or_default();
            contexts.iter().filter_map(move |name| Some((document.shown(name), name.text()?)))
        });
        in_rules.chain(classic)
    }

    fn merger(&self) -> Option<(Evidence, &str)> {
        self.contexts().find(|(_, name)| {
            MERGERS.iter().any(|robot| name.to_ascii_lowercase().starts_with(robot))
        })
    }

    /// That nothing requires it, when all that could was heard.
    fn none(&self, what: &str, kind: &str) -> Finding {
        let Some(rules) = self.rules.document() else {
            return Finding::unknown(self.rules.why_not(Kind::Github));
        };
        if !rules.root.is_list() || !rules.whole {
            return Finding::unknown("GitHub has more rules than are read, or says them otherwise");
        }
        let unprotected =
            self.of_branch.document().filter(|of| of.says("protected") == Some(false));
        let classic = match (&self.protection, unprotected) {
            (_, Some(branch)) => branch.field_of(&branch.root, "protected"),
            (Heard::Nothing(evidence), _) => evidence.clone(),
            (Heard::Document(protection), _) => protection.start(),
            (Heard::Unknown(why), None) => return Finding::unknown(why.clone()),
        };
        let why = format!("GitHub requires no {what} on {}", self.branch);
        let evidence = [rules.start(), classic];
        match self.asleep(kind) {
            Some((asleep, state)) => {
                Finding::fail(format!("{why}; a ruleset that does is in the state `{state}`"))
                    .with(evidence)
                    .with([asleep])
            }
            None => Finding::fail(why).with(evidence),
        }
    }

    /// A ruleset with such a rule that is not active, and its state.
    fn asleep(&self, kind: &str) -> Option<(Evidence, &str)> {
        let state = |node: &'_ Node| {
            node.get("enforcement").and_then(Node::text).is_some_and(|state| state != "active")
        };
        let details = self.details.iter().filter_map(Heard::document);
        for document in details.filter(|document| state(&document.root)) {
            let rules = document.root.get("rules").map(Node::items).unwrap_or_default();
            if rules.iter().any(|rule| rule.get("type").and_then(Node::text) == Some(kind)) {
                let entry = document.root.entry("enforcement")?;
                return Some((document.field(entry), entry.value.text()?));
            }
        }
        None
    }

    fn bypass(&self, rule: &Node) -> Bypass {
        const NOT_SHOWN: &str = "; who may pass it by is not shown to this token";
        let id = rule.get("ruleset_id").and_then(Node::text);
        let mut details = self.details.iter().filter_map(Heard::document);
        let Some(ruleset) = details.find(|one| one.root.get("id").and_then(Node::text) == id)
        else {
            return Bypass::Some(NOT_SHOWN.into());
        };
        let Some(actors) = ruleset.root.get("bypass_actors").filter(|actors| actors.is_list())
        else {
            return Bypass::Some(NOT_SHOWN.into());
        };
        for actor in actors.items() {
            let kind = actor.get("actor_type").and_then(Node::text).unwrap_or_default();
            if kind == "RepositoryRole" && number(actor, "actor_id") == Some(ROLE_WRITE) {
                return Bypass::Everyone(ruleset.field_of(actor, "actor_id"));
            }
        }
        match actors.items().len() as u64 {
            0 => Bypass::Some(String::new()),
            n => Bypass::Some(format!("; {} may pass it by", counted(n, "role, team or app"))),
        }
    }
}

/// What a rule requires of reviews, in words, and the field that says so.
fn required<'k>(rule: &Node, owned: bool, owners: &'k str) -> Option<(String, &'k str)> {
    match number(rule, "required_approving_review_count") {
        Some(count) if count > 0 => {
            Some((counted(count, "approving review"), "required_approving_review_count"))
        }
        _ if owned && is_true(rule, owners) => {
            Some(("a review by owners, and everything has one".into(), owners))
        }
        _ => None,
    }
}

/// Who may pass by the classic protection.
fn passing_by(protection: &Document<'_>, reviews: &Node) -> String {
    let mut who = Vec::new();
    if protection.root.at(&["enforce_admins", "enabled"]).and_then(Node::truth) != Some(true) {
        who.push("administrators".to_owned());
    }
    let named: usize = ["users", "teams", "apps"]
        .iter()
        .filter_map(|key| reviews.at(&["bypass_pull_request_allowances", key]))
        .map(|list| list.items().len())
        .sum();
    if named > 0 {
        who.push(counted(named as u64, "named user, team or app"));
    }
    if who.is_empty() { String::new() } else { format!("; {} may pass it by", who.join(" and ")) }
}
