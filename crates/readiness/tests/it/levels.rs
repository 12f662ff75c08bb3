//! Every level of every dimension, by a small whole repository that has it.

use lockgate_readiness::catalog::Dimension::{
    self, BranchProtection, CiCd, Infrastructure, Observability, Security, Tests,
};
use lockgate_readiness::finding::Outcome;
use lockgate_readiness::{Facts, assess};

use super::{Files, RUST, assessed, check, tree, with};

fn level(dimension: Dimension, files: Files<'_>) -> Option<u8> {
    let found = assessed(files);
    found.standing(dimension).level
}

fn workflow(on: &str, steps: &str) -> String {
    format!("on: {on}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n{steps}")
}

const BOTH: &str = "{pull_request: , push: {branches: [main], tags: ['v*']}}";

#[test]
fn ci_cd() {
    for (expected, on, steps) in [
        (0, "issues", "      - run: cargo test\n"),
        (0, BOTH, "      - run: echo cargo test\n"),
        (1, "push", "      - run: cargo build\n"),
        (1, "pull_request", "      - run: cargo test\n"),
        (2, BOTH, "      - run: cargo test\n"),
        (
            2,
            BOTH,
            "      - run: cargo test\n      - run: cargo publish\n        if: github.event_name == 'workflow_dispatch'\n",
        ),
        (
            3,
            BOTH,
            "      - run: cargo test\n      - run: cargo publish\n        if: startsWith(github.ref, 'refs/tags/')\n",
        ),
    ] {
        let workflow = workflow(on, steps);
        let files = with(&[RUST, &[(".github/workflows/a.yml", &workflow)]]);
        assert_eq!(level(CiCd, &files), Some(expected), "{workflow}");
    }
    assert_eq!(level(CiCd, RUST), Some(0));
}

#[test]
fn tests() {
    let code: Files<'_> = &[
        ("pyproject.toml", "[project]\n"),
        ("tests/unit/test_a.py", ""),
        ("tests/integration/test_b.py", ""),
        ("tests/e2e/test_c.py", ""),
    ];
    for (expected, on, steps) in [
        (0, BOTH, "      - run: pip install .\n"),
        (1, "push", "      - run: pytest\n"),
        (1, BOTH, "      - run: pytest tests/unit\n"),
        (2, BOTH, "      - run: pytest tests/unit tests/integration\n"),
        (2, BOTH, "      - run: pytest\n"),
        (2, BOTH, "      - run: pytest --cov=a --cov-fail-under=70 tests/unit tests/integration\n"),
        (3, BOTH, "      - run: pytest --cov=a --cov-fail-under=70\n"),
    ] {
        let workflow = workflow(on, steps);
        let files = with(&[code, &[(".github/workflows/a.yml", &workflow)]]);
        assert_eq!(level(Tests, &files), Some(expected), "{workflow}");
    }
    let found = assessed(code);
    let unit = found.check("tests.unit").unwrap();
    assert_eq!(unit.reason, "tests are there, and no pipeline runs them");
}

