//! From a tree to levels.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::ser::{SerializeMap as _, SerializeStruct as _};
use serde::{Serialize, Serializer};

use crate::act;
use crate::attest::Said;
use crate::catalog::{Dimension, entry_of};
use crate::dimension::changes::Changes;
use crate::dimension::packages::{Package, packages};
use crate::dimension::{self, Seen};
use crate::finding::{Check, Finding, Outcome};
use crate::forge::Forge;
use crate::gate::{Gate, Scenario, gate};
use crate::given::{Counting, Given, Told};
use crate::manifest::Manifests;
use crate::package::Roots;
use crate::pipeline::{Pipelines, TOO_MUCH};
use crate::template::Templates;
use crate::tree::Tree;

/// The version of the JSON that an assessment becomes.
pub const SCHEMA: u32 = 1;

/// The JSON Schema of it, as it is published.
pub const JSON_SCHEMA: &str = include_str!("../../../docs/assessment.schema.json");

/// What is known beside the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The name of the main branch.
    pub main_branch: Option<String>,
    /// The hash of the commit that is assessed, or that the files were checked out from.
    pub commit: Option<String>,
    /// The day on which it is assessed. Without one, nobody's word is known to count still.
    pub today: Option<Date>,
    /// What was handed in beside the files, in the order in which it was.
    pub given: Vec<Given>,
    /// What the forge says of the main branch, when it was asked.
    pub forge: Option<Forge>,
}

/// Where a dimension stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The highest level that is shown with all below it. None when not even the first is known to hold or not, or when
    /// nothing is asked of this repository.
    pub level: Option<u8>,
    /// The same for one who takes people's word for what no file shows.
    pub level_with_attestations: Option<u8>,
    /// `pass` at level 3; `unknown` when what is unknown decides about the next level; otherwise `fail`.
    pub outcome: Outcome,
    /// In the order of the catalog.
    pub checks: Vec<Check>,
}

impl Standing {
    /// The level in words, and the one with attestations where that is another, marked with this word.
    pub fn level_told(&self, attested: &str) -> String {
        let of =
            |level: Option<u8>| level.map_or("unknown".to_owned(), |level| format!("L{level}"));
        if self.outcome == Outcome::NotApplicable {
            return "n/a".to_owned();
        }
        let shown = of(self.level);
        if self.level == self.level_with_attestations {
            return shown;
        }
        format!("{shown} ({} {attested})", of(self.level_with_attestations))
    }

    /// The level that is not shown yet; 4 when all are.
    pub fn next_level(&self) -> u8 {
        self.level.unwrap_or(0) + 1
    }

    /// The level if all that is unknown were so.
    pub(crate) fn level_at_best(&self) -> Option<u8> {
        if self.outcome == Outcome::NotApplicable {
            return None;
        }
        climb(&self.checks, Check::outcome_at_best).0
    }

    /// What stands before the next level, failed or unknown, in the order of the catalog.
    pub fn next(&self) -> impl Iterator<Item = &Check> {
        let next = self.next_level();
        self.checks.iter().filter(move |check| check.level == Some(next) && check.is_open())
    }
}

impl Serialize for Standing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Standing", 4)?;
        map.serialize_field("level", &self.level)?;
        map.serialize_field("level_with_attestations", &self.level_with_attestations)?;
        map.serialize_field("outcome", &self.outcome)?;
        map.serialize_field("checks", &self.checks)?;
        map.end()
    }
}

/// What was found of a repository. As JSON the same bytes for the same tree and facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    dimensions: BTreeMap<Dimension, Standing>,
    /// The packages of the repository, where there are two or more.
    pub packages: Vec<Package>,
    /// What was handed in beside the files.
    pub given: Vec<Told>,
    /// What was not read, and other things that the findings do not say.
    pub notes: Vec<String>,
}

impl Assessment {
    /// Where a dimension stands.
    pub fn standing(&self, dimension: Dimension) -> &Standing {
        self.dimensions.get(&dimension).expect("every dimension is assessed")
    }

    /// A check by its id.
    pub fn check(&self, id: &str) -> Option<&Check> {
        self.dimensions.values().flat_map(|standing| &standing.checks).find(|check| check.id == id)
    }

    /// Whether a scenario may go ahead.
    pub fn gate(&self, scenario: Scenario) -> Gate {
        gate(scenario, self)
    }
}

impl Serialize for Assessment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Gates<'a>(&'a Assessment);
        impl Serialize for Gates<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(Scenario::ALL.len()))?;
                for scenario in Scenario::ALL {
                    map.serialize_entry(scenario.name(), &self.0.gate(scenario))?;
                }
                map.end()
            }
        }
        let mut map = serializer.serialize_struct("Assessment", 6)?;
        map.serialize_field("schema", &SCHEMA)?;
        map.serialize_field("scenario_gates", &Gates(self))?;
        map.serialize_field("dimensions", &self.dimensions)?;
        if self.packages.is_empty() {
            map.skip_field("packages")?;
        } else {
            map.serialize_field("packages", &self.packages)?;
        }
        map.serialize_field("given", &self.given)?;
        map.serialize_field("notes", &self.notes)?;
        map.end()
    }
}

