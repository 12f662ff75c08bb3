//! Bounds on what an event may say.

use super::{Invalid, in_range};
use crate::amount::Amount;

/// The largest count in one event.
pub(super) const COUNT_MAX: u64 = 1_000_000_000_000;

/// Minutes that one task can save or cost: a year.
pub(super) const MINUTES_MAX: u64 = 525_600;

/// Three capital letters.
pub(super) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

pub(super) fn within(
    field: &str,
    value: Amount,
    least: Amount,
    most: Amount,
) -> Result<(), Invalid> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Invalid::new(field, format!("{value} is not between {least} and {most}")))
}

pub(super) fn counted(field: &str, count: u64) -> Result<(), Invalid> {
    if (1..=COUNT_MAX).contains(&count) {
        return Ok(());
    }
    Err(Invalid::new(field, format!("{count} is not between 1 and {COUNT_MAX}")))
}

pub(super) fn headcount(counts: &[(&str, Option<u64>)]) -> Result<(), Invalid> {
    let mut given =
        counts.iter().filter_map(|(field, count)| count.map(|count| (*field, count))).peekable();
    if given.peek().is_none() {
        return Err(Invalid::new(
            "employees",
            "give at least one of employees, knowledge_workers and seats",
        ));
    }
    given.try_for_each(|(field, count)| counted(field, count))
}

pub(super) fn after(field: &str, at: Option<i64>, least: i64, what: &str) -> Result<(), Invalid> {
    let Some(at) = at else { return Ok(()) };
    in_range(field, at)?;
    if at < least {
        return Err(Invalid::new(field, format!("it is before {what}")));
    }
    Ok(())
}
