//! What became of many releases.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::release::Ended;

/// The middle and the slow end of a count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Half are below.
    pub median: u64,
    /// 19 of 20 are below.
    pub p95: u64,
}

impl Spread {
    /// Of these values; 0 for none.
    pub fn of(values: impl Iterator<Item = u64>) -> Self {
        let mut values: Vec<u64> = values.collect();
        values.sort_unstable();
        let at = |percent: usize| {
            let index = (values.len() * percent / 100).min(values.len().saturating_sub(1));
            values.get(index).copied().unwrap_or(0)
        };
        Self { median: at(50), p95: at(95) }
    }
}

/// Releases that one rule took back or held.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ByRule {
    /// Which.
    pub rule: String,
    /// How many.
    pub releases: u64,
    /// Requests of all users from the candidate's first one on.
    pub requests: Spread,
    /// The candidate's among them.
    pub candidate_requests: Spread,
    /// Milliseconds from the start.
    pub time_ms: Spread,
}

/// What became of many releases.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How many.
    pub releases: u64,
    /// How many ended in each phase.
    pub ends: BTreeMap<String, u64>,
    /// What took them back or held them, most frequent first.
    pub rules: Vec<ByRule>,
}

impl Summary {
    /// Counts.
    pub fn of(ended: &[Ended]) -> Self {
        let mut ends: BTreeMap<String, u64> = BTreeMap::new();
        let mut by_rule: BTreeMap<&str, Vec<&Ended>> = BTreeMap::new();
        for one in ended {
            *ends.entry(one.phase.to_string()).or_default() += 1;
            if let Some(rule) = one.rule() {
                by_rule.entry(rule).or_default().push(one);
            }
        }
        let mut rules: Vec<ByRule> = by_rule
            .into_iter()
            .map(|(rule, of_rule)| ByRule {
                rule: rule.to_owned(),
                releases: of_rule.len() as u64,
                requests: Spread::of(of_rule.iter().map(|one| one.requests)),
                candidate_requests: Spread::of(of_rule.iter().map(|one| one.candidate_requests)),
                time_ms: Spread::of(of_rule.iter().map(|one| one.time_ms)),
            })
            .collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.releases));
        Self { releases: ended.len() as u64, ends, rules }
    }

    /// How many ended so.
    pub fn ended(&self, phase: &str) -> u64 {
        self.ends.get(phase).copied().unwrap_or(0)
    }
}

/// The largest chance of an event that a count of `seen` in `n` still allows, at 95 % (Clopper &
/// Pearson, one-sided).
pub fn upper_95(seen: u64, n: u64) -> f64 {
    if seen >= n {
        return 1.0;
    }
    let (mut low, mut high) = (seen as f64 / n as f64, 1.0);
    for _ in 0..60 {
        let p = f64::midpoint(low, high);
        if binomial_at_most(seen, n, p) > 0.05 { low = p } else { high = p }
    }
    high
}

/// P(X ≤ k) of a binomial.
fn binomial_at_most(k: u64, n: u64, p: f64) -> f64 {
    let mut ln_choose = 0.0;
    let mut sum = 0.0;
    for i in 0..=k {
        if i > 0 {
            ln_choose += ((n - i + 1) as f64 / i as f64).ln();
        }
        sum += (ln_choose + i as f64 * p.ln() + (n - i) as f64 * (-p).ln_1p()).exp();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_tables() {
        // The rule of three, and a value of the published tables.
        assert!((upper_95(0, 300) - 0.009_94).abs() < 1e-4);
        assert!((upper_95(2, 50) - 0.120_6).abs() < 1e-3);
        assert!((upper_95(5, 5) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn spreads_of_nothing_and_of_some() {
        assert_eq!(Spread::of([].into_iter()), Spread { median: 0, p95: 0 });
        assert_eq!(Spread::of(0..100), Spread { median: 50, p95: 95 });
    }
}
