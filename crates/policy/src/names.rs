//! Names that policy files give. Each is a type of its own, so that one cannot stand where another belongs.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// The longest name, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 128;

/// Whether this can be a name: letters, digits, `_`, `-`, `.`, and no punctuation first.
fn is_name(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    starts && text.len() <= NAME_BYTES_MAX && text.chars().all(plain)
}

macro_rules! name {
    ($(#[$doc:meta])* $id:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $id(Arc<str>);

        impl $id {
            /// The name, if the text can be one.
            pub fn new(text: &str) -> Option<Self> {
                is_name(text).then(|| Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $id {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A rule.
    RuleId
);
name!(
    /// A tool.
    ToolName
);
name!(
    /// An action of a tool.
    ActionName
);
name!(
    /// An argument of an action.
    ArgumentName
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_nothing_that_means_something_elsewhere() {
        for good in ["read_file", "a", "_x", "Max-1.b", &"x".repeat(128)] {
            assert!(ToolName::new(good).is_some(), "{good}");
        }
        for bad in ["", "-a", ".a", "a/b", "a b", "*", "ä", "a\n", "a\"", &"x".repeat(129)] {
            assert!(ToolName::new(bad).is_none(), "{bad}");
        }
    }
}
