//! What the files of a repository show of the steps.

use std::collections::BTreeMap;

use jiff::civil::Date;
use lockgate_model::config::Scenario;

use super::catalog::{Step, checks_of, steps};
use super::{Finding, Findings, Word, listed, of_scenario};
use crate::assess::{Assessment, Facts};
use crate::attest::{self, Attestation};
use crate::finding::{Check, Evidence, Outcome};
use crate::gate;
use crate::manifest::{Dependency, Manifests};
use crate::serverless;
use crate::template::Templates;
use crate::tree::Tree;

/// What a repository shows, and what there is to tell beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// By step.
    pub findings: Findings,
    /// What is wrong with what people say of steps.
    pub notes: Vec<String>,
}

/// What the files of a repository show of a path. `assessment` is of the same tree and facts.
pub fn repository(path: Scenario, tree: &Tree, facts: &Facts, assessment: &Assessment) -> Seen {
    let looked = Looked {
        tree,
        assessment,
        manifests: Manifests::read(tree),
        templates: Templates::read(tree),
    };
    let (words, mut notes) = attest::of_steps(tree, facts.today);
    notes.retain(|note| note.contains(path.as_str()));
    let mut findings = Findings::new();
    for step in steps(path).filter(|step| step.sees.repository()) {
        let finding = attested(step, looked.finding(step), &words, &mut notes);
        findings.insert(step.id.to_owned(), finding);
    }
    Seen { findings, notes }
}

/// Puts beside a finding what people say of the step.
fn attested(
    step: &Step,
    mut finding: Finding,
    words: &BTreeMap<&'static str, Attestation>,
    notes: &mut Vec<String>,
) -> Finding {
    let Some(said) = words.get(step.id) else { return finding };
    match finding.outcome {
        Outcome::Unknown => finding.attested.push(word(step.id, said)),
        Outcome::Fail => notes.push(format!(
            "{} is attested, but it is not so, and stays that way: {}",
            step.id, finding.reason
        )),
        Outcome::Pass | Outcome::NotApplicable => {
            notes.push(format!("{} is shown by files; its attestation is not needed", step.id));
        }
    }
    finding
}

fn word(of: &str, said: &Attestation) -> Word {
    let Attestation { owner, link, until, .. } = said;
    let until: Date = *until;
    Word { of: of.to_owned(), owner: owner.clone(), link: link.clone(), until }
}

/// Frameworks of agents, and what models are asked with.
const FRAMEWORKS: &[&str] = &[
    "langchain*",
    "langgraph*",
    "@langchain/*",
    "autogen*",
    "ag2",
    "crewai*",
    "openai-agents",
    "@openai/agents*",
    "semantic-kernel",
    "microsoft.semantickernel*",
    "microsoft.agents*",
    "llama-index*",
    "llamaindex",
    "pydantic-ai*",
    "smolagents",
    "google-adk",
    "google-genai",
    "strands-agents",
    "haystack-ai",
    "dspy",
    "agno",
    "@mastra/*",
    "ai",
    "rig-core",
    "openai",
    "async-openai",
    "anthropic",
    "@anthropic-ai/*",
    "mistralai",
    "github.com/tmc/langchaingo",
    "github.com/openai/openai-go*",
    "github.com/anthropics/anthropic-sdk-go",
    "langchain4j*",
    "spring-ai*",
    "openai-java",
];

/// Clients of stores that keep state apart from a service.
const STORES: &[&str] = &[
    "redis*",
    "ioredis",
    "valkey*",
    "psycopg*",
    "asyncpg",
    "sqlalchemy",
    "pg",
    "postgres*",
    "tokio-postgres",
    "sqlx",
    "diesel",
    "pymongo",
    "motor",
    "mongodb",
    "mongoose",
    "langgraph-checkpoint-*",
    "@langchain/langgraph-checkpoint-*",
    "@prisma/client",
    "@aws-sdk/client-dynamodb",
    "github.com/redis/*",
    "github.com/jackc/pgx*",
    "gorm.io/gorm",
    "spring-boot-starter-data-*",
    "npgsql",
    "stackexchange.redis",
];

/// The same as resources of templates.
const STORE_RESOURCES: &[&str] = &[
    "aws_db_instance",
    "aws_rds_cluster",
    "aws_dynamodb_table",
    "aws_elasticache_*",
    "google_sql_database_instance",
    "google_redis_instance",
    "azurerm_cosmosdb_account",
    "azurerm_postgresql*",
    "AWS::RDS::*",
    "AWS::DynamoDB::Table",
    "AWS::Serverless::SimpleTable",
    "AWS::ElastiCache::*",
];

/// Clients of feature gates.
const FLAGS: &[&str] = &[
    "openfeature*",
    "open-feature",
    "@openfeature/*",
    "github.com/open-feature/*",
    "launchdarkly*",
    "@launchdarkly/*",
    "github.com/launchdarkly/*",
    "unleashclient",
    "unleash-client*",
    "unleash-api-client",
    "github.com/unleash/*",
    "flagsmith*",
    "configcat*",
    "growthbook*",
    "@growthbook/*",
    "statsig*",
    "flagd*",
];

/// Workloads of Terraform on Kubernetes or ECS.
const ORCHESTRATED: &[&str] = &[
    "aws_ecs_service",
    "aws_ecs_task_definition",
    "kubernetes_deployment*",
    "kubernetes_stateful_set*",
    "kubernetes_manifest",
    "helm_release",
    "AWS::ECS::Service",
    "AWS::ECS::TaskDefinition",
];

