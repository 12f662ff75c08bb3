//! What agents save, and what they cost. Money is US dollars; amounts in another currency are named and not converted.

use std::collections::BTreeSet;

use lockgate_model::ids::AgentName;

use super::operations::errors;
use super::{View, named, no_interactions, record, time_saved};
use crate::amount::Amount;
use crate::catalog::MeasureId;
use crate::event::Baseline;
use crate::gather::{Figure, Party};
use crate::measured::{Estimate, Measured, Missing};

/// The currency of everything.
pub(crate) const CURRENCY: &str = "USD";

/// A sum over the time looked at, and what it is made of.
#[derive(Debug, Clone)]
pub(crate) struct Sum {
    pub(crate) total: Estimate,
    /// Observations.
    pub(crate) n: u64,
    pub(crate) notes: Vec<String>,
}

impl Sum {
    fn none() -> Self {
        Self { total: Estimate::exact(0.0), n: 0, notes: Vec::new() }
    }

    fn add(&mut self, part: Estimate, n: u64) {
        self.total = self.total.plus(part);
        self.n += n;
    }

    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn and(mut self, other: Self, sign: f64) -> Self {
        self.add(other.total.times(sign), other.n);
        other.notes.into_iter().for_each(|note| self.note(note));
        self
    }
}

/// Baselines that are lacking, gathered over agents so that one sentence names them all.
#[derive(Default)]
pub(super) struct Lacking<'a> {
    agents: BTreeSet<&'a AgentName>,
    measures: BTreeSet<Baseline>,
    foreign: BTreeSet<String>,
}

impl<'a> Lacking<'a> {
    /// A baseline, or a note that it is not there or in another currency.
    pub(super) fn need(
        &mut self,
        view: &View<'a>,
        party: &'a Party,
        measure: Baseline,
    ) -> Option<f64> {
        let figure = view.gathered.facts.baseline(party, measure);
        let usable =
            figure.filter(|figure| !measure.is_money() || figure.unit.as_str() == CURRENCY);
        if usable.is_none() {
            self.measures.insert(measure);
            self.agents.extend(party);
            self.foreign.extend(figure.map(|figure| figure.unit.to_string()));
        }
        usable.map(|figure| figure.value.as_f64())
    }

    pub(super) fn or<T>(self, view: &View, sum: T) -> Result<T, Missing> {
        if self.measures.is_empty() {
            return Ok(sum);
        }
        let measures: Vec<&str> = self.measures.iter().map(|measure| measure.as_str()).collect();
        let mut why = format!("not recorded: {}", measures.join(", "));
        if !self.agents.is_empty() && view.only().is_none() {
            why = format!("{why} of {}", named(&self.agents));
        }
        if !self.foreign.is_empty() {
            let units: Vec<String> = self.foreign.into_iter().collect();
            why = format!("{why} in {CURRENCY} (there is one in {})", units.join(", "));
        }
        let how = self.measures.iter().map(|measure| how(view.only().as_ref(), *measure));
        Err(Missing::new(why, how.collect::<Vec<_>>()))
    }
}

fn how(agent: Option<&AgentName>, measure: Baseline) -> String {
    let unit = match measure {
        Baseline::MinutesPerTask | Baseline::MinutesWithAgent => "minutes",
        Baseline::ErrorRateByHand => "percent",
        Baseline::Nps => "points",
        _ => CURRENCY,
    };
    let options = format!("measure={} value=N unit={unit} as_of=DATE", measure.as_str());
    record(agent, "baseline", &options)
}

/// What errors would have cost that people make and agents did not.
pub(crate) fn errors_avoided(view: &View) -> Result<Sum, Missing> {
    if view.interactions() == 0 {
        return Err(no_interactions());
    }
    let mut lacking = Lacking::default();
    let mut sum = Sum::none();
    for (party, day) in view.parties.iter().filter(|(_, day)| day.bucket.interactions() > 0) {
        let rate = lacking.need(view, party, Baseline::ErrorRateByHand);
        let each = lacking.need(view, party, Baseline::CostPerError);
        let interactions = day.bucket.interactions();
        let made = errors(&day.bucket, day.tally.errors_introduced) as f64;
        if let (Some(rate), Some(each)) = (rate, each) {
            sum.add(
                Estimate::exact((rate / 100.0 * interactions as f64 - made) * each),
                interactions,
            );
        }
    }
    lacking.or(view, sum)
}

/// What the time is worth that people saved.
pub(super) fn labour(view: &View) -> Result<Sum, Missing> {
    time_saved::labour(view).map(time_saved::Saved::sum)
}

/// Labour and errors avoided.
pub(crate) fn gross(view: &View) -> Result<Sum, Missing> {
    match (labour(view), errors_avoided(view)) {
        (Ok(labour), Ok(avoided)) => Ok(labour.and(avoided, 1.0)),
        (Err(mut one), Err(other)) => {
            one.why = format!("{}; {}", one.why, other.why);
            one.how.extend(other.how);
            Err(one)
        }
        (Err(missing), Ok(_)) | (Ok(_), Err(missing)) => Err(missing),
    }
}

