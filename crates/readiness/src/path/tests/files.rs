//! What files show.

use super::*;

fn of(step: &str, files: &[(&str, &str)]) -> Finding {
    let path = STEPS.iter().find(|one| one.id == step).unwrap().path;
    seen(path, files).findings.remove(step).unwrap_or_else(|| panic!("nothing of {step}"))
}

fn assert_of(step: &str, files: &[(&str, &str)], outcome: Outcome, said: &str) {
    let found = of(step, files);
    assert_eq!(found.outcome, outcome, "{step}: {}", found.reason);
    assert!(found.reason.contains(said), "{step}: {} (not {said})", found.reason);
}

const LANGCHAIN: (&str, &str) =
    ("requirements.txt", "fastapi==0.115\nlanggraph>=0.3\nopenfeature-sdk\nasyncpg\n");

const CI: (&str, &str) = (
    ".github/workflows/ci.yml",
    "on:
  pull_request:
  push: {branches: [main]}
jobs:
  all:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: pytest tests/unit --cov --cov-fail-under=85
      - run: pytest tests/integration
      - run: pytest tests/e2e
      - run: pip-audit
      - uses: gitleaks/gitleaks-action@v2
      - run: bandit -r src
      - run: zap-baseline.py -t http://127.0.0.1:8000
",
);

const TESTS: [(&str, &str); 3] = [
    ("tests/unit/test_a.py", "def test_a():\n    assert True\n"),
    ("tests/integration/test_b.py", "def test_b():\n    assert True\n"),
    ("tests/e2e/test_c.py", "def test_c():\n    assert True\n"),
];

const DEPLOYMENT: (&str, &str) =
    ("deploy/a.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n");

const FLUX: (&str, &str) = (
    "clusters/a.yaml",
    "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\nspec: {prune: true, path: ./deploy}\n",
);

#[test]
fn an_agent_is_known_by_what_it_is_built_with() {
    assert_of("monolith.agent", &[LANGCHAIN], Outcome::Pass, "`langgraph`");
    assert_of(
        "monolith.agent",
        &[("Cargo.toml", "[dependencies]\nserde = \"1\"\n")],
        Outcome::Unknown,
        "no manifest",
    );
    assert_eq!(of("monolith.agent", &[LANGCHAIN]).evidence[0].place, "requirements.txt:2");
}

#[test]
fn tests_scans_and_analysis_are_those_of_pipelines() {
    let all = [&[CI, LANGCHAIN][..], &TESTS].concat();
    assert_of("monolith.tests", &all, Outcome::Pass, "tests.end_to_end_on_pull_request");
    assert_of("monolith.analysis", &all, Outcome::Pass, "security.dynamic");
    assert_of("microservices.scans", &all, Outcome::Pass, "security.secrets_on_pull_request");
    let soft = CI.1.replace("pytest tests/e2e", "pytest tests/e2e || true").replace("=85", "=80");
    let soft = soft
        .replace("zap-baseline.py", "echo zap-baseline.py")
        .replace("pip-audit", "pip-audit || true");
    let files = [&[(CI.0, soft.as_str()), LANGCHAIN][..], &TESTS].concat();
    assert_of("monolith.tests", &files, Outcome::Fail, "tests.coverage_over_80: 80 % is enforced");
    assert_of("monolith.tests", &files, Outcome::Fail, "tests.end_to_end_on_pull_request");
    assert_of("monolith.analysis", &files, Outcome::Fail, "security.dynamic");
    assert_of(
        "microservices.scans",
        &files,
        Outcome::Fail,
        "security.dependencies_on_pull_request",
    );
    for (step, said) in [
        ("monolith.tests", "tests.unit"),
        ("monolith.analysis", "security.static"),
        ("microservices.scans", "security.secrets"),
    ] {
        let jenkins = ("Jenkinsfile", "@Library('shared') _\nbuildEverything()\n");
        assert_of(step, &[jenkins, LANGCHAIN], Outcome::Unknown, said);
    }
}

#[test]
fn observability_and_foundations_are_those_of_the_assessment() {
    let bare = [LANGCHAIN, ("app.py", "print(1)\n")];
    assert_of("monolith.observability", &bare, Outcome::Fail, "observability.alerts");
    assert_of("serverless.watched", &bare, Outcome::Fail, "observability.metrics");
    let metrics = [
        ("requirements.txt", "fastapi\nprometheus-client\n"),
        ("app.py", "from prometheus_client import Counter\n"),
    ];
    assert_of("serverless.watched", &metrics, Outcome::Pass, "observability.metrics");
    for path in ["monolith", "microservices", "serverless"] {
        assert_of(&format!("{path}.foundations"), &bare, Outcome::Fail, "tests is level 0");
    }
}

