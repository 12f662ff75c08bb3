//! The files themselves, in both forms, to one list of rules.

mod older;
mod v1;

use lockgate_model::config::document::{Entry, Kind, Node, Place};

use super::expr::Expr;
use super::fields::Fields;
use crate::load::findings::{At, Findings};
use crate::load::form::{self, Form};

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
    /// The people who may approve; none for all who may.
    pub(super) approvers: Vec<String>,
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

    fn rules<'n>(&mut self, form: &Form<'n>) -> &'n [Node] {
        let rules = form.get("rules");
        rules.and_then(|node| form::list(node, "`rules`", self.at, self.found)).unwrap_or_default()
    }

    fn name<'n>(&mut self, form: &Form<'n>) -> Option<&'n str> {
        form.need("name", "give the rule a name", self.at, self.found)?;
        self.text(form, "name")
    }

    fn priority(&mut self, form: &Form<'_>) -> i64 {
        let node = form.get("priority");
        node.and_then(|node| form::whole(node, "`priority`", self.at, self.found)).unwrap_or(0)
    }
}
