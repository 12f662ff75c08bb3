//! Times in which nothing advances, by a calendar with its time zone.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

/// Zones as they were when this program was built: what is decided does not hang on the machine.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

const MINUTES_OF_DAY: u16 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A window in which no release advances. Written `fri 16:00 - mon 08:00 Europe/Berlin` or
/// `2026-12-23 12:00 - 2027-01-02 08:00 Europe/Berlin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Freeze {
    span: Span,
    zone: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    /// Every week, from one minute of it to another; over its end when the first is later.
    Weekly { from: u16, to: u16 },
    /// Once.
    Dated { from: DateTime, to: DateTime },
}

/// Why a text is no freeze window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFreeze {
    /// Not of the form that is taken.
    #[error("is not a window such as `fri 16:00 - mon 08:00 Europe/Berlin`")]
    Form,
    /// No such day or time.
    #[error("names a day or a time that does not exist")]
    Time,
    /// It ends where it begins, or before.
    #[error("is over before it begins")]
    Empty,
    /// No such zone.
    #[error("names a time zone that is not known")]
    Zone,
}

impl Freeze {
    /// When the window ends that this moment lies in, both in milliseconds since the Unix epoch;
    /// `None` outside.
    pub fn until(&self, wall_ms: i64) -> Option<i64> {
        let now = Timestamp::from_millisecond(wall_ms).ok()?;
        // A zone that was known when the plan was read and is not any more.
        let zone = ZONES.get(&self.zone).unwrap_or(TimeZone::UTC);
        let local = now.to_zoned_datetime(zone.clone()).datetime();
        let end = match self.span {
            Span::Dated { from, to } => {
                let from = from.to_zoned_datetime(zone.clone()).ok()?.timestamp();
                let to = to.to_zoned_datetime(zone).ok()?.timestamp();
                (from..to).contains(&now).then_some(to)?
            }
            Span::Weekly { from, to } => {
                let minute = minute_of_week(local);
                let inside = if from < to {
                    (from..to).contains(&minute)
                } else {
                    minute >= from || minute < to
                };
                let week = 7 * MINUTES_OF_DAY;
                let left = i64::from((to + week - minute) % week);
                let start = local.date().at(local.hour(), local.minute(), 0, 0);
                let to = start.checked_add(left.minutes()).ok().filter(|_| inside)?;
                // Where clocks go back this time of day comes twice, and the first may be over.
                let ends = zone.to_ambiguous_timestamp(to);
                let first = ends.compatible().ok()?;
                if first > now { first } else { ends.later().ok()? }
            }
        };
        Some(end.as_millisecond())
    }
}

/// A week in winter and one in summer in which no clock is changed: Mondays, milliseconds since the
/// Unix epoch.
const ORDINARY_WEEKS_MS: [i64; 2] = [1_768_176_000_000, 1_783_296_000_000];
const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// Whether these windows leave no moment of an ordinary week.
pub fn leave_nothing(windows: &[Freeze]) -> bool {
    let weekly = || windows.iter().filter(|window| matches!(window.span, Span::Weekly { .. }));
    ORDINARY_WEEKS_MS.into_iter().any(|start_ms| {
        let mut at_ms = start_ms;
        while at_ms < start_ms + WEEK_MS {
            let last_ms = weekly().filter_map(|window| window.until(at_ms)).max();
            let Some(end_ms) = last_ms.filter(|end_ms| *end_ms > at_ms) else { return false };
            at_ms = end_ms;
        }
        true
    })
}

/// A moment in words, milliseconds since the Unix epoch: `2026-11-30 07:00 UTC`.
pub fn show(wall_ms: i64) -> String {
    let Ok(at) = Timestamp::from_millisecond(wall_ms) else { return format!("{wall_ms} ms") };
    let at = at.to_zoned_datetime(TimeZone::UTC).datetime();
    format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
}

fn minute_of_week(at: DateTime) -> u16 {
    let part = |value: i8| u16::from(value.unsigned_abs());
    let day = part(at.weekday().to_monday_zero_offset());
    day * MINUTES_OF_DAY + part(at.hour()) * 60 + part(at.minute())
}

impl FromStr for Freeze {
    type Err = InvalidFreeze;

    fn from_str(text: &str) -> Result<Self, InvalidFreeze> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [from_day, from, "-" | "–", to_day, to, zone] = words.as_slice() else {
            return Err(InvalidFreeze::Form);
        };
        let (from_time, to_time) = (time(from)?, time(to)?);
        let span = match (week_day(from_day), week_day(to_day)) {
            (Some(from), Some(to)) => {
                let minute = |day: u16, (hour, minute): (i8, i8)| {
                    day * MINUTES_OF_DAY
                        + u16::from(hour.unsigned_abs()) * 60
                        + u16::from(minute.unsigned_abs())
                };
                let (from, to) = (minute(from, from_time), minute(to, to_time));
                (from != to).then_some(Span::Weekly { from, to })
            }
            (None, None) => {
                let at = |day: &str, (hour, minute): (i8, i8)| {
                    let date: Date = day.parse().map_err(|_| InvalidFreeze::Time)?;
                    let time = Time::new(hour, minute, 0, 0).map_err(|_| InvalidFreeze::Time)?;
                    Ok(date.to_datetime(time))
                };
                let (from, to) = (at(from_day, from_time)?, at(to_day, to_time)?);
                (from < to).then_some(Span::Dated { from, to })
            }
            _ => return Err(InvalidFreeze::Form),
        };
        let span = span.ok_or(InvalidFreeze::Empty)?;
        ZONES.get(zone).map_err(|_| InvalidFreeze::Zone)?;
        Ok(Self { span, zone: (*zone).to_owned() })
    }
}