/// Assesses a tree.
pub fn assess(tree: &Tree, facts: &Facts) -> Assessment {
    tree.renew();
    let pipelines = Pipelines::read(tree, facts.main_branch.as_deref());
    let roots = Roots::read(tree);
    let acts = act::all(tree, &pipelines, &roots);
    let manifests = Manifests::read(tree);
    let templates = Templates::read(tree);
    let deploys_nothing = deploys_nothing(&manifests, &templates);
    let seen = Seen {
        tree,
        pipelines: &pipelines,
        acts: &acts,
        manifests: &manifests,
        templates: &templates,
        forge: facts.forge.as_ref(),
        main: facts.main_branch.as_deref(),
        changes: &Changes::default(),
        deploys_nothing,
        packages: &[],
    };
    let counting = Counting::of(&facts.given, &templates, facts.today);
    let packages = packages(&seen, &roots, &counting);
    let seen = Seen { packages: &packages, ..seen };
    let mut checks: BTreeMap<Dimension, Vec<Check>> = BTreeMap::new();
    for dimension in Dimension::ALL {
        let found = dimension::findings(dimension, &seen).into_iter();
        let found = found.map(|(id, finding)| (id, counting.weigh(id, finding, tree)));
        let found = found.filter_map(|(id, finding)| check(id, finding, unseen(tree, dimension)));
        checks.insert(dimension, found.collect());
    }
    let said = Said::read(tree).apply(&mut checks, facts.today);
    let dimensions =
        checks.into_iter().map(|(dimension, checks)| (dimension, standing(checks))).collect();
    let mut notes = tree.notes.clone();
    notes.extend(pipelines.notes.iter().cloned());
    for unread in &pipelines.unread {
        notes.push(format!("{}:{}: {}", unread.evidence.file, unread.evidence.line, unread.why));
    }
    notes.extend(templates.notes.iter().cloned());
    if tree.is_spent() {
        notes.push(format!("{TOO_MUCH}: what they decide about is unknown"));
    }
    notes.extend(said);
    Assessment { dimensions, packages, given: counting.told(), notes }
}

/// Servers, by what they are made with.
const SERVERS: &[&str] = &[
    "axum",
    "actix-web",
    "rocket",
    "warp",
    "tonic",
    "poem",
    "salvo",
    "express",
    "fastify",
    "koa",
    "@nestjs/core",
    "next",
    "hono",
    "@hapi/hapi",
    "fastapi",
    "flask",
    "django",
    "aiohttp",
    "starlette",
    "uvicorn",
    "gunicorn",
    "sanic",
    "tornado",
    "litestar",
    "celery",
    "github.com/gin-gonic/gin",
    "github.com/labstack/echo/v4",
    "github.com/gofiber/fiber/v2",
    "github.com/go-chi/chi/v5",
    "google.golang.org/grpc",
    "spring-boot-starter-web",
    "spring-boot-starter-webflux",
    "quarkus-rest",
    "ktor-server-core",
    "microsoft.net.sdk.web",
    "microsoft.aspnetcore*",
    "rails",
    "sinatra",
    "laravel/framework",
    "symfony/framework-bundle",
    "modal",
];

/// A library or a tool: it has a manifest, and nothing in it says that it is run anywhere; or modules of Terraform for others.
fn deploys_nothing(manifests: &Manifests, templates: &Templates) -> bool {
    if templates.is_library && manifests.any_of(SERVERS).is_none() {
        return true;
    }
    manifests.any
        && templates.configuration.is_empty()
        && templates.environments.is_empty()
        && templates.reconcilers.is_empty()
        && manifests.any_of(SERVERS).is_none()
}

/// Where checks leave a dimension.
fn standing(checks: Vec<Check>) -> Standing {
    if checks.iter().all(|check| check.outcome == Outcome::NotApplicable) {
        let outcome = Outcome::NotApplicable;
        return Standing { level: None, level_with_attestations: None, outcome, checks };
    }
    let (level, outcome) = climb(&checks, |check| check.outcome);
    let (level_with_attestations, _) = climb(&checks, Check::outcome_with_attestation);
    Standing { level, level_with_attestations, outcome, checks }
}

/// How far checks lead, and what stops them.
fn climb(checks: &[Check], came_out: impl Fn(&Check) -> Outcome) -> (Option<u8>, Outcome) {
    let any = |level: u8, outcome: Outcome| {
        checks.iter().any(|check| check.level == Some(level) && came_out(check) == outcome)
    };
    let mut level = 0;
    let mut outcome = Outcome::Pass;
    for next in 1..=3 {
        if any(next, Outcome::Fail) {
            outcome = Outcome::Fail;
            break;
        }
        if any(next, Outcome::Unknown) {
            outcome = Outcome::Unknown;
            break;
        }
        level = next;
    }
    let level = if level == 0 && outcome == Outcome::Unknown { None } else { Some(level) };
    (level, outcome)
}

/// Where else it could be shown. Pipelines are those of the repository itself, whatever it is made of.
fn unseen(tree: &Tree, dimension: Dimension) -> Option<&'static str> {
    let by_files = matches!(dimension, Dimension::Infrastructure | Dimension::Observability);
    if tree.incomplete {
        Some("the repository was not read whole")
    } else if by_files && !tree.submodules.is_empty() {
        Some("its submodules were not looked at")
    } else {
        None
    }
}

/// What is not seen in a tree that was not read whole is not known.
fn check(id: &'static str, finding: Finding, unseen: Option<&str>) -> Option<Check> {
    let entry = entry_of(id)?;
    let is_shown = !finding.evidence.is_empty() || !finding.given.is_empty();
    let is_missing = finding.outcome == Outcome::Fail && !is_shown;
    let (outcome, reason) = match unseen.filter(|_| is_missing) {
        Some(unseen) => (Outcome::Unknown, format!("{}; {unseen}", finding.reason)),
        None => (finding.outcome, finding.reason),
    };
    Some(Check {
        id: entry.id,
        outcome,
        level: entry.level,
        evidence: finding.evidence,
        reason,
        risk: entry.risk,
        fix: entry.fix,
        given: finding.given,
        attested: None,
        suppressed: None,
    })
}
