//! Amounts of money, as whole numbers of the currency's smallest unit.
//!
//! An amount is known where every reader makes the same of it: no separators of thousands, no exponent, no more places
//! than the currency has (`1.000` is a thousand to many), and within what a double holds.

mod currency;

use serde_json::{Number, Value};

use super::plain::LONG_MAX;
use super::{Decided, Fact, Kind, Shape, unknown};

/// The longest amount with its currency.
pub(super) const BYTES_MAX: usize = 64;

/// - `currency`: the code of ISO 4217, in upper case; `none` where none is given
/// - `minor`: the amount in minor units, negative where it is
pub(super) const FACTS: Shape = &[("currency", Kind::Text), ("minor", Kind::Long)];

/// The currency of an amount that is given without one.
const NONE: &str = "none";

/// `"12.34 EUR"`, or an object of `amount` and `currency`.
pub(super) fn extract(argument: &Value) -> Vec<Fact> {
    match argument {
        Value::Object(object) => {
            let known = |name: &String| name == "amount" || name == "currency";
            if !object.keys().all(known) {
                return unknown(FACTS, "members other than amount and currency");
            }
            facts(object.get("amount"), object.get("currency"))
        }
        Value::String(text) if text.len() > BYTES_MAX => unknown(FACTS, "too long"),
        Value::String(text) => match text.split_once(' ') {
            Some((amount, currency)) => priced(decimal(amount), currency),
            None => {
                vec![Fact::Text(NONE.to_owned()), Fact::Unknown("an amount without a currency")]
            }
        },
        Value::Number(_) => facts(Some(argument), None),
        _ => unknown(FACTS, "not an amount"),
    }
}

/// A whole number of minor units; its currency is not given.
pub(super) fn extract_minor(argument: &Value) -> Vec<Fact> {
    vec![Fact::Text(NONE.to_owned()), super::plain::whole(argument).into()]
}

fn facts(amount: Option<&Value>, currency: Option<&Value>) -> Vec<Fact> {
    let amount = match amount {
        Some(Value::String(text)) if text.len() <= BYTES_MAX => decimal(text),
        Some(Value::Number(number)) => of_number(number),
        Some(Value::String(_)) => Err("too long"),
        _ => Err("not an amount"),
    };
    match currency {
        Some(Value::String(code)) => priced(amount, code),
        Some(_) => unknown(FACTS, "the currency is not a text"),
        None => {
            let why = amount.err().unwrap_or("an amount without a currency");
            vec![Fact::Text(NONE.to_owned()), Fact::Unknown(why)]
        }
    }
}

fn priced(amount: Decided<Decimal>, code: &str) -> Vec<Fact> {
    let Some((code, places)) = currency::of(code) else {
        return unknown(FACTS, "not a currency of ISO 4217");
    };
    vec![Fact::Text(code), amount.and_then(|amount| amount.minor(places)).into()]
}

/// A decimal number as written.
struct Decimal {
    negative: bool,
    /// All digits, as if there were no point.
    digits: u64,
    /// How many of them follow the point.
    places: u32,
}

impl Decimal {
    fn minor(&self, places: u32) -> Decided<i64> {
        let more = places.checked_sub(self.places).ok_or("more places than the currency has")?;
        let minor = 10_u64
            .checked_pow(more)
            .and_then(|factor| self.digits.checked_mul(factor))
            .and_then(|minor| i64::try_from(minor).ok())
            .filter(|minor| *minor <= LONG_MAX)
            .ok_or("too large")?;
        Ok(if self.negative { -minor } else { minor })
    }
}

fn of_number(number: &Number) -> Decided<Decimal> {
    let negative = number.as_f64().is_some_and(f64::is_sign_negative);
    if number.is_f64() {
        // the shortest text that is this double: `12.34` is one, the sum of `0.1` and `0.2` is `0.30000000000000004`
        return decimal(&number.as_f64().ok_or("not an amount")?.to_string());
    }
    let digits = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    Ok(Decimal { negative, digits: digits.ok_or("too large")?, places: 0 })
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?`, but no negative zero.
fn decimal(text: &str) -> Decided<Decimal> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((_, "")) => return Err("not a plain decimal number"),
        Some((whole, fraction)) => (whole, fraction),
        None => (unsigned, ""),
    };
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    let mut all = whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || leading_zero || !all.all(|byte| byte.is_ascii_digit()) {
        return Err("not a plain decimal number");
    }
    let mut digits = 0_u64;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = u64::from(byte - b'0');
        digits = digits.checked_mul(10).and_then(|d| d.checked_add(digit)).ok_or("too large")?;
    }
    if negative && digits == 0 {
        return Err("a negative zero");
    }
    let places = u32::try_from(fraction.len()).map_err(|_| "too long")?;
    Ok(Decimal { negative, digits, places })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn minor(argument: &Value) -> Option<i64> {
        match extract(argument).swap_remove(1) {
            Fact::Long(minor) => Some(minor),
            _ => None,
        }
    }

    #[test]
    fn amounts_are_minor_units_of_their_currency() {
        for (argument, expected) in [
            (json!("12.34 EUR"), 1234),
            (json!("12.3 eur"), 1230),
            (json!("-12 USD"), -1200),
            (json!("500 JPY"), 500),
            (json!("1.234 KWD"), 1234),
            (json!({"amount": 12.34, "currency": "EUR"}), 1234),
            (json!({"amount": 12, "currency": "EUR"}), 1200),
            (json!({"amount": -12, "currency": "EUR"}), -1200),
            (json!({"amount": "0.07", "currency": "EUR"}), 7),
            (json!({"amount": 100.0, "currency": "JPY"}), 100),
        ] {
            assert_eq!(minor(&argument), Some(expected), "{argument}");
        }
    }

    #[test]
    fn amounts_with_several_readings_are_not_decided() {
        for text in [
            "1,234.56 EUR",
            "1.000 EUR",
            "1e3 EUR",
            "-0 EUR",
            "-0.00 EUR",
            ".5 EUR",
            "5. EUR",
            "05 EUR",
            "+5 EUR",
            "12.34",
            "12.34  EUR",
            "12.34 EUR ",
            "€5",
            "5 €",
            "NaN EUR",
            "1.5 JPY",
            "１ EUR",
            "5 XXX",
            "5 BTC",
            "90071992547409.93 EUR",
            "99999999999999999999999 EUR",
            "",
        ] {
            assert_eq!(minor(&json!(text)), None, "{text}");
        }
        for argument in [
            json!({"amount": 12.345, "currency": "EUR"}),
            json!({"amount": -0.0, "currency": "EUR"}),
            json!({"amount": 1e300, "currency": "EUR"}),
            json!({"amount": 0.1 + 0.2, "currency": "EUR"}),
            json!({"amount": 5, "currency": "EUR", "value": 7}),
            json!({"amount": 5, "currency": 978}),
            json!(null),
        ] {
            assert_eq!(minor(&argument), None, "{argument}");
        }
        assert_eq!(extract(&json!(5))[0], Fact::Text("none".to_owned()));
    }

    #[test]
    fn minor_units_are_whole() {
        assert_eq!(extract_minor(&json!(-5))[1], Fact::Long(-5));
        assert_eq!(extract_minor(&json!(5.0))[1], Fact::Unknown("not a whole number"));
    }
}
