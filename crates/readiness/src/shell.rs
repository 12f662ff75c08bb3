//! Scripts of pipelines as the commands that they run, with what becomes of a command's failure. Words are read as a
//! shell reads them: what is in a comment, a here-document or a message is no command.
//!
//! Unlike the reader of policies this one goes on where it does not understand: what it finds is evidence, not leave.

mod caught;
mod effects;
mod expand;
mod flow;
mod lex;
mod parse;
pub(crate) mod program;
mod rounds;
mod status;
mod walk;

use std::collections::BTreeMap;

pub(crate) use self::lex::Word;

/// Longest script that is read, in bytes.
const BYTES_MAX: usize = 256 * 1024;

/// Stands in a text for what is only known when it runs.
pub(crate) const UNKNOWN: char = '\u{E000}';

/// Variables that change what programs do, beside their words.
pub(crate) const SWAYING: [&str; 7] = [
    "PYTEST_ADDOPTS",
    "TOXENV",
    "SKIP",
    "TRIVY_EXIT_CODE",
    "MAVEN_OPTS",
    "MAVEN_ARGS",
    "MAKEFLAGS",
];

/// What becomes of a step when a command fails.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Blocking {
    /// It fails too.
    Yes,
    /// Nobody can tell from here; why.
    Unsure(String),
    /// It goes on; why.
    No(String),
}

impl Blocking {
    /// Both must let a failure through.
    pub(crate) fn and(&self, other: &Self) -> Self {
        self.max(other).clone()
    }
}

/// A command of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) words: Vec<Word>,
    /// Line of the script, from 0.
    pub(crate) line: usize,
    /// The directory that it runs in, seen from the script's; `None` when it is not known.
    pub(crate) dir: Option<String>,
    pub(crate) blocking: Blocking,
    /// Those of [`SWAYING`] that it sees; [`UNKNOWN`] where a value is only known when it runs.
    pub(crate) env: BTreeMap<String, String>,
}

#[cfg(test)]
impl Command {
    /// The words, with what is not known marked.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.words.iter().map(|word| word.text.as_str()).collect()
    }
}

/// How a script is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Options {
    /// The first command that fails ends it.
    pub(crate) errexit: bool,
    /// A pipeline fails when any of its commands does.
    pub(crate) pipefail: bool,
}

/// The commands of a script, in order. `vars` are variables whose values are known.
pub(crate) fn commands(
    text: &str,
    options: Options,
    vars: &BTreeMap<String, String>,
) -> Vec<Command> {
    if text.len() > BYTES_MAX {
        return Vec::new();
    }
    walk::walked(&parse::script(text, 0), options, vars).0
}

/// The directory that a script ends in, seen from the one that it starts in; `None` when it is not known.
pub(crate) fn dir_after(
    text: &str,
    options: Options,
    vars: &BTreeMap<String, String>,
) -> Option<String> {
    if text.len() > BYTES_MAX {
        return None;
    }
    walk::walked(&parse::script(text, 0), options, vars).1
}

#[cfg(test)]
mod tests {
    use super::*;

    const GITHUB: Options = Options { errexit: true, pipefail: false };

    fn read(text: &str, options: Options) -> Vec<(String, Blocking)> {
        let vars = BTreeMap::from([("CARGO".to_owned(), "cargo +nightly".to_owned())]);
        let all = commands(text, options, &vars);
        all.into_iter().map(|command| (command.texts().join(" "), command.blocking)).collect()
    }

    fn names(text: &str) -> String {
        let all = commands(text, GITHUB, &BTreeMap::new());
        let known = all.iter().filter(|command| command.words[0].is_fixed());
        let firsts: Vec<_> = known.map(|command| command.words[0].text.clone()).collect();
        firsts.join(" ")
    }

