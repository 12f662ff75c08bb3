//! All policy files together, read, checked and compiled: what decisions are made with.

use std::collections::{BTreeMap, HashMap};

use cedar_policy::{
    Authorizer, Entities, EntityId, EntityTypeName, EntityUid, Policy, PolicySet, Schema,
    ValidationMode, Validator,
};
use lockgate_model::config::Diagnostics;
use lockgate_model::config::document::Place;
use lockgate_model::version::Digest;

use crate::case::Case;
use crate::cedar::{AGENT, TOOL, action_id, policy, schema};
use crate::load::findings::{At, Findings};
use crate::load::native::{labelled, one_line};
use crate::load::{self, Draft};
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

/// Of names and texts in the order of the names, each with its length before it.
fn digest(files: &[(&str, &str)]) -> Digest {
    let mut bytes = Vec::new();
    for part in files.iter().flat_map(|(name, text)| [name, text]) {
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
    let json = schema::schema(draft.tools.iter());
    let full = Schema::from_json_value(json)
        .map_err(|error| broken("Cedar refuses the declared tools", &error, found))
        .ok()?;
    let entities = full
        .action_entities()
        .map_err(|error| broken("Cedar refuses the declared actions", &error, found))
        .ok()?;
    let policies = policies(&draft, found);
    validate(&draft, &policies, &full, files, found);
    drop(policies);
    let mut index = index(&draft.tools)?;
    let natives: Vec<Policy> = draft.natives.iter().map(|native| native.policy.clone()).collect();
    warn::unreachable(&draft, found);
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
        agent_type: AGENT.parse().ok()?,
    };
    warn::not_allowed(&bundle, &draft.declared, found);
    Some(bundle)
}

/// The policies of all rules that are not native themselves.
fn policies(draft: &Draft, found: &mut Findings) -> Vec<Policy> {
    let mut policies = Vec::with_capacity(draft.rules.len());
    for placed in &draft.rules {
        match policy::policy(&placed.rule) {
            Ok(policy) => policies.push(policy),
            Err(error) => {
                let at = At { file: &placed.rule.file, path: placed.rule.id.as_str() };
                let message = format!("the rule cannot be compiled: {}", one_line(&error));
                found.error(at, placed.place, message, String::new());
            }
        }
    }
    policies
}

/// Strict validation of everything. Rules about one tool are held against that tool alone: Cedar looks at each
/// policy once for every action of its schema.
fn validate(
    draft: &Draft,
    policies: &[Policy],
    full: &Schema,
    files: &[(&str, &str)],
    found: &mut Findings,
) {
    let mut by_tool: BTreeMap<Option<&str>, PolicySet> = BTreeMap::new();
    let mut places: HashMap<&str, (&str, Place)> = HashMap::new();
    let tool_of = |rule: &Rule| match &rule.scope {
        Scope::Tool(tool) | Scope::Actions(tool, _) => Some(tool.as_str().to_owned()),
        Scope::Everything | Scope::Native => None,
    };
    let tools: Vec<Option<String>> =
        draft.rules.iter().map(|placed| tool_of(&placed.rule)).collect();
    for ((placed, policy), tool) in draft.rules.iter().zip(policies).zip(&tools) {
        places.insert(placed.rule.id.as_str(), (&placed.rule.file, placed.place));
        // Ids were found to be unique when they were read.
        let _ = by_tool.entry(tool.as_deref()).or_default().add(policy.clone());
    }
    for native in &draft.natives {
        places.insert(native.rule.id.as_str(), (&native.rule.file, native.place));
        let _ = by_tool.entry(None).or_default().add(native.policy.clone());
    }
    let mut whole = Some(Validator::new(full.clone()));
    for (tool, set) in &by_tool {
        let declared = tool.and_then(|tool| draft.tools.get_key_value(tool));
        let validator = match declared {
            None => whole.take(),
            Some(declared) => Schema::from_json_value(schema::schema([declared].into_iter()))
                .ok()
                .map(Validator::new),
        };
        let Some(validator) = validator else { continue };
        let result = validator.validate(set, ValidationMode::Strict);
        for error in result.validation_errors() {
            say(error.policy_id(), error, &places, files, found, Findings::error);
        }
        for warning in result.validation_warnings() {
            say(warning.policy_id(), warning, &places, files, found, Findings::warning);
        }
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

/// A slice for each declared action, still without policies.
fn index(tools: &Tools) -> Option<Index> {
    let action_type: EntityTypeName = "Action".parse().ok()?;
    let tool_type: EntityTypeName = TOOL.parse().ok()?;
    let mut index = Index::default();
    for (tool, declared) in tools {
        let uid = EntityUid::from_type_name_and_id(tool_type.clone(), EntityId::new(tool.as_str()));
        let slices = declared.actions.iter().map(|(action, of)| {
            let id = EntityId::new(action_id(tool.as_str(), action.as_str()));
            let action_uid = EntityUid::from_type_name_and_id(action_type.clone(), id);
            let arguments = of.arguments.iter().map(|(name, of)| (name.clone(), *of)).collect();
            let slice = Slice::new(action_uid, uid.clone(), arguments);
            (action.as_str().into(), slice)
        });
        let slices = slices.collect();
        index.tools.insert(tool.as_str().into(), Actions::of(slices));
    }
    Some(index)
}
