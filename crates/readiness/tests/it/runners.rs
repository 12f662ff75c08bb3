//! Tests by language and runner: which commands run which tests.

use lockgate_readiness::finding::Outcome;

use super::{Files, assessed, check};

/// `u`, `i`, `e` for the kinds that run on pull requests, `t` for a threshold; `?` where it is unknown.
fn kinds(files: Files<'_>, run: &str) -> String {
    let workflow = format!(
        "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: |\n          {run}\n"
    );
    let mut all = files.to_vec();
    all.push((".github/workflows/ci.yml", &workflow));
    let found = assessed(&all);
    let mut told = String::new();
    for (letter, id) in [
        ('u', "tests.unit_on_pull_request"),
        ('i', "tests.integration_on_pull_request"),
        ('e', "tests.end_to_end_on_pull_request"),
        ('t', "tests.coverage_threshold"),
    ] {
        match check(&found, id).outcome {
            Outcome::Pass => told.push(letter),
            Outcome::Unknown => told.extend([letter, '?']),
            _ => {}
        }
    }
    told
}

fn assert_kinds(files: Files<'_>, table: &[(&str, &str)]) {
    for (run, expected) in table {
        assert_eq!(kinds(files, run), *expected, "{run}");
    }
}

#[test]
fn rust() {
    let files: Files<'_> = &[
        ("Cargo.toml", "[package]\nname = \"a\"\n"),
        ("src/lib.rs", "#[test]\nfn a() {}\n"),
        ("tests/api.rs", "#[test]\nfn b() {}\n"),
        ("tests/e2e.rs", "#[tokio::test]\nasync fn c() {}\n"),
    ];
    assert_kinds(
        files,
        &[
            ("cargo test", "uie"),
            ("cargo +nightly test --all-features", "uie"),
            ("cargo nextest run", "uie"),
            ("cargo test --lib", "u"),
            ("cargo test --test api", "i"),
            ("cargo test --test e2e", "e"),
            ("cargo llvm-cov nextest --fail-under-lines 85", "uiet"),
            ("cargo llvm-cov", "uie"),
            ("cargo tarpaulin --fail-under 0", "uie"),
            ("cross test --target x", "uie"),
            ("cargo nextest list", ""),
            ("cargo build", ""),
            ("cargo test # all", "uie"),
        ],
    );
    assert_eq!(
        kinds(&[("Cargo.toml", "[package]\n"), ("src/lib.rs", "fn a() {}\n")], "cargo test"),
        "",
        "no tests to run"
    );
}

#[test]
fn python() {
    let files: Files<'_> = &[
        ("pyproject.toml", "[tool.pdm.scripts]\ntest = \"pytest tests/unit\"\n"),
        ("tests/unit/test_a.py", ""),
        ("tests/integration/test_b.py", ""),
        ("tests/e2e/test_c.py", ""),
        (
            "tox.ini",
            "[testenv]\ncommands =\n    pytest {posargs:tests/unit}\n    pytest tests/integration\n",
        ),
        (
            "noxfile.py",
            "import nox\n\n@nox.session\ndef tests(session):\n    session.run(\"pytest\", \"tests/unit\")\n",
        ),
    ];
    assert_kinds(
        files,
        &[
            ("pytest", "uie"),
            ("python -m pytest tests/unit", "u"),
            ("uv run pytest tests/integration", "i"),
            ("pytest -m 'not e2e'", "ui"),
            ("pytest --ignore=tests/e2e", "ui"),
            ("pytest -k integration", "i"),
            ("pytest --cov=a --cov-fail-under=85 tests/unit", "ut"),
            ("pytest --cov-fail-under=85 tests/unit", "u"),
            ("coverage run -m pytest tests/unit\n          coverage report --fail-under=90", "ut"),
            ("python -m unittest discover tests/unit", "u"),
            ("tox", "ui"),
            ("nox", "u"),
            ("pdm run test", "u"),
            ("pip install pytest", ""),
        ],
    );
    let narrowed: Files<'_> = &[
        ("pytest.ini", "[pytest]\ntestpaths = tests/unit\n"),
        ("tests/unit/test_a.py", ""),
        ("tests/integration/test_b.py", ""),
    ];
    assert_kinds(narrowed, &[("pytest", "u"), ("pytest tests", "ui")]);
}