/// Nothing is missing for sure when another system decides; with people's word it opens, and stays unknown.
#[test]
fn foundations_that_cannot_be_seen_are_unknown_and_may_be_attested() {
    let jenkins = ("Jenkinsfile", "@Library('shared') _\nbuildEverything()\n");
    let alerts = "groups:\n- name: a\n  rules:\n  - {alert: Down, expr: up == 0, annotations: {runbook_url: 'https://wiki.acme.io/down'}}\n";
    let rest = [
        jenkins,
        ("requirements.txt", "fastapi\nprometheus-client\nstructlog\n"),
        (
            "app.py",
            "import structlog\nfrom prometheus_client import Counter\nstructlog.configure()\n",
        ),
        ("monitoring/rules.yml", alerts),
        (
            "monitoring/alertmanager.yml",
            "route: {receiver: team}\nreceivers:\n- name: team\n  pagerduty_configs: [{routing_key_file: /run/key}]\n",
        ),
        ("Dockerfile", "FROM python:3\nHEALTHCHECK CMD curl -f http://127.0.0.1/\n"),
        DEPLOYMENT,
    ];
    let found = of("monolith.foundations", &rest);
    assert_eq!((found.outcome, found.attested.len()), (Outcome::Unknown, 0), "{}", found.reason);
    let ids = [
        "tests.unit",
        "tests.unit_on_pull_request",
        "tests.integration_on_pull_request",
        "tests.coverage_over_80",
        "ci_cd.build",
        "ci_cd.build_on_pull_request",
        "ci_cd.test_on_pull_request",
        "ci_cd.test_on_main",
    ];
    let line = |id: &str| {
        format!(
            "- {{check: {id}, owner: platform, until: 2030-12-31, link: 'https://wiki.acme.io/ci'}}\n"
        )
    };
    let said = ids.map(line).concat();
    let attested = [&rest[..], &[("lockgate.attest.yaml", said.as_str())]].concat();
    let found = of("monolith.foundations", &attested);
    assert_eq!(found.outcome, Outcome::Unknown, "{}", found.reason);
    assert_eq!(found.attested.len(), 8, "{found:?}");
    assert_eq!(found.attested[0].owner, "platform");
}

#[test]
fn services_templates_and_feature_gates() {
    assert_of("microservices.services", &[LANGCHAIN, DEPLOYMENT], Outcome::Pass, "`asyncpg`");
    assert_of(
        "microservices.services",
        &[DEPLOYMENT],
        Outcome::Unknown,
        "no manifest or template names a store",
    );
    assert_of("microservices.services", &[LANGCHAIN], Outcome::Fail, "no template");
    let table = (
        "main.tf",
        "resource \"aws_ecs_service\" \"a\" {}\nresource \"aws_dynamodb_table\" \"s\" {}\n",
    );
    assert_of("microservices.services", &[table], Outcome::Pass, "store of the templates");
    assert_of(
        "microservices.templates",
        &[DEPLOYMENT, FLUX],
        Outcome::Pass,
        "infrastructure.drift",
    );
    assert_of("microservices.templates", &[DEPLOYMENT], Outcome::Fail, "infrastructure.drift");
    assert_of(
        "microservices.templates",
        &[FLUX, LANGCHAIN],
        Outcome::Fail,
        "no templates for Kubernetes",
    );
    assert_of("microservices.rollback", &[LANGCHAIN], Outcome::Pass, "`openfeature-sdk`");
    assert_of("microservices.rollback", &[DEPLOYMENT], Outcome::Unknown, "no manifest");
    let examples = [("examples/a.yaml", DEPLOYMENT.1)];
    assert_of("microservices.services", &examples, Outcome::Fail, "no template");
}

const SAM: &str = "AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Timeout: 30}}
Resources:
  Ask:
    Type: AWS::Serverless::Function
    Properties: {MemorySize: 1024, Handler: a.b}
";

const RUN: &str = "apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: ask}
spec:
  template:
    metadata: {annotations: {autoscaling.knative.dev/maxScale: '10'}}
    spec:
      timeoutSeconds: 60
      containers: [{image: a, resources: {limits: {memory: 2Gi}}}]
";

