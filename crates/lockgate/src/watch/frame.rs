//! What the live view shows, as lines. Pure: a terminal only paints it.

use lockgate_rollout::explain::{Cause, Verdict};
use lockgate_rollout::view::{ArmView, RolloutView, StageView, left};
use lockgate_store::TransitionRecord;

use crate::command::rollout;
use crate::output;

/// Cells of the stage that is under way.
const BAR_CELLS: u64 = 12;
/// Transitions shown.
const LAST_SHOWN: usize = 5;

/// How a piece of text looks; carries meaning only beside words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Strong,
    Faint,
    Good,
    Bad,
    Open,
}

/// A line in pieces.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(pub(super) Vec<(Style, String)>);

impl Line {
    fn of(style: Style, text: impl Into<String>) -> Self {
        Self(vec![(style, text.into())])
    }

    fn then(mut self, style: Style, text: impl Into<String>) -> Self {
        self.0.push((style, text.into()));
        self
    }

    /// Without styles.
    pub(super) fn plain(&self) -> String {
        let text: String = self.0.iter().map(|(_, text)| text.as_str()).collect();
        text.trim_end().to_owned()
    }
}

/// Everything that one picture is made from.
pub(super) struct Frame<'a> {
    pub(super) view: &'a RolloutView,
    /// The transitions so far.
    pub(super) last: &'a [TransitionRecord],
    /// Something about the connection.
    pub(super) notice: Option<&'a str>,
}

impl Frame<'_> {
    /// From top to bottom.
    pub(super) fn lines(&self) -> Vec<Line> {
        let view = self.view;
        let mut lines = self.head();
        lines.push(Line::default());
        lines.extend(arms(view));
        if let Some(test) = &view.test {
            lines.push(Line::default());
            lines.push(Line::of(Style::Strong, "test environment"));
            let told = test.told().into_iter();
            lines.extend(told.map(|told| Line::of(Style::Plain, format!("  {told}"))));
        }
        if !view.gates.is_empty() {
            lines.push(Line::default());
            lines.push(Line::of(Style::Strong, "gates of this stage"));
            lines.extend(view.gates.iter().map(|cause| judged(cause, gate_word)));
        }
        if !view.triggers.is_empty() {
            lines.push(Line::default());
            lines.push(Line::of(Style::Strong, "triggers, always armed"));
            lines.extend(view.triggers.iter().map(|cause| judged(cause, trigger_word)));
        }
        if !self.last.is_empty() {
            lines.push(Line::default());
            lines.push(Line::of(Style::Strong, "last"));
            let skipped = self.last.len().saturating_sub(LAST_SHOWN);
            lines.extend(self.last.iter().skip(skipped).map(transition));
        }
        if let Some(notice) = self.notice {
            lines.push(Line::default());
            lines.push(Line::of(Style::Bad, notice));
        }
        lines
    }

    fn head(&self) -> Vec<Line> {
        let view = self.view;
        let over = match &view.stable {
            Some(stable) => format!(" over {stable}"),
            None => ", the first version".into(),
        };
        let confirmed = match (view.ended_wall_ms, view.applied) {
            (Some(_), _) => "",
            (None, true) => ", confirmed",
            (None, false) => ", not confirmed yet",
        };
        let weight = format!("   weight {}{confirmed}", output::weight(view.weight_bp));
        let mut state =
            Line::of(phase_style(&view.phase), view.phase.as_str()).then(Style::Plain, weight);
        if let Some(detail) = &view.detail {
            state = state.then(Style::Plain, format!("   {detail}"));
        }
        // While it runs, the sentence below says it.
        if view.ended_wall_ms.is_none() && view.phase != "running" && view.left_ms > 0 {
            state =
                state.then(Style::Plain, format!("   {} left in this stage", left(view.left_ms)));
        }
        let mut lines = vec![
            Line::of(Style::Strong, format!("{}  {}", view.agent, view.candidate))
                .then(Style::Plain, over)
                .then(Style::Faint, format!("   plan {}   {}", view.plan, view.id)),
            Line::of(
                Style::Faint,
                format!(
                    "started {} by {}: {}",
                    output::time(view.started_wall_ms),
                    view.started_by,
                    view.reason
                ),
            ),
            Line::default(),
            stage_bar(view),
            state,
            Line::of(Style::Plain, view.why.as_str()),
        ];
        let warnings = view.warnings.iter();
        lines.extend(warnings.map(|warning| Line::of(Style::Open, format!("! {warning}"))));
        if view.security_events > 0 {
            let revoked = if view.revoked { "; its tokens are revoked" } else { "" };
            lines.push(Line::of(
                Style::Bad,
                format!("security events: {}{revoked}", view.security_events),
            ));
        }
        lines
    }
}

