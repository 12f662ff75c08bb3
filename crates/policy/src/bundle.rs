//! All policy files together, read, checked and compiled: what decisions are made with.

use std::collections::{BTreeMap, HashMap, HashSet};

use cedar_policy::{
    Authorizer, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicySet, Schema,
    ValidationMode, Validator,
};
use lockgate_model::config::Diagnostics;
use lockgate_model::config::document::Place;
use lockgate_model::version::Digest;

use crate::case::Case;
use crate::cedar::{AGENT, TOOL, action_id, group_id, policy, schema};
use crate::load::findings::{At, Findings};
use crate::load::native::{labelled, one_line};
use crate::load::rules::Placed;
use crate::load::{self, Draft};
use crate::names::ToolName;
use crate::rule::{Rule, Scope};
use crate::slice::{Actions, Index, Slice};
use crate::tools::Tools;
use crate::warn;

/// What is wrong with policy files: all of it, each at its place.
pub type PolicyErrors = Diagnostics;

/// All policy files together. It never changes; a new one takes its place.
#[derive(Debug)]
pub struct Bundle {
    /// Digest of the files.
    pub digest: Digest,
    /// What is declared.
    pub tools: Tools,
    /// All rules, native policies last.
    pub rules: Vec<Rule>,
    /// Tests beside the rules.
    pub cases: Vec<Case>,
    /// What is allowed but should be known.
    pub warnings: Diagnostics,
    pub(crate) index: Index,
    pub(crate) authorizer: Authorizer,
    /// Actions and the groups that they are in.
    pub(crate) entities: Entities,
    pub(crate) agent_type: EntityTypeName,
}

impl Bundle {
    /// Reads files, given as name and text. Nothing is taken of files with an error in them.
    pub fn load(files: &[(&str, &str)]) -> Result<Self, PolicyErrors> {
        let mut files = files.to_vec();
        files.sort_unstable();
        let mut found = Findings::default();
        let draft = load::read(&files, &mut found);
        if found.has_errors() {
            return found.finish().and(Err(Diagnostics::default()));
        }
        let bundle = compile(draft, digest(&files), &files, &mut found);
        let warnings = found.finish()?;
        // Without a bundle there was an error, and the line above has returned.
        bundle.map(|bundle| Self { warnings, ..bundle }).ok_or_else(Diagnostics::default)
    }

    /// The rule of that name, and its index.
    pub(crate) fn rule(&self, index: usize) -> Option<&Rule> {
        self.rules.get(index)
    }
}

