//! GitLab: protected branches, settings of merge requests, approvals, push rules.
//!
//! A rule for merge requests holds nobody who may push to the branch itself, so that a branch to which a role may push
//! requires nothing.

use super::{
    About, Document, Enforced, Forge, Heard, Kind, asks_sign_off, counted, is_true, number,
};
use crate::finding::{Evidence, Finding};
use crate::yaml::Node;

/// The setting by which a pipeline must succeed.
const MUST_SUCCEED: &str = "only_allow_merge_if_pipeline_succeeds";

pub(super) fn enforced(forge: &Forge, branch: &str, owned: bool) -> Enforced {
    let asked = Asked {
        branch,
        project: forge.hear(About::Repository),
        protected: forge.hear(About::Branch),
        rules: forge.hear(About::ApprovalRules),
        approvals: forge.hear(About::Approvals),
    };
    let push_rules = forge.hear(About::PushRules);
    let pushes = asked.pushes();
    Enforced {
        review: asked.review(&pushes, owned),
        checks: asked.checks(&pushes),
        signing: signing(&push_rules, branch),
        rules: asked.any(),
    }
}

struct Asked<'a> {
    branch: &'a str,
    project: Heard<'a>,
    protected: Heard<'a>,
    rules: Heard<'a>,
    approvals: Heard<'a>,
}

/// Who may push to the branch without a merge request.
enum Pushes {
    /// Whoever has a role, in words.
    Role(String, Vec<Evidence>),
    /// At most single users, groups or keys, in words; empty for nobody.
    Named(String),
    Unknown(String),
}

impl<'a> Asked<'a> {
    /// The entries that protect the branch. The most permissive one decides.
    fn entries(&self) -> Vec<(&Document<'a>, &Node)> {
        let Some(document) = self.protected.document() else { return Vec::new() };
        let is_meant = |entry: &&Node| {
            let name = entry.get("name").and_then(Node::text);
            name.is_some_and(|name| matches(name, self.branch))
        };
        document.root.items().iter().filter(is_meant).map(|entry| (document, entry)).collect()
    }

    fn pushes(&self) -> Pushes {
        let branch = self.branch;
        let Some(document) = self.protected.document() else {
            return Pushes::Unknown(self.protected.why_not(Kind::Gitlab));
        };
        let entries = self.entries();
        if entries.is_empty() {
            if !document.whole || !document.root.is_list() {
                return Pushes::Unknown("GitLab has more protected branches than are read".into());
            }
            let why = format!("GitLab does not protect {branch}: whoever may push may push to it");
            return Pushes::Role(why, vec![document.start()]);
        }
        let mut named = 0;
        for (document, entry) in entries {
            let levels = entry.get("push_access_levels").map(Node::items).unwrap_or_default();
            for level in levels.iter().filter(|level| number(level, "access_level") != Some(0)) {
                let is_one = ["user_id", "group_id", "deploy_key_id"]
                    .iter()
                    .any(|key| level.get(key).and_then(Node::text).is_some());
                if is_one {
                    named += 1;
                    continue;
                }
                let who = match number(level, "access_level") {
                    Some(30) => "Developers",
                    Some(40) => "Maintainers",
                    Some(60) => "administrators",
                    _ => "a role",
                };
                let why = format!("GitLab lets {who} push to {branch} without a merge request");
                return Pushes::Role(why, vec![document.field_of(level, "access_level")]);
            }
        }
        Pushes::Named(if named == 0 {
            String::new()
        } else {
            format!("; {} may push past it", counted(named, "named user, group or key"))
        })
    }

    fn review(&self, pushes: &Pushes, owned: bool) -> Finding {
        let past = match pushes {
            Pushes::Role(why, evidence) => return Finding::fail(why).with(evidence.clone()),
            Pushes::Unknown(why) => return Finding::unknown(why),
            Pushes::Named(past) => past,
        };
        let branch = self.branch;
        if owned {
            for (document, entry) in self.entries() {
                if is_true(entry, "code_owner_approval_required") {
                    let why = "an approval by owners, and everything has one";
                    return Finding::pass(format!("GitLab requires {why}, on {branch}{past}"))
                        .with([document.field_of(entry, "code_owner_approval_required")]);
                }
            }
        }
        let Some((count, evidence)) = self.approvals_required() else {
            return self.no_approval();
        };
        let own = self.approvals.document().and_then(|document| {
            let is_own = document.says("merge_requests_author_approval") == Some(true);
            is_own.then(|| document.field_of(&document.root, "merge_requests_author_approval"))
        });
        if let Some(own) = own.filter(|_| count == 1) {
            let why = format!(
                "GitLab requires 1 approval on {branch}, which the author of a change may give"
            );
            return Finding::fail(why).with([evidence, own]);
        }
        Finding::pass(format!("GitLab requires {} on {branch}{past}", counted(count, "approval")))
            .with([evidence])
    }

