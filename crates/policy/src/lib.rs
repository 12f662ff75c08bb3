//! Whether an action of an agent may be done: facts about it, rules compiled to Cedar, slices of them.
//!
//! Not here: forwarding anything, files, clocks, network.

mod bundle;
mod case;
mod cedar;
pub mod circumstances;
pub mod condition;
mod decide;
mod explain;
pub mod facts;
mod import;
pub mod json;
mod judge;
mod load;
mod names;
mod observed;
mod pattern;
mod program;
pub mod rule;
mod slice;
mod tested;
mod tools;
mod truth;
mod warn;

pub use bundle::{Bundle, PolicyErrors};
pub use case::{Asked, Case};
pub use circumstances::{Budget, Circumstances, Delegation, Session, Time};
pub use decide::{
    ARGUMENTS_BYTES_MAX, ARGUMENTS_DEPTH_MAX, ARGUMENTS_VALUES_MAX, Asks, Decision, Failure,
    Obligation, Reason, Request, Verdict,
};
pub use explain::{Explained, Explanation};
pub use import::{IMPORT_FILES_MAX, Imported, Importing, import};
pub use load::{BYTES_MAX, FILES_MAX, RULES_MAX};
pub use names::{ActionName, ArgumentName, RuleId, ToolName};
pub use observed::{Observed, ObservedArgument, UNASKED, to_json};
pub use pattern::Pattern;
pub use rule::{Effect, Limit, Risk, Rule};
pub use tested::{Outcome, Tested};
pub use tools::{Action, Argument, Tool, Tools};
pub use truth::{Traced, Truth};
