//! `governance.toolkit/v1`.

use lockgate_model::config::document::{Kind, Node, Place};
use lockgate_model::ids::AgentName;

use super::{Action, Foreign, ForeignRule, Reader};
use crate::import::expr::Expr;
use crate::import::grammar;
use crate::load::findings::words;
use crate::load::form::{self, Form};
use crate::rule::Limit;

const V1: &str = "governance.toolkit/v1";

const V1_FIELDS: &[&str] = &[
    "apiVersion",
    "version",
    "name",
    "description",
    "extends",
    "agent",
    "agents",
    "scope",
    "rules",
    "default_action",
    "created_at",
    "updated_at",
];
const V1_RULE: &[&str] = &[
    "name",
    "description",
    "stage",
    "condition",
    "action",
    "limit",
    "approvers",
    "priority",
    "enabled",
];
impl Reader<'_, '_, '_> {
    pub(super) fn v1(&mut self, root: &Node, file: &str) -> Option<Foreign> {
        let form = Form::open(root, "a policy", V1_FIELDS, self.at, self.found)?;
        if let Some(version) =
            self.text(&form, "apiVersion").filter(|one| ![V1, "1.0"].contains(one))
        {
            let place = form.get("apiVersion").map_or(form.place, |node| node.place);
            self.error(
                place,
                format!("the version `{version}` is not known"),
                "known is governance.toolkit/v1",
            );
        }
        match form.get("extends") {
            None | Some(Node { kind: Kind::Null, .. }) => {}
            Some(Node { kind: Kind::List(parents), .. }) if parents.is_empty() => {}
            Some(node) => self.error(
                node.place,
                "`extends` is not followed: what another file says is not in this one",
                "give the files that it names too, and remove the line",
            ),
        }
        if let Some(scope) = self.text(&form, "scope").filter(|scope| *scope != "global") {
            let message = format!(
                "the scope `{scope}` has no meaning here: a denial denies whatever is more special"
            );
            let place = form.get("scope").map_or(form.place, |node| node.place);
            self.differs(place, message, "write `agents` where a rule is only for some");
        }
        let agents = self.agents(&form)?;
        let default = self.text(&form, "default_action").unwrap_or("deny");
        let default_place = form.get("default_action").map_or(form.place, |node| node.place);
        if !["allow", "deny"].contains(&default) {
            self.error(
                default_place,
                format!("there is no default `{default}`"),
                "it is allow or deny",
            );
        }
        let mut rules = Vec::new();
        for item in self.rules(&form) {
            rules.extend(self.v1_rule(item));
        }
        let allows_by_default = default == "allow";
        Some(Foreign { file: file.to_owned(), agents, allows_by_default, default_place, rules })
    }

    /// The agents; none for all of them.
    fn agents(&mut self, form: &Form<'_>) -> Option<Vec<String>> {
        let mut named: Vec<(&str, Place)> = Vec::new();
        for field in ["agent", "agents"] {
            match form.get(field) {
                None | Some(Node { kind: Kind::Null, .. }) => {}
                Some(Node { kind: Kind::List(items), .. }) if items.is_empty() => {}
                Some(node) => named.extend(form::texts(node, "`agents`", self.at, self.found)?),
            }
        }
        if named.is_empty() {
            self.error(
                form.place,
                "the policy names no agent, and so is about none",
                "add `agents: [\"*\"]` if it is meant for all",
            );
            return None;
        }
        if named.iter().any(|(name, _)| *name == "*") {
            return Some(Vec::new());
        }
        for (name, place) in &named {
            if let Err(error) = name.parse::<AgentName>() {
                self.error(
                    *place,
                    error.to_string(),
                    "write the agent's name as lockgate.yaml has it",
                );
            }
        }
        Some(named.into_iter().map(|(name, _)| name.to_owned()).collect())
    }

    fn v1_rule(&mut self, node: &Node) -> Option<ForeignRule> {
        let form = Form::open(node, "a rule", V1_RULE, self.at, self.found)?;
        let name = self.name(&form);
        if let Some(stage) = self.text(&form, "stage").filter(|stage| *stage != "pre_tool") {
            let place = form.get("stage").map_or(form.place, |node| node.place);
            let message = format!(
                "the stage `{stage}` has no counterpart: decisions are made before an action is done"
            );
            self.error(
                place,
                message,
                "remove the rule and watch what it watched elsewhere, or make it `pre_tool`",
            );
        }
        let enabled = self.flag(&form, "enabled").unwrap_or(true);
        let action = self.v1_action(&form);
        let condition = self.v1_condition(&form);
        let limit = self.limit(&form, action);
        let approvers = self.approvers(&form);
        let priority = self.priority(&form);
        let message = self.text(&form, "description").map(str::to_owned);
        if !enabled {
            self.differs(form.place, "the rule is switched off, and left out", "");
            return None;
        }
        Some(ForeignRule {
            name: name?.to_owned(),
            place: form.place,
            action: action?,
            condition: condition?,
            message,
            limit,
            approvers,
            priority,
        })
    }

    fn v1_action(&mut self, form: &Form<'_>) -> Option<Action> {
        let text = self.text(form, "action");
        let place = form.get("action").map_or(form.place, |node| node.place);
        Some(match text {
            Some("allow") => Action::Allow,
            Some("require_approval") => Action::Ask,
            Some(watch @ ("warn" | "log")) => {
                let message = format!(
                    "`{watch}` is said to allow and record, and in fact refuses: here a person is asked"
                );
                self.differs(
                    place,
                    message,
                    "write `effect: allow` if that is meant; every action is recorded anyway",
                );
                Action::Watch
            }
            None if form.get("action").is_none() => Action::Deny,
            Some("deny") => Action::Deny,
            Some(other) => {
                let known = ["allow", "deny", "warn", "require_approval", "log"];
                self.error(
                    place,
                    format!("there is no action `{other}`"),
                    &format!("there are {}", words(&known)),
                );
                return None;
            }
            None => return None,
        })
    }

    fn v1_condition(&mut self, form: &Form<'_>) -> Option<Expr> {
        let node = form.need("condition", "say when the rule holds", self.at, self.found)?;
        match &node.kind {
            Kind::Text(text) => grammar::read(text, node.place, self.fields, self.at, self.found),
            Kind::Bool(value) => Some(Expr::Const(*value)),
            _ => {
                self.error(
                    node.place,
                    "`condition` must be text",
                    "such as \"tool_name == 'search'\"",
                );
                None
            }
        }
    }

    fn limit(&mut self, form: &Form<'_>, action: Option<Action>) -> Option<String> {
        let entry = form.entry("limit").filter(|entry| !matches!(entry.value.kind, Kind::Null))?;
        let place = entry.value.place;
        let text = self.text(form, "limit")?;
        if Limit::rate(text).is_none() {
            let hint = "write 100/hour: per second, minute, hour or day";
            self.error(place, format!("`{text}` is not a rate"), hint);
        }
        if action == Some(Action::Deny) {
            let hint = "remove the limit, or write the rule as `allow`";
            self.error(place, "what is denied has no limit", hint);
        }
        self.differs(
            place,
            "here the limit counts each agent alone; there it is said to count the rule for all, and nothing counts it",
            "make the number smaller if agents share it",
        );
        Some(text.to_owned())
    }

    /// The people who may approve; none for all who may.
    fn approvers(&mut self, form: &Form<'_>) -> Vec<String> {
        let node = form.get("approvers").filter(|node| match &node.kind {
            Kind::Null => false,
            Kind::List(items) => !items.is_empty(),
            _ => true,
        });
        let Some(node) = node else { return Vec::new() };
        self.differs(
            node.place,
            "`approvers` are the names of API tokens here: nobody else may approve",
            "give each of them a token of that name, and the role approver",
        );
        let names = form::texts(node, "`approvers`", self.at, self.found).unwrap_or_default();
        if let Some((_, place)) = names.iter().find(|(name, _)| name.trim().is_empty()) {
            self.error(*place, "an approver has no name", "remove it");
        }
        names.into_iter().map(|(name, _)| name.to_owned()).collect()
    }
}
