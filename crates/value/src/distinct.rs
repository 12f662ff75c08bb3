//! How many different users there were, in bounded space.
//!
//! Up to [`EXACT_MAX`] users are kept one by one and counted exactly. Beyond that it is a HyperLogLog sketch of
//! [`REGISTERS`] registers, whose standard error is [`STANDARD_ERROR`]. Flajolet, Fusy, Gandouet, Meunier, `HyperLogLog`:
//! the analysis of a near-optimal cardinality estimation algorithm, `AofA` 2007; estimated as in Ertl, New cardinality
//! estimation algorithms for `HyperLogLog` sketches, arXiv 1702.01284, section 4, which needs no tables and no threshold.
//!
//! Merging is associative, commutative and idempotent: the result depends on nothing but the set of users.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The most users that are counted exactly.
pub const EXACT_MAX: usize = 512;

/// Bits of a hash that choose the register.
const INDEX_BITS: u32 = 12;

/// Registers of the sketch.
pub const REGISTERS: usize = 1 << INDEX_BITS;

/// Standard error of the sketch's estimate, relative: 1.04 / √4096.
pub const STANDARD_ERROR: f64 = 1.04 / 64.0;

/// The largest value of a register: one more than the bits that choose none.
const RANK_MAX: u8 = 64 - 12 + 1;

/// Bits in which a register is written.
const REGISTER_BITS: usize = 6;

/// Different users, by salted hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users(Kept);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kept {
    Exact(BTreeSet<u64>),
    Sketch(Box<[u8]>),
}

/// Why bytes are no users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no set of users")]
pub struct NotUsers;

impl Default for Users {
    fn default() -> Self {
        Self(Kept::Exact(BTreeSet::new()))
    }
}

impl Users {
    /// Counts a user, by a hash of 64 bits. Which bits say most does not matter.
    pub fn insert(&mut self, hash: u64) {
        match &mut self.0 {
            Kept::Exact(users) => {
                users.insert(hash);
            }
            Kept::Sketch(registers) => note(registers, hash),
        }
        self.shrink();
    }

    /// Adds the users of `other`.
    pub fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (Kept::Exact(users), Kept::Exact(others)) => users.extend(others),
            (Kept::Sketch(registers), Kept::Exact(others)) => {
                note_all(registers, others);
            }
            (Kept::Exact(users), Kept::Sketch(others)) => {
                let mut registers = others.clone();
                note_all(&mut registers, users);
                self.0 = Kept::Sketch(registers);
            }
            (Kept::Sketch(registers), Kept::Sketch(others)) => {
                registers
                    .iter_mut()
                    .zip(others)
                    .for_each(|(rank, other)| *rank = (*rank).max(*other));
            }
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        if let Kept::Exact(users) = &self.0
            && users.len() > EXACT_MAX
        {
            let mut registers = vec![0; REGISTERS].into_boxed_slice();
            note_all(&mut registers, users);
            self.0 = Kept::Sketch(registers);
        }
    }

    /// How many there are, rounded.
    pub fn count(&self) -> f64 {
        match &self.0 {
            Kept::Exact(users) => users.len() as f64,
            Kept::Sketch(registers) => estimate(registers).round(),
        }
    }

    /// Whether [`Users::count`] is exact.
    pub fn is_exact(&self) -> bool {
        matches!(self.0, Kept::Exact(_))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Kept::Exact(users) if users.is_empty())
    }

    /// A compact form: a byte that says which, then how many hashes there are in two bytes and the hashes in order, or
    /// registers of 6 bits.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Kept::Exact(users) => {
                let count = u16::try_from(users.len()).unwrap_or(u16::MAX).to_be_bytes();
                let hashes = users.iter().flat_map(|hash| hash.to_be_bytes());
                std::iter::once(0).chain(count).chain(hashes).collect()
            }
            Kept::Sketch(registers) => {
                std::iter::once(1).chain(registers.chunks(4).flat_map(packed)).collect()
            }
        }
    }

    /// Reads what [`Users::to_bytes`] wrote, and nothing else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotUsers> {
        let users = match bytes {
            [0, _, _, hashes @ ..] if hashes.len() <= 8 * EXACT_MAX => {
                let (hashes, _) = hashes.as_chunks::<8>();
                Self(Kept::Exact(hashes.iter().map(|hash| u64::from_be_bytes(*hash)).collect()))
            }
            [1, packed @ ..] if packed.len() == REGISTERS * REGISTER_BITS / 8 => {
                let (threes, _) = packed.as_chunks::<3>();
                let registers: Box<[u8]> =
                    threes.iter().flat_map(|three| unpacked(*three)).collect();
                if registers.iter().any(|rank| *rank > RANK_MAX) {
                    return Err(NotUsers);
                }
                Self(Kept::Sketch(registers))
            }
            _ => return Err(NotUsers),
        };
        // Cut short, out of order or twice is another writer's.
        (users.to_bytes() == bytes).then_some(users).ok_or(NotUsers)
    }
}

/// Four registers in three bytes.
fn packed(four: &[u8]) -> [u8; 3] {
    let bits = four.iter().fold(0u32, |bits, rank| bits << REGISTER_BITS | u32::from(*rank));
    let [_, a, b, c] = bits.to_be_bytes();
    [a, b, c]
}

