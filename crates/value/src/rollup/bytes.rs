//! A bucket as few bytes: a version, counts as LEB128 in a fixed order, where prices came from, then the users.

use std::collections::BTreeMap;

use lockgate_model::interaction::ErrorClass;

use super::Bucket;
use super::Unpriced;
use super::prices::{MODELS_MAX, NAME_BYTES_MAX, Prices, TABLES_MAX};
use crate::amount::Amount;
use crate::distinct::Users;

/// The first byte. Another layout is another number.
const LAYOUT: u8 = 3;
/// Of one that knows the first four reasons for costs that are not known.
const FEWER_REASONS: u8 = 2;
const REASONS_BEFORE: usize = 4;
/// Of one that says nothing about prices, as all did once.
const WITHOUT_PRICES: u8 = 1;

/// The largest count, but of tokens, which whoever answers says: what no service comes to, and what adds up a thousand
/// times without an overflow.
const COUNT_MAX: u64 = 1 << 53;

/// The largest sum of costs, billionths of a US dollar: that many of the largest.
const COST_MAX_NANO: u128 = (COUNT_MAX as u128) << 64;

/// Why bytes are no bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotABucket {
    /// Written by a version that knows more.
    #[error(
        "a rollup has layout {0}, and this version of Lockgate reads {LAYOUT}; use the version that wrote it, or a newer one"
    )]
    Layout(u8),
    /// Cut short, or not written here.
    #[error("these bytes are no rollup")]
    Broken,
}

impl Bucket {
    /// The compact form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let has_prices = !self.prices.is_empty();
        let mut bytes = vec![if has_prices { LAYOUT } else { WITHOUT_PRICES }];
        for class in ErrorClass::ALL {
            put(&mut bytes, u128::from(self.errors.get(&class).copied().unwrap_or(0)));
        }
        let mut copy = self.clone();
        copy.counts(&mut |count, _| put(&mut bytes, u128::from(*count)));
        put(&mut bytes, zigzag(self.cost.sum_usd.nano()));
        if has_prices {
            put_prices(&mut bytes, &self.prices);
        }
        bytes.extend(self.users.to_bytes());
        bytes
    }

    /// Reads what [`Bucket::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotABucket> {
        let (layout, mut rest) = bytes.split_first().ok_or(NotABucket::Broken)?;
        if !matches!(*layout, WITHOUT_PRICES | FEWER_REASONS | LAYOUT) {
            return Err(NotABucket::Layout(*layout));
        }
        let mut bucket = Self::default();
        for class in ErrorClass::ALL {
            let count =
                count(&mut rest).filter(|count| *count <= COUNT_MAX).ok_or(NotABucket::Broken)?;
            if count > 0 {
                bucket.errors.insert(class, count);
            }
        }
        let mut is_whole = true;
        bucket.counts(&mut |place, most| match count(&mut rest).filter(|count| *count <= most) {
            Some(count) => *place = count,
            None => is_whole = false,
        });
        let sum = take(&mut rest).filter(|_| is_whole).map(unzigzag);
        let sum = sum.filter(|sum| sum.unsigned_abs() <= COST_MAX_NANO);
        bucket.cost.sum_usd = Amount::from_nano(sum.ok_or(NotABucket::Broken)?);
        let reasons = match *layout {
            LAYOUT => &Unpriced::ALL[..],
            FEWER_REASONS => &Unpriced::ALL[..REASONS_BEFORE],
            _ => &[],
        };
        if !reasons.is_empty() {
            bucket.prices = take_prices(&mut rest, reasons).ok_or(NotABucket::Broken)?;
        }
        bucket.users = Users::from_bytes(rest).map_err(|_| NotABucket::Broken)?;
        Ok(bucket)
    }

    /// Every count that is not by error, in the order in which they are written, with the largest that it may be.
    fn counts(&mut self, each: &mut impl FnMut(&mut u64, u64)) {
        let Self { outcomes, refused, cost, tokens, votes, anonymous, .. } = self;
        let before = [
            &mut outcomes.resolved,
            &mut outcomes.escalated,
            &mut outcomes.failed,
            &mut outcomes.unknown,
            refused,
            anonymous,
            &mut cost.known,
            &mut cost.unknown,
        ];
        // Their sums stay at the largest number.
        let of_tokens = [
            &mut tokens.input,
            &mut tokens.cached_input,
            &mut tokens.cache_write,
            &mut tokens.output,
        ];
        let after = [
            &mut tokens.unknown,
            &mut votes.plain.positive,
            &mut votes.plain.neutral,
            &mut votes.plain.negative,
        ];
        for count in before {
            each(count, COUNT_MAX);
        }
        for count in of_tokens {
            each(count, u64::MAX);
        }
        for count in after.into_iter().chain(&mut votes.answers) {
            each(count, COUNT_MAX);
        }
    }
}

fn put_prices(bytes: &mut Vec<u8>, prices: &Prices) {
    put_names(bytes, &prices.tables);
    for why in Unpriced::ALL {
        put_names(bytes, prices.unpriced.get(&why).unwrap_or(&BTreeMap::new()));
    }
}

fn take_prices(bytes: &mut &[u8], reasons: &[Unpriced]) -> Option<Prices> {
    let mut prices = Prices { tables: take_names(bytes, TABLES_MAX)?, ..Prices::default() };
    for why in reasons {
        let models = take_names(bytes, MODELS_MAX)?;
        if !models.is_empty() {
            prices.unpriced.insert(*why, models);
        }
    }
    // Nothing else is written without prices.
    Some(prices).filter(|prices| !prices.is_empty())
}

fn put_names(bytes: &mut Vec<u8>, names: &BTreeMap<String, u64>) {
    put(bytes, names.len() as u128);
    for (name, count) in names {
        put(bytes, name.len() as u128);
        bytes.extend(name.as_bytes());
        put(bytes, u128::from(*count));
    }
}

fn size(bytes: &mut &[u8], max: usize) -> Option<usize> {
    usize::try_from(take(bytes)?).ok().filter(|size| *size <= max)
}

fn take_names(bytes: &mut &[u8], max: usize) -> Option<BTreeMap<String, u64>> {
    let mut names = BTreeMap::new();
    for _ in 0..size(bytes, max)? {
        let length = size(bytes, NAME_BYTES_MAX)?;
        let (name, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        let name = String::from_utf8(name.to_vec()).ok()?;
        names.insert(name, count(bytes).filter(|count| *count <= COUNT_MAX)?);
    }
    Some(names)
}

fn zigzag(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)).cast_unsigned()
}

fn unzigzag(number: u128) -> i128 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

fn put(bytes: &mut Vec<u8>, mut number: u128) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn take(bytes: &mut &[u8]) -> Option<u128> {
    let mut number: u128 = 0;
    for shift in (0..128).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u128::from(byte & 0x7f);
        if part.leading_zeros() < shift {
            return None;
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn count(bytes: &mut &[u8]) -> Option<u64> {
    take(bytes).and_then(|number| u64::try_from(number).ok())
}
