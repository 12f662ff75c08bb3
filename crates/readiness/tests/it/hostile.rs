//! Trees that somebody made to hurt.

use lockgate_readiness::finding::Outcome;
use lockgate_readiness::tree::{Contents, Tree};
use lockgate_readiness::{Facts, assess};
use proptest::prelude::*;

use super::{RUST, assessed, check, with};

const CI: &str = ".github/workflows/ci.yml";

#[test]
fn bombs_are_unknown_with_a_note() {
    let mut laughs = vec!["x0: &x0 [a, a, a, a, a, a, a, a, a, a]".to_owned()];
    laughs.extend((1..12).map(|n| {
        let names = format!("*x{}, ", n - 1).repeat(10);
        format!("x{n}: &x{n} [{}]", names.trim_end_matches(", "))
    }));
    let laughs = laughs.join("\n");
    let deep = "[".repeat(100_000);
    for text in [laughs.as_str(), deep.as_str(), "on: push\0", "a: b: c\n"] {
        let found = assessed(&[(CI, text)]);
        assert_eq!(check(&found, "tests.unit").outcome, Outcome::Unknown, "{:?}", found.notes);
        assert!(found.notes.iter().any(|note| note.starts_with(CI)), "{:?}", found.notes);
    }
}

#[test]
fn a_workflow_of_ten_thousand_steps_is_read() {
    let mut text =
        "on: pull_request\njobs:\n  a:\n    runs-on: x\n    strategy: {matrix: {x: [1, 2, 3]}}\n    steps:\n"
            .to_owned();
    let steps: Vec<String> =
        (0..5_000).map(|n| format!("      - run: echo {n}\n        name: step {n}\n")).collect();
    text.push_str(&steps.concat());
    text.push_str("      - run: go test ./...\n");
    let found = assessed(&[(CI, &text), ("a_test.go", "package a\n")]);
    assert_eq!(check(&found, "tests.unit").evidence[0].line, 10_007);
}

#[test]
fn workflows_that_call_each_other_for_ever_end() {
    let text = "on: {pull_request: , workflow_call: }\njobs:\n  a: {uses: ./.github/workflows/ci.yml}\n  b: {uses: ./.github/workflows/ci.yml}\n";
    let found = assessed(&[(CI, text)]);
    assert_eq!(check(&found, "tests.unit").outcome, Outcome::Unknown);
}

#[test]
fn a_file_that_was_not_read_is_unknown() {
    for contents in [Contents::Binary, Contents::Unread("too large")] {
        let mut tree = Tree::default();
        tree.insert(CI, contents);
        let found = assess(&tree, &Facts::default());
        assert_eq!(check(&found, "tests.unit").outcome, Outcome::Unknown);
    }
}

#[test]
fn what_a_submodule_could_show_is_unknown_and_pipelines_are_not() {
    let mut tree = Tree::default();
    tree.insert("Dockerfile", Contents::Text("FROM scratch\n".into()));
    tree.submodules.push("deploy".into());
    let found = assess(&tree, &Facts::default());
    let templates = check(&found, "infrastructure.templates");
    assert_eq!(templates.outcome, Outcome::Unknown);
    assert!(
        templates.reason.ends_with("its submodules were not looked at"),
        "{}",
        templates.reason
    );
    assert_eq!(check(&found, "infrastructure.configuration").outcome, Outcome::Pass);
    assert_eq!(check(&found, "ci_cd.build").outcome, Outcome::Fail);
}

#[test]
fn nothing_at_all_is_level_0_and_no_panic() {
    let found = assessed(&[]);
    assert_eq!(check(&found, "tests.unit").outcome, Outcome::Fail);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z:\\- \n\\[\\]{}&*!|>'\"$#()]{0,200}", run in ".{0,80}") {
        let workflow = format!("on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: |\n          {run}\n");
        for file in [CI, "package.json", "pyproject.toml", "CODEOWNERS", "Makefile", "tox.ini", "ops/a.yml", "main.tf", "a.bicep", "app.py", "stack.ts", "cdk.json", "Pulumi.yaml", "c/templates/a.yaml", "kustomization.yaml", "compose.yaml", "azure-pipelines.yml", ".circleci/config.yml"] {
            assessed(&[(file, &text), (".github/workflows/b.yml", &workflow), ("pom.xml", &text), ("c/Chart.yaml", "name: a\n")]);
        }
    }
}

fn each(many: usize, one: impl Fn(usize) -> String) -> String {
    (0..many).map(one).collect()
}

