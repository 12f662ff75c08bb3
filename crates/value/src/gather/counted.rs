//! Which days of a window count in means and rates: those that were seen.
//!
//! They go from the day on which anything was first seen of what the report is about to the last day that was over when the
//! server last took something in. What nobody saw, and what is yet to come, is no day without value. The very first day
//! counts before it is over, as a whole one: until then it is all that there is, and it makes nothing larger than it is.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::measured::tidy;
use crate::window::Window;

/// The days of a window, those that count and those that do not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CountedDays {
    /// The first one that counts; none when none does.
    pub first: Option<Date>,
    /// The last one.
    pub last: Option<Date>,
    /// How many count, of the calendar.
    pub counted: f64,
    /// Left out: before anything was seen.
    pub unseen: f64,
    /// Left out: not over yet when the server last took something in.
    pub not_over: f64,
    /// The only one that counts is the first one, which is not over.
    #[serde(default)]
    pub is_first_day: bool,
}

impl CountedDays {
    /// Whether a day is one of them.
    pub(crate) fn holds(&self, date: Date) -> bool {
        self.first.is_some_and(|first| first <= date) && self.last.is_some_and(|last| date <= last)
    }

    /// How many of them lie between two instants.
    pub(crate) fn within(&self, window: &Window, from_wall_ms: i64, to_wall_ms: i64) -> f64 {
        let start = |date: Option<Date>| date.and_then(|date| window.start_of(date));
        let after = self.last.and_then(|last| last.tomorrow().ok());
        let (Some(first), Some(end)) = (start(self.first), start(after)) else { return 0.0 };
        let from = first.max(from_wall_ms).max(window.from_wall_ms());
        let to = end.min(to_wall_ms).min(window.to_wall_ms());
        if from < to { window.days_between(from, to).unwrap_or(0.0) } else { 0.0 }
    }

    /// How many days of the window do not count.
    pub(crate) fn left_out(&self) -> f64 {
        self.unseen + self.not_over
    }

    /// What is left out, in a sentence; none when all days count.
    pub(crate) fn told(&self) -> Option<String> {
        let all = self.counted + self.left_out();
        let days = |days: f64| tidy((days * 100.0).round() / 100.0).unwrap_or(days);
        let first =
            if self.is_first_day { "; the first one, not over, as a whole day" } else { "" };
        (self.left_out() > 0.0 || self.is_first_day).then(|| {
            format!(
                "{} of {} days count: {} before anything was seen and {} that were not over are left out{first}",
                days(self.counted),
                days(all),
                days(self.unseen),
                days(self.not_over)
            )
        })
    }
}

fn start(window: &Window, at_wall_ms: i64) -> Option<i64> {
    window.day_of(at_wall_ms).and_then(|day| window.start_of(day))
}

/// The end of the days of a window that were over then.
pub(super) fn over(window: &Window, taken_in_wall_ms: Option<i64>) -> i64 {
    let (from, to) = (window.from_wall_ms(), window.to_wall_ms());
    taken_in_wall_ms.and_then(|at| start(window, at)).map_or(to, |over| over.clamp(from, to))
}

/// `first_seen` and `taken_in` are instants; nothing seen is `None`, and with no word on what was taken in last, the window
/// is over.
pub(super) fn counted(
    window: &Window,
    first_seen_wall_ms: Option<i64>,
    taken_in_wall_ms: Option<i64>,
) -> CountedDays {
    let (from, to) = (window.from_wall_ms(), window.to_wall_ms());
    let seen = first_seen_wall_ms.and_then(|at| start(window, at));
    let is_today = |seen: &i64| taken_in_wall_ms.and_then(|at| start(window, at)) == Some(*seen);
    let first_day = seen.filter(is_today).filter(|seen| (from..to).contains(seen));
    let end = match first_day {
        Some(seen) => window.next_day_wall_ms(seen).min(to),
        None => over(window, taken_in_wall_ms),
    };
    let begin = seen.map_or(end, |seen| seen.clamp(from, end));
    let days = |from, to| window.days_between(from, to).unwrap_or(0.0);
    let counts = begin < end;
    CountedDays {
        first: window.day_of(begin).filter(|_| counts),
        last: window.day_of(end - 1).filter(|_| counts),
        counted: days(begin, end),
        unseen: days(from, begin),
        not_over: days(end, to),
        is_first_day: first_day.is_some(),
    }
}
