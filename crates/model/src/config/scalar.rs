//! What an unquoted word means: the core schema of YAML 1.2, where `yes`, `on` and `off` are text.

use serde_json::Number;

use super::node::Kind;

/// The value of an unquoted word, or why it is refused.
pub(super) fn resolve(text: &str) -> Result<Kind, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ if is_not_finite(text) => return Err(format!("`{text}` is not a number to work with")),
        _ => match number(text) {
            Some(Ok(number)) => Kind::Number(number, text.to_owned()),
            Some(Err(())) => return Err(format!("`{text}` is too large a number")),
            None => Kind::Text(text.to_owned()),
        },
    })
}

fn is_not_finite(text: &str) -> bool {
    let bare = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(bare, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
}

/// `None` when the word is no number, `Err` when it is one that does not fit.
fn number(text: &str) -> Option<Result<Number, ()>> {
    let based = |digits: &str, base| i64::from_str_radix(digits, base).map(Number::from).ok();
    let of_base = |digits: &str, base| {
        let all = !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
        all.then(|| based(digits, base).ok_or(()))
    };
    if let Some(octal) = text.strip_prefix("0o") {
        return of_base(octal, 8);
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return of_base(hex, 16);
    }
    let bare = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !bare.is_empty() && bare.chars().all(|c| c.is_ascii_digit()) {
        let whole = text.strip_prefix('+').unwrap_or(text);
        let exact = whole.parse::<i64>().map(Number::from).ok();
        return Some(exact.or_else(|| whole.parse::<u64>().map(Number::from).ok()).ok_or(()));
    }
    is_decimal(bare).then(|| {
        // Rust reads every form that the core schema has, but for a leading `+` before `.5`.
        let value = text.strip_prefix('+').unwrap_or(text).parse::<f64>().map_err(drop)?;
        Number::from_f64(value).ok_or(())
    })
}

/// `.5`, `5.`, `5.5`, each with an exponent or without.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some((whole, part)) => {
            digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty())
        }
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_ok = exponent.is_none_or(|exponent| {
        let bare = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !bare.is_empty() && digits(bare)
    });
    mantissa_ok && exponent_ok
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_yaml_1_2_says() {
        let number = |text: &str| match resolve(text) {
            Ok(Kind::Number(number, _)) => number.as_f64(),
            _ => None,
        };
        for (text, value) in [
            ("10", 10.0),
            ("-5", -5.0),
            ("+5", 5.0),
            ("0x10", 16.0),
            ("0o17", 15.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1e3),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in ["on", "off", "yes", "NaN", "inf", "1.2.3", "4h", "-", ".", "e5", "1e", "0x"] {
            assert_eq!(resolve(text), Ok(Kind::Text(text.to_owned())));
        }
        for text in [".nan", ".NaN", "-.inf", ".INF", "1e999", "99999999999999999999999"] {
            assert!(resolve(text).is_err(), "{text}");
        }
        assert_eq!(resolve("~"), Ok(Kind::Null));
    }
}