fn stage_bar(view: &RolloutView) -> Line {
    let mut line = Line::default();
    for stage in &view.stages {
        let label = stage_label(stage);
        line = match stage.state.as_str() {
            "done" => line.then(Style::Good, format!("✓ {label}")),
            // It ended here; nothing fills up any more.
            "current" if view.ended_wall_ms.is_some() => {
                line.then(Style::Bad, format!("✕ {label}"))
            }
            "current" => line.then(Style::Strong, format!("▶ {label} {}", progress(view, stage))),
            "skipped" => line.then(Style::Faint, format!("· {label}")),
            _ => line.then(Style::Faint, format!("○ {label}")),
        };
        line = line.then(Style::Plain, "   ");
    }
    line
}

fn stage_label(stage: &StageView) -> String {
    let weight = output::weight(stage.weight_bp);
    if stage.name.contains(weight.trim_end_matches(" %")) {
        return stage.name.clone();
    }
    format!("{} {weight}", stage.name)
}

fn progress(view: &RolloutView, stage: &StageView) -> String {
    let filled = view.dwell_ms.min(stage.duration_ms) * BAR_CELLS;
    let done = filled.checked_div(stage.duration_ms).unwrap_or(BAR_CELLS);
    (0..BAR_CELLS).map(|cell| if cell < done { '█' } else { '░' }).collect()
}

fn phase_style(phase: &str) -> Style {
    match phase {
        "promoted" => Style::Good,
        "rolling_back" | "rolled_back" | "aborted" => Style::Bad,
        "paused" | "extended" | "waiting_gate" => Style::Open,
        _ => Style::Strong,
    }
}

/// Candidate beside baseline.
fn arms(view: &RolloutView) -> Vec<Line> {
    type Row = (&'static str, fn(&ArmView) -> String);
    const ROWS: [Row; 7] = [
        ("requests", |arm| output::count(arm.requests)),
        ("error rate", |arm| output::percent(arm.error_rate)),
        ("p95", |arm| output::latency(arm.p95_ms)),
        ("cost per request", |arm| output::dollars(arm.cost_usd)),
        ("feedback", |arm| output::count(arm.feedback)),
        ("satisfied", |arm| output::percent(arm.satisfied_share)),
        ("negative", |arm| output::percent(arm.negative_share)),
    ];
    let stable = view
        .stable
        .as_ref()
        .map_or_else(|| output::UNKNOWN.to_owned(), |name| format!("stable {name}"));
    let candidate = format!("candidate {}", view.candidate);
    let width = candidate.chars().count().max(stable.chars().count()).max(14);
    let row =
        |name: &str, left: &str, right: &str| format!("{name:<18}{left:>width$}   {right:>width$}");
    let mut lines = vec![Line::of(Style::Strong, row("", &candidate, &stable))];
    let plain = |name: &str, cell: &dyn Fn(&ArmView) -> String| {
        Line::of(Style::Plain, row(name, &cell(&view.candidate_arm), &cell(&view.stable_arm)))
    };
    lines.extend(ROWS.iter().map(|(name, cell)| plain(name, cell)));
    if view.candidate_arm.outcomes + view.stable_arm.outcomes > 0 {
        lines.push(plain("replacement rate", &|arm| output::percent(arm.replacement_rate)));
        lines.push(plain("cost per resolved", &|arm| output::dollars(arm.cost_per_resolved_usd)));
    }
    for (index, measure) in view.candidate_arm.measures.iter().enumerate() {
        lines.push(plain(measure.name.as_str(), &|arm| {
            let mean = arm.measures.get(index).and_then(|measure| measure.mean);
            mean.map_or_else(|| output::UNKNOWN.to_owned(), |mean| format!("{mean:.4}"))
        }));
    }
    if view.candidate_arm.cost_unknown + view.stable_arm.cost_unknown > 0 {
        lines.push(plain("cost known", &|arm| {
            let (known, all) = (arm.cost_known, arm.cost_known + arm.cost_unknown);
            format!("{} of {}", output::count(known), output::count(all))
        }));
    }
    lines
}

fn gate_word(verdict: Option<Verdict>) -> (Style, &'static str) {
    match verdict {
        Some(Verdict::Pass) => (Style::Good, "pass"),
        Some(Verdict::Fail) => (Style::Bad, "fail"),
        Some(Verdict::Insufficient) | None => (Style::Open, "open"),
    }
}

fn trigger_word(verdict: Option<Verdict>) -> (Style, &'static str) {
    match verdict {
        Some(Verdict::Fail) => (Style::Bad, "fired"),
        Some(Verdict::Pass) => (Style::Good, "quiet"),
        Some(Verdict::Insufficient) => (Style::Open, "open"),
        None => (Style::Faint, "off"),
    }
}

fn judged(cause: &Cause, word: fn(Option<Verdict>) -> (Style, &'static str)) -> Line {
    let (style, word) = word(cause.verdict);
    Line::of(style, format!("  {word:<7}")).then(Style::Plain, cause.text.as_str())
}

fn transition(record: &TransitionRecord) -> Line {
    let step = &record.transition;
    Line::of(Style::Faint, format!("  {}  ", output::clock(step.at_wall_ms)))
        .then(Style::Plain, format!("{} → {}  ", step.from, step.to))
        .then(Style::Faint, rollout::why(record))
}
