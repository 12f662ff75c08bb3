//! Suggestions in words.

use std::fmt::Write as _;

use lockgate_value::suggest::effect::{Against, Case, Effect};
use lockgate_value::suggest::question::{Asked, Found, Replayed};
use lockgate_value::suggest::{
    Basis, Ended, Evidence, Finding, Of, OfAgent, Release, Suggestions, Threshold, Worth,
};

use super::Acceptable;
use crate::output::{count, duration, plain, plain_lines, time};

/// Everything, with the patches last.
pub(super) fn text(suggestions: &Suggestions, changes: &[Acceptable]) -> String {
    let Suggestions { window, basis, agents, questions, notes, .. } = suggestions;
    let mut out = String::new();
    let (from, to) = (window.told(window.from_wall_ms()), window.told(window.to_wall_ms()));
    line(&mut out, 0, &format!("Suggestions from {from} to {to} {}", window.time_zone()));
    line(&mut out, 0, &how(basis));
    if agents.is_empty() {
        line(&mut out, 0, "\nNo agent.");
    }
    for agent in agents {
        of_agent(&mut out, agent);
    }
    if !questions.is_empty() {
        line(&mut out, 0, "\nRules that ask people");
        for asked in questions {
            of_question(&mut out, asked);
        }
    }
    line(&mut out, 0, "");
    for note in notes {
        line(&mut out, 0, note);
    }
    if changes.is_empty() {
        line(&mut out, 0, "\nNothing is suggested.");
    }
    for (at, change) in changes.iter().enumerate() {
        of_change(&mut out, at + 1, change);
    }
    out
}

fn how(basis: &Basis) -> String {
    format!(
        "A bound is looked at with {} healthy windows of {} days and {} releases; it is held against their {} % quantile and {} times that.",
        basis.windows_min,
        basis.days_min,
        basis.releases_min,
        basis.quantile * 100.0,
        basis.margin,
    )
}

/// What others wrote cannot steer a terminal.
fn line(out: &mut String, indent: usize, text: &str) {
    let text = plain_lines(text);
    // Writing to a String does not fail.
    let _ = writeln!(out, "{}{text}", " ".repeat(indent));
}

fn of_agent(out: &mut String, agent: &OfAgent) {
    line(out, 0, &format!("\nAgent {}, plan {}", agent.agent, agent.plan));
    let mut also: Vec<String> = agent.plan_also_of.iter().map(ToString::to_string).collect();
    if agent.plan_also_of_others {
        also.push("agents that this token does not see".into());
    }
    if !also.is_empty() {
        line(out, 2, &format!("a change of this plan is one for {} as well", also.join(", ")));
    }
    let of = |worth: Worth| agent.releases.iter().filter(move |one| one.worth() == worth).count();
    let replayed = agent.releases.iter().filter(|one| one.not_replayed.is_none()).count();
    line(
        out,
        2,
        &format!(
            "{} releases ended: {} good, {} bad; {replayed} can be replayed",
            agent.releases.len(),
            of(Worth::Good),
            of(Worth::Bad),
        ),
    );
    for release in &agent.releases {
        line(out, 4, &of_release(release));
    }
    for threshold in &agent.thresholds {
        of_threshold(out, threshold);
    }
}

fn of_release(release: &Release) -> String {
    let Release { version, because, not_replayed, looked_every_ms, exposed, .. } = release;
    let ended = match release.ended {
        Ended::Promoted => "promoted",
        Ended::RolledBack => "rolled back",
        Ended::Aborted => "taken back by a person",
        Ended::Superseded => "replaced by a newer one",
    };
    let mut told = format!("{version}: {ended} {}", time(release.ended_wall_ms));
    if let Some(because) = because {
        let _ = write!(told, ", {because}");
    }
    if release.incident {
        told.push_str(", caused an incident");
    }
    if let (Some(every), Some(exposed)) = (looked_every_ms, exposed) {
        let _ = write!(told, "; {} requests, a look every {}", count(*exposed), duration(*every));
    }
    if let Some(why) = not_replayed {
        let _ = write!(told, "; not replayed: {why}");
    }
    told
}

fn of_threshold(out: &mut String, threshold: &Threshold) {
    let Threshold { rule, stages, present, finding, why, missing, .. } = threshold;
    let stages =
        if stages.is_empty() { String::new() } else { format!(" ({})", stages.join(", ")) };
    let found = match (finding, &threshold.proposed) {
        (Finding::Insufficient, _) => "not enough data".to_owned(),
        (Finding::Fine, _) => "fine".to_owned(),
        (Finding::Tighten, Some(to)) => format!("closer: {to}"),
        (Finding::Loosen, Some(to)) => format!("wider: {to}"),
        (Finding::Worse, Some(to)) => format!("stays; {to} would be worse"),
        (Finding::Tighten | Finding::Loosen | Finding::Worse, None) => "?".to_owned(),
    };
    line(out, 2, &format!("{rule}{stages} {present}: {found}"));
    if missing.is_empty() {
        line(out, 4, why);
    } else {
        line(out, 4, &format!("missing: {}", missing.join("; ")));
    }
    seen(out, &threshold.evidence);
    if let Some(effect) = &threshold.effect {
        of_effect(out, effect);
    }
}

