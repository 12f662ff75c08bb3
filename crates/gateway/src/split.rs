//! Which arm a key falls into: flagd's "fractional", second version (integer arithmetic).
//!
//! `MurmurHash3` x86 32 with seed 0; `bucket = (hash · total) >> 32`; the first arm whose cumulative
//! weight exceeds the bucket gets the key. The candidate is listed first, so raising its weight
//! only adds keys. Source: flagd ADR "High-Precision Fractional Bucketing"; the example vectors
//! below are those of flagd's own test bed and were checked with an independent `MurmurHash3`.

use lockgate_model::ids::RolloutId;
use lockgate_model::plan::WHOLE_BP;

/// `MurmurHash3` x86 32 with seed 0.
pub fn hash(text: &str) -> u32 {
    let mut bytes = text.as_bytes();
    murmur3::murmur3_32(&mut bytes, 0).expect("reading from a slice cannot fail")
}

/// The bucket of `hash` among `total`, below `total`.
pub fn bucket(hash: u32, total: u32) -> u32 {
    let bucket = (u64::from(hash) * u64::from(total)) >> 32;
    u32::try_from(bucket).expect("the product of two 32-bit numbers, shifted by 32, has 32 bits")
}

/// The index of the arm that `hash` falls into; `None` when all weights are 0 or their sum leaves
/// 31 bits, which flagd refuses too.
pub fn arm(hash: u32, weights: &[u32]) -> Option<usize> {
    let total = weights
        .iter()
        .try_fold(0_u32, |sum, weight| sum.checked_add(*weight))
        .filter(|total| (1..=i32::MAX as u32).contains(total))?;
    let bucket = bucket(hash, total);
    let mut end = 0;
    weights.iter().position(|weight| {
        end += weight;
        bucket < end
    })
}

/// The text that is hashed for a sticky key: every rollout shuffles its users anew.
pub fn key_text(rollout: RolloutId, sticky: &str) -> String {
    format!("{rollout}{sticky}")
}

/// Whether a key's hash falls to the candidate at `weight_bp` of [`WHOLE_BP`].
pub fn is_candidate(hash: u32, weight_bp: u32) -> bool {
    bucket(hash, WHOLE_BP) < weight_bp
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITS: [&str; 4] = ["clubs", "diamonds", "hearts", "spades"];

    fn suit(text: &str) -> &'static str {
        SUITS[arm(hash(text), &[25, 25, 25, 25]).expect("weights sum to 100")]
    }

    #[test]
    fn agrees_with_the_example_vectors_of_flagd() {
        for (name, expected) in [
            ("jack", "hearts"),
            ("queen", "spades"),
            ("ten", "clubs"),
            ("nine", "diamonds"),
            ("3", "clubs"),
        ] {
            assert_eq!(suit(&format!("fractional-flag{name}")), expected, "{name}");
        }
        for (name, expected) in
            [("seven", "hearts"), ("eight", "diamonds"), ("nine", "clubs"), ("two", "spades")]
        {
            assert_eq!(suit(&format!("shared-seed{name}")), expected, "{name}");
        }
        for (key, expected) in [("jon@company.com", 0), ("jane@company.com", 1)] {
            let hash = hash(&format!("fractional-flag-shorthand{key}"));
            assert_eq!(arm(hash, &[1, 1]), Some(expected), "{key}");
        }
    }

    #[test]
    fn agrees_at_the_edges_of_the_hash() {
        for (key, edge, expected) in [
            ("ejOoVL", 0, 0),
            ("bY9fO-", 1, 0),
            ("SI7p-", 0x7fff_ffff, 0),
            ("6LvT0", 0x8000_0000, 1),
            ("ceQdGm", u32::MAX, 1),
        ] {
            assert_eq!(hash(key), edge, "{key}");
            assert_eq!(arm(edge, &[50, 50]), Some(expected), "{key}");
        }
    }

    #[test]
    fn senseless_weights_have_no_arm() {
        assert_eq!(arm(7, &[]), None);
        assert_eq!(arm(7, &[0, 0]), None);
        assert_eq!(arm(7, &[u32::MAX, 1]), None);
        assert_eq!(arm(7, &[i32::MAX as u32, 1]), None);
        assert_eq!(arm(u32::MAX, &[0, 100]), Some(1));
        assert_eq!(arm(0, &[0, 100]), Some(1));
    }

    fn keys(rollout: RolloutId) -> Vec<u32> {
        (0..100_000).map(|user| hash(&key_text(rollout, &format!("user-{user}")))).collect()
    }

    fn rollout(n: u128) -> RolloutId {
        RolloutId(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn shares_over_100_000_keys_are_within_four_sigma() {
        for n in 1..=5 {
            let keys = keys(rollout(n));
            for weight_bp in [100_u32, 1_000, 2_500, 5_000] {
                let share = f64::from(weight_bp) / f64::from(WHOLE_BP);
                let count = keys.iter().filter(|key| is_candidate(**key, weight_bp)).count();
                let expected = share * keys.len() as f64;
                let sigma = (expected * (1.0 - share)).sqrt();
                let off = (count as f64 - expected).abs() / sigma;
                assert!(off <= 4.0, "{weight_bp} bp: {count}, {off} sigma");
            }
        }
    }

    #[test]
    fn raising_the_weight_moves_no_key_back() {
        for key in keys(rollout(9)) {
            let mut before = false;
            for weight_bp in [0, 1, 100, 1_000, 2_500, 5_000, 9_999, 10_000] {
                let now = is_candidate(key, weight_bp);
                assert!(now || !before, "moved back at {weight_bp}");
                before = now;
            }
            assert!(before && !is_candidate(key, 0));
        }
    }

    #[test]
    fn another_rollout_shuffles_anew() {
        let (a, b) = (keys(rollout(1)), keys(rollout(2)));
        let both =
            a.iter().zip(&b).filter(|(a, b)| is_candidate(**a, 1_000) && is_candidate(**b, 1_000));
        // 1 % of the keys by chance; 10 % if the same users were always first.
        assert!((800..1_200).contains(&both.count()));
    }
}