fn week_day(text: &str) -> Option<u16> {
    let lower = text.to_ascii_lowercase();
    let index = DAYS.iter().position(|day| *day == lower)?;
    u16::try_from(index).ok()
}

/// Hour and minute of `16:00`.
fn time(text: &str) -> Result<(i8, i8), InvalidFreeze> {
    let (hour, minute) = text.split_once(':').ok_or(InvalidFreeze::Form)?;
    let part = |part: &str, max: i8| {
        let number: i8 = part.parse().map_err(|_| InvalidFreeze::Form)?;
        (0..=max).contains(&number).then_some(number).ok_or(InvalidFreeze::Time)
    };
    Ok((part(hour, 23)?, part(minute, 59)?))
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_week = |f: &mut fmt::Formatter<'_>, minute: u16| {
            let day = DAYS[usize::from(minute / MINUTES_OF_DAY) % DAYS.len()];
            let minute = minute % MINUTES_OF_DAY;
            write!(f, "{day} {:02}:{:02}", minute / 60, minute % 60)
        };
        let dated = |f: &mut fmt::Formatter<'_>, at: DateTime| {
            write!(f, "{} {:02}:{:02}", at.date(), at.hour(), at.minute())
        };
        match self.span {
            Span::Weekly { from, to } => {
                of_week(f, from)?;
                f.write_str(" - ")?;
                of_week(f, to)?;
            }
            Span::Dated { from, to } => {
                dated(f, from)?;
                f.write_str(" - ")?;
                dated(f, to)?;
            }
        }
        write!(f, " {}", self.zone)
    }
}

impl TryFrom<String> for Freeze {
    type Error = InvalidFreeze;

    fn try_from(text: String) -> Result<Self, InvalidFreeze> {
        text.parse()
    }
}

