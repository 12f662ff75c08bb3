//! Numbers as people read them. What is not known is an en dash, never a zero.

use jiff::Timestamp;
pub(crate) use lockgate_rollout::view::span;

/// Shown for what is not known.
pub(crate) const UNKNOWN: &str = "–";

fn or_unknown(text: Option<String>) -> String {
    text.unwrap_or_else(|| UNKNOWN.to_owned())
}

/// 1234567 as `1 234 567`, with narrow spaces.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Basis points as percent: `10 %`, `2.5 %`.
pub(crate) fn weight(bp: u32) -> String {
    let (whole, rest) = (bp / 100, bp % 100);
    match rest {
        0 => format!("{whole} %"),
        rest if rest % 10 == 0 => format!("{whole}.{} %", rest / 10),
        rest => format!("{whole}.{rest:02} %"),
    }
}

/// A share of 0 to 1 as percent.
pub(crate) fn share(share: Option<f64>) -> String {
    or_unknown(finite(share).map(|share| {
        let percent = share * 100.0;
        match percent.abs() {
            p if p == 0.0 || p >= 99.995 => format!("{percent:.0} %"),
            p if p < 10.0 => format!("{percent:.2} %"),
            _ => format!("{percent:.1} %"),
        }
    }))
}

/// Milliseconds.
pub(crate) fn millis(ms: Option<f64>) -> String {
    or_unknown(finite(ms).map(|ms| match ms {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 10_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }))
}

/// US dollars, small ones too.
pub(crate) fn usd(usd: Option<f64>) -> String {
    or_unknown(finite(usd).map(|usd| match usd.abs() {
        u if u == 0.0 || u >= 1.0 => format!("${usd:.2}"),
        u if u >= 0.01 => format!("${usd:.4}"),
        _ => format!("${usd:.6}"),
    }))
}

/// A number without a unit, to four digits.
pub(crate) fn plain(value: Option<f64>) -> String {
    or_unknown(finite(value).map(|value| {
        let decimals = if value.abs() >= 1_000.0 {
            0
        } else if value.abs() >= 10.0 {
            2
        } else {
            4
        };
        format!("{value:.decimals$}")
    }))
}

/// A score of −100 to 100.
pub(crate) fn score(score: Option<f64>) -> String {
    or_unknown(finite(score).map(|score| signed(score, 0)))
}

/// A number with its sign.
pub(crate) fn signed(value: f64, decimals: usize) -> String {
    let digits = format!("{:.decimals$}", value.abs());
    let zero = digits.chars().all(|c| matches!(c, '0' | '.'));
    match (zero, value < 0.0) {
        (true, _) => digits,
        (false, true) => format!("−{digits}"),
        (false, false) => format!("+{digits}"),
    }
}

/// NaN and infinities are not known either.
pub(crate) fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// A moment: the machine's form and the people's form, both UTC.
pub(crate) fn moment(wall_ms: i64) -> Moment {
    match Timestamp::from_millisecond(wall_ms) {
        Ok(time) => Moment {
            machine: time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            people: time.strftime("%-d %b %H:%M:%S").to_string(),
        },
        Err(_) => Moment { machine: String::new(), people: UNKNOWN.to_owned() },
    }
}

/// A moment in two forms.
pub(crate) struct Moment {
    pub(crate) machine: String,
    pub(crate) people: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_never_a_number() {
        for text in [share(None), millis(Some(f64::NAN)), usd(None), score(Some(f64::INFINITY))] {
            assert_eq!(text, UNKNOWN);
        }
        assert_eq!(share(Some(0.0)), "0 %");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(
            (weight(250), weight(10_000), weight(5)),
            ("2.5 %".into(), "100 %".into(), "0.05 %".into())
        );
        assert_eq!(share(Some(0.0042)), "0.42 %");
        assert_eq!(share(Some(0.987)), "98.7 %");
        assert_eq!(millis(Some(182.4)), "182 ms");
        assert_eq!(usd(Some(0.00214)), "$0.002140");
        assert_eq!(score(Some(-12.0)), "−12");
        assert_eq!(signed(-0.001, 2), "0.00");
        assert_eq!(
            (span(0), span(45_000), span(12_060_000)),
            ("0 s".into(), "45 s".into(), "3 h 21 min".into())
        );
        assert_eq!(moment(0).people, "1 Jan 00:00:00");
    }
}
