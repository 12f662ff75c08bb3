//! The files themselves, in both forms, to one list of rules.

use lockgate_model::config::document::{Entry, Kind, Node, Place};
use lockgate_model::ids::AgentName;

use super::expr::{Check, Expr};
use super::fields::Fields;
use super::grammar::{self, PATTERN_HINT};
use crate::load::findings::{At, Findings, words};
use crate::load::form::{self, Form};
use crate::rule::Limit;

const V1: &str = "governance.toolkit/v1";

/// What a rule does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Allow,
    Deny,
    Ask,
    /// `warn` and `log`: said to allow, and in fact refused.
    Watch,
}

/// A rule.
pub(super) struct ForeignRule {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) action: Action,
    pub(super) condition: Expr,
    pub(super) message: Option<String>,
    /// A rate, as a policy file writes it.
    pub(super) limit: Option<String>,
    pub(super) priority: i64,
}

/// A file.
pub(super) struct Foreign {
    pub(super) file: String,
    pub(super) agents: Vec<String>,
    pub(super) allows_by_default: bool,
    pub(super) default_place: Place,
    pub(super) rules: Vec<ForeignRule>,
}

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
const OLD_FIELDS: &[&str] = &[
    "version",
    "name",
    "description",
    "rules",
    "defaults",
    "inherit",
    "scope",
    "network_allowlist",
    "tool_allowlist",
];
const OLD_RULE: &[&str] = &["name", "condition", "action", "priority", "message", "override"];
const OLD_CONDITION: &[&str] = &["field", "operator", "value"];

/// Reads a file. `None` when it is none at all; that has been said then.
pub(super) fn read(
    root: &Node,
    file: &str,
    fields: &mut Fields<'_>,
    found: &mut Findings,
) -> Option<Foreign> {
    let mut reader = Reader { at: At { file, path: "" }, fields, found };
    let entries = form::map(root, "a policy", reader.at, reader.found)?;
    if is_v1(entries) { reader.v1(root, file) } else { reader.old(root, file) }
}

/// By what only one of the two has: conditions are text there, and maps in the older form.
fn is_v1(entries: &[Entry]) -> bool {
    let get = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let text_condition = |rule: &Node| match &rule.kind {
        Kind::Map(fields) => fields
            .iter()
            .any(|one| one.key == "condition" && matches!(one.value.kind, Kind::Text(_))),
        _ => false,
    };
    let in_rules = match get("rules").map(|rules| &rules.kind) {
        Some(Kind::List(rules)) => rules.iter().any(text_condition),
        _ => false,
    };
    get("apiVersion").is_some() || get("default_action").is_some() || in_rules
}

struct Reader<'a, 'f, 'i> {
    at: At<'a>,
    fields: &'f mut Fields<'i>,
    found: &'f mut Findings,
}

