//! Numbers as people read them.

use crate::catalog::Unit;
use crate::measured::Range;

/// A number without its unit: thousands marked, two digits after the point, or four significant ones of a small number.
pub(super) fn plain(value: f64) -> String {
    let size = value.abs();
    let places = match size {
        size if size >= 1_000.0 => 0,
        size if size >= 1.0 || size == 0.0 => 2,
        size if size >= 0.01 => 4,
        _ => 7,
    };
    let text = format!("{size:.places$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let digits = whole.len();
    let grouped: String = whole
        .chars()
        .enumerate()
        .flat_map(|(at, digit)| {
            let mark = (at > 0 && (digits - at).is_multiple_of(3)).then_some(',');
            mark.into_iter().chain([digit])
        })
        .collect();
    let sign = if value < 0.0 && text != "0" { "−" } else { "" };
    format!("{sign}{grouped}{rest}")
}

/// A number with its unit.
pub(super) fn with_unit(value: f64, unit: Unit) -> String {
    format!("{}{}", plain(value), unit.suffix())
}

/// A difference, which always has a sign.
pub(super) fn signed(value: f64, unit: Unit) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    let unit = if unit == Unit::Percent { Unit::PercentagePoints } else { unit };
    format!("{sign}{}", with_unit(value, unit))
}

/// Where the truth can lie.
pub(super) fn range(range: Range) -> String {
    match (range.low, range.high) {
        (Some(low), Some(high)) => format!("{} to {}", plain(low), plain(high)),
        (Some(low), None) => format!("at least {}", plain(low)),
        (None, Some(high)) => format!("at most {}", plain(high)),
        (None, None) => "anything".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_marked() {
        for (value, shown) in [
            (0.0, "0"),
            (-0.0, "0"),
            (80.0, "80"),
            (85.714_285, "85.71"),
            (-3.5, "−3.5"),
            (999.994, "999.99"),
            (1_234.5, "1,234"),
            (-1_234_567.0, "−1,234,567"),
            (0.012_345, "0.0123"),
            (0.000_012, "0.000012"),
            (-0.000_000_001, "0"),
        ] {
            assert_eq!(plain(value), shown);
        }
        assert_eq!(signed(5.0, Unit::Percent), "+5 pp");
        assert_eq!(signed(-5.0, Unit::Usd), "−5 USD");
        assert_eq!(range(Range { low: None, high: Some(2.0) }), "at most 2");
    }
}