/// Each of these looked through all for each: a file of a megabyte took minutes.
#[test]
fn what_is_long_is_looked_through_once() {
    let run = "  rules: [{if: '$CI_PIPELINE_SOURCE == \"merge_request_event\"'}]\n";
    let jobs = each(6_000, |n| format!("j{n}: {{script: a, needs: [x]}}\n"));
    let stages = each(20_000, |n| format!("s{n}, "));
    let gitlab = format!(
        "stages: [{stages}last, last]\n{jobs}t:\n  stage: last\n{run}  needs: [{}]\n  script: cargo test\n",
        "y, ".repeat(40_000)
    );
    let found = assessed(&with(&[RUST, &[(".gitlab-ci.yml", &gitlab)]]));
    let reason = &check(&found, "tests.unit_on_pull_request").reason;
    assert!(reason.contains("it needs the job `y`, which is not there"), "{reason}");
    let jobs = each(8_000, |n| format!("  j{n}: {{runs-on: x}}\n"));
    let needs = "j7999, ".repeat(40_000);
    let github = format!(
        "on: push\njobs:\n{jobs}  a: {{runs-on: x, needs: [{needs}]}}\n  b: {{runs-on: x, needs: [c]}}\n"
    );
    let found = assessed(&[(CI, &github)]);
    assert!(
        found.notes.iter().any(|note| note.contains("the job `b` need `c`")),
        "{:?}",
        found.notes
    );
}

/// Lines that each double what the line before made.
fn doubled(line: impl Fn(usize) -> String) -> String {
    (1..60).map(line).collect()
}

#[test]
fn what_doubles_again_and_again_ends() {
    let env = doubled(|n| format!("  V{n}: ${{{{ env.V{0} }}}}${{{{ env.V{0} }}}}\n", n - 1));
    let env = format!(
        "on: pull_request\nenv:\n  V0: aaaaaaaa\n{env}jobs:\n  a: {{runs-on: x, steps: [{{run: $V59}}, {{run: cargo test}}]}}\n"
    );
    let shell = doubled(|n| format!("          V{n}=\"$V{0}$V{0}\"\n", n - 1));
    let shell = format!(
        "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: |\n          V0=aaaaaaaa\n{shell}          $V59\n"
    );
    let calls = doubled(|n| format!("          f{n}() {{ f{0}; f{0}; f{0}; f{0}; }}\n", n - 1));
    let calls = format!(
        "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: |\n          f0() {{ :; }}\n{calls}          f59\n"
    );
    let make = doubled(|n| format!("V{n} = $(V{0})$(V{0})\n", n - 1));
    let make = format!("V0 = aaaaaaaa\n{make}test:\n\t$(V59)\n");
    let scripts: Vec<String> = (1..60)
        .map(|n| format!("\"s{n}\": \"{}\"", format!("npm run s{}; ", n - 1).repeat(50)))
        .collect();
    let package = format!("{{\"scripts\": {{\"s0\": \"true\", {}}}}}\n", scripts.join(", "));
    let gitlab = doubled(|n| {
        format!(
            ".j{n}: {{extends: [{}]}}\n",
            format!(".j{}, ", n - 1).repeat(50).trim_end_matches(", ")
        )
    });
    let gitlab = format!(".j0: {{script: a}}\n{gitlab}j: {{extends: .j59, script: b}}\n");
    let run = "on: pull_request\njobs:\n  a: {runs-on: x, steps: [{run: npm run s59}, {run: make test}]}\n";
    for workflow in [env.as_str(), &shell, &calls, run] {
        assessed(&[
            (CI, workflow),
            ("Makefile", &make),
            ("package.json", &package),
            (".gitlab-ci.yml", &gitlab),
        ]);
    }
}

#[test]
fn a_makefile_of_many_names_and_lines_is_read_once() {
    let names: Vec<String> = (0..3_000).map(|n| format!("V{n} = $(V{})x\n", n + 1)).collect();
    let names = names.concat();
    let lines: Vec<String> = (0..2_000).map(|n| format!("\techo $(V{n}) $(V0)\n")).collect();
    let lines = lines.concat();
    let makefile = format!("{names}test:\n{lines}\tcargo test\n");
    let workflow =
        "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: make test\n";
    let files = [(CI, workflow), ("Makefile", makefile.as_str())];
    let found = assessed(&super::with(&[super::RUST, &files]));
    assert_eq!(check(&found, "tests.unit").outcome, Outcome::Pass);
}

