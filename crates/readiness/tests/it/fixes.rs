//! Starter files: they show what they say, wait for people where only people know, and stand in nobody's way.

use lockgate_readiness::finding::Outcome;
use lockgate_readiness::fix::{Fixes, Offered, fix, unified};
use lockgate_readiness::{Facts, assess};

use super::{Files, RUST, check, told, tree, with};

fn fixes(files: Files<'_>) -> Fixes {
    fix(&tree(files), &Facts::default())
}

fn paths(fixes: &Fixes) -> Vec<&str> {
    fixes.files.iter().map(|file| file.path.as_str()).collect()
}

fn offered<'a>(fixes: &'a Fixes, path: &str) -> &'a Offered {
    let found = fixes.files.iter().find(|file| file.path == path);
    found.unwrap_or_else(|| panic!("{path} of {:?}", paths(fixes)))
}

#[test]
fn what_is_offered_shows_what_it_says_and_nothing_before_people_filled_it_in() {
    let node = "{\"scripts\": {\"test\": \"vitest run\", \"build\": \"tsc\"}, \"dependencies\": {\"express\": \"5\"}}\n";
    for (files, command) in [
        (with(&[RUST]), "cargo test --workspace\n"),
        (
            with(&[&[("package.json", node), ("a.test.ts", "it()\n"), ("pnpm-lock.yaml", "")]]),
            "pnpm run test\n",
        ),
        (
            with(&[&[("requirements.txt", "fastapi\n"), ("tests/test_a.py", "")]]),
            ".venv/bin/python -m pytest\n",
        ),
        (
            with(&[&[
                ("go.mod", "module a\n"),
                ("a_test.go", "package a\n"),
                ("Dockerfile", "FROM x\n"),
            ]]),
            "go test ./...\n",
        ),
    ] {
        let found = fixes(&files);
        let text = &offered(&found, ".github/workflows/tests.yml").text;
        assert!(text.contains(command), "{command}{text}");
        let added: Vec<(&str, &str)> =
            found.files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
        let after = assess(&tree(&with(&[&files, &added])), &Facts::default());
        for file in &found.files {
            for id in &file.passes {
                assert_eq!(check(&after, id).outcome, Outcome::Pass, "{}", told(check(&after, id)));
            }
            for id in &file.waits {
                assert_ne!(check(&after, id).outcome, Outcome::Pass, "{}", told(check(&after, id)));
                assert!(!file.fill_in.is_empty() && file.text.contains("FILL IN"), "{}", file.text);
            }
        }
        assert!(
            offered(&found, ".github/workflows/tests.yml")
                .passes
                .contains(&"tests.unit_on_pull_request")
        );
        assert!(
            offered(&found, ".github/workflows/security.yml")
                .passes
                .contains(&"security.dependencies_on_pull_request")
        );
        assert_eq!(offered(&found, ".github/CODEOWNERS").waits, ["branch_protection.review"]);
        assert!(offered(&found, ".github/CODEOWNERS").passes.is_empty());
        assert!(!paths(&found).iter().any(|path| path.contains("dependabot")), "it moves no check");
    }
}

#[test]
fn what_is_there_is_not_touched() {
    let files = with(&[
        RUST,
        &[
            (".github/workflows/tests.yml", "on: push\njobs: {}\n"),
            ("CODEOWNERS", "/src @acme/a\n"),
            ("ops/alerts/rules.yml", "groups: []\n"),
        ],
    ]);
    let found = fixes(&files);
    assert_eq!(
        paths(&found),
        [".github/workflows/lockgate-tests.yml", ".github/workflows/security.yml"]
    );
    assert_eq!(
        found.notes,
        [
            "CODEOWNERS is there, and is not changed",
            "ops/alerts/rules.yml is there, and is not changed"
        ]
    );
    let gitlab = fixes(&with(&[RUST, &[(".gitlab-ci.yml", "a: {script: [cargo build]}\n")]]));
    assert!(
        !paths(&gitlab).iter().any(|path| path.starts_with(".github/workflows/")),
        "{:?}",
        paths(&gitlab)
    );
    assert!(gitlab.notes[0].starts_with(".gitlab-ci.yml is there"), "{:?}", gitlab.notes);
}

#[test]
fn what_would_move_nothing_is_not_offered() {
    let found = fixes(&with(&[RUST]));
    let added: Vec<(&str, &str)> =
        found.files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    let again = fixes(&with(&[RUST, &added]));
    assert_eq!(paths(&again), Vec::<&str>::new());
    assert_eq!(
        fixes(&[("README.md", "hello\n")]).files.len(),
        3,
        "an owner and alerts, no pipelines"
    );
}