fn seen(out: &mut String, evidence: &Evidence) {
    let Evidence { windows, days, samples, median, quantile, worst, .. } = evidence;
    let (Some(median), Some(quantile), Some(worst)) = (median, quantile, worst) else { return };
    let length = evidence.window_ms.map_or_else(|| "one stage".to_owned(), duration);
    let of = match evidence.of {
        Of::Stable => "the stable version's",
        Of::Beside => "how much more the candidates of good releases had than stable:",
    };
    line(
        out,
        4,
        &format!(
            "{of} {windows} windows of {length} on {days} days, {} samples: median {median}, quantile {quantile}, worst {worst}; {} beyond the bound",
            count(*samples),
            evidence.beyond,
        ),
    );
}

fn of_effect(out: &mut String, effect: &Effect) {
    let Effect { missed, found, earlier, later, stopped, spared, unseen, exposed, .. } = effect;
    let told = [
        (missed, "bad releases let through"),
        (found, "bad releases found that are not now"),
        (earlier, "bad releases taken back sooner"),
        (later, "bad releases taken back later"),
        (stopped, "good releases taken back or held"),
        (spared, "good releases no more taken back or held"),
        (unseen, "releases that cannot be replayed"),
    ];
    let told: Vec<String> = told
        .iter()
        .filter(|(count, _)| **count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let told = if told.is_empty() {
        "no release would have ended otherwise".to_owned()
    } else {
        told.join("; ")
    };
    let [before, after] = exposed;
    line(
        out,
        4,
        &format!(
            "replayed: {told}; requests that bad releases were given: {} now, {} then",
            count(*before),
            count(*after)
        ),
    );
    for case in effect.releases.iter().filter(|case| case.rule != Against::Never) {
        line(out, 6, &of_case(case));
    }
}

fn of_case(case: &Case) -> String {
    let when = |replay: &lockgate_value::suggest::effect::Replay| {
        replay.rule.as_ref().map_or_else(
            || "never".to_owned(),
            |when| format!("{} after {} requests", time(when.at_wall_ms), count(when.exposed)),
        )
    };
    let against = match case.rule {
        Against::Same => "at the same look",
        Against::Earlier => "sooner",
        Against::Later => "later",
        Against::Newly => "only then",
        Against::NoMore => "no more",
        Against::Never => "never",
    };
    format!(
        "{}: fires {}, now {}: {against}",
        case.version,
        when(&case.proposed),
        when(&case.present)
    )
}

fn of_question(out: &mut String, asked: &Asked) {
    let found = match asked.finding {
        Found::Insufficient => "not enough data",
        Found::Fine => "fine",
        Found::Kept => "stays",
        Found::Narrow => "ask about less",
        Found::Deny => "deny",
        Found::AnswerLater => "more people or more time",
    };
    line(out, 2, &format!("{}: {found}", asked.rule));
    let why = if asked.missing.is_empty() {
        asked.why.clone()
    } else {
        format!("missing: {}", asked.missing.join("; "))
    };
    line(out, 4, &why);
    let counts = asked.counts;
    let waited = asked.waited_ms.map_or_else(String::new, |[median, longest]| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let told = |ms: f64| duration(ms as u64);
        format!("; answers took {}, at most {}", told(median), told(longest))
    });
    line(
        out,
        4,
        &format!(
            "{} granted, {} denied, {} not answered in time{waited}",
            counts.granted, counts.denied, counts.unanswered
        ),
    );
    for class in asked.classes.iter().filter(|class| !class.barred.is_empty()) {
        line(out, 4, &format!("{}/{}: {}", class.tool, class.action, class.barred.join("; ")));
    }
    if let Some(Replayed { not_asked, granted_refused, unanswered_done }) = asked.effect {
        line(
            out,
            4,
            &format!(
                "replayed: {not_asked} questions not asked; {granted_refused} granted actions refused; {unanswered_done} done that nobody answered for"
            ),
        );
    }
}

fn of_change(out: &mut String, number: usize, change: &Acceptable) {
    let agent = change.agent.as_ref().map(|agent| format!(" ({agent})")).unwrap_or_default();
    let place = change.place.as_ref().map(|place| format!(", at {place}")).unwrap_or_default();
    line(out, 0, &format!("\nSuggestion {number}: {}{agent}{}", change.rule, plain(&place)));
    let commands = change.commands.join("; ");
    let (what, text) = change.patch.as_ref().map_or_else(
        || ("write this", &change.change),
        |patch| ("`patch -p0` with the lines below", patch),
    );
    line(out, 0, &format!("To accept it: {what}; {commands}"));
    line(out, 0, text.trim_end());
}
