//! Decimal numbers that add up exactly, in whichever order.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Billionths of one.
const NANO: i128 = 1_000_000_000;

/// The largest amount that is taken in, either side of zero.
pub const AMOUNT_MAX: i128 = 1_000_000_000_000_000;

/// Digits after the point that are kept; a further one rounds, half away from zero.
const PLACES: usize = 9;

/// The longest text of a number, bytes.
const TEXT_BYTES_MAX: usize = 64;

/// An amount of money, minutes or the like, in billionths. In JSON a text such as `"12.5"`; numbers are read too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

/// Why a number was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is no number: write it like `12.5` or `-3`, at most {AMOUNT_MAX}, without units or thousands marks"
)]
pub struct NotAnAmount {
    /// What was given, cut.
    pub given: String,
}

impl Amount {
    /// None.
    pub const ZERO: Self = Self(0);

    /// From billionths.
    pub const fn from_nano(nano: i128) -> Self {
        Self(nano)
    }

    /// A whole number.
    pub fn whole(number: u64) -> Self {
        Self(i128::from(number) * NANO)
    }

    /// Billionths.
    pub const fn nano(self) -> i128 {
        self.0
    }

    /// The nearest `f64`.
    pub fn as_f64(self) -> f64 {
        // Whole part and rest apart: each converts exactly below 2^53.
        (self.0 / NANO) as f64 + (self.0 % NANO) as f64 / NANO as f64
    }

    /// This many times; at the largest number when it would be beyond.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }

    /// `part / whole` of it, rounded towards zero; all of it when `whole` is not positive.
    #[must_use]
    pub fn share(self, part: i64, whole: i64) -> Self {
        if whole <= 0 {
            return self;
        }
        Self(self.0.saturating_mul(i128::from(part)) / i128::from(whole))
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Amount {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, |sum, amount| sum + amount)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nano = NANO.unsigned_abs();
        let (whole, rest) = (self.0.unsigned_abs() / nano, self.0.unsigned_abs() % nano);
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let rest = format!("{rest:09}");
        write!(f, "{sign}{whole}.{}", rest.trim_end_matches('0'))
    }
}

impl FromStr for Amount {
    type Err = NotAnAmount;

    /// Digits with at most one point and a sign, and an exponent as JSON has it.
    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let refused = || NotAnAmount { given: text.chars().take(40).collect() };
        let text = text.trim();
        if text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return Err(refused());
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                (mantissa, exponent.parse::<i32>().map_err(|_| refused())?)
            }
            None => (text, 0),
        };
        let (is_negative, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let nano = nano_of(digits, exponent).ok_or_else(refused)?;
        Ok(Self(if is_negative { -nano } else { nano }))
    }
}

fn nano_of(digits: &str, exponent: i32) -> Option<i128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
    // Where the point stands, counted from the first digit, and how many digits are billionths or more.
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    let kept = point + i64::try_from(PLACES).ok()?;
    let mut nano: i128 = 0;
    for at in 0..kept.max(0) {
        let digit = usize::try_from(at).ok().and_then(|at| all.get(at)).copied().unwrap_or(0);
        if nano == 0 && digit == 0 && at >= i64::try_from(all.len()).ok()? {
            break;
        }
        nano = nano.checked_mul(10)?.checked_add(i128::from(digit))?;
    }
    let next = usize::try_from(kept).ok().and_then(|at| all.get(at));
    let nano = nano + i128::from(next.is_some_and(|digit| *digit >= 5));
    (nano <= AMOUNT_MAX * NANO).then_some(nano)
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

/// A sum as it is stored: billionths, without the bound that what people write has.
pub(crate) mod stored {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use super::Amount;

    pub(crate) fn serialize<S: Serializer>(amount: &Amount, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&amount.nano())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Amount, D::Error> {
        let nano = String::deserialize(from)?;
        nano.parse().map(Amount::from_nano).map_err(de::Error::custom)
    }
}

struct AmountVisitor;

impl Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number such as 12.5, or a text of one")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
        self.visit_str(&number.to_string())
    }

    /// The shortest text that is this number stands for what was written.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Amount, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly_and_written_back_shortest() {
        for (given, shown) in [
            ("0", "0"),
            ("-0", "0"),
            ("12.50", "12.5"),
            (".5", "0.5"),
            ("+3", "3"),
            ("0.0000000004", "0"),
            ("0.0000000005", "0.000000001"),
            ("-0.0000000005", "-0.000000001"),
            ("1e-9", "0.000000001"),
            ("2.5E3", "2500"),
            ("1000000000000000", "1000000000000000"),
            ("123456789.123456789", "123456789.123456789"),
        ] {
            assert_eq!(given.parse::<Amount>().unwrap().to_string(), shown, "{given}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for given in [
            "",
            " ",
            ".",
            "1,000",
            "1.2.3",
            "NaN",
            "inf",
            "$5",
            "--1",
            "1e",
            "1e99",
            "1000000000000001",
            "٣",
        ] {
            assert!(given.parse::<Amount>().is_err(), "{given}");
        }
        assert!(serde_json::from_str::<Amount>("null").is_err());
    }

    #[test]
    fn json_numbers_stand_for_what_was_written() {
        for given in ["0.1", "\"0.1\"", "1e-1"] {
            assert_eq!(serde_json::from_str::<Amount>(given).unwrap(), "0.1".parse().unwrap());
        }
        assert_eq!(serde_json::to_string(&Amount::from_nano(1_500_000_000)).unwrap(), "\"1.5\"");
    }

    #[test]
    fn a_share_is_cut_towards_zero() {
        let amount: Amount = "10".parse().unwrap();
        assert_eq!(amount.share(1, 3).to_string(), "3.333333333");
        assert_eq!((-amount).share(1, 3).to_string(), "-3.333333333");
        assert_eq!(amount.share(5, 0), amount);
    }
}
