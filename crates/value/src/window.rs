//! The time that a report is about, and its days as people count them.
//!
//! A window is `[from, to)`. What lies in it is told by the instant; what is per day, week or year goes by the calendar of
//! the time zone, in which a day has 23 or 25 hours when clocks are changed and still is one day.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::event::Invalid;

/// The most days of a window: eleven years.
const DAYS_MAX: f64 = 4_018.0;

/// Days of a year, as savings are counted up to one.
pub const DAYS_A_YEAR: f64 = 365.0;

/// A span of time in a time zone. Built by [`Window::new`], so that it is never empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Bounds", into = "Bounds")]
pub struct Window {
    from_wall_ms: i64,
    to_wall_ms: i64,
    zone: TimeZone,
    time_zone: String,
    days: f64,
}

/// A window as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Bounds {
    from_wall_ms: i64,
    to_wall_ms: i64,
    time_zone: String,
}

impl Window {
    /// From an instant to another, exclusive, both in milliseconds since the Unix epoch. `time_zone` is a name of the
    /// IANA database, such as `Europe/Berlin` or `UTC`.
    pub fn new(from_wall_ms: i64, to_wall_ms: i64, time_zone: &str) -> Result<Self, Invalid> {
        let zone = zone(time_zone)?;
        let local = |field: &str, at: i64| {
            local(&zone, at).ok_or_else(|| Invalid::new(field, "no such time"))
        };
        let (from, to) = (local("from", from_wall_ms)?, local("to", to_wall_ms)?);
        let days = from.duration_until(to).as_millis_f64() / 86_400_000.0;
        if to_wall_ms <= from_wall_ms || days <= 0.0 {
            return Err(Invalid::new("to", "the window must end after it begins"));
        }
        if days > DAYS_MAX {
            return Err(Invalid::new("from", "a window has at most eleven years"));
        }
        Ok(Self { from_wall_ms, to_wall_ms, zone, time_zone: time_zone.to_owned(), days })
    }

    /// From the start of a day to the end of another, as the time zone has them.
    pub fn of_days(first: Date, last: Date, time_zone: &str) -> Result<Self, Invalid> {
        let zone = zone(time_zone)?;
        let start = |field: &str, day: Date| {
            start_of(&zone, day).ok_or_else(|| Invalid::new(field, "no such day"))
        };
        let end = last.tomorrow().map_err(|_| Invalid::new("to", "no such day"))?;
        Self::new(start("from", first)?, start("to", end)?, time_zone)
    }

    /// Its first instant.
    pub fn from_wall_ms(&self) -> i64 {
        self.from_wall_ms
    }

    /// The instant after its last.
    pub fn to_wall_ms(&self) -> i64 {
        self.to_wall_ms
    }

    /// The time zone's name.
    pub fn time_zone(&self) -> &str {
        &self.time_zone
    }

    /// Whether an instant lies in it.
    pub fn holds(&self, at_wall_ms: i64) -> bool {
        (self.from_wall_ms..self.to_wall_ms).contains(&at_wall_ms)
    }

    /// The part of `[start, end)` that lies in it, milliseconds.
    pub fn overlap_ms(&self, start_wall_ms: i64, end_wall_ms: i64) -> i64 {
        (end_wall_ms.min(self.to_wall_ms) - start_wall_ms.max(self.from_wall_ms)).max(0)
    }

    /// Its length in days of the calendar.
    pub fn days(&self) -> f64 {
        self.days
    }

    /// Its length in weeks of the calendar.
    pub fn weeks(&self) -> f64 {
        self.days / 7.0
    }

    /// The day of an instant.
    pub fn day_of(&self, at_wall_ms: i64) -> Option<Date> {
        local(&self.zone, at_wall_ms).map(DateTime::date)
    }

    /// When a day begins.
    pub fn start_of(&self, day: Date) -> Option<i64> {
        start_of(&self.zone, day)
    }

    /// When the day after an instant's begins.
    pub fn next_day_wall_ms(&self, at_wall_ms: i64) -> i64 {
        let next = self.day_of(at_wall_ms).and_then(|day| day.tomorrow().ok());
        next.and_then(|day| start_of(&self.zone, day)).unwrap_or(i64::MAX)
    }

