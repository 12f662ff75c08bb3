//! Rebuilds when a migration is added: `sqlx::migrate!` alone sees only files that it already knows.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
