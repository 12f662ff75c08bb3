//! Bounds as they are written: `< 0.5%`, `> 50`, `= 0`, `> baseline + 20%`.

use super::schema::short;
use crate::plan::{Bound, Metric};

/// Whether a bound names the good side or the bad one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The good side: what must hold.
    Gate,
    /// The bad side: what rolls back.
    Trigger,
}

/// Why a bound was refused, and what helps.
pub(super) type Problem = (String, String);

/// The bound that `text` says of `metric`.
pub(super) fn parse(metric: Metric, role: Role, text: &str) -> Result<Bound, Problem> {
    let text = text.trim();
    let Some(side) = text.chars().next().filter(|c| matches!(c, '<' | '>' | '=')) else {
        let hint = match (role, text) {
            (Role::Trigger, "off") => format!("write `{metric}: {{ off_because: WHY }}`"),
            _ => example(metric, role),
        };
        return Err((format!("`{}` is not a condition", short(text)), hint));
    };
    let value = text[side.len_utf8()..].trim();
    if value.starts_with('=') {
        let hint = format!("write `{side}` alone: equality never counts as {}", counts_as(role));
        return Err((format!("`{side}=` is not taken"), hint));
    }
    check_side(metric, role, side)?;
    let bound = if let Some(rest) = value.strip_prefix("baseline") {
        relative(metric, role, side, rest.trim())?
    } else {
        let number = number(metric, role, value)?;
        match side {
            '<' => Bound::Below(number),
            '>' => Bound::Above(number),
            _ => Bound::Equal(number),
        }
    };
    check_reach(metric, role, bound)?;
    Ok(bound)
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

fn counts_as(role: Role) -> &'static str {
    match role {
        Role::Gate => "passed",
        Role::Trigger => "crossed",
    }
}

/// A bound of the right shape.
pub(super) fn example(metric: Metric, role: Role) -> String {
    let bound = match (role, metric) {
        (Role::Gate, Metric::ErrorRate) => "< 0.5%",
        (Role::Gate, Metric::P95Ms) => "< 200",
        (Role::Gate, Metric::CostUsd) => "< 0.02",
        (Role::Gate, Metric::CostPerResolvedUsd) => "< 0.10",
        (Role::Gate, Metric::ReplacementRate) => "> 70%",
        (Role::Gate, Metric::Nps) => "> 50",
        (Role::Gate, Metric::SatisfiedShare) => "> 80%",
        (Role::Gate, Metric::NegativeShare) => "< 5%",
        (Role::Gate, Metric::SecurityEvents) | (Role::Trigger, Metric::Health) => "= 0",
        (Role::Gate, Metric::Health) => "= 1",
        (_, Metric::Probes) => "= 100%",
        (Role::Trigger, Metric::ErrorRate | Metric::NegativeShare) => "> 5%",
        (Role::Trigger, Metric::P95Ms) => "> baseline + 20%",
        (Role::Trigger, Metric::CostUsd | Metric::CostPerResolvedUsd) => "> baseline + 30%",
        (Role::Trigger, Metric::ReplacementRate) => "< 50%",
        (Role::Trigger, Metric::Nps) => "< 0",
        (Role::Trigger, Metric::SatisfiedShare) => "< 80%",
        (Role::Trigger, Metric::SecurityEvents) => "> 0",
        (Role::Gate, Metric::Measure(_)) => "> 0.8",
        (Role::Trigger, Metric::Measure(_)) => "< baseline - 10%",
    };
    format!("write it like `{metric}: \"{bound}\"`")
}

