//! Alert rules, where they are sent, who owns them, and what people then do.

mod cloud;
mod grafana;
mod prometheus;

use super::{is_yaml, real};
use crate::finding::{Evidence, Finding, Outcome};
use crate::lines::File;
use crate::tree::{Tree, has_end, is_aside, join, name};
use crate::yaml::{self, Node};

/// Lines of a runbook that says something.
const RUNBOOK_LINES_MIN: usize = 4;

#[derive(Default)]
pub(super) struct Alerts {
    rules: Vec<Evidence>,
    /// Rules that name their receivers themselves.
    direct: Vec<Evidence>,
    /// Topics that rules are sent to and that nobody is seen to have subscribed to.
    unheard: Vec<Evidence>,
    receivers: Vec<Evidence>,
    /// Receivers that reach nobody.
    placeholders: Vec<Evidence>,
    runbooks: Vec<Evidence>,
    /// Runbooks that are named and are not there.
    missing: Vec<Evidence>,
    owners: Vec<Evidence>,
    topics: cloud::Topics,
}

impl Alerts {
    pub(super) fn read(tree: &Tree) -> Self {
        let mut all = Self::default();
        for (path, text) in tree.texts() {
            if is_aside(path) && !path.contains("runbook") || path.starts_with(".github/") {
                continue;
            }
            let lines: Vec<&str> =
                if is_looked_into(path) { text.lines().collect() } else { continue };
            let file = File::new(path, text, &lines);
            if has_end(path, "tf") || has_end(path, "tofu") {
                all.terraform(file);
            } else {
                // Most YAML is nothing of the kind, and need not be parsed.
                let marks = [
                    "alert:",
                    "receivers:",
                    "AWS::CloudWatch::Alarm",
                    "contactPoints:",
                    "policies:",
                    "condition:",
                    "owner:",
                ];
                let may = marks.iter().any(|mark| text.contains(mark));
                let roots = may.then(|| yaml::documents(text).unwrap_or_default());
                for root in roots.into_iter().flatten() {
                    all.document(tree, file, &root);
                }
            }
        }
        all.hear();
        all
    }

    fn document(&mut self, tree: &Tree, file: File<'_>, root: &Node) {
        match root.get("kind").and_then(Node::text) {
            Some("PrometheusRule" | "AlertmanagerConfig") => {
                root.get("spec").into_iter().for_each(|spec| self.prometheus(tree, file, spec, 0));
            }
            Some("ConfigMap" | "Secret") => self.inside(tree, file, root),
            Some("Component" | "System") if name(file.path).starts_with("catalog-info") => {
                let owner = root.at(&["spec", "owner"]).filter(|owner| real(Some(owner)));
                self.owners.extend(owner.map(|owner| file.shown(owner)));
            }
            _ => {
                self.prometheus(tree, file, root, 0);
                self.grafana(tree, file, root);
                self.cloudformation(file, root);
            }
        }
    }

    /// Files that a `ConfigMap` or a `Secret` holds.
    fn inside(&mut self, tree: &Tree, file: File<'_>, root: &Node) {
        for table in ["data", "stringData"].into_iter().filter_map(|key| root.get(key)) {
            for entry in table.entries() {
                let Some(text) = entry.value.text().filter(|_| entry.value.is_literal()) else {
                    continue;
                };
                let file = file.begun_at(entry.value.lines_start(file.text));
                for inner in yaml::documents(text).unwrap_or_default() {
                    self.prometheus(tree, file, &inner, 0);
                    self.grafana(tree, file, &inner);
                }
            }
        }
    }

    /// What a rule says of who owns it, and of what to do.
    fn described(&mut self, tree: &Tree, file: File<'_>, rule: &Node) {
        let owner =
            ["team", "owner", "owned_by", "squad"].iter().find_map(|key| rule.at(&["labels", key]));
        self.owners.extend(owner.filter(|owner| real(Some(owner))).map(|owner| file.shown(owner)));
        let book = ["runbook_url", "runbook", "runbookURL"]
            .iter()
            .find_map(|key| rule.at(&["annotations", key]));
        let Some(book) = book.filter(|book| real(Some(book))) else { return };
        let text = book.text().unwrap_or_default();
        // One that is no address is a file of the repository.
        let is_file = !text.contains("://") && !text.contains("{{") && has_end(text, "md");
        let is_there = |path: String| tree.has(&path);
        let is_missing = is_file
            && !join("", text).is_some_and(is_there)
            && !join(crate::tree::dir(file.path), text).is_some_and(is_there);
        if is_missing {
            self.missing.push(file.shown(book));
        } else {
            self.runbooks.push(file.shown(book));
        }
    }

    pub(super) fn routed(&self) -> Finding {
        if !self.direct.is_empty() {
            return Finding::pass("alerts name who is told").with(self.direct.clone());
        }
        if self.rules.is_empty() {
            let shown = self.receivers.iter().chain(&self.placeholders).cloned();
            return Finding::fail("no alert rules").with(shown);
        }
        if !self.receivers.is_empty() {
            return Finding::pass("alerts are routed to a receiver")
                .with(self.rules.iter().take(2).cloned())
                .with(self.receivers.clone());
        }
        if !self.placeholders.is_empty() {
            return Finding::fail("the receivers of alerts are placeholders")
                .with(self.placeholders.clone());
        }
        if !self.unheard.is_empty() {
            return Finding::unknown("alerts go to a topic; no file says who is subscribed to it")
                .with(self.unheard.clone());
        }
        Finding::unknown("alert rules are there; no file says who is told").with(self.rules.clone())
    }

    pub(super) fn escalated(&self, tree: &Tree) -> Finding {
        if !self.runbooks.is_empty() {
            return Finding::pass("alerts have a runbook or an escalation")
                .with(self.runbooks.clone());
        }
        if self.rules.is_empty() {
            return Finding::fail("no alerts that anybody could answer");
        }
        let book = tree.texts().find(|(path, text)| {
            let lower = path.to_ascii_lowercase();
            has_end(&lower, "md")
                && (name(&lower).contains("runbook") || lower.contains("runbooks/"))
                && text.lines().filter(|line| !line.trim().is_empty()).count() + 1
                    >= RUNBOOK_LINES_MIN
        });
        match book {
            Some((path, text)) => Finding::pass("a runbook").with([Evidence::file(path, text)]),
            None if !self.missing.is_empty() => {
                Finding::fail("the runbook that alerts name is not there")
                    .with(self.missing.clone())
            }
            None => Finding::fail("no runbook and no escalation")
                .with(self.rules.iter().take(1).cloned()),
        }
    }

    /// Whether somebody answers for what the alerts are about.
    pub(super) fn owned(&self) -> Finding {
        if !self.owners.is_empty() {
            return Finding::pass("an owner is named").with(self.owners.clone());
        }
        if self.rules.is_empty() {
            return Finding::new(Outcome::NotApplicable, "no alerts that anybody could own");
        }
        Finding::unknown("no label of a rule and no catalogue names an owner")
            .with(self.rules.clone())
    }
}

fn is_looked_into(path: &str) -> bool {
    is_yaml(path) || ["tf", "tofu", "rules"].iter().any(|end| has_end(path, end))
}