#[test]
fn infrastructure() {
    let container: Files<'_> = &[("Dockerfile", "FROM scratch\n"), ("src/a.py", "")];
    let deployment = ("deploy/app.yaml", "apiVersion: apps/v1\nkind: Deployment\n");
    let flux = |prune: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec:\n  {prune}\n"
        )
    };
    let argo = |heal: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  syncPolicy:\n    automated: {{{heal}}}\n"
        )
    };
    assert_eq!(level(Infrastructure, &[("src/a.py", "")]), Some(0));
    assert_eq!(level(Infrastructure, container), Some(1));
    for template in [
        ("infra/main.tf", "resource \"aws_s3_bucket\" \"a\" {\n}\n"),
        ("infra/main.bicep", "resource a 'b' = {}\n"),
        (
            "template.yaml",
            "Transform: AWS::Serverless-2016-10-31\nResources:\n  F: {Type: 'AWS::Serverless::Function'}\n",
        ),
        ("serverless.yml", "service: a\nprovider: {name: aws}\nfunctions: {a: {handler: b}}\n"),
        ("stack/a.tf.json", "{\"module\": {\"a\": {\"source\": \"b/c/d\"}}}\n"),
        ("Pulumi.yaml", "name: a\nruntime: yaml\nresources: {a: {type: b}}\n"),
        ("ecs/task.json", "{\"containerDefinitions\": [{\"image\": \"a:1\"}]}\n"),
        ("site.yml", "- hosts: all\n  roles: [a]\n"),
        ("app.py", "import modal\napp = modal.App('a')\n"),
        deployment,
    ] {
        assert_eq!(
            level(Infrastructure, &with(&[container, &[template]])),
            Some(2),
            "{}",
            template.0
        );
    }
    for aside in ["examples/main.tf", "docs/main.tf", "tests/fixtures/main.tf", "vendor/a/main.tf"]
    {
        let files = with(&[container, &[(aside, "resource \"a\" \"b\" {\n}\n")]]);
        assert_eq!(level(Infrastructure, &files), Some(1), "{aside}");
    }
    for (file, expected) in [
        (flux("prune: true"), 3),
        (flux("prune: false"), 2),
        (flux("prune: true\n  suspend: true"), 2),
        (argo("selfHeal: true"), 3),
        (argo("prune: true"), 2),
    ] {
        let files = with(&[container, &[deployment, ("clusters/a.yaml", &file)]]);
        assert_eq!(level(Infrastructure, &files), Some(expected), "{file}");
    }
    for (run, on, expected) in [
        ("cd infra && terraform plan -detailed-exitcode", "{schedule: [{cron: '0 0 * * *'}]}", 3),
        // There is nothing to plan at the root.
        ("terraform plan -detailed-exitcode", "schedule", 2),
        ("terraform -chdir=infra plan -detailed-exitcode", "schedule", 3),
        ("terraform plan -detailed-exitcode || true", "schedule", 2),
        ("terraform plan", "schedule", 2),
        ("terraform validate", "schedule", 2),
        ("terraform plan -detailed-exitcode", "push", 2),
    ] {
        let workflow = workflow(on, &format!("      - run: {run}\n"));
        let files = with(&[
            container,
            &[
                ("infra/main.tf", "resource \"a\" \"b\" {\n}\n"),
                (".github/workflows/d.yml", &workflow),
            ],
        ]);
        assert_eq!(level(Infrastructure, &files), Some(expected), "{run}");
    }
}

#[test]
fn security() {
    let d = "      - run: cargo audit\n";
    let s = "      - uses: gitleaks/gitleaks-action@v2\n";
    let c = "      - run: semgrep ci\n";
    let dynamic = "      - run: cargo +nightly fuzz run parser -- -max_total_time=60\n";
    let sbom = "      - uses: anchore/sbom-action@v0\n";
    for (expected, steps) in [
        (0, String::new()),
        (0, "      - run: cargo audit || true\n".to_owned()),
        (0, "      - uses: aquasecurity/trivy-action@v1\n        with: {scan-type: fs, exit-code: '0'}\n".to_owned()),
        (0, "      - run: trivy fs .\n".to_owned()),
        (0, "      - run: bandit -r . --exit-zero\n".to_owned()),
        (1, "      - run: trivy fs --exit-code 1 .\n".to_owned()),
        (1, d.to_owned()),
        (1, [d, s, c].concat()),
        (1, [d, s, dynamic].concat()),
        (2, [d, s, c, dynamic].concat()),
        (2, [c, "      - run: trivy fs --exit-code=1 .\n", dynamic].concat()),
        (3, [d, s, c, dynamic, sbom].concat()),
    ] {
        let workflow = workflow("pull_request", &steps);
        let files = with(&[RUST, &[(".github/workflows/a.yml", &workflow)]]);
        assert_eq!(level(Security, &files), Some(expected), "{workflow}");
    }
    let hooks =
        "repos:\n- repo: x\n  hooks:\n  - id: gitleaks\n  - id: bandit\n    stages: [manual]\n";
    let run = workflow("pull_request", "      - uses: pre-commit/action@v3\n");
    let found = assessed(&[(".pre-commit-config.yaml", hooks), (".github/workflows/a.yml", &run)]);
    let outcome = |id: &str| found.check(id).unwrap().outcome;
    assert_eq!(outcome("security.secrets_on_pull_request"), Outcome::Pass);
    assert_eq!(outcome("security.code_on_pull_request"), Outcome::Fail);
    let bots = assessed(&with(&[RUST, &[(".github/dependabot.yml", "version: 2\n")]]));
    assert!(bots.check("security.static").unwrap().reason.contains("no scan"));
}

