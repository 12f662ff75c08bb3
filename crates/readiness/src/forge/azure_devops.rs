//! Azure DevOps: the policies that apply to a branch. A policy that blocks also keeps everybody from pushing to it.
//!
//! Types of policies have fixed ids. Who has the permission to bypass policies is not among the answers.

use super::{About, Document, Enforced, Forge, Heard, Kind, counted, is_sign_off, is_true, number};
use crate::finding::{Evidence, Finding};
use crate::yaml::Node;

const REVIEWERS: &str = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd";
const NAMED_REVIEWERS: &str = "fd2167ab-b0be-447a-8ec8-39368250530e";
const BUILD: &str = "0609b952-1397-4640-95ec-e00a01b2c241";
const STATUS: &str = "cbdc66da-9728-4af8-aada-9a5a32e4a226";

pub(super) fn enforced(forge: &Forge, branch: &str) -> Enforced {
    let heard = forge.hear(About::Policies);
    let Heard::Document(document) = &heard else {
        return Enforced::unknown(&heard.why_not(Kind::AzureDevops));
    };
    let policies = Policies { branch, document };
    Enforced {
        review: policies.review(),
        checks: policies.checks(),
        signing: policies.signing(),
        rules: policies.any(),
    }
}

struct Policies<'a> {
    branch: &'a str,
    document: &'a Document<'a>,
}

impl<'a> Policies<'a> {
    /// The policies of a type that are switched on, with their settings.
    fn of_type(&self, id: &str) -> impl Iterator<Item = (&'a Node, &'a Node)> {
        self.document.root.items().iter().filter_map(move |policy| {
            let found = policy.at(&["type", "id"]).and_then(Node::text)?;
            let is_meant = found.eq_ignore_ascii_case(id)
                && is_true(policy, "isEnabled")
                && !is_true(policy, "isDeleted");
            is_meant.then_some((policy, policy.get("settings")?))
        })
    }

    fn blocking(&self, id: &str) -> impl Iterator<Item = &'a Node> {
        self.of_type(id)
            .filter(|(policy, _)| is_true(policy, "isBlocking"))
            .map(|(_, settings)| settings)
    }

    fn review(&self) -> Finding {
        let branch = self.branch;
        let mut own = None;
        for settings in self.blocking(REVIEWERS) {
            let count = number(settings, "minimumApproverCount").unwrap_or(0);
            let shown = self.document.field_of(settings, "minimumApproverCount");
            if count == 1 && is_true(settings, "creatorVoteCounts") {
                own = Some([shown, self.document.field_of(settings, "creatorVoteCounts")]);
            } else if count > 0 {
                let count = counted(count, "approval");
                return Finding::pass(format!("Azure DevOps requires {count} on {branch}"))
                    .with([shown]);
            }
        }
        for settings in self.blocking(NAMED_REVIEWERS) {
            let any = |key| settings.get(key).is_some_and(|list| !list.items().is_empty());
            if any("requiredReviewerIds") && !any("filenamePatterns") {
                return Finding::pass(format!("Azure DevOps requires named reviewers on {branch}"))
                    .with([self.document.field_of(settings, "requiredReviewerIds")]);
            }
        }
        if let Some(evidence) = own {
            let why = format!(
                "Azure DevOps requires 1 approval on {branch}, which the author of a change may give"
            );
            return Finding::fail(why).with(evidence);
        }
        self.none("review", &[REVIEWERS, NAMED_REVIEWERS])
    }

    fn checks(&self) -> Finding {
        for (id, what, key) in
            [(BUILD, "a build", "buildDefinitionId"), (STATUS, "a status", "statusName")]
        {
            if let Some(settings) = self.blocking(id).next() {
                return Finding::pass(format!("Azure DevOps requires {what} on {}", self.branch))
                    .with([self.document.field_of(settings, key)]);
            }
        }
        self.none("build or status", &[BUILD, STATUS])
    }

    fn signing(&self) -> Finding {
        for settings in self.blocking(STATUS) {
            if let Some(name) = settings.get("statusName").and_then(Node::text)
                && is_sign_off(name)
            {
                let why = format!("Azure DevOps requires the status `{name}` on {}", self.branch);
                return Finding::pass(why).with([self.document.field_of(settings, "statusName")]);
            }
        }
        self.none("status for sign-offs", &[])
    }

    fn any(&self) -> Finding {
        match self.document.root.items().first() {
            Some(policy) => {
                Finding::pass("Azure DevOps has policies").with([self.document.shown(policy)])
            }
            None => self.none("policy", &[]),
        }
    }

    /// That nothing requires it, with a policy of these types that does not block.
    fn none(&self, what: &str, types: &[&str]) -> Finding {
        if !self.document.whole || !self.document.root.is_list() {
            return Finding::unknown("Azure DevOps has more policies than are read");
        }
        let mut why = format!("Azure DevOps requires no {what} on {}", self.branch);
        let optional: Option<Evidence> =
            types.iter().flat_map(|id| self.of_type(id)).find_map(|(policy, _)| {
                let is_optional = !is_true(policy, "isBlocking");
                is_optional.then(|| self.document.field_of(policy, "isBlocking"))
            });
        if optional.is_some() {
            why.push_str("; a policy asks for it and does not block");
        }
        Finding::fail(why).with([optional.unwrap_or_else(|| self.document.start())])
    }
}
