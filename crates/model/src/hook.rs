//! Gates that no metric decides: a person, or an address that is asked.

use serde::{Deserialize, Serialize};

use crate::config::SecretRef;

/// An address that is asked by HTTP POST and says yes with status 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Where it is.
    pub url: String,
    /// Key that questions are signed with.
    pub secret: Option<SecretRef>,
}

/// Who must agree before a stage counts as passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Confirm {
    /// A person, by command.
    Person,
    /// Whoever answers there.
    Webhook(Hook),
}
