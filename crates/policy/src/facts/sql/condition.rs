//! Whether a condition leaves any row out. Undecidable in general: what is not plain is not decided.

use sqlparser::ast::{BinaryOperator, Expr, Ident, InTarget, UnaryOperator, Value};

use crate::facts::Decided;

const UNDECIDED: Decided<bool> = Err("a condition that may be true of every row");

/// Whether the condition depends on the row, or is false of all of them.
pub(super) fn restricts(condition: &Expr) -> Decided<bool> {
    match condition {
        Expr::Nested(inner) => restricts(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            match (restricts(left), restricts(right)) {
                (Ok(true), _) | (_, Ok(true)) => Ok(true),
                (Ok(false), Ok(false)) => Ok(false),
                _ => UNDECIDED,
            }
        }
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            match (restricts(left), restricts(right)) {
                (Ok(false), _) | (_, Ok(false)) => Ok(false),
                // `a < 1 OR a >= 1` is true of every row; values one by one are not
                (Ok(true), Ok(true)) if is_listed(left) && is_listed(right) => Ok(true),
                _ => UNDECIDED,
            }
        }
        Expr::BinaryOp { left, op, right } => compared(left, op, right),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => match constant(expr) {
            Some(Constant::Bool(yes)) => Ok(yes),
            _ => UNDECIDED,
        },
        Expr::In { expr, target: InTarget::List(list), .. }
            if column(expr).is_some() && list.iter().all(is_fixed) =>
        {
            Ok(true)
        }
        Expr::Between { expr, low, high, .. }
            if column(expr).is_some() && is_fixed(low) && is_fixed(high) =>
        {
            Ok(true)
        }
        Expr::IsNull(expr) if column(expr).is_some() => Ok(true),
        Expr::Like { negated: false, any: false, expr, pattern, .. }
        | Expr::ILike { negated: false, any: false, expr, pattern, .. }
            if column(expr).is_some() =>
        {
            match constant(pattern) {
                Some(Constant::Text(text)) => Ok(!text.bytes().all(|byte| byte == b'%')),
                _ => UNDECIDED,
            }
        }
        other => match constant(other) {
            Some(Constant::Bool(yes)) => Ok(!yes),
            Some(Constant::Number(number)) => Ok(number == 0.0),
            Some(Constant::Null) => Ok(true),
            _ => UNDECIDED,
        },
    }
}

/// `column = value`, `column IN (values)`, and `OR` of those.
fn is_listed(condition: &Expr) -> bool {
    match condition {
        Expr::Nested(inner) => is_listed(inner),
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            is_listed(left) && is_listed(right)
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            column(left).is_some() && is_fixed(right) || column(right).is_some() && is_fixed(left)
        }
        Expr::In { expr, target: InTarget::List(_), negated: false, .. } => column(expr).is_some(),
        _ => false,
    }
}

fn compared(left: &Expr, op: &BinaryOperator, right: &Expr) -> Decided<bool> {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    if !matches!(op, Eq | NotEq | Gt | GtEq | Lt | LtEq) {
        return UNDECIDED;
    }
    match (column(left), column(right)) {
        (Some(left), Some(right)) if left == right => Ok(!matches!(op, Eq | GtEq | LtEq)),
        // `t.id = id` may be one column, or two
        (Some([.., left]), Some([.., right])) if left.value.eq_ignore_ascii_case(&right.value) => {
            UNDECIDED
        }
        (Some(_), Some(_)) => Ok(true),
        (Some(_), None) if is_fixed(right) => Ok(true),
        (None, Some(_)) if is_fixed(left) => Ok(true),
        (None, None) => {
            let order = match (constant(left), constant(right)) {
                (Some(Constant::Number(left)), Some(Constant::Number(right))) => {
                    left.partial_cmp(&right)
                }
                (Some(Constant::Text(left)), Some(Constant::Text(right))) if left == right => {
                    Some(std::cmp::Ordering::Equal)
                }
                _ => None,
            };
            let Some(order) = order else { return UNDECIDED };
            let holds = match op {
                Eq => order.is_eq(),
                NotEq => order.is_ne(),
                Gt => order.is_gt(),
                GtEq => order.is_ge(),
                Lt => order.is_lt(),
                _ => order.is_le(),
            };
            Ok(!holds)
        }
        _ => UNDECIDED,
    }
}

/// The parts of a column's name. What is in double quotes is a string to some databases.
fn column(expr: &Expr) -> Option<&[Ident]> {
    let parts = match expr {
        Expr::Nested(inner) => return column(inner),
        Expr::Identifier(name) => std::slice::from_ref(name),
        Expr::CompoundIdentifier(parts) => parts,
        _ => return None,
    };
    let plain = |part: &Ident| {
        part.quote_style.is_none_or(|quote| quote == '`')
            && !["true", "false", "rowid", "_rowid_", "oid"]
                .iter()
                .any(|word| part.value.eq_ignore_ascii_case(word))
    };
    parts.iter().all(plain).then_some(parts)
}

/// A value that is the same for every row: a literal, a parameter, the time, and sums of such.
fn is_fixed(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) | Expr::TypedString { .. } => true,
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => is_fixed(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => is_fixed(expr),
        Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::Minus, right } => {
            is_fixed(left) && is_fixed(right)
        }
        Expr::Interval(interval) => is_fixed(&interval.value),
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            let empty = function.args.to_string().trim_matches(['(', ')']).is_empty();
            empty
                && matches!(name.as_str(), "now" | "current_timestamp" | "current_date" | "curdate")
        }
        _ => false,
    }
}

enum Constant<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(&'a str),
}

fn constant(expr: &Expr) -> Option<Constant<'_>> {
    match expr {
        Expr::Nested(inner) => constant(inner),
        Expr::Value(value) => match &value.value {
            Value::Null => Some(Constant::Null),
            Value::Boolean(yes) => Some(Constant::Bool(*yes)),
            Value::Number(number, _) => number.parse().ok().map(Constant::Number),
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => {
                Some(Constant::Text(text))
            }
            _ => None,
        },
        _ => None,
    }
}
