//! One file per command.

pub(crate) mod agent;
pub(crate) mod apply;
pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod events;
pub(crate) mod identity;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod quarantine;
pub(crate) mod rollout;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod simulate;
pub(crate) mod token;
pub(crate) mod version;