struct Looked<'a> {
    tree: &'a Tree,
    assessment: &'a Assessment,
    manifests: Manifests,
    templates: Templates,
}

impl Looked<'_> {
    fn finding(&self, step: &Step) -> Finding {
        let (_, name) = step.id.split_once('.').unwrap_or(("", step.id));
        match (step.path, name) {
            (path, "foundations") => self.foundations(path),
            (_, "agent") => self.agent(),
            (_, "services") => self.services(),
            (_, "templates") => self.orchestrated_and_compared(step),
            (_, "rollback") => self.feature_gates(),
            (_, "platform") => serverless::platform(self.tree).into(),
            (_, "sizing") => serverless::sizing(self.tree).into(),
            (_, "scaling") => serverless::scaling(self.tree).into(),
            _ => match checks_of(step) {
                Some(ids) => self.checks(ids),
                // Only the review is left, which files have no say in.
                None => Finding::awaited("a server's report of value shows it"),
            },
        }
    }

    fn foundations(&self, path: Scenario) -> Finding {
        let scenario = of_scenario(path);
        let asked = self.assessment.gate(scenario);
        let name = scenario.name();
        if asked.pass {
            return Finding::pass(format!("the gate `scenario={name}` passes"));
        }
        let missing = listed(&asked.missing);
        if !gate::could_pass(scenario, self.assessment) {
            return Finding::fail(missing);
        }
        let mut finding = Finding::unknown(missing);
        if asked.pass_with_attestations {
            let said = gate::attested(scenario, self.assessment);
            finding.attested.extend(said.into_iter().filter_map(words));
        }
        finding
    }

    /// Several checks, all of which must be shown.
    fn checks(&self, ids: &[&str]) -> Finding {
        let all: Vec<&Check> = ids.iter().filter_map(|id| self.assessment.check(id)).collect();
        let open: Vec<&&Check> =
            all.iter().filter(|check| check.outcome != Outcome::Pass).collect();
        if open.is_empty() && all.len() == ids.len() {
            let shown = all.iter().filter_map(|check| check.evidence.first());
            return Finding::pass(format!("{} shown", ids.join(", "))).with(shown);
        }
        let why: Vec<String> =
            open.iter().map(|check| format!("{}: {}", check.id, check.reason)).collect();
        let shown = open.iter().filter_map(|check| check.evidence.first());
        if open.iter().any(|check| check.outcome == Outcome::Fail) {
            return Finding::fail(listed(&why)).with(shown);
        }
        let mut finding = Finding::unknown(listed(&why)).with(shown);
        if open.iter().all(|check| check.attested.is_some()) {
            finding.attested.extend(open.iter().filter_map(|check| words(check)));
        }
        finding
    }

    fn agent(&self) -> Finding {
        match self.manifests.any_of(FRAMEWORKS) {
            Some(found) => depends("it is built with", found),
            None => Finding::unknown("no manifest names a framework of agents or a model's SDK"),
        }
    }

    fn services(&self) -> Finding {
        let workloads = self.orchestrated();
        if workloads.is_empty() {
            return Finding::fail("no template runs a service on Kubernetes or ECS");
        }
        let finding = match (self.manifests.any_of(STORES), self.resource(STORE_RESOURCES)) {
            (Some(found), _) => depends("state is kept by", found),
            (None, Some(shown)) => {
                Finding::pass("state is kept in a store of the templates").with([&shown])
            }
            (None, None) => Finding::unknown(
                "services are there; no manifest or template names a store of state",
            ),
        };
        finding.with(&workloads)
    }

    fn orchestrated_and_compared(&self, step: &Step) -> Finding {
        let workloads = self.orchestrated();
        if workloads.is_empty() {
            return Finding::fail("no templates for Kubernetes or ECS");
        }
        self.checks(checks_of(step).unwrap_or_default()).with(&workloads)
    }

    fn feature_gates(&self) -> Finding {
        match self.manifests.any_of(FLAGS) {
            Some(found) => depends("features have gates by", found),
            None => Finding::unknown("no manifest names a client of feature gates"),
        }
    }

    /// What runs on Kubernetes or ECS by a template.
    fn orchestrated(&self) -> Vec<Evidence> {
        const KINDS: [&str; 7] =
            ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "Rollout", "HelmRelease"];
        let runs = |text: &str| KINDS.iter().any(|kind| text.trim_end().ends_with(kind));
        let environments = self.templates.environments.iter();
        let mut found: Vec<Evidence> = environments
            .filter(|found| match found.what {
                "Kubernetes" => runs(&found.evidence.text),
                what => matches!(what, "a Helm chart" | "an ECS task definition"),
            })
            .map(|found| found.evidence.clone())
            .collect();
        found.extend(self.resource(ORCHESTRATED));
        found
    }

    /// The first resource of the templates that is of one of these kinds; one that ends with `*` is a beginning.
    fn resource(&self, kinds: &[&str]) -> Option<Evidence> {
        let is = |kind: &str| {
            kinds.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(start) => kind.starts_with(start),
                None => kind == *wanted,
            })
        };
        let found = self.templates.declared.iter().find(|(kind, _)| is(kind));
        found.map(|(_, evidence)| evidence.clone())
    }
}

fn words(check: &Check) -> Option<Word> {
    check.attested.as_ref().map(|said| word(check.id, said))
}

fn depends(what: &str, found: &Dependency) -> Finding {
    Finding::pass(format!("{what} `{}`", found.name)).with([&found.evidence])
}
