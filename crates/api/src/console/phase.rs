//! A phase as people read it: a mark, words, and a colour that repeats what the words say.

/// How a phase is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Badge {
    pub(crate) mark: &'static str,
    pub(crate) word: &'static str,
    /// `good`, `busy`, `held`, `bad` or `quiet`.
    pub(crate) class: &'static str,
}

/// The badge of a phase.
pub(crate) fn badge(phase: &str) -> Badge {
    let (mark, word, class) = match phase {
        "pending" => ("○", "Starting", "busy"),
        "confirming" => ("◔", "Waiting for gateways", "busy"),
        "running" => ("▶", "Running", "busy"),
        "extended" => ("◷", "Extended: gates need more data", "held"),
        "paused" => ("‖", "Paused", "held"),
        "waiting_gate" => ("◇", "Waiting for a gate", "held"),
        "rolling_back" => ("↩", "Rolling back", "bad"),
        "promoted" => ("✓", "Promoted", "good"),
        "rolled_back" => ("↩", "Rolled back", "bad"),
        "aborted" => ("✕", "Aborted", "bad"),
        "superseded" => ("⇥", "Superseded", "quiet"),
        _ => ("?", "Unknown", "quiet"),
    };
    Badge { mark, word, class }
}

/// Whether nothing follows.
pub(crate) fn is_end(phase: &str) -> bool {
    matches!(phase, "promoted" | "rolled_back" | "aborted" | "superseded")
}