impl From<Freeze> for String {
    fn from(freeze: Freeze) -> Self {
        freeze.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn until(window: &str, at: &str) -> Option<String> {
        let end = window.parse::<Freeze>().unwrap().until(ms(at))?;
        Some(Timestamp::from_millisecond(end).unwrap().to_string())
    }

    #[test]
    fn a_week_end_in_berlin() {
        let window = "fri 16:00 - mon 08:00 Europe/Berlin";
        let end = Some("2026-11-30T07:00:00Z".to_owned());
        assert_eq!(until(window, "2026-11-27T14:59:59Z"), None, "one second before");
        assert_eq!(until(window, "2026-11-27T15:00:00Z"), end);
        assert_eq!(until(window, "2026-11-29T23:30:00Z"), end, "Monday there, Sunday in UTC");
        assert_eq!(until(window, "2026-11-30T06:59:59Z"), end);
        assert_eq!(until(window, "2026-11-30T07:00:00Z"), None);
        assert_eq!(until(window, "2026-12-02T12:00:00Z"), None);
    }

    /// On 2026-03-29 clocks in Berlin go from 2 to 3 o'clock: the same local hour is earlier.
    #[test]
    fn local_time_counts_also_over_a_change_of_clocks() {
        let window = "fri 16:00 - mon 08:00 Europe/Berlin";
        let end = Some("2026-03-30T06:00:00Z".to_owned());
        assert_eq!(until(window, "2026-03-27T15:00:00Z"), end);
        let night = "sun 01:30 - sun 02:30 Europe/Berlin";
        assert_eq!(until(night, "2026-03-29T00:45:00Z"), Some("2026-03-29T01:30:00Z".into()));
        assert_eq!(until(night, "2026-03-29T01:00:00Z"), None, "it is three o'clock already");
    }

    /// On 2026-10-25 clocks in Berlin go back from 3 to 2 o'clock: that hour comes twice.
    #[test]
    fn in_an_hour_that_comes_twice_the_end_is_still_to_come() {
        let night = "sun 02:00 - sun 02:30 Europe/Berlin";
        assert_eq!(until(night, "2026-10-25T00:15:00Z"), Some("2026-10-25T00:30:00Z".into()));
        assert_eq!(until(night, "2026-10-25T00:45:00Z"), None);
        assert_eq!(until(night, "2026-10-25T01:15:00Z"), Some("2026-10-25T01:30:00Z".into()));
        assert_eq!(until(night, "2026-10-25T01:30:00Z"), None);
    }

    #[test]
    fn no_end_is_in_the_past() {
        let windows = [
            ("sat 20:00 - sun 02:30 Europe/Berlin", "2026-10-24T00:00:00Z"),
            ("sun 02:15 - sun 02:20 Europe/Berlin", "2026-10-24T12:00:00Z"),
            ("sun 01:15 - sun 01:45 America/New_York", "2026-10-31T12:00:00Z"),
            ("sun 01:40 - sun 02:10 Australia/Lord_Howe", "2026-04-04T00:00:00Z"),
            ("sun 01:30 - sun 02:30 Europe/Berlin", "2026-03-28T12:00:00Z"),
            ("mon 00:00 - sun 23:59 Europe/Berlin", "2026-10-24T12:00:00Z"),
        ];
        for (window, from) in windows {
            let freeze = window.parse::<Freeze>().unwrap();
            let mut seen = 0;
            for minute in 0..48 * 60 {
                let at = ms(from) + minute * 60_000;
                let Some(end) = freeze.until(at) else { continue };
                seen += 1;
                assert!(end > at, "{window}: {} at {}", show(end), show(at));
            }
            assert!(seen > 0, "{window}");
        }
    }

    #[test]
    fn windows_that_leave_nothing_of_a_week() {
        let leave_nothing = |texts: &[&str]| {
            let windows: Vec<Freeze> = texts.iter().map(|text| text.parse().unwrap()).collect();
            super::leave_nothing(&windows)
        };
        assert!(!leave_nothing(&[]));
        assert!(!leave_nothing(&["fri 16:00 - mon 08:00 UTC"]));
        assert!(!leave_nothing(&["mon 00:00 - sun 23:59 UTC"]), "a minute is left");
        assert!(!leave_nothing(&["2026-01-01 00:00 - 2027-01-01 00:00 UTC"]), "it comes once");
        let halves = ["mon 00:00 - thu 12:00 Europe/Berlin", "thu 12:00 - mon 00:00 Europe/Berlin"];
        assert!(leave_nothing(&halves));
        assert!(leave_nothing(&["fri 16:00 - fri 15:00 UTC", "fri 14:00 - fri 17:00 UTC"]));
        let in_summer = ["mon 00:00 - thu 12:00 Europe/Berlin", "thu 10:00 - sun 22:00 UTC"];
        assert!(leave_nothing(&in_summer));
    }

    #[test]
    fn a_window_within_a_week_and_one_with_dates() {
        let nights = "tue 22:00 - wed 06:00 America/New_York";
        assert_eq!(until(nights, "2026-11-25T02:59:00Z"), None);
        assert_eq!(until(nights, "2026-11-25T03:00:00Z"), Some("2026-11-25T11:00:00Z".into()));
        let dated = "2026-12-23 12:00 - 2027-01-02 08:00 Europe/Berlin";
        assert_eq!(until(dated, "2026-12-23T10:59:59Z"), None);
        assert_eq!(until(dated, "2026-12-31T00:00:00Z"), Some("2027-01-02T07:00:00Z".into()));
        assert_eq!(until(dated, "2027-01-02T07:00:00Z"), None);
        assert_eq!(until(dated, "2027-12-31T00:00:00Z"), None);
    }

    #[test]
    fn a_moment_is_shown_to_the_minute() {
        assert_eq!(show(ms("2026-11-30T07:00:30Z")), "2026-11-30 07:00 UTC");
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "fri 16:00 - mon 08:00 Europe/Berlin",
            "2026-12-23 12:00 - 2027-01-02 08:00 UTC",
            "sun 00:00 - sun 23:59 Asia/Kolkata",
        ] {
            assert_eq!(text.parse::<Freeze>().unwrap().to_string(), text);
        }
        let loose = "Fri 16:00 – MON 8:00 Europe/Berlin".parse::<Freeze>().unwrap();
        assert_eq!(loose.to_string(), "fri 16:00 - mon 08:00 Europe/Berlin");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, why) in [
            ("", InvalidFreeze::Form),
            ("fri 16:00 - mon 08:00", InvalidFreeze::Form),
            ("fri 16 - mon 08:00 UTC", InvalidFreeze::Form),
            ("fri 16:00 - 2026-12-23 08:00 UTC", InvalidFreeze::Form),
            ("fri 24:00 - mon 08:00 UTC", InvalidFreeze::Time),
            ("2026-02-30 08:00 - 2026-03-01 08:00 UTC", InvalidFreeze::Time),
            ("fri 16:00 - fri 16:00 UTC", InvalidFreeze::Empty),
            ("2026-12-23 12:00 - 2026-12-23 12:00 UTC", InvalidFreeze::Empty),
            ("fri 16:00 - mon 08:00 Europe/Berlln", InvalidFreeze::Zone),
        ] {
            assert_eq!(text.parse::<Freeze>(), Err(why), "{text}");
        }
    }
}
