//! A bucket as few bytes: a version, counts as LEB128 in a fixed order, then the users.

use lockgate_model::interaction::ErrorClass;

use super::Bucket;
use crate::amount::Amount;
use crate::distinct::Users;

/// The first byte. Another layout is another number.
const LAYOUT: u8 = 1;

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
        let mut bytes = vec![LAYOUT];
        for class in ErrorClass::ALL {
            put(&mut bytes, u128::from(self.errors.get(&class).copied().unwrap_or(0)));
        }
        let mut copy = self.clone();
        copy.counts(&mut |count| put(&mut bytes, u128::from(*count)));
        put(&mut bytes, zigzag(self.cost.sum_usd.nano()));
        bytes.extend(self.users.to_bytes());
        bytes
    }

    /// Reads what [`Bucket::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotABucket> {
        let (layout, mut rest) = bytes.split_first().ok_or(NotABucket::Broken)?;
        if *layout != LAYOUT {
            return Err(NotABucket::Layout(*layout));
        }
        let mut bucket = Self::default();
        for class in ErrorClass::ALL {
            let count = count(&mut rest).ok_or(NotABucket::Broken)?;
            if count > 0 {
                bucket.errors.insert(class, count);
            }
        }
        let mut is_whole = true;
        bucket.counts(&mut |place| match count(&mut rest) {
            Some(count) => *place = count,
            None => is_whole = false,
        });
        let sum = take(&mut rest).filter(|_| is_whole).ok_or(NotABucket::Broken)?;
        bucket.cost.sum_usd = Amount::from_nano(unzigzag(sum));
        bucket.users = Users::from_bytes(rest).map_err(|_| NotABucket::Broken)?;
        Ok(bucket)
    }

    /// Every count that is not by error, in the order in which they are written.
    fn counts(&mut self, each: &mut impl FnMut(&mut u64)) {
        let Self { outcomes, refused, cost, tokens, votes, anonymous, .. } = self;
        let counts = [
            &mut outcomes.resolved,
            &mut outcomes.escalated,
            &mut outcomes.failed,
            &mut outcomes.unknown,
            refused,
            anonymous,
            &mut cost.known,
            &mut cost.unknown,
            &mut tokens.input,
            &mut tokens.cached_input,
            &mut tokens.cache_write,
            &mut tokens.output,
            &mut tokens.unknown,
            &mut votes.plain.positive,
            &mut votes.plain.neutral,
            &mut votes.plain.negative,
        ];
        counts.into_iter().chain(&mut votes.answers).for_each(each);
    }
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
