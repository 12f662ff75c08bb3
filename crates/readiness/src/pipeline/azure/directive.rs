//! Keys between `${{` and `}}`: conditions and loops of templates.

use std::rc::Rc;

use super::expression::evaluate;
use super::view::{View, whole};
use crate::finding::cut;
use crate::yaml::Node;

/// `if` and what follows it: the first that holds is taken.
#[derive(Default)]
pub(super) enum Chain {
    #[default]
    Open,
    /// One before may have held; why that is not known.
    Unsure(Rc<str>),
    Taken,
}

impl Chain {
    /// What stands under a condition, when it holds or may hold.
    pub(super) fn take<'a>(&mut self, asked: &Directive<'_>, value: View<'a>) -> Option<View<'a>> {
        let condition = match asked {
            Directive::If(condition) => {
                *self = Self::Open;
                Some(*condition)
            }
            Directive::ElseIf(condition) => Some(*condition),
            _ => None,
        };
        if matches!(self, Self::Taken) {
            return None;
        }
        let holds = condition.map_or(Ok(true), |text| evaluate(text, &*value.around).truth());
        match holds {
            Ok(false) => return None,
            Ok(true) => {}
            Err(why) => {
                let condition = cut(condition.unwrap_or_default(), 80);
                *self = Self::Unsure(format!("`${{{{ if {condition} }}}}`: {why}").into());
            }
        }
        if let Self::Unsure(why) = self {
            return Some(value.unless_sure(Some(&*why)));
        }
        *self = Self::Taken;
        Some(value)
    }
}

/// What a key between `${{` and `}}` asks.
pub(super) enum Directive<'t> {
    If(&'t str),
    ElseIf(&'t str),
    Else,
    Each(&'t str, &'t str),
    Value(&'t str),
}

pub(super) fn directive(key: &str) -> Option<Directive<'_>> {
    let inner = whole(key)?;
    let (word, rest) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
    Some(match word {
        "if" => Directive::If(rest),
        "elseif" => Directive::ElseIf(rest),
        "else" => Directive::Else,
        "each" => {
            let (name, list) = rest.split_once(" in ")?;
            Directive::Each(name.trim(), list)
        }
        _ => Directive::Value(inner),
    })
}

/// The conditions and loops that an item of a list is made of; none when it is an item of its own.
pub(super) fn directives(node: &Node) -> Vec<(Directive<'_>, &Node)> {
    let mut all = Vec::new();
    for entry in node.entries() {
        match directive(&entry.key) {
            None | Some(Directive::Value(_)) => return Vec::new(),
            Some(asked) => all.push((asked, &entry.value)),
        }
    }
    all
}