/// What agents cost over the time looked at: known costs of interactions, and charges from outside.
pub(crate) fn cost(view: &View) -> Result<Sum, Missing> {
    let cost = view.sum.bucket.cost;
    let charges = &view.sum.tally.charges;
    let ours = charges.get(CURRENCY).copied();
    if cost.known == 0 && ours.is_none() {
        return Err(no_cost(view));
    }
    let value = (cost.sum_usd + ours.unwrap_or(Amount::ZERO)).as_f64();
    let mut sum = Sum { total: Estimate::exact(value), n: cost.known, notes: Vec::new() };
    if cost.unknown > 0 {
        sum.total.high = None;
        let all = cost.known + cost.unknown;
        sum.note(format!(
            "the cost of {} of {all} interactions is unknown and not in it",
            cost.unknown
        ));
    }
    for (currency, amount) in charges.iter().filter(|(currency, _)| *currency != CURRENCY) {
        // A credit in another currency makes it less, a charge makes it more.
        let end = if amount.nano() < 0 { &mut sum.total.low } else { &mut sum.total.high };
        *end = None;
        sum.note(format!("{amount} {currency} of charges are not converted and not in it"));
    }
    for (currency, amount) in &view.sum.tally.billed_tokens {
        sum.note(format!(
            "{amount} {currency} were billed for tokens, whose cost is counted by interaction"
        ));
    }
    Ok(sum)
}

fn no_cost(view: &View) -> Missing {
    let agent = view.only().as_ref().map_or_else(String::new, |agent| format!(" --agent {agent}"));
    let how = format!("lockgate import FILE --as focus{agent} --source TEXT");
    match view.sum.bucket.cost.unknown {
        0 if view.interactions() == 0 => no_interactions(),
        unknown => Missing::new(
            format!("the cost of none of {unknown} interactions is known"),
            ["name the model's price: see `prices` in docs/configuration.md".to_owned(), how],
        ),
    }
}

/// Gross saving less cost.
pub(crate) fn net(view: &View) -> Result<Sum, Missing> {
    Ok(gross(view)?.and(cost(view)?, -1.0))
}

pub(super) fn yearly(view: &View, id: MeasureId, sum: Result<Sum, Missing>) -> Measured {
    match sum {
        Ok(sum) => told(id, sum.total.times(view.yearly()), &sum).over(sum.total.value, view.days),
        Err(missing) => Measured::absent(id, missing),
    }
}

fn told(id: MeasureId, estimate: Estimate, sum: &Sum) -> Measured {
    sum.notes
        .iter()
        .fold(Measured::of(id, estimate, sum.n), |measured, note| measured.note(note.clone()))
}

/// A figure of what the report is about: of the agent, of all, or the sum of every agent's own.
pub(crate) fn figure_usd(view: &View, measure: Baseline) -> Result<f64, Missing> {
    let facts = &view.gathered.facts;
    let is_usd = |figure: &&Figure| figure.unit.as_str() == CURRENCY;
    if let Some(figure) = facts.baseline(view.only(), measure) {
        return is_usd(&figure).then(|| figure.value.as_f64()).ok_or_else(|| {
            let why =
                format!("{} is in {}, and costs are in {CURRENCY}", measure.as_str(), figure.unit);
            Missing::new(why, [how(view.only().as_ref(), measure)])
        });
    }
    let parties: Vec<&Party> = view.parties.keys().filter(|party| party.is_some()).collect();
    let own =
        |party: &&Party| facts.baseline(party, measure).filter(is_usd).map(|figure| figure.value);
    let all: Option<Vec<Amount>> = parties.iter().map(own).collect();
    match all {
        Some(all) if !all.is_empty() => Ok(all.into_iter().sum::<Amount>().as_f64()),
        _ => {
            let why = format!("{} was not recorded", measure.as_str());
            Err(Missing::new(why, [how(view.only().as_ref(), measure)]))
        }
    }
}

pub(super) fn of_yearly_cost(view: &View, id: MeasureId, sum: Result<Sum, Missing>) -> Measured {
    let before = figure_usd(view, Baseline::YearlyCost);
    let (sum, before) = match (sum, before) {
        (Ok(sum), Ok(before)) => (sum, before),
        (Err(mut missing), Err(other)) => {
            missing.why = format!("{}; {}", missing.why, other.why);
            missing.how.extend(other.how);
            return Measured::absent(id, missing);
        }
        (Err(missing), Ok(_)) | (Ok(_), Err(missing)) => return Measured::absent(id, missing),
    };
    if before <= 0.0 {
        let missing = Missing::new(
            "yearly_cost is 0, so there is nothing to divide by",
            [how(view.only().as_ref(), Baseline::YearlyCost)],
        );
        return Measured::absent(id, missing);
    }
    let yearly = sum.total.times(view.yearly());
    told(id, yearly.times(100.0 / before), &sum).over(yearly.value, before)
}

pub(super) fn agent_cost(view: &View) -> Measured {
    match cost(view) {
        Ok(sum) => told(MeasureId::AgentCost, sum.total, &sum),
        Err(missing) => Measured::absent(MeasureId::AgentCost, missing),
    }
}

pub(super) fn cost_per_resolved(view: &View) -> Measured {
    match cost(view) {
        Ok(sum) => {
            per_resolved(&sum, view.sum.bucket.outcomes.resolved, view.sum.bucket.outcomes.unknown)
        }
        Err(missing) => Measured::absent(MeasureId::CostPerResolved, missing),
    }
}

/// Unknown outcomes may have been resolved, which makes each cost less.
pub(crate) fn per_resolved(sum: &Sum, resolved: u64, unknown: u64) -> Measured {
    let id = MeasureId::CostPerResolved;
    if resolved == 0 {
        let how = "report outcomes: see `lockgate-outcome` in docs/configuration.md".to_owned();
        return Measured::absent(id, Missing::new("no interaction is known to be resolved", [how]));
    }
    let (few, many) = (resolved as f64, (resolved + unknown) as f64);
    let ends = |end: Option<f64>| end.map(|end| (end / few, end / many));
    let estimate = Estimate {
        value: sum.total.value / few,
        low: ends(sum.total.low).map(|(a, b)| a.min(b)),
        high: ends(sum.total.high).map(|(a, b)| a.max(b)),
    };
    told(id, estimate, sum).over(sum.total.value, few)
}
