//! The older `PolicyDocument`.

use lockgate_model::config::document::{Kind, Node, Place};

use super::{Action, Foreign, ForeignRule, Reader};
use crate::import::expr::{Check, Expr};
use crate::import::grammar::{self, PATTERN_HINT};
use crate::load::form::Form;

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

impl Reader<'_, '_, '_> {
    pub(super) fn old(&mut self, root: &Node, file: &str) -> Option<Foreign> {
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
            approvers: Vec::new(),
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
