//! The stage bar: one step per stage, as high as its weight, filled as far as its time.

use lockgate_model::plan::WHOLE_BP;
use lockgate_rollout::view::RolloutView;

use crate::console::number;

/// Drawing units of one stage; the drawing is stretched to the page's width.
const STAGE_WIDTH: f64 = 100.0;
const GAP: f64 = 1.2;
const HEIGHT: f64 = 100.0;
/// A stage without traffic is still a step.
const STEP_MIN: f64 = 12.0;

/// One step of the bar.
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) weight: String,
    pub(crate) duration: String,
    /// `done`, `current`, `next`, `skipped`, or `back` for the stage a release was taken back in.
    pub(crate) class: &'static str,
    pub(crate) word: &'static str,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) width: String,
    pub(crate) height: String,
    pub(crate) filled: String,
}

/// The bar of a release.
pub(crate) struct Bar {
    pub(crate) steps: Vec<Step>,
    pub(crate) width: String,
    pub(crate) label: String,
}

impl From<&RolloutView> for Bar {
    fn from(view: &RolloutView) -> Self {
        let back = match view.phase.as_str() {
            "rolling_back" | "rolled_back" | "aborted" => Some("taken back here"),
            "superseded" => Some("another version took over here"),
            _ => None,
        };
        let steps: Vec<Step> = view
            .stages
            .iter()
            .enumerate()
            .map(|(index, stage)| {
                let here = index == view.stage;
                let (class, word) = match (stage.state.as_str(), back.filter(|_| here)) {
                    (_, Some(word)) => ("back", word),
                    ("done", _) => ("done", "passed"),
                    ("current", _) => ("current", "now"),
                    ("skipped", _) => ("skipped", "skipped"),
                    _ => ("next", "to come"),
                };
                let share = f64::from(stage.weight_bp) / f64::from(WHOLE_BP);
                let height = STEP_MIN + (HEIGHT - STEP_MIN) * share.clamp(0.0, 1.0);
                let width = STAGE_WIDTH - 2.0 * GAP;
                let filled = match class {
                    "done" => 1.0,
                    "current" | "back" => progress(view.dwell_ms, stage.duration_ms),
                    _ => 0.0,
                };
                Step {
                    // a stage that is called after its weight need not say it twice
                    name: match stage.name.strip_suffix('%') {
                        Some(digits) => format!("{} %", digits.trim()),
                        None => stage.name.clone(),
                    },
                    weight: number::weight(stage.weight_bp),
                    duration: match stage.duration_ms {
                        0 => "at once".to_owned(),
                        ms => number::span(ms),
                    },
                    class,
                    word,
                    x: format!("{:.1}", index as f64 * STAGE_WIDTH + GAP),
                    y: format!("{:.1}", HEIGHT - height),
                    width: format!("{width:.1}"),
                    height: format!("{height:.1}"),
                    filled: format!("{:.1}", width * filled),
                }
            })
            .collect();
        Self {
            label: format!(
                "Stage {} of {}, candidate at {}",
                view.stage + 1,
                steps.len(),
                number::weight(view.weight_bp)
            ),
            width: format!("{:.0}", steps.len() as f64 * STAGE_WIDTH),
            steps,
        }
    }
}

fn progress(dwell_ms: u64, duration_ms: u64) -> f64 {
    if duration_ms == 0 {
        return 1.0;
    }
    (dwell_ms as f64 / duration_ms as f64).clamp(0.0, 1.0)
}
