//! One small service as people keep them, with a pipeline of each system at each level of CI/CD, tests and security, and
//! the ways in which such pipelines fall short.

use lockgate_readiness::catalog::Dimension::{CiCd, Security, Tests};
use lockgate_readiness::finding::Outcome::{self, Fail, Pass, Unknown};

use super::{Files, assessed, check, told, with};

const SERVICE: Files<'static> = &[
    (
        "pyproject.toml",
        "[project]\nname = \"shop\"\ndependencies = [\"fastapi>=0.110\", \"structlog>=24\"]\n\n[build-system]\nrequires = [\"hatchling\"]\n",
    ),
    ("src/shop/app.py", "from fastapi import FastAPI\n\napp = FastAPI()\n"),
    ("src/shop/price.py", "def price(cents: int) -> str:\n    return f\"{cents / 100:.2f}\"\n"),
    ("tests/unit/test_price.py", "def test_price():\n    assert True\n"),
    ("tests/integration/test_store.py", "def test_store():\n    assert True\n"),
    ("tests/e2e/test_order.py", "def test_order():\n    assert True\n"),
    ("Dockerfile", "FROM python:3.13-slim\nCOPY . /app\nRUN pip install /app\n"),
    ("README.md", "# Shop\n"),
];

const JENKINS: [&str; 4] = [
    // It looks at style alone.
    "pipeline {
  agent any
  stages {
    stage('Style') {
      when { anyOf { changeRequest(); branch 'main' } }
      steps {
        sh 'ruff format --check .'
        sh 'pip-audit || true'
      }
    }
  }
}
",
    // Only what is merged is looked at.
    "pipeline {
  agent { docker { image 'python:3.13' } }
  options { timeout(time: 30, unit: 'MINUTES') }
  stages {
    stage('After the merge') {
      when { not { changeRequest() } }
      stages {
        stage('Build') { steps { sh 'python -m build' } }
        stage('Test') { steps { sh 'pytest tests/unit --junitxml=report.xml' } }
        stage('Scan') { steps { sh 'pip-audit' } }
      }
    }
  }
  post { always { junit 'report.xml' } }
}
",
    "pipeline {
  agent { docker { image 'python:3.13' } }
  environment { PIP_CACHE_DIR = '.pip' }
  stages {
    stage('Build') { steps { sh 'python -m build' } }
    stage('Checks') {
      parallel {
        stage('Tests') {
          steps {
            sh '''
              pip install '.[test]'
              pytest --junitxml=report.xml tests/unit tests/integration
            '''
          }
          post { always { junit 'report.xml' } }
        }
        stage('Scans') {
          steps {
            sh 'pip-audit'
            sh 'gitleaks detect --redact'
            sh 'bandit -r src'
          }
        }
      }
    }
    stage('Attack') {
      steps { sh 'schemathesis run http://localhost:8000/openapi.json' }
    }
    stage('Comment') {
      when { changeRequest() }
      steps { echo \"built change ${env.CHANGE_ID}\" }
    }
  }
}
",
    "pipeline {
  agent { docker { image 'python:3.13' } }
  environment { IMAGE = 'registry.acme.io/shop' }
  stages {
    stage('Build') { steps { sh 'docker build -t $IMAGE .' } }
    stage('Tests') {
      steps { sh 'pytest --cov=shop --cov-fail-under=85' }
      post { always { archiveArtifacts 'htmlcov/**' } }
    }
    stage('Scans') {
      matrix {
        axes {
          axis {
            name 'SCAN'
            values 'pip-audit', 'gitleaks detect', 'bandit -r src', 'cyclonedx-py environment'
          }
        }
        stages { stage('Scan') { steps { sh '$SCAN' } } }
      }
    }
    stage('Attack') {
      steps { sh 'schemathesis run http://localhost:8000/openapi.json' }
    }
    stage('Deliver') {
      when { allOf { branch 'main'; not { changeRequest() } } }
      steps {
        withCredentials([usernamePassword(credentialsId: 'registry', usernameVariable: 'U', passwordVariable: 'P')]) {
          sh 'echo $P | docker login -u $U --password-stdin registry.acme.io'
          sh 'docker push $IMAGE'
        }
      }
    }
  }
  post { failure { mail to: 'team@acme.io', subject: 'shop failed', body: env.BUILD_URL } }
}
",
];

