//! Words, tokens and draws that are the same on every run.

/// Words that say nothing about what is asked.
const IDLE: [&str; 40] = [
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "have",
    "how", "i", "if", "in", "is", "it", "many", "may", "me", "much", "must", "my", "of", "on",
    "or", "our", "that", "the", "there", "to", "we", "what", "when", "where", "with", "you",
];

/// The words of a text that carry meaning, lower case, without a plural's `s`.
pub(crate) fn terms(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .filter(|word| !IDLE.contains(&word.as_str()))
        .map(|word| match word.strip_suffix('s') {
            Some(stem) if stem.len() > 2 && !stem.ends_with('s') => stem.to_owned(),
            _ => word,
        })
        .collect()
}

/// Tokens of a text: the demo's tokenizer takes each word as one.
pub(crate) fn tokens(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// FNV-1a with a final mix: the same draw for the same seed and parts, on every machine.
pub(crate) fn draw(seed: u64, parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for part in parts {
        for byte in *part {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        // Ends each part, so that ("a", "b") and ("ab", "") differ.
        hash = (hash ^ 0xff).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// A draw from 0 (included) to 1 (not included).
pub(crate) fn draw_unit(seed: u64, parts: &[&[u8]]) -> f64 {
    (draw(seed, parts) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_leave_out_what_says_nothing() {
        assert_eq!(terms("How many dogs are on the boats?"), ["dog", "boat"]);
        assert_eq!(terms("glass, gas"), ["glass", "gas"]);
    }

    #[test]
    fn draws_are_even_and_depend_on_every_part() {
        let share = |below: f64| {
            let hits =
                (0..10_000_u32).filter(|n| draw_unit(7, &[b"x", &n.to_le_bytes()]) < below).count();
            hits as f64 / 10_000.0
        };
        for wanted in [0.01, 0.1, 0.5, 0.9] {
            assert!((share(wanted) - wanted).abs() < 0.02, "{wanted}: {}", share(wanted));
        }
        assert_ne!(draw(1, &[b"a", b"b"]), draw(1, &[b"ab", b""]));
        assert_ne!(draw(1, &[b"a"]), draw(2, &[b"a"]));
    }
}