/// The sides that make sense: a gate on the good one, a trigger on the bad one.
fn check_side(metric: Metric, role: Role, side: char) -> Result<(), Problem> {
    let allowed: &[char] = match (metric, role) {
        (Metric::Health, _) => &['='],
        // Which side is the good one is the agent's to say.
        (Metric::Measure(_), _) => &['<', '>'],
        (Metric::Probes, _) => &['=', '>'],
        (Metric::SecurityEvents, Role::Gate) => &['=', '<'],
        (
            Metric::ErrorRate
            | Metric::P95Ms
            | Metric::CostUsd
            | Metric::CostPerResolvedUsd
            | Metric::NegativeShare,
            Role::Gate,
        )
        | (Metric::Nps | Metric::SatisfiedShare | Metric::ReplacementRate, Role::Trigger) => &['<'],
        (
            Metric::ErrorRate
            | Metric::P95Ms
            | Metric::CostUsd
            | Metric::CostPerResolvedUsd
            | Metric::NegativeShare
            | Metric::SecurityEvents,
            Role::Trigger,
        )
        | (Metric::Nps | Metric::SatisfiedShare | Metric::ReplacementRate, Role::Gate) => &['>'],
    };
    if allowed.contains(&side) {
        return Ok(());
    }
    let message = match role {
        Role::Gate => {
            format!("a gate says what is good, and `{side}` is not the good side of `{metric}`")
        }
        Role::Trigger => {
            format!("a trigger says what is bad, and `{side}` is not the bad side of `{metric}`")
        }
    };
    Err((message, example(metric, role)))
}

/// `> baseline + 20%`, and `> baseline` for counts; `< baseline - 20%` for measures.
fn relative(metric: Metric, role: Role, side: char, rest: &str) -> Result<Bound, Problem> {
    if role == Role::Gate {
        return Err((
            "a gate cannot be compared with the baseline".into(),
            format!("use a trigger for that; {}", example(metric, role)),
        ));
    }
    if metric == Metric::SecurityEvents {
        return match rest {
            "" => Ok(Bound::AboveBaselineBy(0.0)),
            _ => Err((
                "security events are not compared by percent".into(),
                "write `> 0`, or `> baseline` to spare events that stable shows too".into(),
            )),
        };
    }
    if !matches!(
        metric,
        Metric::ErrorRate
            | Metric::P95Ms
            | Metric::CostUsd
            | Metric::CostPerResolvedUsd
            | Metric::Measure(_)
    ) {
        return Err((
            format!("`{metric}` is not compared with the baseline"),
            example(metric, role),
        ));
    }
    // Errors are counted, and equal counts are no worse; quantiles and means always differ a bit.
    if metric == Metric::ErrorRate && rest.is_empty() {
        return Ok(Bound::AboveBaselineBy(0.0));
    }
    let share = rest
        .strip_prefix(if side == '<' { '-' } else { '+' })
        .and_then(|rest| rest.trim().strip_suffix('%'))
        .and_then(|percent| hundredth(percent.trim()));
    match share {
        Some(share) if share > 0.0 && share < 1.0 && side == '<' => {
            Ok(Bound::BelowBaselineBy(share))
        }
        Some(share) if share > 0.0 && share <= 10.0 && side == '>' => {
            Ok(Bound::AboveBaselineBy(share))
        }
        Some(_) if side == '<' => Err((
            "the distance below the baseline must be more than 0 % and less than 100 %".into(),
            example(metric, role),
        )),
        Some(_) => Err((
            "the distance to the baseline must be more than 0 % and at most 1000 %".into(),
            example(metric, role),
        )),
        None => {
            let like = if side == '<' { "< baseline - 20%" } else { "> baseline + 20%" };
            Err((
                "the distance to the baseline is missing".into(),
                format!("write it like `{like}`"),
            ))
        }
    }
}

fn number(metric: Metric, role: Role, text: &str) -> Result<f64, Problem> {
    let unknown =
        || (format!("`{text}` is not a number that `{metric}` can have"), example(metric, role));
    let value = if let Some(percent) = text.strip_suffix('%') {
        if !is_share(metric) {
            return Err(unknown());
        }
        hundredth(percent.trim())
    } else if metric == Metric::P95Ms {
        match (text.strip_suffix("ms"), text.strip_suffix('s')) {
            (Some(ms), _) => plain(ms.trim()),
            (None, Some(seconds)) => plain(seconds.trim()).map(|seconds| seconds * 1e3),
            (None, None) => plain(text),
        }
    } else {
        plain(text)
    };
    value.ok_or_else(unknown)
}

fn plain(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let shaped = are_digits(whole) && are_digits(part);
    text.parse::<f64>().ok().filter(|value| shaped && value.is_finite())
}

