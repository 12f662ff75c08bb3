//! Every check: its id, its level, what is at risk without it, and what would change it.

use serde::Serialize;

/// One of the six things that a release stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Built, tested and delivered by machines.
    CiCd,
    /// Tests that run on every change.
    Tests,
    /// Environments from templates.
    Infrastructure,
    /// Scans in pipelines.
    Security,
    /// What a change needs before it is merged.
    BranchProtection,
    /// What is seen of it in production.
    Observability,
}

impl Dimension {
    /// All six, in the order in which they are told.
    pub const ALL: [Self; 6] = [
        Self::CiCd,
        Self::Tests,
        Self::Infrastructure,
        Self::Security,
        Self::BranchProtection,
        Self::Observability,
    ];

    /// The name in ids and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::CiCd => "ci_cd",
            Self::Tests => "tests",
            Self::Infrastructure => "infrastructure",
            Self::Security => "security",
            Self::BranchProtection => "branch_protection",
            Self::Observability => "observability",
        }
    }
}

/// A check that is asked of every repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// `dimension.check`.
    pub id: &'static str,
    /// What it belongs to.
    pub dimension: Dimension,
    /// The level that needs it; none when it is asked for beside the levels.
    pub level: Option<u8>,
    /// What it asks.
    pub asks: &'static str,
    /// What is at risk without it.
    pub risk: &'static str,
    /// What would change it.
    pub fix: &'static str,
}

const fn entry(
    id: &'static str,
    dimension: Dimension,
    level: Option<u8>,
    asks: &'static str,
    risk: &'static str,
    fix: &'static str,
) -> Entry {
    Entry { id, dimension, level, asks, risk, fix }
}

use Dimension::{BranchProtection, CiCd, Infrastructure, Observability, Security, Tests};

