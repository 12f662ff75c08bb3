//! LCOV's tracefiles (geninfo(1)): `SF:` a file, `DA:` a line and how often it ran.

use super::GivenError;
use super::coverage::{Builder, Coverage};

const KIND: &str = "an LCOV report";

/// Whether a text begins as one does.
pub(super) fn is_one(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| line.starts_with("TN:") || line.starts_with("SF:"))
}

pub(super) fn read(text: &str) -> Result<Coverage, GivenError> {
    let mut builder = Builder::new(KIND, "LCOV");
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let broken = |why| GivenError::broken(KIND, format!("line {}: {why}", index + 1));
        if let Some(path) = line.strip_prefix("SF:") {
            builder.file("", path)?;
            is_open = true;
        } else if line == "end_of_record" {
            is_open = false;
        } else if let Some(data) = line.strip_prefix("DA:") {
            if !is_open {
                return Err(broken("a line that belongs to no file"));
            }
            let mut parts = data.split(',');
            let number = parts.next().and_then(|part| part.trim().parse::<u32>().ok());
            let hits = parts.next().and_then(|part| part.trim().parse::<f64>().ok());
            let (Some(number), Some(hits)) = (number, hits.filter(|hits| hits.is_finite())) else {
                return Err(broken("`DA:` asks for a line and a count"));
            };
            builder.line(number, hits > 0.0)?;
        }
    }
    if is_open {
        return Err(GivenError::broken(KIND, "it ends in the middle of a file"));
    }
    Ok(builder.finish(None))
}
