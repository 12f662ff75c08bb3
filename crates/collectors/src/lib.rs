//! Goes and looks: brings what `readiness` judges.
//!
//! Not here: judging. Nothing of a checkout is run unless it is asked for by name, within bounds (`program`); git is asked
//! for a commit where that is asked for.

mod bounded;
mod checkout;
mod forge;
mod gathered;
mod git_dir;
mod head;
mod ignored;
pub mod kubernetes;
pub mod program;
mod revision;
mod submodules;
pub mod terraform;
mod tracked;
mod zizmor;

pub use checkout::{Checkout, CollectError, Submodules, checkout, checkout_with};
pub use forge::{ForgeError, InvalidToken, Question, Token, forge};
pub use gathered::FILES_MAX;
pub use head::{Head, HeadError, head};
pub use revision::revision;
pub use zizmor::{ZizmorError, zizmor};