#[test]
fn branch_protection() {
    let owners = ("CODEOWNERS", "* @team\n");
    let queue = (
        ".github/workflows/q.yml",
        "on: {pull_request: , merge_group: }\njobs: {a: {runs-on: x, steps: [{run: cargo test}]}}\n",
    );
    let dco = (".github/dco.yml", "require: {members: false}\n");
    let ruleset = |count: u8, state: &str| {
        format!(
            "{{\"target\": \"branch\", \"enforcement\": \"{state}\", \"rules\": [{{\"type\": \"pull_request\", \"parameters\": {{\"required_approving_review_count\": {count}}}}}, {{\"type\": \"required_status_checks\"}}]}}\n"
        )
    };
    assert_eq!(level(BranchProtection, &[]), None);
    assert_eq!(level(BranchProtection, &[owners]), Some(1));
    assert_eq!(level(BranchProtection, &[owners, queue]), Some(2));
    assert_eq!(level(BranchProtection, &[owners, queue, dco]), Some(3));
    assert_eq!(level(BranchProtection, &[queue, dco]), None, "nothing is known of reviews");
    for (rules, expected) in [
        (ruleset(1, "active"), Some(3)),
        (ruleset(0, "active"), None),
        (ruleset(1, "disabled"), None),
    ] {
        assert_eq!(
            level(BranchProtection, &[(".github/rulesets/main.json", &rules)]),
            expected,
            "{rules}"
        );
    }
    let main = ruleset(1, "active");
    for (of, expected) in [
        ("\"target\": \"tag\"", None),
        ("\"conditions\": {\"ref_name\": {\"include\": [\"refs/heads/release/*\"]}}", None),
        (
            "\"conditions\": {\"ref_name\": {\"include\": [\"~ALL\"], \"exclude\": [\"~DEFAULT_BRANCH\"]}}",
            None,
        ),
        (
            "\"conditions\": {\"ref_name\": {\"include\": [\"~ALL\"], \"exclude\": [\"refs/heads/x\"]}}",
            Some(3),
        ),
        ("\"conditions\": {\"ref_name\": {\"include\": [\"~DEFAULT_BRANCH\"]}}", Some(3)),
        ("\"conditions\": {\"ref_name\": {\"include\": [\"refs/heads/main\"]}}", None),
    ] {
        let rules = main.replace("\"target\": \"branch\"", of);
        let found = level(BranchProtection, &[(".github/rulesets/main.json", &rules)]);
        assert_eq!(found, expected, "{rules}");
    }
    for (path, expected) in [
        ("branch-protection.json", Some(3)),
        ("infra/github/rulesets.json", Some(3)),
        ("tests/fixtures/branch-protection.json", None),
        ("x/ruleset-notes.json", None),
    ] {
        assert_eq!(level(BranchProtection, &[(path, &main)]), expected, "{path}");
    }
}

/// The level by files, where the main branch has this name.
fn level_on(main: Option<&str>, files: Files<'_>) -> Option<u8> {
    let facts = Facts { main_branch: main.map(str::to_owned), ..Facts::default() };
    assess(&tree(files), &facts).standing(BranchProtection).level
}

