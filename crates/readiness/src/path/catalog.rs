//! The steps of the three paths, in their order.

use lockgate_model::config::Scenario;
use serde::{Deserialize, Serialize};

/// When a step is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before a release: without it none starts.
    Before,
    /// By a release: its plan must provide for it, and a release shows it.
    During,
    /// After releases. It stops none.
    After,
}

impl Phase {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        }
    }
}

/// Who could show a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sees {
    /// The files of the repository.
    Repository,
    /// A running server.
    Server,
    /// Both must.
    Both,
    /// One of the two is enough.
    Either,
}

impl Sees {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Repository => "the repository",
            Self::Server => "the server",
            Self::Both => "the repository and the server",
            Self::Either => "the repository or the server",
        }
    }

    /// Whether files have a say.
    pub fn repository(self) -> bool {
        self != Self::Server
    }

    /// Whether the server has a say.
    pub fn server(self) -> bool {
        self != Self::Repository
    }
}

/// A step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// `path.step`, stable.
    pub id: &'static str,
    /// The path that it belongs to.
    pub path: Scenario,
    /// When it is due.
    pub phase: Phase,
    /// Who could show it.
    pub sees: Sees,
    /// What it asks.
    pub asks: &'static str,
    /// What leads on.
    pub next: &'static str,
}

impl Step {
    /// Whether people's word counts: not where the server sees by itself.
    pub fn is_attestable(&self) -> bool {
        self.sees.repository()
    }
}

const fn step(
    id: &'static str,
    path: Scenario,
    (phase, sees): (Phase, Sees),
    asks: &'static str,
    next: &'static str,
) -> Step {
    Step { id, path, phase, sees, asks, next }
}

use Phase::{After, Before, During};
use Scenario::{Microservices, Monolith, Serverless};
use Sees::{Both, Either, Repository, Server};

const RELEASE: &str = "give the plan what is missing, then release a version through all its stages: `lockgate rollout start`";
const REVIEW: &str = "`lockgate value report` says what is missing, and how to record it";
const ASSESS: &str = "`lockgate assess` lists what is missing, and what would change it";

