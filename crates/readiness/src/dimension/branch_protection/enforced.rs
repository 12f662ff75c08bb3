//! What files indicate and what the forge says, side by side. The forge's word is proof; where the two differ, both are
//! told.

use crate::finding::{Finding, Outcome};
use crate::forge::Enforced;

/// What makes an indication true, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The forge's rule for reviews.
    Review,
    /// A check that the forge requires.
    Check,
    /// Rules that the forge has.
    Rules,
    /// A program that needs no rule of the forge.
    Itself,
}

impl By {
    /// What the forge says of it.
    fn asked(self, enforced: &Enforced) -> Option<&Finding> {
        match self {
            Self::Review => Some(&enforced.review),
            Self::Check => Some(&enforced.checks),
            Self::Rules => Some(&enforced.rules),
            Self::Itself => None,
        }
    }
}

/// One finding of both. `forge`: what the forge says of this; `all`: what it says of everything.
pub(super) fn together(files: Finding, by: By, forge: &Finding, all: &Enforced) -> Finding {
    match forge.outcome {
        Outcome::Pass => Finding::pass(format!("enforced: {}", forge.reason))
            .with(forge.evidence.clone())
            .with(files.evidence),
        Outcome::Fail => refused(files, by, forge, all),
        Outcome::Unknown | Outcome::NotApplicable => {
            let nothing = files.outcome == Outcome::Unknown && files.evidence.is_empty();
            let before = if nothing { String::new() } else { format!("{}; ", files.reason) };
            Finding { reason: format!("{before}{}", forge.reason), ..files }
        }
    }
}

/// The forge says that it enforces nothing of the kind.
fn refused(files: Finding, by: By, forge: &Finding, all: &Enforced) -> Finding {
    if files.outcome != Outcome::Pass {
        return forge.clone().with(files.evidence);
    }
    let refuted = by.asked(all).filter(|asked| asked.outcome == Outcome::Fail);
    let Some(refuted) = refuted else {
        let reason = format!("{}; {}", files.reason, forge.reason);
        return Finding { reason, ..files }.with(forge.evidence.clone());
    };
    let mut why = forge.reason.clone();
    if refuted.reason != why {
        why = format!("{why}; {}", refuted.reason);
    }
    let indicated = files.reason.trim_start_matches("indicated: ");
    Finding::fail(format!("{why}, though files indicate it: {indicated}"))
        .with(forge.evidence.clone())
        .with(refuted.evidence.clone())
        .with(files.evidence)
}