/// Of names and texts in the order of the names, each with its length before it. Where the directory is does not count:
/// the same files in a checkout and on a server are the same policies.
fn digest(files: &[(&str, &str)]) -> Digest {
    let mut bytes = Vec::new();
    let named = files.iter().map(|(name, text)| (name.rsplit('/').next().unwrap_or(name), *text));
    for part in named.flat_map(|(name, text)| [name, text]) {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    Digest::of(&bytes)
}

fn compile(
    draft: Draft,
    digest: Digest,
    files: &[(&str, &str)],
    found: &mut Findings,
) -> Option<Bundle> {
    let whole = At { file: "", path: "" };
    let broken = |what: &str, error: &dyn std::fmt::Display, found: &mut Findings| {
        let message = format!("{what}: {}", one_line(error));
        found.error(whole, Place::START, message, String::new());
    };
    let index_and_entities = index(&draft.tools)
        .map_err(|error| broken("Cedar refuses the declared tools", &error, found))
        .ok();
    validate(&draft, files, found);
    let (mut index, entities, agent_type) = index_and_entities?;
    let natives: Vec<Policy> = draft.natives.iter().map(|native| native.policy.clone()).collect();
    warn::unreachable(&draft, found);
    warn::never_served(&draft, found);
    let rules: Vec<Rule> = draft
        .rules
        .into_iter()
        .map(|placed| placed.rule)
        .chain(draft.natives.into_iter().map(|native| native.rule))
        .collect();
    if found.has_errors() {
        return None;
    }
    index
        .add_all(&rules, &natives)
        .map_err(|error| broken("Cedar refuses the rules", &error, found))
        .ok()?;
    let bundle = Bundle {
        digest,
        tools: draft.tools,
        rules,
        cases: draft.cases.into_iter().map(|placed| placed.case).collect(),
        warnings: Diagnostics::default(),
        index,
        authorizer: Authorizer::new(),
        entities,
        agent_type,
    };
    warn::not_allowed(&bundle, &draft.declared, found);
    Some(bundle)
}

/// What a policy is held against.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Against<'a> {
    /// Rules about one tool against that tool alone: Cedar looks at each policy once for every action of its schema.
    Tool(&'a ToolName),
    /// Rules about every tool look at circumstances only, which are the same for all: against one that has no arguments.
    AnyTool,
    /// Native policies against everything that is declared.
    Everything,
}

/// Strict validation of everything, part by part: all policies at once would fill the memory.
fn validate(draft: &Draft, files: &[(&str, &str)], found: &mut Findings) {
    let mut parts: BTreeMap<Against<'_>, Vec<&Placed>> = BTreeMap::new();
    let mut places: HashMap<&str, (&str, Place)> = HashMap::new();
    for placed in &draft.rules {
        let rule = &placed.rule;
        let against = match &rule.scope {
            Scope::Tool(tool) | Scope::Actions(tool, _) => Against::Tool(tool),
            Scope::Everything | Scope::Native => Against::AnyTool,
        };
        places.insert(rule.id.as_str(), (&rule.file, placed.place));
        parts.entry(against).or_default().push(placed);
    }
    for native in &draft.natives {
        places.insert(native.rule.id.as_str(), (&native.rule.file, native.place));
        parts.entry(Against::Everything).or_default();
    }
    for (against, part) in &parts {
        let set = match against {
            Against::Everything => natives(draft, found),
            Against::Tool(_) | Against::AnyTool => compiled(part, found),
        };
        let json = match against {
            Against::Tool(tool) => schema::schema(draft.tools.get_key_value(*tool).into_iter()),
            Against::AnyTool => schema::any_tool(),
            Against::Everything => schema::schema(draft.tools.iter()),
        };
        let validator = match Schema::from_json_value(json) {
            Ok(schema) => Validator::new(schema),
            Err(error) => {
                // What is declared is the same for all of them: the first one says where.
                let first: &str = set.policies().next().map_or("", |one| one.id().as_ref());
                let (file, place) = places.get(first).copied().unwrap_or(("", Place::START));
                let message = format!("Cedar refuses what this is about: {}", one_line(&error));
                let hint = "see how the tool is declared".to_owned();
                found.error(At { file, path: "" }, place, message, hint);
                continue;
            }
        };
        let result = validator.validate(&set, ValidationMode::Strict);
        for error in result.validation_errors() {
            say(error.policy_id(), error, &places, files, found, Findings::error);
        }
        for warning in result.validation_warnings() {
            say(warning.policy_id(), warning, &places, files, found, Findings::warning);
        }
    }
}

/// The policies of rules.
fn compiled(part: &[&Placed], found: &mut Findings) -> PolicySet {
    let mut set = PolicySet::new();
    for Placed { rule, place } in part {
        let policy = policy::policy(rule).map_err(|error| one_line(&error));
        add(&mut set, policy, rule, *place, found);
    }
    set
}

fn natives(draft: &Draft, found: &mut Findings) -> PolicySet {
    let mut set = PolicySet::new();
    for native in &draft.natives {
        add(&mut set, Ok(native.policy.clone()), &native.rule, native.place, found);
    }
    set
}

fn add(
    set: &mut PolicySet,
    policy: Result<Policy, String>,
    rule: &Rule,
    place: Place,
    found: &mut Findings,
) {
    let added = policy.and_then(|policy| set.add(policy).map_err(|error| one_line(&error)));
    if let Err(error) = added {
        let at = At { file: &rule.file, path: rule.id.as_str() };
        found.error(at, place, format!("the rule cannot be compiled: {error}"), String::new());
    }
}

type Tell = fn(&mut Findings, At<'_>, Place, String, String);

fn say<D: miette::Diagnostic>(
    id: &cedar_policy::PolicyId,
    what: &D,
    places: &HashMap<&str, (&str, Place)>,
    files: &[(&str, &str)],
    found: &mut Findings,
    tell: Tell,
) {
    let id: &str = id.as_ref();
    let (file, place) = places.get(id).copied().unwrap_or(("", Place::START));
    let text = files.iter().find(|(name, _)| *name == file).map_or("", |(_, text)| text);
    // Only a native policy has places of its own; those of a compiled rule lead nowhere.
    let exact = load::is_native(file).then(|| labelled(what, text)).flatten();
    let hint = what.help().map(|help| help.to_string()).unwrap_or_default();
    tell(found, At { file, path: id }, exact.unwrap_or(place), one_line(what), hint);
}

/// A slice for each declared action, still without rules; the entities of actions, which are in groups; and the type
/// of agents.
fn index(tools: &Tools) -> Result<(Index, Entities, EntityTypeName), Box<dyn std::error::Error>> {
    let action_type: EntityTypeName = "Action".parse()?;
    let tool_type: EntityTypeName = TOOL.parse()?;
    let mut index = Index::default();
    let mut entities = Vec::new();
    for (tool, declared) in tools {
        let of =
            |id: String| EntityUid::from_type_name_and_id(action_type.clone(), EntityId::new(id));
        let group = of(group_id(tool.as_str()));
        entities.push(Entity::new_no_attrs(group.clone(), HashSet::new()));
        let uid = EntityUid::from_type_name_and_id(tool_type.clone(), EntityId::new(tool.as_str()));
        let mut slices = HashMap::new();
        for (action, declared) in &declared.actions {
            let action_uid = of(action_id(tool.as_str(), action.as_str()));
            entities.push(Entity::new_no_attrs(action_uid.clone(), HashSet::from([group.clone()])));
            let arguments =
                declared.arguments.iter().map(|(name, of)| (name.clone(), *of)).collect();
            slices.insert(action.as_str().into(), Slice::new(action_uid, uid.clone(), arguments));
        }
        index.tools.insert(tool.as_str().into(), Actions::of(slices));
    }
    Ok((index, Entities::from_entities(entities, None)?, AGENT.parse()?))
}
