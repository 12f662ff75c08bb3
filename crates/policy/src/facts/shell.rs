//! Command lines of a POSIX shell: which programs they run.
//!
//! Read is the part of the grammar that dash, bash and busybox agree about; nothing is known of a line with anything
//! else in it (functions, `case`, arithmetic, `[[`, `$'…'`, `<<<`). Programs are not known where something decides at
//! run time which they are. The reader is this project's own: the crates that are permissive read bash and accept more
//! than the shells agree about, and backtrack without a bound.
//!
//! Not here: what a program starts by itself (an editor, `git`, an interpreter). Rules name such programs.

mod builtin;
mod command;
mod prefix;
mod read;
mod word;

use std::collections::BTreeSet;

use serde_json::Value;

pub(super) use self::word::Word;
use super::{Decided, Fact, Kind, Shape, long, text_of, unicode, unknown};

/// Longer than what people read before they allow it.
pub(super) const BYTES_MAX: usize = 8 * 1024;

/// Commands in each other: groups, substitutions, `sh -c`.
const DEPTH_MAX: usize = 12;

/// - `background`: some command is not waited for (`&`)
/// - `pipelines`: how many pipelines there are, those of one command and nested ones too
/// - `program_paths`: the programs that are named by a path, as written
/// - `programs`: the names of all programs and builtins, without their directories: also behind `env`, `sudo`, `xargs`,
///   `find -exec`, `sh -c` and the like, and in substitutions
/// - `programs_folded`: the same in lower case, for file systems that ignore case
/// - `redirects`: the files of redirections
/// - `substitutes`: has command or process substitution, or an expansion for a program's name
pub(super) const FACTS: Shape = &[
    ("background", Kind::Bool),
    ("pipelines", Kind::Long),
    ("program_paths", Kind::Texts),
    ("programs", Kind::Texts),
    ("programs_folded", Kind::Texts),
    ("redirects", Kind::Texts),
    ("substitutes", Kind::Bool),
];

pub(super) fn extract(argument: &Value) -> Vec<Fact> {
    let mut found = Found::default();
    match text_of(argument, BYTES_MAX).and_then(|text| read::script(text, 0, &mut found)) {
        Ok(()) => found.facts(),
        Err(why) => unknown(FACTS, why),
    }
}

/// The facts of a program and its arguments, which no shell reads.
pub(super) fn facts_of_words(words: &[Word]) -> Vec<Fact> {
    let mut found = Found { pipelines: 1, ..Found::default() };
    found.run(words, 0);
    found.facts()
}

/// What a line was found to do.
#[derive(Default)]
struct Found {
    pipelines: usize,
    background: bool,
    substitutes: bool,
    programs: BTreeSet<String>,
    paths: BTreeSet<String>,
    redirects: BTreeSet<String>,
    /// Why the programs are not known.
    programs_unknown: Option<&'static str>,
    redirects_unknown: Option<&'static str>,
}

impl Found {
    /// What a command of these words runs.
    fn run(&mut self, words: &[Word], depth: usize) {
        if let Err(why) = command::run(self, words, depth, command::Given::Alone) {
            self.programs_unknown.get_or_insert(why);
        }
    }