#[test]
fn names_of_directories_are_no_commands() {
    let found = fixes(&[
        ("a; touch x/go.mod", "module a\n"),
        ("a; touch x/a_test.go", "package a\n"),
        ("svc/go.mod", "module b\n"),
        ("svc/b_test.go", "package b\n"),
        ("${{ x }}/main.tf", "resource \"a\" \"b\" {\n}\n"),
    ]);
    let text = unified(&found);
    assert!(!text.contains("touch") && !text.contains("${{ x"), "{text}");
    assert!(text.contains("+        working-directory: svc\n"), "{text}");
}

#[test]
fn a_diff_makes_new_files_and_counts_their_lines() {
    let found = fixes(&with(&[RUST]));
    let text = unified(&found);
    for file in &found.files {
        let lines = file.text.lines().count();
        let head = format!(
            "diff --git a/{0} b/{0}\nnew file mode 100644\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1,{lines} @@\n",
            file.path
        );
        let (_, body) = text.split_once(&head).unwrap_or_else(|| panic!("{head}\n{text}"));
        assert_eq!(body.lines().take_while(|line| line.starts_with('+')).count(), lines);
        assert!(file.text.ends_with('\n'));
    }
    assert_eq!(text, unified(&fixes(&with(&[RUST]))), "the same bytes");
}

#[test]
fn only_what_is_missing_is_offered() {
    let scanned = "on: pull_request\njobs: {a: {runs-on: x, steps: [{run: cargo test}, {run: gitleaks git .}, {run: semgrep ci}, {run: ./unknown}]}}\n";
    let found = fixes(&with(&[RUST, &[(".github/workflows/ci.yml", scanned)]]));
    let security = &offered(&found, ".github/workflows/security.yml").text;
    assert!(security.contains("osv-scanner") && security.contains("syft"), "{security}");
    assert!(!security.contains("gitleaks") && !security.contains("semgrep"), "{security}");
    let elsewhere = fixes(&with(&[RUST, &[(".cirrus.yml", "task: {script: cargo test}\n")]]));
    assert!(
        !paths(&elsewhere).iter().any(|path| path.starts_with(".github/workflows/")),
        "what another system does is not known: {:?}",
        paths(&elsewhere)
    );
}

#[test]
fn what_is_offered_runs_on_the_main_branch_whatever_it_is_called() {
    let of = |main: Option<&str>| {
        let facts = Facts { main_branch: main.map(str::to_owned), ..Facts::default() };
        let found = fix(&tree(&with(&[RUST])), &facts);
        let tests = offered(&found, ".github/workflows/tests.yml");
        assert!(tests.passes.contains(&"ci_cd.test_on_main"), "{:?}", tests.passes);
        tests.text.clone()
    };
    assert!(of(Some("trunk")).contains("    branches: [trunk]\n"));
    let text = of(None);
    assert!(text.contains("    branches: [main, master]\n"), "{text}");
    // It shows the same once somebody knows which of the two it is.
    for main in ["main", "master"] {
        let files = with(&[RUST, &[(".github/workflows/tests.yml", text.as_str())]]);
        let facts = Facts { main_branch: Some(main.to_owned()), ..Facts::default() };
        let found = assess(&tree(&files), &facts);
        assert_eq!(check(&found, "ci_cd.test_on_main").outcome, Outcome::Pass, "{main}");
    }
}

#[test]
fn what_nothing_is_known_to_build_is_scanned_and_the_rest_is_told() {
    for (files, dependencies) in [
        (
            vec![("a.csproj", "<Project Sdk=\"Microsoft.NET.Sdk\"/>\n"), ("P.cs", "class P {}\n")],
            false,
        ),
        (vec![("Gemfile", "gem 'rails'\n"), ("Gemfile.lock", "GEM\n"), ("a.rb", "a\n")], true),
        (vec![("main.tf", "resource \"a\" \"b\" {}\n")], false),
    ] {
        let found = fixes(&files);
        assert!(!paths(&found).contains(&".github/workflows/tests.yml"));
        assert!(
            found.notes[0].starts_with("nothing that builds and tests is offered"),
            "{:?}",
            found.notes
        );
        let security = offered(&found, ".github/workflows/security.yml");
        assert!(security.passes.contains(&"security.secrets_on_pull_request"));
        assert_eq!(security.text.contains("osv-scanner"), dependencies, "{}", security.text);
    }
}