const TERRAFORM: &str = "resource \"aws_lambda_function\" \"ask\" {
  function_name = \"ask\"
  memory_size   = 2048
  timeout       = 45
  environment { variables = { A = \"b\" } }
}
";

const MODAL: &str = "import modal
app = modal.App('ask')

@app.function(image=image, memory=1024, timeout=60)
def ask(question: str):
    return question
";

const FRAMEWORK: &str = "service: ask
provider: {name: aws, memorySize: 1024}
functions:
  ask: {handler: a.b, timeout: 30}
";

/// File, text, and what is replaced by what.
#[test]
fn functions_are_sized_and_scale_on_each_platform() {
    for (file, text, platform) in [
        ("template.yaml", SAM, "AWS Lambda"),
        ("service.yaml", RUN, "Google Cloud Run"),
        ("main.tf", TERRAFORM, "AWS Lambda"),
        ("app.py", MODAL, "Modal"),
        ("serverless.yml", FRAMEWORK, "AWS Lambda"),
    ] {
        assert_of("serverless.platform", &[(file, text)], Outcome::Pass, platform);
        assert_of("serverless.sizing", &[(file, text)], Outcome::Pass, "1 of 1 functions");
        assert_of("serverless.scaling", &[(file, text)], Outcome::Pass, "scales by itself");
    }
    let sizing: [(&str, &str, &str, &str, Outcome, &str); 12] = [
        (
            "template.yaml",
            SAM,
            "MemorySize: 1024, ",
            "",
            Outcome::Unknown,
            "`Ask`: the memory is not written",
        ),
        ("template.yaml", SAM, "1024", "128", Outcome::Fail, "128 MB of memory"),
        ("template.yaml", SAM, "1024", "!Ref Memory", Outcome::Unknown, "no plain number"),
        ("template.yaml", SAM, "Timeout: 30", "Timeout: 29", Outcome::Fail, "a timeout of 29 s"),
        ("service.yaml", RUN, "2Gi", "512Mi", Outcome::Fail, "512 MB"),
        ("service.yaml", RUN, "2Gi", "1G", Outcome::Pass, "1 of 1"),
        ("service.yaml", RUN, "timeoutSeconds: 60", "timeoutSeconds: 300", Outcome::Fail, "300 s"),
        ("main.tf", TERRAFORM, "2048", "4096", Outcome::Fail, "4096 MB"),
        ("main.tf", TERRAFORM, "2048", "var.memory", Outcome::Unknown, "no plain number"),
        (
            "main.tf",
            TERRAFORM,
            "timeout       = 45",
            "",
            Outcome::Unknown,
            "the timeout is not written",
        ),
        ("app.py", MODAL, "timeout=60", "timeout=600", Outcome::Fail, "`ask`: a timeout of 600 s"),
        (
            "serverless.yml",
            FRAMEWORK,
            ", timeout: 30",
            "",
            Outcome::Unknown,
            "the timeout is not written",
        ),
    ];
    for (file, text, from, to, outcome, said) in sizing {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{file}: {from}");
        assert_of("serverless.sizing", &[(file, &changed)], outcome, said);
    }
    let scaling: [(&str, &str, &str, &str, &str); 6] = [
        (
            "template.yaml",
            SAM,
            "MemorySize",
            "ReservedConcurrentExecutions: 1, MemorySize",
            "one instance",
        ),
        (
            "template.yaml",
            SAM,
            "MemorySize",
            "ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 2}, MemorySize",
            "kept",
        ),
        ("service.yaml", RUN, "maxScale: '10'", "minScale: '1'", "kept"),
        ("service.yaml", RUN, "'10'", "'1'", "one instance"),
        ("app.py", MODAL, "memory=1024", "min_containers=1, memory=1024", "kept"),
        ("serverless.yml", FRAMEWORK, "timeout", "provisionedConcurrency: 1, timeout", "kept"),
    ];
    for (file, text, from, to, said) in scaling {
        assert_of("serverless.scaling", &[(file, &text.replace(from, to))], Outcome::Fail, said);
    }
    for step in ["serverless.platform", "serverless.sizing", "serverless.scaling"] {
        assert_of(step, &[DEPLOYMENT], Outcome::Fail, "no template of a function");
        assert_of(
            step,
            &[("template.yaml", "AWS::Lambda::Function: [\n")],
            Outcome::Unknown,
            "not read",
        );
    }
}

#[test]
fn people_may_say_what_no_file_shows_and_nothing_else() {
    let said = |lines: &str| format!("attest:\n{lines}");
    let line = |check: &str, until: &str| {
        format!(
            "- {{check: {check}, owner: platform, until: {until}, link: 'https://wiki.acme.io/a'}}\n"
        )
    };
    let with = |text: &str| {
        seen(Scenario::Monolith, &[("app.go", "package a\n"), ("lockgate.attest.yaml", text)])
    };
    let good = with(&said(
        &(line("monolith.agent", "2030-12-31") + &line("monolith.review", "2030-12-31")),
    ));
    assert_eq!(good.notes, Vec::<String>::new());
    let agent = &good.findings["monolith.agent"];
    assert_eq!(
        (agent.outcome, agent.attested[0].of.as_str()),
        (Outcome::Unknown, "monolith.agent")
    );
    assert_eq!(good.findings["monolith.review"].attested.len(), 1);
    let old = with(&said(&line("monolith.agent", "2020-12-31")));
    assert!(old.findings["monolith.agent"].attested.is_empty());
    assert!(old.notes[0].contains("ended on 2020-12-31"), "{:?}", old.notes);
    let false_one = with(&said(&line("monolith.tests", "2030-12-31")));
    assert!(false_one.findings["monolith.tests"].attested.is_empty());
    assert!(false_one.notes[0].contains("it is not so"), "{:?}", false_one.notes);
    let of = |text: &str| {
        let tree: Tree = [("lockgate.attest.yaml", text)].into_iter().collect();
        let facts = Facts { today: gate::date(NOW_MS), ..Facts::default() };
        assess(&tree, &facts).notes
    };
    let server = of(&said(&line("monolith.canary", "2030-12-31")));
    assert!(server[0].contains("what the server sees by itself"), "{server:?}");
    let suppressed = of("suppress:\n- {check: monolith.agent, reason: later, until: 2030-12-31}\n");
    assert!(suppressed[0].contains("cannot be suppressed"), "{suppressed:?}");
}
