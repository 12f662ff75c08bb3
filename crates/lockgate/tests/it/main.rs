//! The real binary, from the outside.

mod applying;
mod audit;
mod audit_export;
mod audit_keys;
mod audit_mirror;
mod audit_mistakes;
mod audit_people;
mod audit_witness;
mod audit_words;
mod chaos;
mod command_line;
mod egress;
mod egress_kill;
mod egress_models;
mod egress_peers;
mod errors;
mod init;
mod metrics;
mod plan;
mod policy;
mod release;
mod scenarios;
mod serve;
mod simulate;
mod support;
mod testing;
