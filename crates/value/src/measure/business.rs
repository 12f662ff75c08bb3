//! What agents return, but for money (`saving`).

use super::View;
use super::time_saved::minutes;
use crate::catalog::MeasureId;
use crate::event::Baseline;
use crate::gather::{Group, People};
use crate::measured::{Measured, Missing};
use crate::rollup::Votes;
use crate::stats::{self, Share};

pub(super) fn hours_saved(view: &View) -> Measured {
    let id = MeasureId::HoursSaved;
    let minutes = match minutes(view) {
        Ok(minutes) => minutes.sum(),
        Err(missing) => return Measured::absent(id, missing),
    };
    let people = |people| view.gathered.facts.people(view.only(), people);
    let (seats, who) = match (people(People::Seats), people(People::KnowledgeWorkers)) {
        (Some(seats), _) => (seats as f64, "seats"),
        (None, Some(workers)) => (workers as f64, "knowledge workers, as seats were not recorded"),
        (None, None) => {
            let how = view.record("headcount", "seats=N");
            return Measured::absent(
                id,
                Missing::new("how many seats there are was not recorded", [how]),
            );
        }
    };
    let seat_weeks = seats * view.weeks();
    let hours = minutes.total.times(1.0 / 60.0);
    let measured =
        Measured::of(id, hours.times(1.0 / seat_weeks), minutes.n).over(hours.value, seat_weeks);
    minutes
        .notes
        .iter()
        .fold(measured, |measured, note| measured.note(note.clone()))
        .note(format!("{seats} {who}"))
}

fn groups(view: &View) -> Result<(Share, Share), Missing> {
    let share = |group: Group| Share { part: group.converted, whole: group.visitors };
    let groups = view.sum.tally.groups;
    for (name, group) in [("agent", groups.agent), ("control", groups.control)] {
        if group.visitors == 0 {
            let how = ["agent", "control"].map(|arm| {
                view.record_of_agent("conversion", &format!("arm={arm} visitors=N converted=N"))
            });
            return Err(Missing::new(
                format!("no visitors of the {name} group were recorded"),
                how,
            ));
        }
    }
    Ok((share(groups.agent), share(groups.control)))
}

pub(super) fn uplift_relative(view: &View) -> Measured {
    let id = MeasureId::UpliftRelative;
    let (agent, control) = match groups(view) {
        Ok(groups) => groups,
        Err(missing) => return Measured::absent(id, missing),
    };
    let (Some(rate), Some(before)) = (agent.value(), control.value().filter(|rate| *rate > 0.0))
    else {
        let why = "nobody of the control group converted, so there is nothing to divide by; see the uplift in points";
        return Measured::absent(id, Missing::new(why, []));
    };
    Measured::number(id, 100.0 * (rate / before - 1.0), agent.whole + control.whole)
        .over(100.0 * rate, 100.0 * before)
        .with_interval(stats::katz(agent, control))
}

pub(super) fn uplift_points(view: &View) -> Measured {
    let id = MeasureId::UpliftPoints;
    let (agent, control) = match groups(view) {
        Ok(groups) => groups,
        Err(missing) => return Measured::absent(id, missing),
    };
    let (Some(rate), Some(before)) = (agent.value(), control.value()) else {
        return Measured::absent(id, Missing::new("no visitors were recorded", []));
    };
    Measured::number(id, 100.0 * (rate - before), agent.whole + control.whole)
        .with_interval(stats::newcombe(agent, control))
}

/// Of any votes, such as those on one version.
pub(crate) fn net_promoter(votes: &Votes) -> Option<Measured> {
    let thirds = votes.thirds();
    let (up, even, down) = (thirds.positive, thirds.neutral, thirds.negative);
    let plain = votes.plain.count();
    let measured = Measured::number(MeasureId::Nps, thirds.nps()?, thirds.count())
        .over(up as f64 - down as f64, thirds.count() as f64)
        .with_interval(stats::net_promoter(up, even, down))
        .note_if(plain > 0, || format!("{plain} votes are plain ones of −1, 0 or 1, or come without their answer from 0 to 10"));
    Some(measured)
}

pub(super) fn nps(view: &View) -> Measured {
    let mut votes = view.sum.bucket.votes;
    votes.merge(&view.sum.tally.votes);
    net_promoter(&votes).unwrap_or_else(|| {
        let how = [
            "send votes with their ticket: see `/feedback` in docs/configuration.md".to_owned(),
            view.record("survey", "score=0..10"),
        ];
        Measured::absent(MeasureId::Nps, Missing::new("nobody voted in this window", how))
    })
}

pub(super) fn nps_change(view: &View) -> Measured {
    let id = MeasureId::NpsChange;
    let now = nps(view);
    let Some(value) = now.value else { return Measured { id, ..now } };
    let Some(before) = view.gathered.facts.baseline(view.only(), Baseline::Nps) else {
        let how = view.record("baseline", "measure=nps value=N unit=points as_of=DATE");
        return Measured::absent(
            id,
            Missing::new("the NPS before the agent was not recorded", [how]),
        );
    };
    let (then, as_of) = (before.value.as_f64(), before.as_of);
    // What was recorded is a number without its votes: it has no chance of its own here.
    let interval = now.interval.as_ref().and_then(|ends| stats::less(ends, then));
    Measured::number(id, value - then, now.n)
        .over(value, then)
        .with_interval(interval)
        .note(format!("before: {then} points as of {as_of}, {}; taken as exact", before.source))
}
