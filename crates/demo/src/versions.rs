//! The versions that the demo releases, and how each behaves.

/// What a version is: its name, the model it calls, and the flags of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionSpec {
    /// Its name.
    pub name: &'static str,
    /// The model that its answers name.
    pub model: &'static str,
    /// Flags of `lockgate demo-agent` beyond the common ones.
    pub flags: &'static [&'static str],
    /// Why it is released, as its makers would say.
    pub reason: &'static str,
}

pub(crate) const SMALL: &str = "lock-keeper-small";
pub(crate) const LARGE: &str = "lock-keeper-large";

/// The version that everyone uses when the demo starts.
pub const FIRST: VersionSpec =
    VersionSpec { name: "first", model: SMALL, flags: &[], reason: "the version before" };

/// Released in this order. Flags are behaviour; the verdict is Lockgate's.
pub const RELEASED: [VersionSpec; 6] = [
    VersionSpec { name: "good", model: SMALL, flags: &[], reason: "answers with the source first" },
    VersionSpec {
        name: "errors",
        model: SMALL,
        flags: &["--fail-share", "0.25"],
        reason: "new retrieval library",
    },
    VersionSpec {
        name: "slow",
        model: SMALL,
        flags: &["--delay-ms", "120"],
        reason: "checks every answer twice",
    },
    VersionSpec {
        name: "costly",
        model: LARGE,
        flags: &["--tokens-factor", "1.5"],
        reason: "larger model that thinks longer",
    },
    VersionSpec {
        name: "unloved",
        model: SMALL,
        flags: &["--answer-quality", "poor"],
        reason: "friendlier prompt",
    },
    VersionSpec {
        name: "insecure",
        model: SMALL,
        flags: &["--read-outside", "0.2"],
        reason: "looks things up in more places",
    },
];
