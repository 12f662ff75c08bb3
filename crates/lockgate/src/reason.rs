//! Why someone changes something, as given on the command line.

use lockgate_api::{REASON_CHARS_MAX, Reason};

/// Reads a reason; an empty one is refused before a server is asked.
pub(crate) fn parse(text: &str) -> Result<Reason, String> {
    Reason::try_from(text.to_owned())
        .map_err(|_| format!("say why, in 1 to {REASON_CHARS_MAX} characters"))
}
