//! What tests of several rooms stand on: a release without a world around it, a gateway that only
//! reports, a ledger in memory, a receiver of alerts. A development dependency only; nothing here ships.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod gateway;
pub mod history;
pub mod ledger;
pub mod receiver;
pub mod release;