    /// The most approvals that one rule asks for on this branch.
    fn approvals_required(&self) -> Option<(u64, Evidence)> {
        let rules = self.rules.document();
        let of_rules = rules.into_iter().flat_map(|document| {
            let rules = document.root.items().iter().filter(|rule| self.applies(rule));
            rules.filter_map(move |rule| {
                let count = number(rule, "approvals_required")?;
                Some((count, document.field_of(rule, "approvals_required")))
            })
        });
        let of_project = self.approvals.document().and_then(|document| {
            let count = number(&document.root, "approvals_before_merge")?;
            Some((count, document.field_of(&document.root, "approvals_before_merge")))
        });
        let all = of_rules.chain(of_project).filter(|(count, _)| *count > 0);
        all.max_by_key(|(count, _)| *count)
    }

    fn applies(&self, rule: &Node) -> bool {
        // Rules of reports ask only where a report finds something.
        let kind = rule.get("rule_type").and_then(Node::text).unwrap_or("regular");
        let branches = rule.get("protected_branches").map(Node::items).unwrap_or_default();
        let named = branches.iter().any(|branch| {
            let name = branch.get("name").and_then(Node::text);
            name.is_some_and(|name| matches(name, self.branch))
        });
        matches!(kind, "regular" | "any_approver")
            && (branches.is_empty() || named || is_true(rule, "applies_to_all_protected_branches"))
    }

    fn no_approval(&self) -> Finding {
        match &self.rules {
            Heard::Document(document) if document.whole => {
                let why = format!("GitLab requires no approval on {}", self.branch);
                let shown = document.root.items().first().map_or_else(
                    || document.start(),
                    |rule| document.field_of(rule, "approvals_required"),
                );
                Finding::fail(why).with([shown])
            }
            Heard::Document(_) => Finding::unknown("GitLab has more approval rules than are read"),
            other => Finding::unknown(other.why_not(Kind::Gitlab)),
        }
    }

    fn checks(&self, pushes: &Pushes) -> Finding {
        let past = match pushes {
            Pushes::Role(why, evidence) => return Finding::fail(why).with(evidence.clone()),
            Pushes::Unknown(why) => return Finding::unknown(why),
            Pushes::Named(past) => past,
        };
        let Some(project) = self.project.document() else {
            return Finding::unknown(self.project.why_not(Kind::Gitlab));
        };
        let branch = self.branch;
        let shown = project.field_of(&project.root, MUST_SUCCEED);
        match project.says(MUST_SUCCEED) {
            Some(true) if project.says("allow_merge_on_skipped_pipeline") == Some(true) => {
                let skipped = project.field_of(&project.root, "allow_merge_on_skipped_pipeline");
                let why = format!(
                    "GitLab requires a pipeline on {branch}, and takes one that was skipped"
                );
                Finding::fail(why).with([shown, skipped])
            }
            Some(true) => {
                let why = format!("GitLab requires that the pipeline succeeds, on {branch}{past}");
                Finding::pass(why).with([shown])
            }
            Some(false) => {
                let why = format!("GitLab requires no pipeline on {branch}");
                Finding::fail(why).with([shown])
            }
            None => Finding::unknown(
                "GitLab does not show the settings of merge requests: use a token of a member, with the scope `read_api`",
            ),
        }
    }

    /// Whether there is any protection.
    fn any(&self) -> Finding {
        match (self.entries().first(), &self.protected) {
            (Some((document, entry)), _) => {
                Finding::pass(format!("GitLab protects {}", self.branch))
                    .with([document.field_of(entry, "name")])
            }
            (None, Heard::Document(document)) if document.whole => {
                Finding::fail(format!("GitLab does not protect {}", self.branch))
                    .with([document.start()])
            }
            (None, other) => Finding::unknown(other.why_not(Kind::Gitlab)),
        }
    }
}

fn signing(push_rules: &Heard<'_>, branch: &str) -> Finding {
    let none = || format!("GitLab requires neither signatures nor sign-offs on {branch}");
    let document = match push_rules {
        Heard::Document(document) => document,
        Heard::Nothing(evidence) => return Finding::fail(none()).with([evidence.clone()]),
        Heard::Unknown(why) => return Finding::unknown(why),
    };
    if document.root.is_null() {
        return Finding::fail(none()).with([document.start()]);
    }
    for (key, what) in
        [("reject_unsigned_commits", "signed commits"), ("reject_non_dco_commits", "sign-offs")]
    {
        if document.says(key) == Some(true) {
            return Finding::pass(format!("GitLab takes only {what}"))
                .with([document.field_of(&document.root, key)]);
        }
    }
    let pattern = document.root.get("commit_message_regex").and_then(Node::text);
    if pattern.is_some_and(asks_sign_off) {
        return Finding::pass("GitLab takes only sign-offs")
            .with([document.field_of(&document.root, "commit_message_regex")]);
    }
    Finding::fail(none()).with([document.field_of(&document.root, "reject_unsigned_commits")])
}

/// Whether a name of a protected branch, in which `*` stands for anything, is this branch.
fn matches(pattern: &str, branch: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = branch.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, branch) in [
            ("main", "main"),
            ("*", "a/b"),
            ("release/*", "release/1/x"),
            ("*-v*", "a-v1"),
            ("ma*n", "man"),
        ] {
            assert!(matches(pattern, branch), "{pattern} {branch}");
        }
        for (pattern, branch) in
            [("main", "main2"), ("release/*", "main"), ("ma*ain", "main"), ("", "a")]
        {
            assert!(!matches(pattern, branch), "{pattern} {branch}");
        }
    }
}
