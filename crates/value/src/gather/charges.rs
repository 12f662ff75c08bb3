//! Charges by the day. One of many years costs no more work than one of a day: only its first and its last day are written
//! down, and that it goes on evenly from the one to the other.
//!
//! All of it is whole numbers, so that the days of a charge add up to it to the last digit, and charges come in any order.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::tally::Tally;
use crate::amount::Amount;
use crate::window::Window;

/// Binary digits of a billionth that are kept of what a millisecond costs.
const FRACTION_BITS: u32 = 40;
const FRACTION: i128 = 1 << FRACTION_BITS;

/// How much a millisecond costs from a day on, beside what it did: billionths, and parts of one.
#[derive(Debug, Clone, Copy, Default)]
struct Slope {
    nano: i128,
    parts: i128,
}

/// Charges of one party in one currency.
#[derive(Debug, Clone, Default)]
struct Spread {
    /// What lies on one day alone.
    days: BTreeMap<usize, Amount>,
    /// Parts of a billionth that no slope has, by the day on which their charge ends.
    rests: BTreeMap<usize, i128>,
    slopes: BTreeMap<usize, Slope>,
    /// How many charges go over a day, by where that changes.
    over: BTreeMap<usize, i64>,
}

/// Which charges are spread together: in which currency, and whether they bill tokens.
type Kind = (String, bool);

/// Charges of one party.
#[derive(Debug, Clone, Default)]
pub(super) struct Charges(BTreeMap<Kind, Spread>);

/// The days that a window touches, each by when it begins; the last one's end is the window's.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    dates: Vec<Date>,
    /// One more than there are days.
    bounds: Vec<i64>,
}

impl Calendar {
    pub(super) fn of(window: &Window) -> Self {
        let (mut dates, mut bounds) = (Vec::new(), Vec::new());
        let mut at = window.from_wall_ms();
        while at < window.to_wall_ms() {
            let Some(date) = window.day_of(at) else { break };
            dates.push(date);
            bounds.push(at);
            at = window.next_day_wall_ms(at);
        }
        bounds.push(window.to_wall_ms());
        Self { dates, bounds }
    }

    /// The day of an instant of the window.
    fn day(&self, at_wall_ms: i64) -> usize {
        self.bounds.partition_point(|bound| *bound <= at_wall_ms).saturating_sub(1)
    }

    fn length_ms(&self, day: usize) -> i128 {
        match self.bounds.get(day..day + 2) {
            Some([from, to]) => i128::from(to - from),
            _ => 0,
        }
    }
}

impl Charges {
    /// Takes in a charge of the period `[start, end)`, as far as that lies in the window.
    pub(super) fn add(
        &mut self,
        calendar: &Calendar,
        kind: Kind,
        cost: Amount,
        period: (i64, i64),
    ) {
        let (start, end) = period;
        let (Some(first_ms), Some(last_ms)) = (calendar.bounds.first(), calendar.bounds.last())
        else {
            return;
        };
        let (from, to) = (start.max(*first_ms), end.min(*last_ms));
        if from >= to {
            return;
        }
        // What has passed of the charge up to an instant; differences of it add up to the whole, to the last digit.
        let passed = |at: i64| cost.share(at - start, end - start);
        let (first, last) = (calendar.day(from), calendar.day(to - 1));
        let spread = self.0.entry(kind).or_default();
        *spread.over.entry(first).or_default() += 1;
        *spread.over.entry(last + 1).or_default() -= 1;
        if first == last {
            spread.day(first, passed(to) - passed(from));
            return;
        }
        let (second_ms, last_ms) = (calendar.bounds[first + 1], calendar.bounds[last]);
        spread.day(first, passed(second_ms) - passed(from));
        spread.day(last, passed(to) - passed(last_ms));
        spread.evenly(first + 1, last, passed(last_ms) - passed(second_ms), last_ms - second_ms);
    }

    /// What lies on each day, in order.
    pub(super) fn by_day(&self, calendar: &Calendar) -> BTreeMap<Date, Tally> {
        let mut days: BTreeMap<Date, Tally> = BTreeMap::new();
        for ((currency, is_model_usage), spread) in &self.0 {
            for (date, amount) in spread.by_day(calendar) {
                days.entry(date).or_default().charge(currency, amount, *is_model_usage);
            }
        }
        days
    }
}

impl Spread {
    fn day(&mut self, day: usize, amount: Amount) {
        let known = self.days.entry(day).or_default();
        *known = *known + amount;
    }

    /// So much over the days from one to another, exclusive, which are so long together.
    fn evenly(&mut self, from: usize, to: usize, amount: Amount, length_ms: i64) {
        if from >= to {
            return;
        }
        let length = i128::from(length_ms);
        let (nano, rest) = (amount.nano().div_euclid(length), amount.nano().rem_euclid(length));
        let parts = rest * FRACTION / length;
        for (at, sign) in [(from, 1), (to, -1)] {
            let slope = self.slopes.entry(at).or_default();
            slope.nano = slope.nano.saturating_add(sign * nano);
            slope.parts += sign * parts;
        }
        *self.rests.entry(to - 1).or_default() += rest * FRACTION - parts * length;
    }

    /// Days in which any charge lies, each with its part: what has come up to its end, less what had before, in whole
    /// billionths.
    fn by_day(&self, calendar: &Calendar) -> Vec<(Date, Amount)> {
        let (mut slope, mut carried, mut over) = (Slope::default(), 0_i128, 0_i64);
        let mut days = Vec::new();
        for (day, date) in calendar.dates.iter().enumerate() {
            over += self.over.get(&day).copied().unwrap_or(0);
            let change = self.slopes.get(&day).copied().unwrap_or_default();
            slope.nano = slope.nano.saturating_add(change.nano);
            slope.parts += change.parts;
            let length = calendar.length_ms(day);
            carried += slope.parts * length + self.rests.get(&day).copied().unwrap_or(0);
            let whole = carried.div_euclid(FRACTION);
            carried = carried.rem_euclid(FRACTION);
            let even = Amount::from_nano(slope.nano.saturating_mul(length).saturating_add(whole));
            let alone = self.days.get(&day).copied().unwrap_or_default();
            if over > 0 {
                days.push((*date, alone + even));
            }
        }
        days
    }
}

#[cfg(test)]
mod tests;
