//! Who decides about agents' actions. This is the one place where a policy is put in force.

use std::sync::Arc;

use lockgate_model::decision::{Decisions, NoPolicy};

/// What decides. There is no way to configure a policy yet, and without one everything is denied.
pub(crate) fn decisions() -> Arc<dyn Decisions> {
    Arc::new(NoPolicy)
}
