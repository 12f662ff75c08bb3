//! Which records: by their numbers or by their times.

use std::ops::Range;

use clap::Args;
use lockgate_audit::{AuditError, Reader, Record};

use super::CHUNK;
use crate::error::{CliError, CliResult};
use crate::output;

#[derive(Debug, Args)]
pub(super) struct RangeArgs {
    /// From this time on: RFC 3339, a date (UTC), or a length of time before now such as 24h or 20d
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["first", "last"])]
    from: Option<i64>,
    /// Before this time: RFC 3339, a date (UTC), or a length of time before now
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["first", "last"])]
    to: Option<i64>,
    /// The first record's number
    #[arg(long, value_name = "N")]
    first: Option<u64>,
    /// The last record's number
    #[arg(long, value_name = "N")]
    last: Option<u64>,
}

/// Milliseconds since the epoch of `2026-01-31T09:00:00Z`, of the beginning of `2026-01-31` (UTC), or of `24h` or `20d` ago.
pub(in crate::command::audit) fn time(text: &str) -> Result<i64, String> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.as_millisecond());
    }
    // Nothing but the date: of a time without its zone the time would be passed over.
    if text.len() == "2026-01-31".len()
        && let Ok(date) = text.parse::<jiff::civil::Date>()
    {
        let begins = jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0));
        return begins.map(jiff::Timestamp::as_millisecond).map_err(|error| error.to_string());
    }
    let wrong = || {
        format!(
            "`{text}` is neither a time such as 2026-01-31T09:00:00Z or 2026-01-31 nor a length of time before now such as 24h or 20d"
        )
    };
    let ago_ms = match text.strip_suffix('d').map(str::parse::<u32>) {
        Some(Ok(days)) => i64::from(days) * DAY_MS,
        _ => {
            let ago = crate::watch::time_limit(text).map_err(|_| wrong())?;
            i64::try_from(ago.as_millis()).map_err(|_| "that is too long ago".to_owned())?
        }
    };
    Ok(jiff::Timestamp::now().as_millisecond().saturating_sub(ago_ms))
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Refuses a range that ends before it begins: nothing is in it, and that is hardly what was meant.
pub(in crate::command::audit) fn in_order(from: Option<i64>, to: Option<i64>) -> CliResult<()> {
    match (from, to) {
        (Some(from), Some(to)) if from >= to => Err(CliError::usage(format!(
            "--from ({}) is not before --to ({})",
            output::time(from),
            output::time(to)
        ))
        .hint("exchange the two")),
        _ => Ok(()),
    }
}

/// The records asked for.
pub(super) struct Wanted {
    /// Their numbers lie in here.
    pub(super) seqs: Range<u64>,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
}

impl RangeArgs {
    /// Whether it is one.
    pub(super) fn check(&self) -> CliResult<()> {
        in_order(self.from, self.to)
    }

    /// Whether records before this one were asked for too, as far as that is known.
    pub(super) fn begins_before(&self, first: u64) -> bool {
        self.first.is_none_or(|asked| asked < first)
    }

    pub(super) fn resolve(&self, log: &Reader) -> Result<Wanted, AuditError> {
        let size = log.size();
        let first = self.first.unwrap_or(log.first());
        let end = self.last.map_or(size, |last| last.saturating_add(1));
        if (self.first.is_some() || self.last.is_some()) && (first >= end || end > size) {
            return Err(AuditError::Missing(format!(
                "records {first} to {} are not there; the log has {size}",
                end.saturating_sub(1)
            )));
        }
        Ok(Wanted { seqs: first..end, from_ms: self.from, to_ms: self.to })
    }
}

impl Wanted {
    /// Whether this record's time is in the range.
    pub(super) fn takes(&self, record: &Record) -> bool {
        self.from_ms.is_none_or(|from| record.at_ms >= from)
            && self.to_ms.is_none_or(|to| record.at_ms < to)
    }

    /// The numbers from the first to the last such record. Where a clock went back, others are among them.
    pub(super) fn covering(&self, log: &Reader) -> Result<Range<u64>, AuditError> {
        if self.from_ms.is_none() && self.to_ms.is_none() {
            return Ok(self.seqs.clone());
        }
        let mut found: Option<Range<u64>> = None;
        let mut at = self.seqs.start;
        while at < self.seqs.end {
            let until = ((at / CHUNK + 1) * CHUNK).min(self.seqs.end);
            for (seq, bytes) in (at..).zip(log.records(at..until)?) {
                if self.takes(&Record::parse(&bytes)?) {
                    found = Some(found.map_or(seq..seq + 1, |found| found.start..seq + 1));
                }
            }
            at = until;
        }
        Ok(found.unwrap_or(0..0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_taken_as_people_write_them() {
        assert_eq!(time("1970-01-02T00:00:01Z"), Ok(DAY_MS + 1_000));
        assert_eq!(time("1970-01-02"), Ok(DAY_MS));
        let now = jiff::Timestamp::now().as_millisecond();
        for (text, ago_ms) in [("20d", 20 * DAY_MS), ("24h", DAY_MS), ("0d", 0)] {
            let at = time(text).expect("a length of time");
            assert!((0..60_000).contains(&(at - (now - ago_ms))), "{text}: {at}");
        }
        for wrong in ["", "d", "-3d", "yesterday", "99999999999d", "2026-02-31", "2026-01-31T09:00"]
        {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_a_mistake() {
        assert!(in_order(Some(2), Some(1)).is_err());
        assert!(in_order(Some(1), Some(1)).is_err());
        assert!(in_order(Some(1), Some(2)).is_ok());
        assert!(in_order(None, Some(1)).is_ok());
    }
}
