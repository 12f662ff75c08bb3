//! What a person sees while the demo runs, on standard error.

use std::io::{IsTerminal as _, Write as _};

use lockgate_rollout::view::{ArmView, RolloutView};

use crate::users::Tally;

const BAR_CELLS: u64 = 10;

/// On a terminal one line that is drawn again and again; elsewhere a line per change.
#[derive(Debug)]
pub(crate) struct Live {
    terminal: bool,
    /// What was last said of a release, so that logs only hold changes.
    said: String,
    open_line: bool,
}

impl Live {
    /// On standard error.
    pub(crate) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_some();
        Self { terminal, said: String::new(), open_line: false }
    }

    /// A line that stays.
    pub(crate) fn say(&mut self, text: &str) {
        self.close_line();
        write_error(&format!("{text}\n"));
    }

    /// How a release stands.
    pub(crate) fn release(&mut self, view: &RolloutView, tally: &Tally) {
        let stage = view.stages.get(view.stage).map_or("", |stage| stage.name.as_str());
        let place = format!("{:<9} {:>4}  {}", view.candidate, stage, view.phase);
        if self.terminal {
            let line = format!(
                "{place:<28} {}  {}  | stable {}  | {} asked, {} errors",
                bar(view),
                numbers(&view.candidate_arm),
                numbers(&view.stable_arm),
                tally.requests(),
                tally.errors(),
            );
            write_error(&format!("\r\x1b[K{}", cut_to_terminal(&line)));
            self.open_line = true;
        } else if self.said != place {
            write_error(&format!("{place:<28} {}\n", numbers(&view.candidate_arm)));
        }
        self.said = place;
    }

    fn close_line(&mut self) {
        if self.open_line {
            write_error("\r\x1b[K");
            self.open_line = false;
        }
    }
}

/// Nobody is left to tell when standard error is closed.
fn write_error(text: &str) {
    let mut stream = std::io::stderr().lock();
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.flush();
}

fn cut_to_terminal(line: &str) -> String {
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    line.chars().take(columns.unwrap_or(140)).collect()
}

/// How much of the stage is over.
fn bar(view: &RolloutView) -> String {
    let whole = view.dwell_ms + view.left_ms;
    let full = (BAR_CELLS * view.dwell_ms).checked_div(whole).unwrap_or(BAR_CELLS);
    let cell = |number| if number < full { '█' } else { '░' };
    (0..BAR_CELLS).map(cell).collect()
}

/// What is unknown is shown as `–`, never as zero.
fn numbers(arm: &ArmView) -> String {
    let shown = |value: Option<f64>, unit: &str, scale: f64, digits: usize| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{:.digits$}{unit}", value * scale))
    };
    format!(
        "{} req  err {}  p95 {}  cost {}  nps {}",
        arm.requests,
        shown(arm.error_rate, "%", 100.0, 1),
        shown(arm.p95_ms, "ms", 1.0, 0),
        shown(arm.cost_usd, "m$", 1_000.0, 2),
        shown(arm.nps, "", 1.0, 0),
    )
}