impl Reader<'_, '_, '_> {
    fn error(&mut self, place: Place, message: impl Into<String>, hint: &str) {
        self.found.error(self.at, place, message.into(), hint.to_owned());
    }

    fn differs(&mut self, place: Place, message: impl Into<String>, hint: &str) {
        self.found.warning(self.at, place, message.into(), hint.to_owned());
    }

    fn text<'n>(&mut self, form: &Form<'n>, field: &str) -> Option<&'n str> {
        let node = form.get(field)?;
        form::text(node, &format!("`{field}`"), self.at, self.found)
    }

    fn flag(&mut self, form: &Form<'_>, field: &str) -> Option<bool> {
        let node = form.get(field)?;
        form::flag(node, &format!("`{field}`"), self.at, self.found)
    }

    fn v1(&mut self, root: &Node, file: &str) -> Option<Foreign> {
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

    fn rules<'n>(&mut self, form: &Form<'n>) -> &'n [Node] {
        let rules = form.get("rules");
        rules.and_then(|node| form::list(node, "`rules`", self.at, self.found)).unwrap_or_default()
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

    fn name<'n>(&mut self, form: &Form<'n>) -> Option<&'n str> {
        form.need("name", "give the rule a name", self.at, self.found)?;
        self.text(form, "name")
    }

    fn priority(&mut self, form: &Form<'_>) -> i64 {
        let node = form.get("priority");
        node.and_then(|node| form::whole(node, "`priority`", self.at, self.found)).unwrap_or(0)
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
        self.approvers(&form);
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
            limit: limit?,
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

    /// `Some(None)` where there is none.
    fn limit(&mut self, form: &Form<'_>, action: Option<Action>) -> Option<Option<String>> {
        let Some(entry) = form.entry("limit") else { return Some(None) };
        if matches!(entry.value.kind, Kind::Null) {
            return Some(None);
        }
        let place = entry.value.place;
        let text = self.text(form, "limit")?;
        if Limit::rate(text).is_none() {
            self.error(
                place,
                format!("`{text}` is not a rate"),
                "write 100/hour: per second, minute, hour or day",
            );
            return None;
        }
        if action == Some(Action::Deny) {
            self.error(
                place,
                "what is denied has no limit",
                "remove the limit, or write the rule as `allow`",
            );
            return None;
        }
        self.differs(
            place,
            "here the limit counts each agent alone; there it is said to count the rule for all, and nothing counts it",
            "make the number smaller if agents share it",
        );
        Some(Some(text.to_owned()))
    }

    fn approvers(&mut self, form: &Form<'_>) {
        match form.get("approvers") {
            None | Some(Node { kind: Kind::Null, .. }) => {}
            Some(Node { kind: Kind::List(items), .. }) if items.is_empty() => {}
            Some(node) => self.differs(
                node.place,
                "`approvers` are not carried over: who may approve is a matter of roles here",
                "give the role approver to these people only",
            ),
        }
    }

    fn old(&mut self, root: &Node, file: &str) -> Option<Foreign> {
        let form = Form::open(root, "a policy", OLD_FIELDS, self.at, self.found)?;
        for field in ["scope", "network_allowlist", "tool_allowlist"] {
            let empty = form.get(field).is_none_or(|node| match &node.kind {
                Kind::Null => true,
                Kind::List(items) => items.is_empty(),
                _ => false,
            });
            if let Some(node) = form.get(field).filter(|_| !empty) {
                let message = format!("`{field}` cannot be carried over");
                self.error(node.place, message, "remove it, and write rules that say the same");
            }
        }
        let defaults = form.get("defaults").map(|node| self.defaults(node));
        let (default, default_place) = defaults.unwrap_or(Some((true, form.place)))?;
        if self.flag(&form, "inherit").unwrap_or(true) {
            self.differs(
                form.place,
                "policies of folders above are not looked for",
                "give those files too",
            );
        }
        let mut rules = Vec::new();
        for item in self.rules(&form) {
            rules.extend(self.old_rule(item));
        }
        Some(Foreign {
            file: file.to_owned(),
            agents: Vec::new(),
            allows_by_default: default,
            default_place,
            rules,
        })
    }

    fn defaults(&mut self, node: &Node) -> Option<(bool, Place)> {
        let form = Form::open(node, "`defaults`", &["action"], self.at, self.found)?;
        let place = form.get("action").map_or(form.place, |node| node.place);
        Some(match form.get("action").map(|_| self.text(&form, "action")) {
            None => (true, place),
            Some(action) => match action? {
                "allow" | "audit" => (true, place),
                "deny" | "block" => (false, place),
                other => {
                    self.error(
                        place,
                        format!("there is no action `{other}`"),
                        "there are allow, deny, audit, block",
                    );
                    return None;
                }
            },
        })
    }

    fn old_rule(&mut self, node: &Node) -> Option<ForeignRule> {
        let form = Form::open(node, "a rule", OLD_RULE, self.at, self.found)?;
        let name = self.name(&form);
        if self.flag(&form, "override") == Some(true) {
            let message = "`override` cannot be carried over: it replaces a rule of another file";
            self.error(form.place, message, "remove the rule that it replaces, and this field");
        }
        let action = match form.need("action", "say what follows", self.at, self.found) {
            Some(node) => match self.text(&form, "action")? {
                "allow" | "audit" => Some(Action::Allow),
                "deny" | "block" => Some(Action::Deny),
                other => {
                    self.error(
                        node.place,
                        format!("there is no action `{other}`"),
                        "there are allow, deny, audit, block",
                    );
                    None
                }
            },
            None => None,
        };
        let condition = form.need("condition", "say when the rule holds", self.at, self.found);
        let condition = condition.and_then(|node| self.old_condition(node));
        let priority = self.priority(&form);
        let message = self.text(&form, "message").filter(|text| !text.is_empty());
        Some(ForeignRule {
            name: name?.to_owned(),
            place: form.place,
            action: action?,
            condition: condition?,
            message: message.map(str::to_owned),
            limit: None,
            priority,
        })
    }

    /// A field that is not there passes no test there, not even `ne`.
    fn old_condition(&mut self, node: &Node) -> Option<Expr> {
        let form = Form::open(node, "a condition", OLD_CONDITION, self.at, self.found)?;
        form.need("field", "say what is tested", self.at, self.found);
        form.need("operator", "say how", self.at, self.found);
        let value = form.need("value", "say with what", self.at, self.found)?;
        let field = self.text(&form, "field")?;
        let operator = self.text(&form, "operator")?;
        let (negated, check) = match operator {
            "eq" => (false, one(value)),
            "ne" => (true, one(value)),
            "in" => (false, several(value)),
            "not_in" => (true, several(value)),
            "gt" => (false, order(">", value)),
            "gte" => (false, order(">=", value)),
            "lt" => (false, order("<", value)),
            "lte" => (false, order("<=", value)),
            "contains" => {
                (false, plain(value).map(|text| Check::Shapes(vec![grammar::within(text)])))
            }
            "matches" => (false, plain(value).and_then(grammar::shapes).map(Check::Shapes)),
            other => {
                let known = "there are eq, ne, gt, gte, lt, lte, in, not_in, contains, matches";
                self.error(form.place, format!("there is no operator `{other}`"), known);
                return None;
            }
        };
        let Some(check) = check else {
            let hint = if operator == "matches" {
                PATTERN_HINT
            } else {
                "compare with a text, a whole number, true, false, or a list of texts or of whole numbers"
            };
            self.error(
                value.place,
                format!("`{operator}` cannot be carried over with this value"),
                hint,
            );
            return None;
        };
        // Of an argument that was left out, only its absence is true: so the opposite of a test, and being there.
        let test = self.fields.test(field, check, negated, form.place, self.at, self.found)?;
        Some(if negated { test.not() } else { test })
    }
}

fn plain(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Text(text) => Some(text),
        _ => None,
    }
}

fn number(node: &Node) -> Option<i64> {
    match &node.kind {
        Kind::Number(number, _) => number.as_i64(),
        _ => None,
    }
}

fn one(node: &Node) -> Option<Check> {
    if let Kind::Bool(value) = node.kind {
        return Some(Check::Yes(value));
    }
    plain(node)
        .map(|text| Check::Texts(vec![text.to_owned()]))
        .or_else(|| number(node).map(|one| Check::Numbers(vec![one])))
}

fn several(node: &Node) -> Option<Check> {
    let Kind::List(items) = &node.kind else { return None };
    if items.is_empty() {
        return None;
    }
    let texts: Option<Vec<String>> =
        items.iter().map(|one| plain(one).map(str::to_owned)).collect();
    texts
        .map(Check::Texts)
        .or_else(|| items.iter().map(number).collect::<Option<_>>().map(Check::Numbers))
}

fn order(sign: &str, node: &Node) -> Option<Check> {
    let Kind::Number(number, _) = &node.kind else { return None };
    grammar::order(sign, number.as_f64()?).map(|(check, _)| check)
}
