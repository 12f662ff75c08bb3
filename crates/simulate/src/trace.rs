//! When users came, as a real service saw it: how busy each tick is beside the mean.

/// Arrivals of a trace, repeated without end.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Milliseconds since the first one, ascending.
    arrivals_ms: Vec<u64>,
    /// After so long the first one comes again.
    span_ms: u64,
}

/// Why a file is no trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct TraceError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// A trace needs enough rows to tell a rate.
const ROWS_MIN: usize = 100;

impl Trace {
    /// Reads a CSV file with a head line and the time in the first column, such as
    /// `2023-11-16 18:15:46.6805900`; other columns are not read.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let mut arrivals_ms: Vec<u64> = Vec::new();
        let mut first_s = None;
        for (line, row) in (1..).zip(text.lines()).skip(1) {
            let time = row.split(',').next().unwrap_or_default();
            let time_s = seconds_of(time)
                .ok_or(TraceError { line, what: "the time is not like 2023-11-16 18:15:46.680" })?;
            let since_ms = (time_s - *first_s.get_or_insert(time_s)) * 1e3;
            let since_ms = whole(since_ms)
                .filter(|since_ms| arrivals_ms.last().is_none_or(|last| last <= since_ms))
                .ok_or(TraceError { line, what: "the times go backwards" })?;
            arrivals_ms.push(since_ms);
        }
        let last_ms = arrivals_ms.last().copied().unwrap_or(0);
        if arrivals_ms.len() < ROWS_MIN || last_ms == 0 {
            let what = "a trace needs at least 100 rows that span some time";
            return Err(TraceError { line: 1, what });
        }
        // The seam is one mean gap long.
        let span_ms = last_ms + last_ms / (arrivals_ms.len() as u64 - 1) + 1;
        Ok(Self { arrivals_ms, span_ms })
    }

    /// How long it takes until it repeats.
    pub fn span_ms(&self) -> u64 {
        self.span_ms
    }

    /// Arrivals within `length_ms` from `start_ms` on, as a multiple of how many come in that time
    /// on average.
    pub fn busy(&self, start_ms: u64, length_ms: u64) -> f64 {
        let expected = self.arrivals_ms.len() as f64 * length_ms as f64 / self.span_ms as f64;
        (self.before(start_ms + length_ms) - self.before(start_ms)) as f64 / expected
    }

    /// Arrivals before a moment, all repetitions counted.
    fn before(&self, at_ms: u64) -> u64 {
        let (rounds, rest_ms) = (at_ms / self.span_ms, at_ms % self.span_ms);
        let within = self.arrivals_ms.partition_point(|arrival_ms| *arrival_ms < rest_ms);
        rounds * self.arrivals_ms.len() as u64 + within as u64
    }
}

/// Seconds since midnight of the first of the month; traces that cross a month are not met.
fn seconds_of(time: &str) -> Option<f64> {
    let (date, clock) = time.trim().split_once([' ', 'T'])?;
    let day: f64 = date.rsplit('-').next()?.parse().ok()?;
    let mut parts = clock.trim_end_matches('Z').splitn(3, ':');
    let mut next = || parts.next()?.parse::<f64>().ok().filter(|value| value.is_finite());
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    Some(day * 86_400.0 + hours * 3_600.0 + minutes * 60.0 + seconds)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
fn whole(ms: f64) -> Option<u64> {
    (ms >= 0.0).then(|| ms.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 arrivals in the first second of ten, none after.
    fn burst() -> Trace {
        let mut rows = vec!["TIMESTAMP,a,b".to_owned()];
        rows.extend((0..100).map(|n| format!("2023-11-16 18:15:00.{:03},1,2", n * 10)));
        rows.push("2023-11-16 18:15:10.000,1,2".into());
        Trace::parse(&rows.join("\n")).expect("sound")
    }

    #[test]
    fn bursts_stay_bursts_and_the_mean_is_one() {
        let trace = burst();
        assert!(trace.busy(0, 1_000) > 9.0);
        assert!(trace.busy(2_000, 5_000) < 0.01);
        let whole = trace.busy(0, 1_000 * trace.span_ms());
        assert!((whole - 1.0).abs() < 1e-9, "{whole}");
        let around = trace.busy(trace.span_ms(), 1_000);
        assert!((around - trace.busy(0, 1_000)).abs() < 1e-9, "it repeats");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let head = "TIMESTAMP\n2023-11-16 18:15:46.6\n";
        for (row, line, what) in [
            ("never", 3, "the time is not"),
            ("2023-11-16 18:15:40", 3, "backwards"),
            ("2023-11-16 18:15:47", 1, "at least 100 rows"),
        ] {
            let error = Trace::parse(&format!("{head}{row}\n")).expect_err(what);
            assert_eq!(error.line, line, "{row}");
            assert!(error.what.contains(what), "{error}");
        }
    }
}