/// All steps.
pub const STEPS: &[Step] = &[
    step(
        "monolith.foundations",
        Monolith,
        (Before, Repository),
        "the foundations are at level 2 in 4 of 6 dimensions, tests and observability among them, with coverage above 80 % and health checks",
        ASSESS,
    ),
    step(
        "monolith.agent",
        Monolith,
        (Before, Either),
        "the agent is built: with a framework that its manifests name, or it answers health checks",
        "name the framework or the model's SDK in a manifest, or let a version of the agent answer its health checks",
    ),
    step(
        "monolith.tests",
        Monolith,
        (Before, Repository),
        "unit, integration and end-to-end tests run on pull requests, and coverage above 80 % is enforced",
        ASSESS,
    ),
    step(
        "monolith.analysis",
        Monolith,
        (Before, Repository),
        "static and dynamic analysis run in the pipeline, and can fail it",
        ASSESS,
    ),
    step(
        "monolith.observability",
        Monolith,
        (Before, Repository),
        "logs, monitoring, alerts and health checks are in place",
        ASSESS,
    ),
    step(
        "monolith.canary",
        Monolith,
        (During, Server),
        "24 h in the test environment with copies of 10 % of the traffic",
        RELEASE,
    ),
    step(
        "monolith.rollout",
        Monolith,
        (During, Server),
        "a rollout of at least four stages, errors and latency watched in each",
        RELEASE,
    ),
    step(
        "monolith.review",
        Monolith,
        (After, Either),
        "a review after 6 to 12 months: deployment success, replacement, productivity",
        REVIEW,
    ),
    step(
        "microservices.services",
        Microservices,
        (Before, Both),
        "each agent is a service of its own, and keeps its state apart",
        "give each agent a workload and an address of its own, and keep its state in a store that a manifest or a template names",
    ),
    step(
        "microservices.templates",
        Microservices,
        (Before, Repository),
        "templates for Kubernetes or ECS, and drift from them is detected",
        "add templates, and let Flux, Argo CD or a scheduled `terraform plan -detailed-exitcode` compare them with what runs",
    ),
    step(
        "microservices.governance",
        Microservices,
        (Before, Server),
        "a policy is in force, and the audit log takes records and was verified",
        "`lockgate serve --policies DIR` puts a policy in force; `lockgate audit verify` says what is wrong with a log",
    ),
    step(
        "microservices.foundations",
        Microservices,
        (Before, Repository),
        "the foundations are at level 3 in 6 of 6 dimensions, with coverage above 80 % and health checks",
        ASSESS,
    ),
    step(
        "microservices.scans",
        Microservices,
        (Before, Repository),
        "dependencies, secrets and code are scanned on pull requests",
        ASSESS,
    ),
    step(
        "microservices.rollback",
        Microservices,
        (Before, Both),
        "rollback is automatic, there is a canary, and features have gates",
        "arm the triggers and keep four stages in the plan; use a client of OpenFeature, LaunchDarkly or the like",
    ),
    step(
        "microservices.canary",
        Microservices,
        (During, Server),
        "a canary with all metrics watched: errors, latency, satisfaction, security events",
        RELEASE,
    ),
    step(
        "microservices.decisions",
        Microservices,
        (During, Server),
        "decisions take less than 1 ms, and the audit log is complete: as many outcomes as intents",
        "let the agent call a tool; `lockgate policy status` counts decisions, and `lockgate audit verify` open intents",
    ),
    step(
        "microservices.review",
        Microservices,
        (After, Either),
        "a review within 12 months: deployment success, replacement, business value",
        REVIEW,
    ),
    step(
        "serverless.platform",
        Serverless,
        (Before, Repository),
        "a platform is chosen: Modal, AWS Lambda, Google Cloud Run",
        "describe the function in a template: SAM, Terraform, serverless.yml, a Cloud Run service or a Modal app",
    ),
    step(
        "serverless.sizing",
        Serverless,
        (Before, Repository),
        "every function has 1 to 2 GB of memory and a timeout of 30 to 60 s",
        "write memory and timeout in the template of every function",
    ),
    step(
        "serverless.foundations",
        Serverless,
        (Before, Repository),
        "the foundations are at level 2 in 6 of 6 dimensions, with coverage above 80 % and health checks",
        ASSESS,
    ),
    step(
        "serverless.scaling",
        Serverless,
        (Before, Repository),
        "the platform scales by itself and is paid by use: nothing is kept warm, and more than one runs at once",
        "leave out provisioned or minimal instances, and a maximum of one",
    ),
    step(
        "serverless.stages",
        Serverless,
        (During, Server),
        "traffic moves from 10 to 25 to 50 to 100 %",
        RELEASE,
    ),
    step(
        "serverless.gates",
        Serverless,
        (During, Server),
        "every stage asks for an error rate below 0.5 % and a p95 latency below 200 ms",
        RELEASE,
    ),
    step(
        "serverless.watched",
        Serverless,
        (During, Both),
        "the platform's metrics are there, and triggers on errors, latency, cost and security events are armed",
        "export metrics, arm the triggers, and release a version",
    ),
    step(
        "serverless.review",
        Serverless,
        (After, Either),
        "a review after 6 to 12 months: deployment success, replacement, cost saving",
        REVIEW,
    ),
];

/// The steps of a path, in their order.
pub fn steps(path: Scenario) -> impl Iterator<Item = &'static Step> {
    STEPS.iter().filter(move |step| step.path == path)
}

/// The step of an id.
pub(crate) fn step_of(id: &str) -> Option<&'static Step> {
    STEPS.iter().find(|step| step.id == id)
}

/// The checks of an assessment that a step asks for, all of which must be shown. `foundations` asks for those of a gate.
pub(super) fn checks_of(step: &Step) -> Option<&'static [&'static str]> {
    let (_, name) = step.id.split_once('.')?;
    Some(match name {
        "tests" => &[
            "tests.unit_on_pull_request",
            "tests.integration_on_pull_request",
            "tests.end_to_end_on_pull_request",
            "tests.coverage_over_80",
        ],
        "analysis" => &["security.static", "security.dynamic"],
        "observability" => &[
            "observability.logs",
            "observability.metrics",
            "observability.alerts",
            "observability.health_checks",
        ],
        "scans" => &[
            "security.dependencies_on_pull_request",
            "security.secrets_on_pull_request",
            "security.code_on_pull_request",
        ],
        "watched" => &["observability.metrics"],
        "templates" => &["infrastructure.drift"],
        _ => return None,
    })
}
