//! Whose rules are: those of the main branch, of another one, or of one of which nobody knows whether it is the main one.

use crate::pipeline::github::MAIN_NAMES;
use crate::pipeline::glob_matches;

/// Which branch rules are of, from the surest to the least.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    Main,
    /// One with this name or pattern, where it is not known which is the main branch.
    Perhaps(String),
    Other,
}

impl Whose {
    /// Both must name it.
    pub(super) fn and(&self, other: &Self) -> Self {
        self.max(other).clone()
    }

    /// What is left of a list when those of another are taken out.
    pub(super) fn without(self, excluded: &Self) -> Self {
        match excluded {
            Self::Main => Self::Other,
            Self::Perhaps(_) => self.and(excluded),
            Self::Other => self,
        }
    }
}

/// The name of the main branch, where it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct MainBranch<'a>(pub(super) Option<&'a str>);

impl MainBranch<'_> {
    /// Whose rules are that name a branch or a pattern.
    pub(super) fn named(self, pattern: &str) -> Whose {
        let plain = pattern.strip_prefix("refs/heads/").unwrap_or(pattern);
        if matches!(plain, "~DEFAULT_BRANCH" | "~ALL") {
            return Whose::Main;
        }
        let is_named = |main: &&str| glob_matches(plain, main);
        match self.0 {
            Some(main) if is_named(&main) => Whose::Main,
            None if MAIN_NAMES.iter().all(is_named) => Whose::Main,
            None if MAIN_NAMES.iter().any(is_named) => Whose::Perhaps(plain.to_owned()),
            _ => Whose::Other,
        }
    }

    /// Whose rules are that name several.
    pub(super) fn named_by<'p>(self, patterns: impl IntoIterator<Item = &'p str>) -> Whose {
        patterns.into_iter().map(|pattern| self.named(pattern)).min().unwrap_or(Whose::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_the_main_branch_only_where_that_is_known() {
        let perhaps = |name: &str| Whose::Perhaps(name.to_owned());
        for (main, pattern, expected) in [
            (Some("dev"), "dev", Whose::Main),
            (Some("main"), "dev", Whose::Other),
            (Some("main"), "refs/heads/ma*", Whose::Main),
            (Some("stable/x"), "stable/*", Whose::Main),
            (Some("x"), "~DEFAULT_BRANCH", Whose::Main),
            (None, "~ALL", Whose::Main),
            (None, "*", Whose::Main),
            (None, "refs/heads/main", perhaps("main")),
            (None, "ma*", perhaps("ma*")),
            (None, "release/*", Whose::Other),
        ] {
            assert_eq!(MainBranch(main).named(pattern), expected, "{main:?} {pattern}");
        }
        let all = MainBranch(None).named_by(["~ALL"]);
        assert_eq!(all.clone().without(&perhaps("main")), perhaps("main"));
        assert_eq!(all.without(&Whose::Main), Whose::Other);
        assert_eq!(MainBranch(None).named_by([]), Whose::Other);
    }
}
