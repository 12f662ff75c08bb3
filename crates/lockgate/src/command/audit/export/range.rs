//! Which records: by their numbers or by their times.

use std::ops::Range;

use clap::Args;
use lockgate_audit::{AuditError, Reader, Record};

use super::CHUNK;

#[derive(Debug, Args)]
pub(super) struct RangeArgs {
    /// From this time on: RFC 3339, or a length of time before now such as 24h
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["first", "last"])]
    from: Option<i64>,
    /// Before this time: RFC 3339, or a length of time before now
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["first", "last"])]
    to: Option<i64>,
    /// The first record's number
    #[arg(long, value_name = "N")]
    first: Option<u64>,
    /// The last record's number
    #[arg(long, value_name = "N")]
    last: Option<u64>,
}

/// Milliseconds since the epoch of `2026-01-31T09:00:00Z`, or of `24h` ago.
pub(in crate::command::audit) fn time(text: &str) -> Result<i64, String> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let ago = crate::watch::time_limit(text)
        .map_err(|_| format!("`{text}` is neither a time such as 2026-01-31T09:00:00Z nor a length of time such as 24h"))?;
    let ago_ms = i64::try_from(ago.as_millis()).map_err(|_| "that is too long ago".to_owned())?;
    Ok(jiff::Timestamp::now().as_millisecond().saturating_sub(ago_ms))
}

/// The records asked for.
pub(super) struct Wanted {
    /// Their numbers lie in here.
    pub(super) seqs: Range<u64>,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
}

impl RangeArgs {
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