    /// The program that this word names.
    fn program<'a>(&mut self, word: &'a Word) -> Decided<&'a str> {
        let whole = word.fixed()?;
        let name = whole.rsplit('/').next().unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-:[@".contains(&byte);
        if name.is_empty() || name.starts_with('-') || !name.bytes().all(plain) {
            return Err("not the name of a program");
        }
        self.programs.insert(name.to_owned());
        if whole.len() > name.len() {
            self.paths.insert(whole.to_owned());
        }
        Ok(name)
    }

    fn redirect(&mut self, target: Word) {
        match target.into_fixed() {
            Ok(target) if !target.chars().any(|c| unicode::ambiguous(c).is_some()) => {
                self.redirects.insert(target);
            }
            _ => {
                self.redirects_unknown.get_or_insert("a file named at run time");
            }
        }
    }

    fn facts(self) -> Vec<Fact> {
        let known = |why: Option<&'static str>| why.map_or(Ok(()), Err);
        let programs = known(self.programs_unknown);
        let folded: BTreeSet<String> =
            self.programs.iter().map(|name| name.to_ascii_lowercase()).collect();
        vec![
            Fact::Bool(self.background),
            Fact::Long(long(self.pipelines)),
            programs.map(|()| self.paths).into(),
            programs.map(|()| self.programs).into(),
            programs.map(|()| folded).into(),
            known(self.redirects_unknown).map(|()| self.redirects).into(),
            Fact::Bool(self.substitutes),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(line: &str, at: usize) -> Option<String> {
        match extract(&json!(line)).swap_remove(at) {
            Fact::Texts(found) => Some(found.into_iter().collect::<Vec<_>>().join(" ")),
            _ => None,
        }
    }

    #[test]
    fn every_program_is_found() {
        for (line, programs) in [
            ("ls -l | grep x && rm y", "grep ls rm"),
            ("A=1 B=2 /bin/ls; (cd /x; make) & { id; }", "cd id ls make"),
            ("if true; then rm x; else ls; fi", "ls rm true"),
            ("for f in a b; do rm $f; done > log", "rm"),
            ("while read x\ndo echo $x\ndone", "echo read"),
            ("r''m \\ls c\"a\"t", "rm"),
            ("echo $(id; echo `whoami`)", "echo id whoami"),
            ("cat <<E | tr a b\n$(id)\nE\nls", "cat id ls tr"),
            ("cat <<'E'\n$(id)\nE", "cat"),
            ("sudo -u root env -i X=1 nice -n 5 rm x", "env nice rm sudo"),
            ("bash -lc 'ls; rm x'", "bash ls rm"),
            ("find . -name x -exec rm {} +", "find rm"),
            ("echo x | xargs -n 1 rm", "echo rm xargs"),
            ("diff <(ls) x", "diff ls"),
            ("! ls # rm", "ls"),
            ("l\\\ns", "ls"),
        ] {
            assert_eq!(texts(line, 3).as_deref(), Some(programs), "{line}");
        }
    }

    #[test]
    fn what_is_decided_at_run_time_is_not_known() {
        for line in [
            "$X",
            "${X}y",
            "r$@m",
            "/bin/r?",
            "{rm,-rf}",
            "eval ls",
            ". ./x",
            "source x",
            "echo x | sh",
            "bash x.sh",
            "sh -c \"$X\"",
            "PATH=/tmp ls",
            "export PATH=/tmp; ls",
            "alias ls=rm; ls",
            "trap rm EXIT",
            "~/x",
            "xargs sh -c",
            "xargs -I ls ls",
            "xargs env",
            "find . -exec {} \\;",
            "find $D",
            "env -S 'rm x'",
            "sudo -i",
            "command $X",
            "watch ls",
            "ls() { rm; }; ls",
            "$(echo rm) x",
            "x=1 $x",
            "рm x",
        ] {
            assert_eq!(texts(line, 3), None, "{line}");
        }
    }

    #[test]
    fn redirections_and_the_background_are_seen() {
        let facts = extract(&json!("ls >/a 2>&1 </b & cat >>'/c d'"));
        assert_eq!(facts[0], Fact::Bool(true));
        assert_eq!(facts[1], Fact::Long(2));
        assert_eq!(facts[5], Fact::Texts(["/a", "/b", "/c d"].map(str::to_owned).into()));
        assert_eq!(facts[6], Fact::Bool(false));
        assert_eq!(texts("ls > $X", 5), None);
    }

    #[test]
    fn what_shells_read_differently_is_not_read() {
        for line in [
            "",
            "# x",
            "ls &> x",
            "ls |& cat",
            "cat <<< x",
            "echo $'rm'",
            "echo $((1))",
            "[[ a ]]",
            "case x in esac",
            "ls;; rm",
            "ls (rm)",
            "(ls",
            "ls)",
            "'ls",
            "ls \"",
            "ls `",
            "ls\rrm",
            "ls &&",
            "| ls",
            "ls | | rm",
            "then ls",
            "if ls; fi",
            "cat <<E\nx",
            "f() { ls; }",
            "ls \0",
            "((ls))",
            "echo ${x:-$(ls)}",
            "ls > ",
        ] {
            let facts = extract(&json!(line));
            assert!(
                facts.iter().all(|fact| matches!(fact, Fact::Unknown(_))),
                "{line:?}: {facts:?}"
            );
        }
    }
}
