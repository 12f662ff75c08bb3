//! A judgement in one sentence.

use lockgate_model::plan::{Bound, Metric};

use super::Question;
use super::alpha::Span;
use super::reading::{Reading, names_good_side};
use crate::explain::Verdict;

/// What was seen, beside what, and what is required.
pub(super) fn sentence(
    question: &Question<'_>,
    verdict: Verdict,
    [candidate, baseline]: [Reading; 2],
) -> String {
    let Question { metric, bound, min_samples, .. } = question;
    let (subject, unit) = (question.subject(), unit(question));
    let Some(value) = candidate.value else {
        return format!("{subject}: nothing seen yet, {} {unit} needed", (*min_samples).max(1));
    };
    let value = of(*metric, value);
    let beside =
        baseline.value.map(|value| format!(", stable {}", of(*metric, value))).unwrap_or_default();
    if verdict == Verdict::Insufficient && candidate.n < *min_samples {
        return format!(
            "{subject} is {value}{beside}: {} of {min_samples} {unit} seen",
            candidate.n
        );
    }
    let bound = limit(*metric, *bound);
    let samples = if *metric == Metric::SecurityEvents {
        String::new()
    } else {
        format!(" over {} {unit}", candidate.n)
    };
    let role = if names_good_side(question.role) { "required" } else { "limit" };
    format!("{subject} is {value}{samples}{beside}; {role} {bound}")
}

/// What a statistical judge adds.
pub(super) struct Finding {
    /// Over which part of the release the numbers were seen.
    pub(super) span: Span,
    /// The chance that the test may be wrong.
    pub(super) alpha: f64,
    /// Whether there are too few users.
    pub(super) few_keys: bool,
    /// Whether the gate asks for proof.
    pub(super) wants_proof: bool,
}

/// The same for a statistical judge.
pub(super) fn found(
    question: &Question<'_>,
    verdict: Verdict,
    readings: [Reading; 2],
    finding: &Finding,
) -> String {
    let sentence = sentence(question, verdict, readings);
    let [candidate, _] = readings;
    let few = candidate.n < question.min_samples.max(1);
    match verdict {
        Verdict::Fail => {
            let chance = number(finding.alpha * 100.0);
            let since = match finding.span {
                Span::Release => "",
                Span::Epoch => "; seen since this weight was set",
                Span::Block => "; seen in the last minutes",
            };
            format!("{sentence}{since}; not by chance, with an error of at most {chance} %")
        }
        Verdict::Insufficient if finding.few_keys => {
            format!("{sentence}; too few users to tell")
        }
        Verdict::Insufficient if few => sentence,
        Verdict::Insufficient if finding.wants_proof => format!("{sentence}; not proved yet"),
        Verdict::Insufficient => format!("{sentence}; could still be chance"),
        Verdict::Pass => sentence,
    }
}

/// What a sample of the metric is: error rates of sticky agents count users, not requests.
pub(super) fn unit(question: &Question<'_>) -> &'static str {
    match question.metric {
        Metric::ErrorRate => question.population.unit(),
        Metric::P95Ms => "requests",
        Metric::CostUsd | Metric::CostPerResolvedUsd => "requests of known cost",
        Metric::ReplacementRate => "answers",
        Metric::Nps | Metric::SatisfiedShare | Metric::NegativeShare => "votes",
        Metric::Health => "readings",
        Metric::Probes => "runs",
        Metric::SecurityEvents => "events",
        Metric::Measure(_) => "reports",
    }
}

/// A value of a metric: shares as percent, like everywhere else.
fn of(metric: Metric, value: f64) -> String {
    if is_share(metric) { format!("{} %", number(value * 100.0)) } else { number(value) }
}

/// A bound in the unit of its metric.
fn limit(metric: Metric, bound: Bound) -> String {
    match bound {
        Bound::Below(value) if is_share(metric) => format!("< {}", of(metric, value)),
        Bound::Above(value) if is_share(metric) => format!("> {}", of(metric, value)),
        Bound::Equal(value) if is_share(metric) => format!("= {}", of(metric, value)),
        other => other.to_string(),
    }
}

fn is_share(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::ErrorRate
            | Metric::SatisfiedShare
            | Metric::NegativeShare
            | Metric::Probes
            | Metric::ReplacementRate
    )
}

/// At most four significant digits, without a tail of zeros.
pub(crate) fn number(value: f64) -> String {
    let digits = if value == 0.0 {
        0
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "log10 of a finite f64 is below 400")]
        let magnitude = value.abs().log10().floor() as i32;
        usize::try_from(3 - magnitude).unwrap_or(0).min(12)
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percent_and_so_are_their_bounds() {
        assert_eq!(of(Metric::ErrorRate, 0.0), "0 %");
        assert_eq!(of(Metric::SatisfiedShare, 0.958_91), "95.89 %");
        assert_eq!(limit(Metric::ErrorRate, Bound::Below(0.005)), "< 0.5 %");
        assert_eq!(limit(Metric::Probes, Bound::Equal(1.0)), "= 100 %");
        assert_eq!(limit(Metric::ErrorRate, Bound::AboveBaselineBy(0.5)), "> baseline + 50 %");
        assert_eq!(
            (of(Metric::P95Ms, 69.7), limit(Metric::Nps, Bound::Above(50.0))),
            ("69.7".into(), "> 50".into())
        );
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(0.0), "0");
        assert_eq!(number(0.004_999_9), "0.005");
        assert_eq!(number(123.456), "123.5");
        assert_eq!(number(98_765.4), "98765");
    }
}
