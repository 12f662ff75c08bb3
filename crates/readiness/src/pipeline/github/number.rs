//! Numbers in expressions, and what other values come to as numbers.

use super::expression::Value;

/// A number at the beginning of a text, and what follows it: `NaN`, `Infinity`, decimal, hexadecimal and octal ones.
pub(super) fn number(text: &str) -> Option<(f64, &str)> {
    let unsigned = text.trim_start_matches(['-', '+']);
    let is_one = unsigned.starts_with(|c: char| c.is_ascii_digit());
    let is_word = ["NaN", "Infinity"].iter().any(|word| unsigned.starts_with(word));
    if text.len() - unsigned.len() > 1 || !(is_one || is_word) {
        return None;
    }
    let mut end = text.len() - unsigned.len();
    for (at, c) in unsigned.char_indices() {
        let is_exponent = matches!(c, '-' | '+')
            && at > 0
            && unsigned[..at].ends_with(['e', 'E'])
            && !unsigned.starts_with("0x");
        if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || is_exponent) {
            break;
        }
        end = text.len() - unsigned.len() + at + c.len_utf8();
    }
    Some((parse(&text[..end])?, &text[end..]))
}

fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    let radix = |digits: &str, radix| {
        let value = i64::from_str_radix(digits, radix).ok()?;
        value.to_string().parse::<f64>().ok()
    };
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let is_plain = text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    let is_word = matches!(text.trim_start_matches(['-', '+']), "NaN" | "Infinity");
    (is_plain || is_word).then(|| text.parse().ok()).flatten()
}

/// What a value is as a number; none when that is not known.
pub(super) fn of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(value) => Some(*value),
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Null => Some(0.0),
        Value::Text(text) if text.trim().is_empty() => Some(0.0),
        Value::Text(text) => Some(parse(text).unwrap_or(f64::NAN)),
        Value::List(_) => Some(f64::NAN),
        _ => None,
    }
}

/// A number as it stands in a text.
pub(super) fn text(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { value.to_string() }
}
