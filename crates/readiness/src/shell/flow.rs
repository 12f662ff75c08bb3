//! One notion of what is not reached any more: behind `exit`, `exec`, `return`, `break` and the like.

/// What a command may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Script,
    Function,
    /// A round of a loop.
    Round,
}

/// Whether the rest of one of them is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Level {
    /// It has ended; whether that was a failure.
    ended: Option<bool>,
    /// It may have ended without a failure.
    doubtful: bool,
}

impl Level {
    /// What came of something that may not have run. An end that fails takes nothing from what follows: it shows.
    fn perhaps(self, before: Self) -> Self {
        let ends = before.ended.is_none() && self.ended == Some(false);
        Self { ended: before.ended, doubtful: self.doubtful || ends }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flow {
    script: Level,
    function: Level,
    round: Level,
}

impl Flow {
    pub(super) fn has_ended(self) -> bool {
        [self.script, self.function, self.round].iter().any(|level| level.ended.is_some())
    }

    pub(super) fn is_doubtful(self) -> bool {
        [self.script, self.function, self.round].iter().any(|level| level.doubtful)
    }

    pub(super) fn end(&mut self, scope: Scope, fails: bool) {
        let level = match scope {
            Scope::Script => &mut self.script,
            Scope::Function => &mut self.function,
            Scope::Round => &mut self.round,
        };
        level.ended.get_or_insert(fails);
    }

    /// Behind something that may not have run.
    pub(super) fn perhaps(self, before: Self) -> Self {
        Self {
            script: self.script.perhaps(before.script),
            function: self.function.perhaps(before.function),
            round: self.round.perhaps(before.round),
        }
    }

    /// Behind a call: what ended the function ends nothing else.
    pub(super) fn called(self, before: Self) -> Self {
        Self { function: before.function, round: before.round, ..self }
    }

    /// Behind a loop.
    pub(super) fn looped(self, before: Self) -> Self {
        Self { round: before.round, ..self }
    }
}
