//! One notion of what is not reached any more: behind `exit`, `exec`, `return`, `break` and the like.

/// What a command may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Script,
    Function,
    /// A round of a loop.
    Round,
    /// All rounds that are left of a loop.
    Loop,
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
    all_rounds: Level,
    round: Level,
}

impl Flow {
    pub(super) fn has_ended(self) -> bool {
        self.levels().iter().any(|level| level.ended.is_some())
    }

    pub(super) fn is_doubtful(self) -> bool {
        self.levels().iter().any(|level| level.doubtful)
    }

    fn levels(self) -> [Level; 4] {
        [self.script, self.function, self.all_rounds, self.round]
    }

    pub(super) fn end(&mut self, scope: Scope, fails: bool) {
        let level = match scope {
            Scope::Script => &mut self.script,
            Scope::Function => &mut self.function,
            Scope::Round => &mut self.round,
            Scope::Loop => &mut self.all_rounds,
        };
        level.ended.get_or_insert(fails);
    }

    /// Behind something that may not have run.
    pub(super) fn perhaps(self, before: Self) -> Self {
        Self {
            script: self.script.perhaps(before.script),
            function: self.function.perhaps(before.function),
            all_rounds: self.all_rounds.perhaps(before.all_rounds),
            round: self.round.perhaps(before.round),
        }
    }

    /// Behind a call: what ended the function ends nothing else.
    pub(super) fn called(self, before: Self) -> Self {
        Self { script: self.script, ..before }
    }

    /// Behind a round of a loop.
    pub(super) fn rounded(self, before: Self) -> Self {
        Self { round: before.round, ..self }
    }

    /// Behind a loop.
    pub(super) fn looped(self, before: Self) -> Self {
        Self { all_rounds: before.all_rounds, ..self.rounded(before) }
    }
}

/// What is known of the commands before `&&` or `||`.
#[derive(Clone, Copy)]
pub(super) struct Left {
    pub(super) succeeds: Option<bool>,
    /// Either answer is an ordinary one.
    pub(super) asks: bool,
}

/// Whether a command of a list runs.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Runs {
    Yes,
    Perhaps,
    No,
}

impl Left {
    /// Whether what follows runs. A command that only does something is taken to succeed.
    pub(super) fn goes_on(self, or: bool) -> Runs {
        match self.succeeds {
            Some(succeeds) if succeeds != or => Runs::Yes,
            Some(_) => Runs::No,
            None if or || self.asks => Runs::Perhaps,
            None => Runs::Yes,
        }
    }

    /// With the command behind it, which ran.
    pub(super) fn then(self, or: bool, next: Self) -> Self {
        let decided = |succeeds: &bool| self.succeeds.is_some() || *succeeds == or;
        Self {
            succeeds: next.succeeds.filter(decided),
            asks: next.asks || !or && self.succeeds.is_none() && self.asks,
        }
    }
}