fn unpacked([a, b, c]: [u8; 3]) -> [u8; 4] {
    [a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63]
}

fn note_all(registers: &mut [u8], hashes: &BTreeSet<u64>) {
    for hash in hashes {
        note(registers, *hash);
    }
}

fn note(registers: &mut [u8], hash: u64) {
    let hash = mixed(hash);
    let rest = hash << INDEX_BITS;
    let rank = (rest.leading_zeros() + 1).min(u32::from(RANK_MAX));
    let index = usize::try_from(hash >> (64 - INDEX_BITS)).unwrap_or_default();
    if let (Some(register), Ok(rank)) = (registers.get_mut(index), u8::try_from(rank)) {
        *register = (*register).max(rank);
    }
}

/// The finaliser of `SplitMix64`: every bit of the result depends on all of the hash.
fn mixed(hash: u64) -> u64 {
    let hash = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// Ertl's improved raw estimator, algorithm 6.
fn estimate(registers: &[u8]) -> f64 {
    let m = REGISTERS as f64;
    let mut counts = [0u32; RANK_MAX as usize + 1];
    for rank in registers {
        if let Some(count) = counts.get_mut(usize::from(*rank)) {
            *count += 1;
        }
    }
    let share = |rank: usize| f64::from(counts[rank]) / m;
    let last = usize::from(RANK_MAX);
    let mut z = m * tau(1.0 - share(last));
    for rank in (1..last).rev() {
        z = 0.5 * (z + f64::from(counts[rank]));
    }
    z += m * sigma(share(0));
    m * m / (2.0 * std::f64::consts::LN_2 * z)
}

/// Σ x^(2^k) 2^(k−1) and x, for k from 1.
fn sigma(x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (x, 1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

/// (1 − x − Σ (1 − x^(2^−k))² 2^(−k)) / 3, for k from 1.
fn tau(x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut z) = (x, 1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

impl Serialize for Users {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for Users {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD_NO_PAD.decode(text).map_err(de::Error::custom)?;
        Self::from_bytes(&bytes).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn users(hashes: impl IntoIterator<Item = u64>) -> Users {
        let mut users = Users::default();
        hashes.into_iter().for_each(|hash| users.insert(hash));
        users
    }

    #[test]
    fn counts_are_exact_up_to_the_stated_size_and_then_within_the_stated_error() {
        let exact = users(0..EXACT_MAX as u64);
        assert_eq!((exact.count(), exact.is_exact()), (512.0, true));
        // Numbers in a row are the worst hashes there are; four standard errors are left 6 times in 100,000.
        for n in [513, 1_000, 4_096, 20_000, 100_000, 1_000_000] {
            let estimated = users(0..n);
            assert!(!estimated.is_exact());
            let error = estimated.count() / n as f64 - 1.0;
            assert!(error.abs() < 4.0 * STANDARD_ERROR, "{n}: {error}");
        }
    }

    #[test]
    fn the_error_over_many_sets_is_the_stated_one() {
        let errors = (0..60u64).map(|set| {
            let n = 5_000;
            users((0..n).map(|user| mixed(set << 32 | user))).count() / n as f64 - 1.0
        });
        let squares: f64 = errors.map(|error| error * error).sum();
        let deviation = (squares / 60.0).sqrt();
        assert!((0.6..1.4).contains(&(deviation / STANDARD_ERROR)), "{deviation}");
    }

    #[test]
    fn bytes_of_another_writer_are_refused() {
        let sketch = users(0..600).to_bytes();
        assert_eq!(sketch.len(), 3_073);
        for bad in [
            vec![],
            vec![2],
            vec![0, 1],
            vec![0, 0, 1],
            vec![0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1],
            vec![1; 3_072],
            [&[1][..], &[255; 3_072]].concat(),
            vec![0; 3 + 8 * (EXACT_MAX + 1)],
        ] {
            assert_eq!(Users::from_bytes(&bad), Err(NotUsers));
        }
    }

    fn sets() -> impl Strategy<Value = Users> {
        prop_oneof![
            prop::collection::vec(0..900u64, 0..40),
            prop::collection::vec(0..900u64, 400..900)
        ]
        .prop_map(users)
    }

    fn merged(a: &Users, b: &Users) -> Users {
        let mut all = a.clone();
        all.merge(b);
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn merging_knows_no_order_and_no_twice(a in sets(), b in sets(), c in sets()) {
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &a), a.clone());
            prop_assert_eq!(merged(&merged(&a, &b), &b), merged(&a, &b));
        }

        #[test]
        fn merging_is_counting_together(a in prop::collection::vec(0..2_000u64, 0..900), b in prop::collection::vec(0..2_000u64, 0..900)) {
            prop_assert_eq!(merged(&users(a.clone()), &users(b.clone())), users([a, b].concat()));
        }

        #[test]
        fn bytes_and_json_come_back(a in sets()) {
            prop_assert_eq!(Users::from_bytes(&a.to_bytes()).unwrap(), a.clone());
            let json = serde_json::to_string(&a).unwrap();
            prop_assert_eq!(serde_json::from_str::<Users>(&json).unwrap(), a);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(read) = Users::from_bytes(&bytes) {
                prop_assert_eq!(read.to_bytes(), bytes);
            }
        }
    }
}