#[test]
fn thousands_of_commands_over_thousands_of_tests_end_unknown() {
    let runs: Vec<String> = (0..15_000).map(|n| format!("          pytest -x{n}\n")).collect();
    let runs = runs.concat();
    let workflow = format!(
        "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: |\n{runs}          true || pytest\n"
    );
    let tests: Vec<(String, String)> =
        (0..2_000).map(|n| (format!("tests/e2e/test_{n}.py"), String::new())).collect();
    let mut files: Vec<(&str, &str)> =
        tests.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.push((CI, &workflow));
    let found = assessed(&files);
    let unit = check(&found, "tests.unit");
    assert_eq!(unit.outcome, Outcome::Unknown, "{}", unit.reason);
    assert!(unit.reason.contains("more often than is followed"), "{}", unit.reason);
}

#[test]
fn thousands_of_patterns_of_stars_end() {
    let patterns: Vec<String> = (0..3_000).map(|n| format!("      - '*a*b*c*{n}*'\n")).collect();
    let patterns = patterns.concat();
    let workflow = format!(
        "on:\n  pull_request:\n    paths:\n{patterns}jobs:\n  a:\n    runs-on: x\n    steps:\n      - run: cargo test\n"
    );
    let others: Vec<String> = (0..300).map(|n| format!("{}.x{n}", "abc".repeat(20))).collect();
    let mut files: Vec<(&str, &str)> = others.iter().map(|path| (path.as_str(), "")).collect();
    files.push((CI, &workflow));
    let found = assessed(&super::with(&[super::RUST, &files]));
    assert_eq!(check(&found, "tests.unit_on_pull_request").evidence[0].file, CI);
}

#[test]
fn what_is_compared_with_patterns_ends_and_is_unknown() {
    // They differ where only a whole comparison would see it, which is what counts.
    let pattern = |n: usize| format!("x?{}{n}*", "y".repeat(200));
    let patterns: Vec<String> = (0..50).map(|n| format!("'{}'", pattern(n))).collect();
    let patterns = patterns.join(", ");
    let others: Vec<String> = (0..600).map(|n| format!("src/{}{n}.rs", "a".repeat(900))).collect();
    let mut files: Vec<(&str, &str)> = others.iter().map(|path| (path.as_str(), "")).collect();
    let github = format!(
        "on: {{pull_request: {{paths: [{patterns}]}}}}\njobs: {{a: {{runs-on: x, steps: [{{run: cargo test}}]}}}}\n"
    );
    let gitlab = format!("test: {{script: cargo test, rules: [{{changes: [{patterns}]}}]}}\n");
    for (file, text) in [(CI, &github), (".gitlab-ci.yml", &gitlab)] {
        let few = assessed(&super::with(&[super::RUST, &[(file, text)]]));
        assert_eq!(check(&few, "tests.unit_on_pull_request").outcome, Outcome::Fail, "{file}");
        assert!(few.notes.is_empty(), "{:?}", few.notes);
        files.push((file, text));
        let found = assessed(&super::with(&[super::RUST, &files]));
        files.pop();
        let unit = check(&found, "tests.unit_on_pull_request");
        assert_eq!(unit.outcome, Outcome::Unknown, "{file}: {}", unit.reason);
        assert!(unit.reason.contains("more patterns of paths"), "{file}: {}", unit.reason);
        assert!(found.notes.iter().any(|note| note.contains("more patterns")), "{:?}", found.notes);
    }
}

/// What is looked at again for every line of a file would not end here.
#[test]
fn files_with_as_many_lines_as_are_read_end() {
    let many = |line: &str| line.repeat(900_000 / line.len());
    let pod = "---\napiVersion: v1\nkind: Pod\nspec: {containers: [{image: a}]}\n";
    let opened = format!("kind: Pod\n{}", many("{{ if .Values.a }}\n- b: {{ .c }}\n"));
    let rules =
        format!("groups:\n- rules:\n{}", many("  - {alert: A, expr: b, labels: {team: c}}\n"));
    let found = assessed(&[
        ("deploy/pods.yaml", &many(pod)),
        ("c/Chart.yaml", "name: c\n"),
        ("c/templates/a.yaml", &opened),
        ("infra/a.tf", &many("resource \"a\" \"b\" {\n  password = \"c\"\n}\n")),
        ("infra/a.bicep", &many("param password string\n")),
        (
            "infra/stack.ts",
            &format!("// cdk lambda\n{}", many("new lambda.Function(this, 'a', {});\n")),
        ),
        ("app.py", &format!("import modal\n{}", many("@app.function(memory=1)\n"))),
        ("ops/rules.yml", &rules),
    ]);
    let outcome = |id: &str| check(&found, id).outcome;
    assert_eq!(outcome("infrastructure.pinned"), Outcome::Fail);
    assert_eq!(outcome("infrastructure.secrets"), Outcome::Fail);
    assert_eq!(outcome("infrastructure.functions"), Outcome::Fail);
    assert_eq!(outcome("observability.owners"), Outcome::Pass);
}