#[test]
fn rules_of_a_branch_count_where_it_is_known_to_be_the_main_one() {
    let settings = "repository: {name: shop}\nbranches:\n- name: dev\n  protection:\n    required_pull_request_reviews: {required_approving_review_count: 1}\n    required_status_checks: {contexts: [ci]}\n";
    let says = settings.replace("{name: shop}", "{default_branch: dev}");
    let ruleset = "{\"enforcement\": \"active\", \"conditions\": {\"ref_name\": {\"include\": [\"refs/heads/dev\"]}}, \"rules\": [{\"type\": \"pull_request\", \"parameters\": {\"required_approving_review_count\": 1}}, {\"type\": \"merge_queue\"}]}\n";
    let excludes =
        ruleset.replace("refs/heads/dev\"]", "~ALL\"], \"exclude\": [\"refs/heads/dev\"]");
    let of_api = "{\"url\": \"https://api.acme.io/repos/a/b/branches/dev/protection\", \"required_pull_request_reviews\": {\"required_approving_review_count\": 1}}\n";
    let asf = "github:\n  protected_branches:\n    dev: {required_pull_request_reviews: {required_approving_review_count: 1}}\n";
    let terraform = "resource \"github_branch_protection\" \"a\" {\n  pattern = \"dev\"\n  required_pull_request_reviews {\n  }\n}\n";
    for (file, text, dev, main, unknown) in [
        (".github/settings.yml", settings, Some(2), None, None),
        (".github/settings.yml", says.as_str(), Some(2), None, Some(2)),
        (".github/rulesets/a.json", ruleset, Some(3), None, None),
        (".github/rulesets/a.json", &excludes, None, Some(3), None),
        ("branch-protection.json", of_api, Some(1), None, None),
        (".asf.yaml", asf, Some(1), None, None),
        ("github.tf", terraform, Some(1), None, None),
    ] {
        let files: Files<'_> = &[(file, text)];
        assert_eq!(level_on(Some("dev"), files), dev, "dev: {text}");
        assert_eq!(level_on(Some("main"), files), main, "main: {text}");
        assert_eq!(level_on(None, files), unknown, "not known: {text}");
    }
    let found = assessed(&[(".github/settings.yml", settings)]);
    for id in ["branch_protection.review", "branch_protection.automated_review"] {
        let check = check(&found, id);
        assert_eq!(check.outcome, Outcome::Unknown);
        assert!(check.reason.contains("for the branch `dev`"), "{}", check.reason);
        assert_eq!(check.evidence[0].file, ".github/settings.yml");
    }
}

#[test]
fn branches_protected_by_terraform() {
    let protection =
        |body: &str| format!("resource \"github_branch_protection\" \"main\" {{\n{body}\n}}\n");
    let ruleset = |of: &str, body: &str| {
        format!(
            "resource \"github_repository_ruleset\" \"main\" {{\n  enforcement = \"active\"\n{of}\n  rules {{\n{body}\n  }}\n}}\n"
        )
    };
    let reviews = "  required_pull_request_reviews {\n  }";
    let main = "  target = \"branch\"\n  conditions {\n    ref_name {\n      include = [\n        \"~DEFAULT_BRANCH\",\n      ]\n      exclude = []\n    }\n  }";
    let pull = "    pull_request {\n      required_approving_review_count = 1\n    }\n    required_status_checks {\n    }";
    for (text, expected) in [
        (protection(reviews), Some(1)),
        (
            protection("  required_pull_request_reviews { required_approving_review_count = 2 }"),
            Some(1),
        ),
        (protection(&format!("  pattern = var.branch\n{reviews}")), Some(1)),
        (protection(&format!("  pattern = \"legacy/*\"\n{reviews}")), None),
        (protection(&format!("  count = 0\n{reviews}")), None),
        (
            protection(
                "  required_pull_request_reviews {\n    required_approving_review_count = 0\n  }",
            ),
            None,
        ),
        (protection(&format!("  /*\n{reviews}\n  */\n")), None),
        (ruleset(main, pull), Some(3)),
        (ruleset(&main.replace("exclude = []", "exclude = [\"refs/heads/main\"]"), pull), None),
        (protection(&format!("  for_each = toset([])\n{reviews}")), None),
        (ruleset("", "pull_request {}"), None),
        (ruleset("  target = \"tag\"", pull), None),
        (ruleset(main, pull).replace("\"active\"", "\"evaluate\""), None),
        (ruleset(&main.replace("~DEFAULT_BRANCH", "refs/heads/legacy"), pull), None),
    ] {
        assert_eq!(level(BranchProtection, &[("github.tf", &text)]), expected, "{text}");
    }
}