/// All checks, in the order in which they are told.
pub const CATALOG: &[Entry] = &[
    entry(
        "ci_cd.build",
        CiCd,
        Some(1),
        "some pipeline builds or tests the code on pushes or pull requests, and fails when that fails",
        "it works for the one who wrote it, and nobody learns that it does not elsewhere",
        "add a pipeline that builds and tests on every pull request",
    ),
    entry(
        "ci_cd.build_on_pull_request",
        CiCd,
        Some(2),
        "every pull request is built",
        "a change that does not build is merged",
        "build on `pull_request`, without filters that leave code out",
    ),
    entry(
        "ci_cd.test_on_pull_request",
        CiCd,
        Some(2),
        "every pull request is tested",
        "a change that breaks something is merged",
        "run the tests on `pull_request`, as a step that can fail",
    ),
    entry(
        "ci_cd.test_on_main",
        CiCd,
        Some(2),
        "the main branch is built and tested, after each merge or in a merge queue",
        "two good changes are bad together, and nobody notices",
        "run the same pipeline on pushes to the main branch, or use a merge queue",
    ),
    entry(
        "ci_cd.delivery",
        CiCd,
        Some(3),
        "main, a tag or a release is published or deployed without a person's hands",
        "what is released depends on whose machine made it",
        "publish or deploy from a job that a push to main, a tag or a release starts",
    ),
    entry(
        "tests.unit",
        Tests,
        Some(1),
        "a pipeline runs unit tests and fails with them",
        "behaviour is not verified; invented logic reaches production",
        "run the unit tests in a pipeline, as a step that can fail",
    ),
    entry(
        "tests.unit_on_pull_request",
        Tests,
        Some(2),
        "unit tests run on every pull request",
        "a change is reviewed without anybody knowing whether it works",
        "run the unit tests on `pull_request`",
    ),
    entry(
        "tests.integration_on_pull_request",
        Tests,
        Some(2),
        "integration tests run on every pull request",
        "parts that work alone fail together",
        "keep integration tests apart (such as `tests/integration`) and run them on `pull_request`",
    ),
    entry(
        "tests.end_to_end_on_pull_request",
        Tests,
        Some(3),
        "end-to-end tests run on every pull request",
        "what a user does is tried by users first",
        "run end-to-end tests on `pull_request`, as a step that can fail",
    ),
    entry(
        "tests.coverage_threshold",
        Tests,
        Some(3),
        "pull requests fail below a coverage that is written down",
        "new code comes without tests, a little at a time",
        "let the run that measures coverage fail below a threshold, such as `--cov-fail-under=85`",
    ),
    entry(
        "tests.coverage_over_80",
        Tests,
        None,
        "the coverage that is enforced, or that a report that was handed in shows, is above 80 %",
        "a fifth of the code or more has never run before production",
        "raise the enforced threshold above 80, or hand in the report of a run that reached more: `--evidence coverage.xml`",
    ),
    entry(
        "infrastructure.configuration",
        Infrastructure,
        Some(1),
        "how it is run is in the repository: a container, compose, or more",
        "nobody else can run it the same way",
        "add a Dockerfile, or templates of the environment",
    ),
    entry(
        "infrastructure.templates",
        Infrastructure,
        Some(2),
        "environments come from templates in the repository",
        "changes cannot be verified; environments made by hand diverge",
        "describe the environments with Terraform, Bicep, CDK, Kubernetes, Helm, SAM or the like",
    ),
    entry(
        "infrastructure.drift",
        Infrastructure,
        Some(3),
        "what runs is compared with its templates by itself, and put right or reported",
        "what runs is no longer what was reviewed",
        "run `lockgate drift` or `terraform plan -detailed-exitcode` on a schedule, or let Flux (`prune: true`) or Argo CD (`selfHeal: true`) reconcile",
    ),
    entry(
        "infrastructure.limits",
        Infrastructure,
        None,
        "what templates run has a limit of memory",
        "one leak takes down what runs beside it",
        "write `resources.limits.memory`, `mem_limit`, or the `memory` of the task",
    ),
    entry(
        "infrastructure.pinned",
        Infrastructure,
        None,
        "templates name fixed versions of images, providers, modules and charts",
        "what is deployed tomorrow is not what was tested today",
        "write a tag or a digest, a version with an upper bound or a lock file, and `?ref=` with a tag",
    ),
    entry(
        "infrastructure.state",
        Infrastructure,
        None,
        "the state of Terraform and Pulumi is kept where all share it",
        "two people overwrite each other, and a lost disk loses what is known of what runs",
        "name a `backend` such as s3, gcs, azurerm or http, or `cloud`, in every root",
    ),
    entry(
        "infrastructure.secrets",
        Infrastructure,
        None,
        "no template has a secret written in it",
        "whoever reads the repository, or its history, has the secret",
        "refer to a store of secrets, mark parameters as secure, and change the secret that was there",
    ),
    entry(
        "infrastructure.functions",
        Infrastructure,
        None,
        "functions have 1 to 2 GB of memory and a timeout of 30 to 60 s, scale beyond one, and nothing is kept warm",
        "they run out of memory or time, or stop at one request at once, or cost while nobody asks",
        "write memory and timeout in the template of every function, and leave out provisioned instances and a maximum of one",
    ),
    entry(
        "security.static",
        Security,
        Some(1),
        "a pipeline scans dependencies, secrets or code, and fails on findings",
        "known faults and leaked secrets are not seen",
        "add a scan of dependencies, secrets or code that can fail",
    ),
    entry(
        "security.dependencies_on_pull_request",
        Security,
        Some(2),
        "dependencies are scanned on every pull request",
        "a vulnerable dependency comes in with a change",
        "run osv-scanner, `cargo audit`, `npm audit`, `pip-audit`, Trivy or the like on `pull_request`",
    ),
    entry(
        "security.secrets_on_pull_request",
        Security,
        Some(2),
        "secrets are looked for on every pull request",
        "a secret is public the moment it is pushed",
        "run gitleaks, TruffleHog or the like on `pull_request`",
    ),
    entry(
        "security.code_on_pull_request",
        Security,
        Some(2),
        "code or templates are scanned on every pull request",
        "a fault that a machine would have found is merged",
        "run CodeQL, Semgrep, Bandit, gosec, Checkov or the like on `pull_request`",
    ),
    entry(
        "security.dynamic",
        Security,
        Some(2),
        "the running program is attacked, or fuzzed, by some pipeline",
        "faults that show only while it runs are found by others",
        "run ZAP against a test environment, or fuzz the parsers, on a schedule at least",
    ),
    entry(
        "security.compliance",
        Security,
        Some(3),
        "a pipeline makes a bill of materials, or checks licences, policy or the Scorecard",
        "nobody can say what is inside, or whether it may be",
        "make an SBOM (syft, CycloneDX), or check licences (cargo-deny, REUSE) or policy (conftest)",
    ),
    entry(
        "branch_protection.review",
        BranchProtection,
        Some(1),
        "the forge enforces, or files indicate, that changes need a review",
        "unsupervised merges; the trust boundary collapses",
        "add a CODEOWNERS with a line `* @owner`, or keep a ruleset that requires reviews in the repository; and let the forge enforce it",
    ),
    entry(
        "branch_protection.automated_review",
        BranchProtection,
        Some(2),
        "the forge enforces, or files indicate, automated review, a merge queue, or a required check over all jobs",
        "a merge depends on one person's attention",
        "use a merge queue, or one job that needs all others and is required",
    ),
    entry(
        "branch_protection.compliance",
        BranchProtection,
        Some(3),
        "the forge enforces, or files indicate, compliance: sign-offs, signed commits, or rulesets in code",
        "nobody can say who stands behind a change",
        "require sign-offs or signed commits, and keep the rulesets in the repository",
    ),
    entry(
        "observability.logs",
        Observability,
        Some(1),
        "logs are configured",
        "nobody can say what happened",
        "set up a logging library, to standard output in a format that machines read",
    ),
    entry(
        "observability.metrics",
        Observability,
        Some(2),
        "metrics, traces or dashboards are there",
        "regressions are not seen",
        "export metrics or traces, such as with OpenTelemetry or Prometheus",
    ),
    entry(
        "observability.alerts",
        Observability,
        Some(3),
        "alert rules are there and reach a real receiver",
        "users notice before the owners do",
        "add alert rules, and a route to a receiver that is no placeholder",
    ),
    entry(
        "observability.escalation",
        Observability,
        Some(3),
        "alerts have an escalation or a runbook",
        "recovery is slow, and depends on who is awake",
        "give alerts a `runbook_url`, or an escalation policy",
    ),
    entry(
        "observability.owners",
        Observability,
        None,
        "alerts, or a catalogue of services, name an owner",
        "everybody is told, and nobody answers",
        "give every rule a label `team`, or keep a `catalog-info.yaml` with `spec.owner`",
    ),
    entry(
        "observability.health_checks",
        Observability,
        None,
        "health is checked where it runs",
        "traffic goes to what does not answer",
        "add liveness and readiness probes, or a HEALTHCHECK",
    ),
];

/// The entry of an id.
pub(crate) fn entry_of(id: &str) -> Option<&'static Entry> {
    CATALOG.iter().find(|entry| entry.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_begin_with_their_dimension() {
        for (i, entry) in CATALOG.iter().enumerate() {
            assert!(entry.id.starts_with(&format!("{}.", entry.dimension.name())), "{}", entry.id);
            assert!(CATALOG[..i].iter().all(|other| other.id != entry.id), "{}", entry.id);
        }
        for dimension in Dimension::ALL {
            for level in 1..=3 {
                let has =
                    |entry: &Entry| entry.dimension == dimension && entry.level == Some(level);
                assert!(CATALOG.iter().any(has), "{dimension:?} {level}");
            }
        }
    }
}