#[test]
fn javascript() {
    let package = r#"{
  "scripts": {
    "test": "npm run lint && vitest run",
    "lint": "eslint .",
    "test:cov": "jest --coverage",
    "test:e2e": "playwright test",
    "test:soft": "vitest run || true",
    "cy": "cypress run",
    "nothing": "echo \"no test specified\" && exit 1"
  },
  "jest": {"coverageThreshold": {"global": {"lines": 85}}}
}
"#;
    let files: Files<'_> = &[
        ("package.json", package),
        ("src/a.test.ts", ""),
        ("src/b.integration.test.ts", ""),
        ("e2e/login.spec.ts", ""),
        (
            "vitest.config.ts",
            "export default { test: { coverage: {\n  // thresholds: { lines: 1 }\n  thresholds: { lines: 82, branches: 70 } } } }\n",
        ),
    ];
    assert_kinds(
        files,
        &[
            ("npm test", "ui"),
            ("npm t", "ui"),
            ("yarn test", "ui"),
            ("pnpm run test", "ui"),
            ("npx vitest run", "ui"),
            ("yarn vitest run --coverage", "uit"),
            ("npm run test:cov", "uit"),
            ("npx jest", "ui"),
            ("npm run test:e2e", "e"),
            ("npx playwright install", ""),
            ("pnpm cy", "e"),
            ("npm run test:soft", ""),
            ("npm run nothing", ""),
            ("npm run gone-test", "u?i?e?t?"),
            ("node --test", "ui"),
            ("npm ci", ""),
        ],
    );
}

#[test]
fn go() {
    let files: Files<'_> = &[
        ("go.mod", "module a\n"),
        ("a/a_test.go", "package a\n"),
        ("a/b_integration_test.go", "//go:build integration\n\npackage a\n"),
        ("test/e2e/c_test.go", "package e2e\n"),
    ];
    assert_kinds(
        files,
        &[
            ("go test ./...", "ue"),
            ("go test -race -tags=integration ./...", "uie"),
            ("go test -tags integration ./a/...", "ui"),
            ("go test ./a/...", "u"),
            ("go test ./test/e2e", "e"),
            ("gotestsum -- ./a/...", "u"),
            ("go test -c ./a", ""),
            ("go vet ./...", ""),
        ],
    );
}

#[test]
fn jvm() {
    let failsafe =
        "<project><plugin><artifactId>maven-failsafe-plugin</artifactId></plugin></project>\n";
    let jacoco = "<project><!-- <artifactId>maven-failsafe-plugin</artifactId> -->\n<plugin><artifactId>jacoco-maven-plugin</artifactId>\n<goal>check</goal>\n<minimum>0.85</minimum></plugin></project>\n";
    let tests: Files<'_> = &[("src/test/java/ATest.java", ""), ("src/test/java/BIT.java", "")];
    let of = |pom: &'static str| [&[("pom.xml", pom)], tests].concat();
    assert_kinds(
        &of(failsafe),
        &[("mvn -B verify", "ui"), ("./mvnw test", "u"), ("mvn package -DskipTests", "")],
    );
    assert_kinds(&of(jacoco), &[("mvn verify", "ut"), ("mvn test", "u")]);
    assert_kinds(
        &of(failsafe),
        &[
            ("mvn test -Dmaven.test.failure.ignore=true", ""),
            ("mvn -Dmaven.test.failure.ignore test", ""),
            ("mvn -fn test", ""),
            ("mvn test -Dmaven.test.failure.ignore=false", "u"),
        ],
    );
    let gradle: Files<'_> = &[
        (
            "build.gradle.kts",
            "tasks.check { dependsOn(tasks.jacocoTestCoverageVerification) }\nlimit { minimum = \"0.9\".toBigDecimal() }\n",
        ),
        ("src/test/kotlin/ATest.kt", ""),
        ("src/integrationTest/kotlin/BTest.kt", ""),
    ];
    assert_kinds(
        gradle,
        &[
            ("./gradlew check", "uit"),
            ("./gradlew integrationTest", "i"),
            ("./gradlew assemble", ""),
            ("./gradlew build -x test", ""),
        ],
    );
}

#[test]
fn dotnet() {
    let files: Files<'_> = &[
        ("a.sln", ""),
        ("tests/A.UnitTests/A.cs", "[Fact]\npublic void B() {}\n"),
        ("tests/A.UnitTests/A.UnitTests.csproj", ""),
        ("tests/A.IntegrationTests/C.cs", "[Fact]\npublic void D() {}\n"),
    ];
    assert_kinds(
        files,
        &[
            ("dotnet test", "ui"),
            ("dotnet test a.sln --no-build", "ui"),
            ("dotnet test tests/A.UnitTests/A.UnitTests.csproj", "u"),
            ("dotnet build", ""),
            ("dotnet test /p:CollectCoverage=true /p:Threshold=85", "uit"),
        ],
    );
}