const BUILDKITE: [&str; 4] = [
    "steps:
  - label: style
    command: ruff format --check .
    if: build.pull_request.id != null || build.branch == 'main'
  - label: audit
    command: pip-audit
    soft_fail: true
",
    "steps:
  - group: after the merge
    if: build.pull_request.id == null
    steps:
      - command: python -m build
      - command: pytest tests/unit
      - command: pip-audit
",
    "env:
  PIP_CACHE_DIR: .pip
steps:
  - label: build
    key: build
    command: python -m build
  - label: tests
    depends_on: build
    commands:
      - pip install '.[test]'
      - pytest tests/unit tests/integration
    plugins:
      - docker#v5.12.0: {image: 'python:3.13'}
  - label: '{{matrix}}'
    command: '{{matrix}}'
    matrix: [pip-audit, gitleaks detect, bandit -r src]
  - wait
  - command: schemathesis run http://localhost:8000/openapi.json
  - command: echo \"change $BUILDKITE_PULL_REQUEST\"
",
    "steps:
  - command: docker build -t registry.acme.io/shop .
  - label: tests
    command: |
      pip install '.[test]'
      pytest --cov=shop --cov-fail-under=85
    artifact_paths: htmlcov/**
  - group: scans
    steps:
      - command: pip-audit
      - command: gitleaks detect
      - command: bandit -r src
      - command: cyclonedx-py environment
      - command: schemathesis run http://localhost:8000/openapi.json
  - wait
  - label: deliver
    command: docker push registry.acme.io/shop
    if: build.branch == pipeline.default_branch && build.pull_request.id == null
",
];

const GITLAB: [&str; 4] = [
    "style:
  script: ruff format --check .
audit:
  script: pip-audit
  allow_failure: true
",
    "workflow:
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
build:
  script: python -m build
test:
  script: pytest tests/unit
audit:
  script: pip-audit
",
    "stages: [build, test, scan]
default:
  image: python:3.13
build:
  stage: build
  script: python -m build
test:
  stage: test
  before_script:
    - pip install '.[test]'
  script:
    - pytest tests/unit tests/integration
.scan:
  stage: scan
audit: {extends: .scan, script: pip-audit}
secrets: {extends: .scan, script: gitleaks detect}
code: {extends: .scan, script: bandit -r src}
attack: {extends: .scan, script: 'schemathesis run http://localhost:8000/openapi.json'}
",
    "build:
  script: docker build -t registry.acme.io/shop .
test:
  script: pytest --cov=shop --cov-fail-under=85
scan:
  parallel: {matrix: [{A: [b]}]}
  script:
    - pip-audit
    - gitleaks detect
    - bandit -r src
    - cyclonedx-py environment
    - schemathesis run http://localhost:8000/openapi.json
deliver:
  script: docker push registry.acme.io/shop
  environment: production
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
",
];

const GITHUB: [&str; 4] = [
    "on: [push, pull_request]
jobs:
  style:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: ruff format --check .
      - run: pip-audit
        continue-on-error: true
",
    "on: {push: {branches: [main]}}
jobs:
  all:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: python -m build
      - run: pytest tests/unit
      - run: pip-audit
",
    "on: {pull_request: , push: {branches: [main]}}
jobs:
  test:
    runs-on: ubuntu-latest
    services: {postgres: {image: 'postgres:17'}}
    steps:
      - uses: actions/checkout@v4
      - run: python -m build
      - run: |
          pip install '.[test]'
          pytest tests/unit tests/integration
  scan:
    runs-on: ubuntu-latest
    strategy: {matrix: {scan: [pip-audit, gitleaks detect, bandit -r src]}}
    steps:
      - run: ${{ matrix.scan }}
      - run: schemathesis run http://localhost:8000/openapi.json
",
    "on: {pull_request: , push: {branches: [main]}}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: docker build -t registry.acme.io/shop .
      - run: pytest --cov=shop --cov-fail-under=85
  scan:
    runs-on: ubuntu-latest
    steps:
      - run: pip-audit
      - uses: gitleaks/gitleaks-action@v2
      - run: bandit -r src
      - uses: anchore/sbom-action@v0
      - run: schemathesis run http://localhost:8000/openapi.json
  deliver:
    needs: [test, scan]
    if: github.ref == 'refs/heads/main'
    environment: production
    runs-on: ubuntu-latest
    steps:
      - run: docker push registry.acme.io/shop
",
];

/// The systems, the file of each, and its pipelines from level 0 to 3.
const SYSTEMS: [(&str, &[&str; 4]); 4] = [
    ("Jenkinsfile", &JENKINS),
    (".buildkite/pipeline.yml", &BUILDKITE),
    (".gitlab-ci.yml", &GITLAB),
    (".github/workflows/ci.yml", &GITHUB),
];

#[test]
fn every_system_reaches_every_level() {
    for (file, pipelines) in SYSTEMS {
        for (expected, pipeline) in (0_u8..).zip(pipelines) {
            let found = assessed(&with(&[SERVICE, &[(file, pipeline)]]));
            for dimension in [CiCd, Tests, Security] {
                let standing = found.standing(dimension);
                let checks: Vec<String> = standing.checks.iter().map(told).collect();
                assert_eq!(
                    (standing.level, standing.outcome),
                    (Some(expected), if expected == 3 { Pass } else { Fail }),
                    "{file} {dimension:?}\n{pipeline}\n{}",
                    checks.join("\n")
                );
            }
        }
    }
}

#[test]
fn what_is_shown_stands_in_the_pipeline() {
    for (file, pipelines) in SYSTEMS {
        let pipeline = pipelines[3];
        let found = assessed(&with(&[SERVICE, &[(file, pipeline)]]));
        for (id, words) in [
            ("ci_cd.build_on_pull_request", "docker build"),
            ("ci_cd.delivery", "docker push"),
            ("tests.coverage_over_80", "--cov-fail-under=85"),
            ("security.dynamic", "schemathesis run"),
        ] {
            let check = check(&found, id);
            let shown = check.evidence.first().unwrap_or_else(|| panic!("{}", told(check)));
            assert_eq!(shown.file, file, "{}", told(check));
            let line = pipeline.lines().nth(shown.line as usize - 1).unwrap_or_default();
            assert_eq!(line.trim(), shown.text, "{}", told(check));
            assert!(line.contains(words), "{file} {id}: {line}");
        }
    }
}

/// A pipeline of level 3 with something put in another's place, and what that does to a check.
fn changed(file: &str, from: &str, to: &str, id: &str) -> (Outcome, String) {
    let (_, pipelines) =
        SYSTEMS.into_iter().find(|(known, _)| *known == file).expect("a system of the table");
    assert!(pipelines[3].contains(from), "{file} has no {from}");
    let pipeline = pipelines[3].replace(from, to);
    let found = assessed(&with(&[SERVICE, &[(file, &pipeline)]]));
    let check = check(&found, id);
    (check.outcome, told(check))
}

#[test]
fn one_thing_changed_takes_away_what_it_proved() {
    const J: &str = "Jenkinsfile";
    const B: &str = ".buildkite/pipeline.yml";
    const L: &str = ".gitlab-ci.yml";
    const H: &str = ".github/workflows/ci.yml";
    let tests = "pytest --cov=shop --cov-fail-under=85";
    for (file, from, to, id, expected) in [
        // It runs and does not block.
        (
            J,
            "sh 'pytest --cov=shop --cov-fail-under=85'",
            "sh script: 'pytest --cov=shop --cov-fail-under=85', returnStatus: true",
            "tests.coverage_threshold",
            Fail,
        ),
        (
            J,
            "steps { sh 'schemathesis",
            "options { warnError('x') }\n steps { sh 'schemathesis",
            "security.dynamic",
            Fail,
        ),
        (B, "artifact_paths: htmlcov/**", "soft_fail: true", "tests.coverage_threshold", Fail),
        (L, "  parallel: {matrix: [{A: [b]}]}", "  allow_failure: true", "security.static", Fail),
        (
            H,
            "      - run: pytest",
            "      - continue-on-error: true\n        run: pytest",
            "tests.unit_on_pull_request",
            Fail,
        ),
        (
            J,
            tests,
            "pytest --cov=shop --cov-fail-under=85 || true",
            "tests.unit_on_pull_request",
            Fail,
        ),
        (
            B,
            tests,
            "pytest --cov=shop --cov-fail-under=85 || true",
            "tests.unit_on_pull_request",
            Fail,
        ),
        (
            L,
            tests,
            "pytest --cov=shop --cov-fail-under=85 || true",
            "tests.unit_on_pull_request",
            Fail,
        ),
        (
            H,
            tests,
            "pytest --cov=shop --cov-fail-under=85 || true",
            "tests.unit_on_pull_request",
            Fail,
        ),
        // Never on change requests.
        (
            J,
            "stage('Tests') {",
            "stage('Tests') {\n when { branch 'main' }",
            "tests.unit_on_pull_request",
            Fail,
        ),
        (B, "artifact_paths: htmlcov/**", "branches: main", "tests.unit_on_pull_request", Fail),
        (L, "test:\n", "test:\n  only: [main]\n", "tests.unit_on_pull_request", Fail),
        (
            H,
            "  test:\n",
            "  test:\n    if: github.event_name == 'push'\n",
            "tests.unit_on_pull_request",
            Fail,
        ),
        // A person has to press a button.
        (J, "withCredentials(", "input 'Deliver?'\n withCredentials(", "ci_cd.delivery", Fail),
        (B, "  - wait\n", "  - block: Deliver?\n", "ci_cd.delivery", Fail),
        (L, "environment: production", "when: manual", "ci_cd.delivery", Fail),
        (
            H,
            "if: github.ref == 'refs/heads/main'",
            "if: github.event_name == 'workflow_dispatch'",
            "ci_cd.delivery",
            Fail,
        ),
        // Something that nobody sees from here does it.
        (
            J,
            "sh 'schemathesis run http://localhost:8000/openapi.json'",
            "acmeAttack()",
            "security.dynamic",
            Unknown,
        ),
        (
            B,
            "- command: schemathesis run http://localhost:8000/openapi.json",
            "- trigger: attack",
            "security.dynamic",
            Unknown,
        ),
        (L, "deliver:\n", "attack:\n  trigger: acme/attack\ndeliver:\n", "security.dynamic", Pass),
        (
            H,
            "- run: schemathesis run http://localhost:8000/openapi.json",
            "- run: 'true'\n  attack:\n    uses: acme/ci/.github/workflows/attack.yml@v1",
            "security.dynamic",
            Unknown,
        ),
    ] {
        let (found, told) = changed(file, from, to, id);
        assert_eq!(found, expected, "{file}: {to}: {told}");
    }
}

#[test]
fn without_a_word_of_what_starts_it_nothing_is_claimed() {
    for (file, from, to) in [
        ("Jenkinsfile", "when { allOf { branch 'main'; not { changeRequest() } } }", ""),
        (
            ".buildkite/pipeline.yml",
            "if: build.branch == pipeline.default_branch && build.pull_request.id == null",
            "",
        ),
    ] {
        for id in ["ci_cd.build", "tests.unit_on_pull_request", "security.static", "ci_cd.delivery"]
        {
            let (found, told) = changed(file, from, to, id);
            assert_eq!(found, Unknown, "{file}: {told}");
            assert!(told.contains("decides what"), "{told}");
        }
    }
}