    #[test]
    fn commands_are_words_and_nothing_else() {
        for (text, expected) in [
            ("echo trivy fs . # trivy\n# trivy fs .\n", "echo"),
            ("cat <<E\ntrivy fs .\nE\nls", "cat ls"),
            ("cat <<-'E' > x\n\ttrivy\n\tE\nls", "cat ls"),
            ("a \\\n  b\nc", "a c"),
            ("x=$(a b) \"$(c)\"", "a c"),
            ("if a; then b; elif c; then d; else e; fi; f", "a b c d e f"),
            ("for i in p q; do a $i; done\nwhile b; do c; done", "a a b c"),
            ("case $x in\n p) a ;;\n q|r) b; c;;\n *) d\nesac\ne", "a b c d e"),
            ("f() { a; }\nb\nf", "b a"),
            ("never() { a; }\nb", "b"),
            ("run() {\n  echo \"$@\"\n  \"$@\"\n}\nrun cargo test", "echo cargo"),
            ("(cd x && a) && { b; }", "cd a b"),
            ("! a | b & c", "a b c"),
            ("A=1 B='2 3' a >x 2>&1 </dev/null", "a"),
            ("echo $((1 + 2)) ${x:-a b} $'c\\'d'; e", "echo e"),
            ("[[ a == b && c ]] || d", "[[ d"),
            ("cat <<< 'a; b'; c", "cat c"),
            ("a=(p q r)\nb", "b"),
            ("a &> x; b |& c", "a b c"),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn what_becomes_of_a_failure_is_what_the_shell_does() {
        let pipefail = Options { errexit: true, pipefail: true };
        let plain = Options { errexit: false, pipefail: false };
        for (text, options, blocks) in [
            ("t\nx", GITHUB, "yes"),
            ("t || true", GITHUB, "no"),
            ("t || :", GITHUB, "no"),
            ("t || echo failed", GITHUB, "no"),
            ("t || exit 1", GITHUB, "yes"),
            ("t || { echo; exit 1; }", GITHUB, "yes"),
            ("t || failed=1\nexit $failed", GITHUB, "unsure"),
            ("t | tee log", GITHUB, "no"),
            ("t | tee log", pipefail, "yes"),
            ("set -o pipefail\nt | tee log", GITHUB, "yes"),
            ("set -euo pipefail; t | tee log", plain, "yes"),
            ("set +e\nt\nx", GITHUB, "no"),
            ("set +e\nt\nr=$?\nexit $r", GITHUB, "unsure"),
            ("t\nx", plain, "no"),
            ("for i in a; do t > log; if grep FAIL log; then exit 1; fi; done", plain, "unsure"),
            ("x\nt", plain, "yes"),
            ("t && x", GITHUB, "yes"),
            ("t && x\ny", GITHUB, "no"),
            ("x && t\ny", GITHUB, "yes"),
            ("t &", GITHUB, "no"),
            ("! t", GITHUB, "no"),
            ("if t; then x; fi", GITHUB, "no"),
            ("if ! t; then x; exit 1; fi", GITHUB, "yes"),
            ("if t; then x; else exit 1; fi", GITHUB, "yes"),
            ("if [ \"$X\" = y ]; then t; fi", GITHUB, "unsure"),
            ("if [ a = a ]; then t; fi", GITHUB, "yes"),
            ("for i in a; do t; done", GITHUB, "yes"),
            ("for i in a; do t; done", plain, "yes"),
            ("for i in a; do t; done\nx", plain, "no"),
            ("for i in a b; do [ $i = a ] && break; done\nt", GITHUB, "yes"),
            ("for i in a b; do [ $i = a ] && continue; t; done", GITHUB, "yes"),
            ("for i in a b; do [ -n \"$X\" ] && break; t; done", GITHUB, "unsure"),
            ("v=$(t)", GITHUB, "yes"),
            ("echo $(t)", GITHUB, "no"),
            ("t || t", GITHUB, "yes"),
            ("t || x", GITHUB, "unsure"),
            ("t || ! false", GITHUB, "no"),
            ("t || false || true", GITHUB, "no"),
            ("t || (exit 0)", GITHUB, "no"),
            ("t || { exit 0; exit 1; }", GITHUB, "no"),
            ("t || exit 256", GITHUB, "no"),
            ("t || exit 00", GITHUB, "no"),
            ("ZERO=0\nt || exit $ZERO", GITHUB, "no"),
            ("t || exit $?", GITHUB, "yes"),
            ("t || exit", GITHUB, "yes"),
            ("t || { echo no; exit; }", GITHUB, "no"),
            ("t || exit $CODE", GITHUB, "unsure"),
            ("die() { echo no; exit 1; }\nt || die", GITHUB, "yes"),
            ("cd x && t\ny", GITHUB, "yes"),
            ("[ -f x ] && t", GITHUB, "unsure"),
            ("test -n \"$NOPE\" && t\ntrue", GITHUB, "unsure"),
            ("command -v x || t", GITHUB, "unsure"),
            ("[ -d x ] || mkdir x && t", GITHUB, "yes"),
            ("for i in $LIST; do t; done", GITHUB, "unsure"),
            ("for i in $LIST b; do t; done", GITHUB, "yes"),
            ("for ((i = 0; i < 3; i++)); do t; done", GITHUB, "yes"),
            ("for i in $X; do [ $i = b ] || continue; t; done", GITHUB, "unsure"),
            ("if [ -z \"$X\" ]; then exit 0; fi\nt", GITHUB, "unsure"),
            ("if [ -z \"$X\" ]; then echo no; exit 1; fi\nt", GITHUB, "yes"),
            ("[ -n \"$X\" ] || exit 1\nt", GITHUB, "yes"),
            ("which x || exit 0\nt", GITHUB, "unsure"),
            ("(exit 0)\nt", GITHUB, "yes"),
            ("f() { return 0; }\nf\nt", GITHUB, "yes"),
            ("trap 'exit 0' EXIT\nt", GITHUB, "no"),
            ("trap 'exit 0' ERR\nt", GITHUB, "no"),
            ("trap 'rm -rf \"$D\"' EXIT\nt", GITHUB, "yes"),
            ("trap 's=$?; rm x; exit $s' EXIT\nt", GITHUB, "yes"),
            ("end() { local s=$?; rm x; exit $s; }\ntrap end EXIT\nt", GITHUB, "yes"),
            ("trap 'rm x; exit $S' EXIT\nt", GITHUB, "unsure"),
            ("alias t=true\nt", GITHUB, "unsure"),
            ("t\nWrite-Host done", plain, "yes"),
            ("t\nexit 0", GITHUB, "yes"),
        ] {
            let found = read(text, options);
            let (_, blocking) = found
                .iter()
                .find(|(words, _)| words == "t")
                .unwrap_or_else(|| panic!("{text}: {found:?}"));
            let seen = match blocking {
                Blocking::Yes => "yes",
                Blocking::Unsure(_) => "unsure",
                Blocking::No(_) => "no",
            };
            assert_eq!(seen, blocks, "{text}: {blocking:?}");
        }
    }

    #[test]
    fn what_is_not_reached_is_no_command() {
        for text in [
            "if [ a = b ]; then t; fi",
            "exit 0\nt",
            "echo a; exit 0; t",
            "exit 1\nt",
            "exec true\nt",
            "true || t",
            "echo a || t",
            "false && t\ntrue",
            "test -n '' && t\ntrue",
            "while false; do t; done",
            "until true; do t; done",
            "for i in ; do t; done",
            "for i in $EMPTY; do t; done",
            "for i in a; do continue; t; done",
            "for i in a b; do break; t; done",
            "for i in a; do [ $i = b ] || continue; t; done",
            "for i in a b; do if [ $i = c ]; then t; fi; done",
            "f() { return 0; t; }\nf",
            "f() { exit 0; }\nf\nt",
            "{ exit 0; }\nt",
            "(exit 0; t)",
            "set -n\nt",
            "set -o noexec\nt",
            "circleci-agent step halt\nt",
            "if true; then exit 0; fi\nt",
        ] {
            let vars = BTreeMap::from([("EMPTY".to_owned(), String::new())]);
            let found = commands(text, GITHUB, &vars);
            let texts: Vec<_> = found.iter().map(Command::texts).collect();
            assert!(!texts.contains(&vec!["t"]), "{text}: {texts:?}");
        }
    }

    #[test]
    fn variables_that_programs_see_are_told() {
        for (text, expected) in [
            ("SKIP=a t", Some("a")),
            ("export SKIP=a\nt", Some("a")),
            ("SKIP=a\nt", None),
            ("SKIP=a\nexport SKIP\nt", Some("a")),
            ("SKIP=$X t", Some("\u{E000}")),
            ("OTHER=a t", None),
        ] {
            let all = commands(text, GITHUB, &BTreeMap::new());
            let t = all.iter().find(|command| command.texts() == ["t"]).unwrap();
            assert_eq!(t.env.get("SKIP").map(String::as_str), expected, "{text}");
        }
    }

    #[test]
    fn a_path_that_the_step_sets_may_name_other_programs() {
        let vars = BTreeMap::from([("PATH".to_owned(), "/opt/tools/bin:/bin".to_owned())]);
        let all = commands("t", GITHUB, &vars);
        assert!(matches!(all[0].blocking, Blocking::Unsure(_)));
    }

    #[test]
    fn known_variables_become_words_and_others_stay_unknown() {
        let found = read("$CARGO test\nT=fuzz\ncargo ${T} \"$T x\"\n$OTHER run", GITHUB);
        let words: Vec<_> = found.iter().map(|(words, _)| words.as_str()).collect();
        assert_eq!(words[..2], ["cargo +nightly test", "cargo fuzz fuzz x"]);
        assert!(words[2].starts_with(UNKNOWN));
    }

    #[test]
    fn the_directory_is_followed() {
        let all =
            commands("cd a/b\nx\ncd ../c && y\n(cd d && z)\nw\ncd $V\nq", GITHUB, &BTreeMap::new());
        let dir = |name: &str| {
            all.iter().find(|command| command.words[0].text == name).unwrap().dir.clone()
        };
        assert_eq!(dir("x").as_deref(), Some("a/b"));
        assert_eq!(dir("y").as_deref(), Some("a/c"));
        assert_eq!(dir("z").as_deref(), Some("a/c/d"));
        assert_eq!(dir("w").as_deref(), Some("a/c"));
        assert_eq!(dir("q"), None);
    }

    /// The words of commands called `t` with their directories, where both are known.
    fn rounds(text: &str) -> Vec<String> {
        let all = commands(text, GITHUB, &BTreeMap::new());
        let all = all.iter().filter(|command| command.words[0].text == "t");
        let told = all.map(|command| {
            let dir = command.dir.as_deref().unwrap_or("?");
            format!("{dir}:{}", command.texts()[1..].join(" ").replace(UNKNOWN, "?"))
        });
        told.collect()
    }

    #[test]
    fn loops_over_words_that_are_written_out_are_gone_through_word_by_word() {
        for (text, expected) in [
            ("for d in a 'b c'; do (cd \"$d\" && t); done", "a: b c:"),
            ("for d in a b\ndo\n  t -C $d\ndone\nt $d", ":-C a :-C b :b"),
            ("for d in a b; do cd $d; t; cd ..; done", "a: b:"),
            ("for d in a b; do cd $d; t; cd -; done", "a: b:"),
            ("for d in a b; do pushd $d; t; popd; done", "a: b:"),
            ("ALL='a b'\nfor d in $ALL; do t $d; done", ":a :b"),
            ("ALL='a b'\nfor d in \"$ALL\"; do t $d x; done", ":a b x"),
            ("for a in 1 2; do for b in 3 4; do t $a $b; done; done", ":1 3 :1 4 :2 3 :2 4"),
            ("f() { for d; do t $d; done; }\nf a b", ":a :b"),
            ("for d in a b; do t $d; break; done\nt x", ":a :x"),
            ("for d in a b; do [ $d = a ] && continue; t $d; done", ":b"),
            // What is only known when it runs.
            ("d=x\nfor d in */; do t $d; done", ":?"),
            ("d=x\nfor d in $(ls); do t $d; done", ":?"),
            ("d=x\nfor d in {a,b}; do t $d; done", ":?"),
            ("d=x\nfor d in a $MORE; do t $d; done", ":?"),
            ("d=x\nls | while read d; do t $d; done", ":?"),
            ("for ((i = 0; i < 3; i++)); do t $i; done; t x", ":? :x"),
        ] {
            assert_eq!(rounds(text).join(" "), expected, "{text}");
        }
        let words = "w ".repeat(ROUNDS);
        let deep = format!("for a in {words}; do for b in {words}; do t $a $b; done; done; t x");
        let told = rounds(&deep);
        assert!(told.len() < 2_000 && told.contains(&":w ?".to_owned()), "{}", told.len());
        assert_eq!(told.last().map(String::as_str), Some(":x"));
    }

    /// Squared it is more than are gone through one by one.
    const ROUNDS: usize = 100;

    #[test]
    fn the_directory_that_a_script_ends_in_is_its_own() {
        for (text, expected) in [
            ("cd a", Some("a")),
            ("(cd a && t)", Some("")),
            ("pushd a; t; popd", Some("")),
            ("cd a; cd $B", None),
            ("t $(cd a && pwd)", Some("")),
        ] {
            let found = dir_after(text, GITHUB, &BTreeMap::new());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn nothing_that_is_no_script_ends_it() {
        for text in [
            "'",
            "\"$(",
            "((((",
            "if",
            "case x in",
            "f() {",
            "<<E",
            "a && ",
            "|",
            ")",
            "fi; done; a",
            "$(((",
            "`",
            "${",
        ] {
            let _ = commands(text, GITHUB, &BTreeMap::new());
        }
        let deep = "(".repeat(5_000);
        let _ = commands(&deep, GITHUB, &BTreeMap::new());
        let deep = "$(".repeat(5_000);
        let _ = commands(&deep, GITHUB, &BTreeMap::new());
        let calls: Vec<String> =
            (0..30).map(|n| format!("f{n}() {{ f{0}; f{0}; }}\n", n + 1)).collect();
        let calls = calls.concat() + "f30() { a; }\nf0";
        assert!(commands(&calls, GITHUB, &BTreeMap::new()).len() <= 20_000);
    }
}