/// A hundredth of a decimal, rounded once: `0.7%` is 0.007 and not its neighbour.
fn hundredth(text: &str) -> Option<f64> {
    plain(text)?;
    format!("{text}e-2").parse().ok()
}

/// Refuses what no value can reach, and what every value does.
fn check_reach(metric: Metric, role: Role, bound: Bound) -> Result<(), Problem> {
    let (low, high) = match metric {
        Metric::ErrorRate
        | Metric::SatisfiedShare
        | Metric::NegativeShare
        | Metric::Probes
        | Metric::ReplacementRate
        | Metric::SecurityEvents => (0.0, 1.0),
        Metric::P95Ms => (0.0, 3_600_000.0),
        Metric::CostUsd => (0.0, 1_000.0),
        Metric::CostPerResolvedUsd => (0.0, 1_000_000.0),
        Metric::Nps => (-100.0, 100.0),
        // The agent says what its measures can reach, see `fit`.
        Metric::Measure(_) => return Ok(()),
        Metric::Health => {
            let wanted = if role == Role::Gate { 1.0 } else { 0.0 };
            return match bound {
                Bound::Equal(value) if value.to_bits() == f64::to_bits(wanted) => Ok(()),
                _ => Err(("health is 1 (healthy) or 0".into(), example(metric, role))),
            };
        }
    };
    let ok = match bound {
        // One event is enough: there is no allowance.
        Bound::Above(value) | Bound::Equal(value) if metric == Metric::SecurityEvents => {
            value == 0.0
        }
        Bound::Below(value) if metric == Metric::SecurityEvents => {
            (value - 1.0).abs() < f64::EPSILON
        }
        // Runs of probes pass or fail: only "all of them" can be met exactly.
        Bound::Equal(value) if metric == Metric::Probes => value >= high,
        Bound::Below(value) => value > low && value <= high,
        Bound::Above(value) => value >= low && value < high,
        Bound::Equal(value) => value >= low && value <= high,
        Bound::AboveBaselineBy(_) | Bound::BelowBaselineBy(_) => true,
    };
    // A share bounded by the whole says nothing.
    let trivial = is_share(metric) && matches!(bound, Bound::Below(value) if value >= 1.0);
    if ok && !trivial {
        return Ok(());
    }
    let message = match metric {
        Metric::ErrorRate
        | Metric::SatisfiedShare
        | Metric::NegativeShare
        | Metric::Probes
        | Metric::ReplacementRate => {
            format!("`{metric}` is a share; its bound must lie between 0 % and 100 %")
        }
        Metric::P95Ms => "a latency bound must lie between 0 and 1 hour".into(),
        Metric::CostUsd => "a cost bound must lie between 0 and 1000 US dollars a request".into(),
        Metric::CostPerResolvedUsd => {
            "a cost bound must lie between 0 and 1000000 US dollars a resolved interaction".into()
        }
        Metric::Nps => "NPS lies between -100 and 100".into(),
        Metric::SecurityEvents | Metric::Health | Metric::Measure(_) => {
            "one security event is enough".into()
        }
    };
    let hint = match bound {
        Bound::Below(value) | Bound::Above(value) if is_share(metric) && value >= 1.0 => {
            format!("did you mean `{value}%`? {}", example(metric, role))
        }
        _ => example(metric, role),
    };
    Err((message, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure() -> Metric {
        Metric::Measure("groundedness".parse().unwrap())
    }

    #[test]
    fn bounds_are_read_in_their_metrics_unit() {
        for (metric, role, text, bound) in [
            (Metric::ErrorRate, Role::Gate, "< 0.5%", Bound::Below(0.005)),
            (Metric::ErrorRate, Role::Gate, "<0.7 %", Bound::Below(0.007)),
            (Metric::ErrorRate, Role::Trigger, "> 0.05", Bound::Above(0.05)),
            (Metric::P95Ms, Role::Gate, "< 200", Bound::Below(200.0)),
            (Metric::P95Ms, Role::Gate, "< 1.5s", Bound::Below(1_500.0)),
            (Metric::P95Ms, Role::Trigger, "> baseline + 20%", Bound::AboveBaselineBy(0.2)),
            (Metric::CostUsd, Role::Trigger, ">baseline+30%", Bound::AboveBaselineBy(0.3)),
            (Metric::Nps, Role::Gate, "> 50", Bound::Above(50.0)),
            (Metric::Nps, Role::Trigger, "< -10", Bound::Below(-10.0)),
            (Metric::SecurityEvents, Role::Gate, "= 0", Bound::Equal(0.0)),
            (Metric::SecurityEvents, Role::Gate, "< 1", Bound::Below(1.0)),
            (Metric::SecurityEvents, Role::Trigger, "> baseline", Bound::AboveBaselineBy(0.0)),
            (Metric::Health, Role::Gate, "= 1", Bound::Equal(1.0)),
            (Metric::Probes, Role::Gate, "= 100%", Bound::Equal(1.0)),
            (Metric::Probes, Role::Gate, "> 95%", Bound::Above(0.95)),
            (Metric::Health, Role::Trigger, "= 0", Bound::Equal(0.0)),
            (measure(), Role::Gate, "> -0.8", Bound::Above(-0.8)),
            (measure(), Role::Trigger, "< baseline - 10%", Bound::BelowBaselineBy(0.1)),
            (measure(), Role::Trigger, "> baseline + 10%", Bound::AboveBaselineBy(0.1)),
        ] {
            assert_eq!(parse(metric, role, text), Ok(bound), "{metric} {text}");
        }
    }

    #[test]
    fn senseless_bounds_are_refused() {
        for (metric, role, text) in [
            (Metric::ErrorRate, Role::Gate, "> 5%"),
            (Metric::ErrorRate, Role::Gate, "<= 5%"),
            (Metric::ErrorRate, Role::Gate, "< 5"),
            (Metric::ErrorRate, Role::Gate, "< 0%"),
            (Metric::ErrorRate, Role::Gate, "< 100%"),
            (Metric::ErrorRate, Role::Gate, "< NaN"),
            (Metric::ErrorRate, Role::Gate, "< inf"),
            (Metric::ErrorRate, Role::Gate, "< 1e-3"),
            (Metric::ErrorRate, Role::Trigger, "> 100%"),
            (Metric::ErrorRate, Role::Trigger, "> baseline + 0%"),
            (Metric::P95Ms, Role::Gate, "< 0"),
            (Metric::P95Ms, Role::Gate, "< 2h"),
            (Metric::P95Ms, Role::Gate, "< 5%"),
            (Metric::P95Ms, Role::Gate, "< baseline + 20%"),
            (Metric::CostUsd, Role::Gate, "< 5000"),
            (Metric::CostUsd, Role::Gate, "< -1"),
            (Metric::Nps, Role::Gate, "> 100"),
            (Metric::Nps, Role::Gate, "= 50"),
            (Metric::SecurityEvents, Role::Gate, "< 5"),
            (Metric::SecurityEvents, Role::Trigger, "> 3"),
            (Metric::SatisfiedShare, Role::Trigger, "> baseline + 5%"),
            (Metric::Health, Role::Gate, "= 0"),
            (measure(), Role::Gate, "= 1"),
            (measure(), Role::Gate, "> 80%"),
            (measure(), Role::Gate, "> baseline + 10%"),
            (measure(), Role::Trigger, "< baseline"),
            (measure(), Role::Trigger, "< baseline + 10%"),
            (measure(), Role::Trigger, "< baseline - 100%"),
            (measure(), Role::Trigger, "> baseline - 10%"),
            (Metric::CostUsd, Role::Trigger, "< baseline - 10%"),
            (Metric::Probes, Role::Gate, "= 95%"),
            (Metric::Probes, Role::Gate, "< 95%"),
            (Metric::Probes, Role::Gate, "> 100%"),
            (Metric::ErrorRate, Role::Gate, ""),
            (Metric::ErrorRate, Role::Gate, "<"),
            (Metric::ErrorRate, Role::Gate, "< .5%"),
            (Metric::ErrorRate, Role::Gate, "< 5.%"),
            (Metric::ErrorRate, Role::Trigger, "off"),
            (Metric::ErrorRate, Role::Gate, "0.5%"),
        ] {
            let problem = parse(metric, role, text);
            assert!(problem.is_err(), "{metric} {role:?} `{text}` gave {problem:?}");
        }
    }
}
