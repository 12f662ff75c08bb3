//! Arrivals and token counts of real users, compressed in time.
//!
//! Compression divides every gap by the same number, so bursts stay bursts.

use std::path::Path;
use std::time::Duration;

use crate::error::DemoError;

const SAMPLE_NAME: &str = "azure-llm-2023-conv-sample.csv";
const SAMPLE: &str = include_str!("../data/azure-llm-2023-conv-sample.csv");
/// A trace needs enough rows to tell a rate.
const ROWS_MIN: usize = 100;

/// One request of the trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Arrival {
    /// Seconds since the first one, as recorded.
    pub(crate) at_s: f64,
    /// Tokens that the model read.
    pub(crate) context_tokens: u64,
    /// Tokens that it wrote.
    pub(crate) generated_tokens: u64,
}

/// A trace, replayed again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    arrivals: Vec<Arrival>,
    /// How many times faster than recorded.
    speed: f64,
    /// The row that is replayed first.
    first: u64,
}

impl Trace {
    /// The file, or the sample that ships with the demo, compressed to `rate` arrivals a second.
    pub fn load(file: Option<&Path>, rate: u32) -> Result<Self, DemoError> {
        let Some(path) = file else {
            return Self::parse(SAMPLE_NAME, SAMPLE, rate);
        };
        let text = std::fs::read_to_string(path).map_err(DemoError::file("read", path))?;
        Self::parse(&path.display().to_string(), &text, rate)
    }

    fn parse(file: &str, text: &str, rate: u32) -> Result<Self, DemoError> {
        let wrong = |line: usize, what: &str| DemoError::Trace {
            file: file.to_owned(),
            line,
            what: what.to_owned(),
        };
        let mut arrivals: Vec<Arrival> = Vec::new();
        let mut first_s = None;
        for (number, line) in (1..).zip(text.lines()).skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let [time, context, generated] = fields.as_slice() else {
                return Err(wrong(
                    number,
                    "three fields are expected: TIMESTAMP,ContextTokens,GeneratedTokens",
                ));
            };
            let time_s = seconds_of(time)
                .ok_or_else(|| wrong(number, "the time is not like 2023-11-16 18:15:46.680"))?;
            let count = |text: &str| {
                text.trim().parse::<u64>().map_err(|_| wrong(number, "a token count is no number"))
            };
            let at_s = time_s - *first_s.get_or_insert(time_s);
            if arrivals.last().is_some_and(|last| at_s < last.at_s) {
                return Err(wrong(number, "the times go backwards"));
            }
            arrivals.push(Arrival {
                at_s,
                context_tokens: count(context)?,
                generated_tokens: count(generated)?,
            });
        }
        let span_s = arrivals.last().map_or(0.0, |last| last.at_s);
        if arrivals.len() < ROWS_MIN || span_s <= 0.0 {
            return Err(wrong(1, "a trace needs at least 100 rows that span some time"));
        }
        let recorded = arrivals.len() as f64 / span_s;
        Ok(Self { arrivals, speed: f64::from(rate) / recorded, first: 0 })
    }

    /// The same trace, replayed from another row on.
    #[must_use]
    pub fn from_row(self, row: u64) -> Self {
        Self { first: row % self.arrivals.len() as u64, ..self }
    }

    /// The `number`th request from 0 on, and when it comes. After the last row the first follows,
    /// one mean gap later.
    pub(crate) fn nth(&self, number: u64) -> (Duration, Arrival) {
        let (at_s, arrival) = self.row(self.first + number);
        (Duration::from_secs_f64((at_s - self.row(self.first).0) / self.speed), arrival)
    }

    /// A row of the endless trace, and its time in seconds as recorded.
    fn row(&self, number: u64) -> (f64, Arrival) {
        let len = self.arrivals.len() as u64;
        let arrival = self.arrivals[usize::try_from(number % len).unwrap_or_default()];
        let last_s = self.arrivals[self.arrivals.len() - 1].at_s;
        let round_s = last_s + last_s / (len - 1) as f64;
        ((number / len) as f64 * round_s + arrival.at_s, arrival)
    }
}

/// Seconds since midnight of the first of the month; traces that cross a month are not met.
fn seconds_of(time: &str) -> Option<f64> {
    let (date, clock) = time.trim().split_once([' ', 'T'])?;
    let day: f64 = date.rsplit('-').next()?.parse().ok()?;
    let mut parts = clock.splitn(3, ':');
    let mut next = || parts.next()?.parse::<f64>().ok().filter(|value| value.is_finite());
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    Some(day * 86_400.0 + hours * 3_600.0 + minutes * 60.0 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_comes_at_the_rate_asked_for_and_keeps_its_bursts() {
        let trace = Trace::load(None, 200).expect("the sample is sound");
        let seconds = trace.nth(20_000).0.as_secs_f64();
        assert!((20_000.0 / seconds - 200.0).abs() < 1.0, "{seconds}");
        let mut per_100_ms = std::collections::BTreeMap::<u128, u32>::new();
        for number in 0..4_000 {
            *per_100_ms.entry(trace.nth(number).0.as_millis() / 100).or_default() += 1;
        }
        let busiest = per_100_ms.values().max().copied().unwrap_or_default();
        assert!(busiest >= 32, "the busiest tenth of a second has {busiest}, the mean is 20");
    }

    #[test]
    fn time_never_goes_back_over_the_seam() {
        let trace = Trace::load(None, 100).expect("the sample is sound");
        for number in 3_990..4_010 {
            assert!(trace.nth(number + 1).0 >= trace.nth(number).0, "{number}");
        }
        assert_eq!(trace.nth(4_000).1.context_tokens, trace.nth(0).1.context_tokens);
    }

    #[test]
    fn a_replay_from_another_row_keeps_the_gaps() {
        let trace = Trace::load(None, 100).expect("the sample is sound");
        let later = trace.clone().from_row(3_998);
        for number in 0..10 {
            let expected = trace.nth(3_998 + number).0.saturating_sub(trace.nth(3_998).0);
            let gap = later.nth(number).0.abs_diff(expected);
            assert!(gap < Duration::from_micros(1), "{number}: {gap:?}");
            assert_eq!(later.nth(number).1, trace.nth(3_998 + number).1);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let head = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6,3,4\n";
        for (line, what) in [
            ("2023-11-16 18:15:47", "three fields"),
            ("never,1,2", "the time is not"),
            ("2023-11-16 18:15:47,-1,2", "a token count"),
            ("2023-11-16 18:15:40,1,2", "backwards"),
        ] {
            let error = Trace::parse("t.csv", &format!("{head}{line}\n"), 10).expect_err(what);
            let text = error.to_string();
            assert!(text.starts_with("t.csv:3: ") && text.contains(what), "{text}");
        }
        assert!(Trace::parse("t.csv", head, 10).is_err());
    }
}