#[test]
fn robots_and_jobs_that_merges_wait_for() {
    let owners = ("CODEOWNERS", "* @team\n");
    let aggregate = |step: &str| {
        format!(
            "on: pull_request\njobs:\n  a: {{runs-on: x, steps: [{{run: cargo test}}]}}\n  b: {{runs-on: x, steps: [{{run: cargo test}}]}}\n  ok:\n    needs: [a, b]\n    if: always()\n    runs-on: x\n    steps: [{step}]\n"
        )
    };
    let queue = |job: &str| {
        format!("on: merge_group\njobs: {{a: {{runs-on: x, {job}steps: [{{run: cargo test}}]}}}}\n")
    };
    let workflow = ".github/workflows/a.yml";
    for (file, text, expected) in [
        (workflow, aggregate("{uses: 're-actors/alls-green@v1'}"), Some(2)),
        (workflow, aggregate("{run: 'echo result success'}"), Some(1)),
        (workflow, aggregate("{run: \"[ '${{ needs.a.result }}' = success ]\"}"), Some(2)),
        (
            workflow,
            aggregate("{run: \"jq -e 'all(.result == 1)' <<< '${{ toJSON(needs) }}'\"}"),
            Some(2),
        ),
        (workflow, queue(""), Some(2)),
        (workflow, queue("if: false, "), Some(1)),
        ("bors.toml", "status = ['ci']\n".into(), Some(2)),
        ("bors.toml", "\n".into(), Some(1)),
        (".coderabbit.yaml", "reviews: {profile: chill}\n".into(), Some(2)),
        (".coderabbit.yaml", "reviews: {auto_review: {enabled: false}}\n".into(), Some(1)),
        (".mergify.yml", "queue_rules: [{name: default}]\n".into(), Some(2)),
        (".mergify.yml", "queue_rules: []\n".into(), Some(1)),
    ] {
        assert_eq!(level(BranchProtection, &[owners, (file, &text)]), expected, "{text}");
    }
}

#[test]
fn observability() {
    let app =
        |more: &str| format!("[package]\nname = \"a\"\n[dependencies]\naxum = \"0.8\"\n{more}");
    let logs = app("tracing-subscriber = \"0.3\"\n");
    let metrics = app("tracing-subscriber = \"0.3\"\nopentelemetry-otlp = \"0.3\"\n");
    let rules = "groups:\n- rules:\n  - alert: Down\n    expr: up == 0\n";
    let route = "route: {receiver: team}\nreceivers:\n- name: team\n  slack_configs: [{channel: '#oncall'}]\n";
    let runbook = ("docs/runbooks/down.md", "# Down\n\nLook.\n\nRestart.\n");
    let code =
        ("src/main.rs", "use opentelemetry_otlp as otlp;\ntracing_subscriber::fmt::init();\n");
    assert_eq!(level(Observability, &[("Cargo.toml", &app("")), code]), Some(0));
    assert_eq!(level(Observability, &[("Cargo.toml", &logs), code]), Some(1));
    assert_eq!(level(Observability, &[("Cargo.toml", &logs), ("src/main.rs", "")]), Some(0));
    assert_eq!(level(Observability, &[("Cargo.toml", &metrics), code]), Some(2));
    let alerts: Vec<(&str, &str)> =
        vec![("Cargo.toml", &metrics), code, ("ops/rules.yml", rules), ("ops/am.yml", route)];
    assert_eq!(level(Observability, &alerts), Some(2), "no runbook");
    assert_eq!(level(Observability, &with(&[&alerts, &[runbook]])), Some(3));
    let dev = "[package]\nname = \"a\"\n[dependencies]\naxum = \"0.8\"\n[dev-dependencies]\ntracing-subscriber = \"0.3\"\n";
    assert_eq!(
        level(Observability, &[("Cargo.toml", dev)]),
        Some(0),
        "what tests use is not what runs"
    );
}

#[test]
fn a_library_has_no_use_for_environments_and_operations() {
    let found = assessed(&[
        ("Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\nserde = \"1\"\n"),
        ("src/lib.rs", ""),
    ]);
    for dimension in [Infrastructure, Observability] {
        let standing = found.standing(dimension);
        assert_eq!(
            (standing.level, standing.outcome),
            (None, Outcome::NotApplicable),
            "{dimension:?}"
        );
    }
    assert_eq!(found.standing(Tests).level, Some(0));
}
