//! What threshold judges look back on, kept up as time goes by.

use std::collections::{BTreeMap, VecDeque};

use lockgate_telemetry::arm::{Arm, Arms};

/// Sums over the last so many milliseconds, one for every length. A queue of two stacks each: sums
/// cannot be subtracted from, and merging a window anew at every tick would be most of the work.
#[derive(Debug, Default)]
pub(crate) struct LookBack(Vec<Span>);

#[derive(Debug)]
struct Span {
    length_ms: u64,
    /// Since the last turn: when, and what was seen.
    young: VecDeque<(u64, Arms)>,
    young_sum: Arms,
    /// The oldest last; each with everything between it and the turn.
    old: Vec<(u64, Arms)>,
}

impl LookBack {
    /// For windows of these lengths.
    pub(crate) fn new(lengths_ms: &[u64]) -> Self {
        let span = |&length_ms: &u64| Span {
            length_ms,
            young: VecDeque::new(),
            young_sum: Arms::default(),
            old: Vec::new(),
        };
        Self(lengths_ms.iter().map(span).collect())
    }

    /// Whether nothing looks back.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what was seen until now, forgets what is `length_ms` old, and says the sums.
    pub(crate) fn push(&mut self, now_ms: u64, seen: &Arms, sums: &mut BTreeMap<u64, Arms>) {
        for span in &mut self.0 {
            span.push(now_ms, seen);
            sums.insert(span.length_ms, span.sum());
        }
    }
}

impl Span {
    fn push(&mut self, now_ms: u64, seen: &Arms) {
        merge(&mut self.young_sum, seen);
        self.young.push_back((now_ms, seen.clone()));
        let over = |at_ms: u64| now_ms - at_ms >= self.length_ms;
        if self.old.is_empty() && self.young.front().is_some_and(|(at_ms, _)| over(*at_ms)) {
            let mut sum = Arms::default();
            while let Some((at_ms, seen)) = self.young.pop_back() {
                merge(&mut sum, &seen);
                self.old.push((at_ms, sum.clone()));
            }
            self.young_sum = Arms::default();
        }
        while self.old.last().is_some_and(|(at_ms, _)| over(*at_ms)) {
            self.old.pop();
        }
    }

    fn sum(&self) -> Arms {
        let mut sum = self.old.last().map(|(_, sum)| sum.clone()).unwrap_or_default();
        merge(&mut sum, &self.young_sum);
        sum
    }
}

pub(crate) fn merge(into: &mut Arms, seen: &Arms) {
    Arm::merge(&mut into.candidate, &seen.candidate);
    Arm::merge(&mut into.stable, &seen.stable);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_adding_the_window_anew_would_give() {
        let mut back = LookBack::new(&[30, 70]);
        let mut seen: Vec<(u64, u64)> = Vec::new();
        for tick in 1..200 {
            let (now_ms, n) = (tick * 10, tick * tick % 17);
            let arm = Arm { assigned: n, ..Arm::default() };
            let mut sums = BTreeMap::new();
            back.push(now_ms, &Arms { candidate: arm.clone(), stable: arm }, &mut sums);
            seen.push((now_ms, n));
            for length_ms in [30, 70] {
                let within = seen.iter().filter(|(at_ms, _)| now_ms - at_ms < length_ms);
                let expected: u64 = within.map(|(_, n)| n).sum();
                assert_eq!(sums[&length_ms].candidate.assigned, expected, "{now_ms} {length_ms}");
                assert_eq!(sums[&length_ms].stable.assigned, expected);
            }
        }
    }
}
