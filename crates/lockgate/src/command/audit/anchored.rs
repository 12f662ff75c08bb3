//! The window that nothing outside the log vouches for, said beside whatever is shown of it.

use std::path::Path;

use lockgate_audit::{Reader, checkpoint_from_note, cosigned};

use crate::output;

/// Says on standard error from which record on no witness's cosignature is kept beside the log.
pub(super) fn note(log: &Reader, dir: &Path) {
    output::note(said(log, dir));
}

/// The same for one record.
pub(super) fn note_of(log: &Reader, dir: &Path, seq: u64) {
    let until = covered(log, dir);
    if seq >= until {
        output::note(said(log, dir));
        return;
    }
    output::note(format!(
        "anchored: by a cosignature that is kept beside the log, over {} records; {CHECK}",
        output::count(until)
    ));
}

const CHECK: &str = "`lockgate audit verify --witness KEY` checks that";

fn said(log: &Reader, dir: &Path) -> String {
    let (all, until) = (log.size(), covered(log, dir));
    let records = output::count(all.saturating_sub(until));
    let since = log
        .record(until.max(log.first()))
        .map_or_else(|_| output::UNKNOWN.into(), |first| output::time(first.at_ms));
    if all == 0 {
        "unanchored: nothing; the log has no record".into()
    } else if until == 0 {
        format!(
            "unanchored: all {records} records, since {since}; no cosignature is kept beside the log"
        )
    } else if until >= all {
        format!("unanchored: nothing, by a cosignature that is kept beside the log; {CHECK}")
    } else {
        format!(
            "unanchored: {records} of {} records, from {until} on, since {since}, by a cosignature that is kept beside the log; {CHECK}",
            output::count(all)
        )
    }
}

/// Records under the newest cosigned checkpoint that is kept. Of its signatures the log's is checked; nobody has said here
/// whose word counts.
fn covered(log: &Reader, dir: &Path) -> u64 {
    let kept = cosigned(dir).into_iter();
    let sizes = kept.filter_map(|kept| checkpoint_from_note(&kept.note, log.keys()).ok());
    sizes.map(|checkpoint| checkpoint.size).max().unwrap_or(0)
}