    /// An instant as its date and time of day, to the minute.
    pub fn told(&self, at_wall_ms: i64) -> String {
        local(&self.zone, at_wall_ms)
            .map_or_else(|| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
    }

    /// Days from one instant to another as the calendar has them; less than zero when the second comes first.
    pub fn days_between(&self, from_wall_ms: i64, to_wall_ms: i64) -> Option<f64> {
        let (from, to) = (local(&self.zone, from_wall_ms)?, local(&self.zone, to_wall_ms)?);
        Some(from.duration_until(to).as_millis_f64() / 86_400_000.0)
    }

    /// Whether a whole month lies in it, by the month's first day.
    pub fn holds_month(&self, first: Date) -> bool {
        let start = |day: Date| start_of(&self.zone, day);
        let end = first.last_of_month().tomorrow().ok().and_then(start);
        start(first)
            .zip(end)
            .is_some_and(|(start, end)| start >= self.from_wall_ms && end <= self.to_wall_ms)
    }
}

fn zone(name: &str) -> Result<TimeZone, Invalid> {
    TimeZone::get(name).map_err(|_| {
        let name: String = name.chars().take(64).collect();
        Invalid::new(
            "time_zone",
            format!("`{name}` is no time zone; use a name such as Europe/Berlin or UTC"),
        )
    })
}

fn local(zone: &TimeZone, at_wall_ms: i64) -> Option<DateTime> {
    Timestamp::from_millisecond(at_wall_ms).ok().map(|at| zone.to_datetime(at))
}

/// Where clocks are put forward at midnight, the day begins after that.
pub(crate) fn start_of(zone: &TimeZone, day: Date) -> Option<i64> {
    zone.to_timestamp(day.at(0, 0, 0, 0)).ok().map(Timestamp::as_millisecond)
}

impl TryFrom<Bounds> for Window {
    type Error = Invalid;
    fn try_from(bounds: Bounds) -> Result<Self, Invalid> {
        Self::new(bounds.from_wall_ms, bounds.to_wall_ms, &bounds.time_zone)
    }
}

impl From<Window> for Bounds {
    fn from(window: Window) -> Self {
        Self {
            from_wall_ms: window.from_wall_ms,
            to_wall_ms: window.to_wall_ms,
            time_zone: window.time_zone,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_are_the_calendars_when_clocks_change() {
        let spring =
            Window::of_days(date(2026, 3, 29), date(2026, 3, 29), "Europe/Berlin").unwrap();
        assert_eq!((spring.to_wall_ms() - spring.from_wall_ms()) / 3_600_000, 23);
        assert_eq!(spring.days(), 1.0);
        let autumn =
            Window::of_days(date(2026, 10, 25), date(2026, 10, 25), "Europe/Berlin").unwrap();
        assert_eq!((autumn.to_wall_ms() - autumn.from_wall_ms()) / 3_600_000, 25);
        assert_eq!(autumn.weeks(), 1.0 / 7.0);
        let months =
            Window::of_days(date(2026, 3, 1), date(2026, 3, 31), "America/New_York").unwrap();
        assert_eq!(months.days(), 31.0);
    }

    #[test]
    fn an_instant_has_the_day_of_its_zone() {
        let at = 1_772_404_200_000; // 2026-03-01T22:30:00Z
        let day = |zone: &str| Window::new(at, at + 1, zone).unwrap().day_of(at).unwrap();
        assert_eq!(day("UTC"), date(2026, 3, 1));
        assert_eq!(day("Asia/Kolkata"), date(2026, 3, 2));
        assert_eq!(day("America/Los_Angeles"), date(2026, 3, 1));
    }

    #[test]
    fn ends_belong_to_the_next_window() {
        let window = Window::new(1_000, 2_000, "UTC").unwrap();
        assert_eq!(
            [999, 1_000, 1_999, 2_000].map(|at| window.holds(at)),
            [false, true, true, false]
        );
        assert_eq!(window.overlap_ms(0, 1_500), 500);
        assert_eq!(window.overlap_ms(2_000, 3_000), 0);
    }

    #[test]
    fn windows_that_make_no_sense_are_refused() {
        assert_eq!(Window::new(5, 5, "UTC").unwrap_err().field, "to");
        assert_eq!(Window::new(5, 4, "UTC").unwrap_err().field, "to");
        assert_eq!(Window::new(0, i64::MAX, "UTC").unwrap_err().field, "to");
        assert_eq!(Window::new(0, 400_000_000_000, "UTC").unwrap_err().field, "from");
        assert_eq!(Window::new(0, 1, "Mars/Olympus").unwrap_err().field, "time_zone");
        assert!(
            serde_json::from_str::<Window>(
                r#"{"from_wall_ms":2,"to_wall_ms":1,"time_zone":"UTC"}"#
            )
            .is_err()
        );
    }

    #[test]
    fn whole_months_are_those_of_the_zone() {
        let window = Window::of_days(date(2026, 2, 1), date(2026, 3, 30), "Europe/Berlin").unwrap();
        assert!(window.holds_month(date(2026, 2, 1)));
        assert!(!window.holds_month(date(2026, 3, 1)));
    }
}
