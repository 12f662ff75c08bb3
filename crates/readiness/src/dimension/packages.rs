//! What is tested of each package, where a repository has several: steps are attributed by the tests that they run, by
//! the directories that they work in, and by the changes that start their pipelines.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{ON_CHANGES, Seen, Wanted, judge};
use crate::act::{Act, Class, Kinds, held_tests, is_test};
use crate::finding::{Evidence, Finding, Outcome};
use crate::given::{Counting, may_run};
use crate::package::Roots;
use crate::pipeline::{Paths, TOO_MUCH};
use crate::tree::{Tree, name};

/// Most packages that are told.
const TOLD_MAX: usize = 200;

/// Fewer lines of code than this need no tests of their own.
const CODE_LINES_MIN: u64 = 20;

/// A package, and what pull requests have of it built and tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Package {
    /// Its directory; `.` for the root of the repository.
    pub path: String,
    /// What describes it.
    pub manifests: Vec<String>,
    /// It holds code of its own that is not for tests, and is asked about it.
    pub asked: bool,
    /// It is built.
    pub build: Part,
    /// Its unit tests are run.
    pub unit: Part,
    /// Its integration tests are run.
    pub integration: Part,
    /// Its end-to-end tests are run.
    pub end_to_end: Part,
    /// More than 80 % of its lines were reached, by reports that were handed in.
    pub coverage: Part,
}

/// One thing about a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// How it came out.
    pub outcome: Outcome,
    /// Why.
    pub reason: String,
    /// What shows it.
    pub evidence: Vec<Evidence>,
}

impl From<Finding> for Part {
    fn from(Finding { outcome, evidence, reason, .. }: Finding) -> Self {
        Self { outcome, reason, evidence }
    }
}

impl Package {
    /// It is asked about its code, and neither tests of its own are shown to run, nor does a report show that others reach it.
    pub(crate) fn is_untested(&self) -> bool {
        self.asked && self.unit.outcome != Outcome::Pass
    }
}

/// The packages of a repository, in the order of their paths; none where there are fewer than two.
pub(crate) fn packages(seen: &Seen<'_>, roots: &Roots, counting: &Counting<'_>) -> Vec<Package> {
    if roots.count() < 2 {
        return Vec::new();
    }
    let held = held(seen.tree, roots);
    let started = started(seen, roots);
    let reached = counting.reached(seen.tree, roots);
    let all = roots.iter().take(TOLD_MAX);
    all.map(|(dir, root)| {
        let about = About { seen, dir, held: held.get(dir), started: &started };
        let unit = about.unit(reached.get(dir).is_some_and(|lines| lines.reached > 0));
        Package {
            path: if dir.is_empty() { ".".into() } else { dir.to_owned() },
            manifests: root.manifests.clone(),
            asked: about.is_asked(),
            build: about.finding(&|act, place| about.builds(act, place), "builds").into(),
            unit,
            integration: about.tests(|kinds| kinds.integration, "integration tests").into(),
            end_to_end: about.tests(|kinds| kinds.end_to_end, "end-to-end tests").into(),
            coverage: Counting::covered(reached.get(dir)).into(),
        }
    })
    .collect()
}

/// What a package holds.
#[derive(Default)]
struct Held {
    code_lines: u64,
    /// A file with unit tests, alone or beside what they test.
    unit_tests: Option<Evidence>,
    /// One with other tests.
    other_tests: Option<Evidence>,
}

fn held<'a>(tree: &Tree, roots: &'a Roots) -> BTreeMap<&'a str, Held> {
    let mut all: BTreeMap<&str, Held> = BTreeMap::new();
    for (path, text) in tree.texts() {
        let Some(dir) = roots.of(path) else { continue };
        if !roots.get(dir).is_some_and(|root| root.is_code(path)) {
            continue;
        }
        let held = all.entry(dir).or_default();
        if let Some(kinds) = held_tests(tree, path, text) {
            let tests = if kinds.unit { &mut held.unit_tests } else { &mut held.other_tests };
            tests.get_or_insert_with(|| Evidence::file(path, text));
        }
        // What is needed to know that there is code.
        if held.code_lines < CODE_LINES_MIN && !is_test(path) && !is_set_up(path) {
            held.code_lines += text.lines().filter(|line| may_run(line)).count() as u64;
        }
    }
    all
}

/// Code that only sets up tools.
fn is_set_up(path: &str) -> bool {
    let name = name(path);
    matches!(
        name,
        "setup.py" | "conftest.py" | "build.rs" | "noxfile.py" | "Gruntfile.js" | "gulpfile.js"
    ) || name.starts_with('.')
        || [".config.", ".d.ts"].iter().any(|part| name.contains(part))
}

/// The packages a change of which starts a pipeline; none when too much was compared before.
type Started<'a> = Option<BTreeSet<&'a str>>;

/// Those of each pipeline that does not take all changes on pull requests.
fn started<'a>(seen: &Seen<'_>, roots: &'a Roots) -> BTreeMap<String, Started<'a>> {
    let of = |paths: &Paths| -> Started<'a> {
        let mut all = BTreeSet::new();
        for path in seen.tree.paths() {
            let Some(dir) = roots.of(path).filter(|dir| !all.contains(dir)) else { continue };
            if paths.let_through(seen.tree, path)? {
                all.insert(dir);
            }
        }
        Some(all)
    };
    seen.pipelines.paths.iter().map(|(file, paths)| (file.clone(), of(paths))).collect()
}

/// A package that is asked about.
struct About<'a> {
    seen: &'a Seen<'a>,
    dir: &'a str,
    held: Option<&'a Held>,
    started: &'a BTreeMap<String, Started<'a>>,
}

impl About<'_> {
    fn is_asked(&self) -> bool {
        let words = name(self.dir).split(['-', '_', '.']);
        let mut words = words.map(str::to_ascii_lowercase);
        let is_aside = words.any(|word| {
            word.starts_with("test")
                || matches!(
                    word.as_str(),
                    "fixtures"
                        | "benches"
                        | "bench"
                        | "fuzz"
                        | "xtask"
                        | "e2e"
                        | "eslint"
                        | "prettier"
                        | "tsconfig"
                )
        });
        !is_aside && self.held.is_some_and(|held| held.code_lines >= CODE_LINES_MIN)
    }

    fn finding(&self, is: &dyn Fn(&Act, Unplaced) -> bool, what: &str) -> Finding {
        let judged = |unplaced: Unplaced| {
            let is = |act: &Act| is(act, unplaced);
            let (on, when) = (ON_CHANGES, "on pull requests");
            let wanted =
                Wanted { is: &is, on, what, when, by_scripts: true, need_not_block: false };
            judge(self.seen, &wanted)
        };
        let found = judged(Unplaced::Nowhere);
        if found.outcome == Outcome::Pass {
            return found;
        }
        let loose = judged(Unplaced::Anywhere);
        if loose.outcome != Outcome::Pass {
            let is_open = loose.outcome == Outcome::Unknown && found.outcome == Outcome::Fail;
            return if is_open { loose } else { found };
        }
        let why = if self.seen.tree.is_spent() {
            format!("{what}: {TOO_MUCH}")
        } else {
            format!("{what} run in directories that no file writes out")
        };
        Finding::unknown(why).with(loose.evidence)
    }

    fn tests(&self, is: impl Fn(Kinds) -> bool, what: &str) -> Finding {
        self.finding(&|act, unplaced| is(self.kinds(act, unplaced)), what)
    }

    fn unit(&self, is_reached: bool) -> Part {
        let found = self.tests(|kinds| kinds.unit, "unit tests");
        if found.outcome != Outcome::Fail || !found.evidence.is_empty() {
            return found.into();
        }
        let units = self.held.and_then(|held| held.unit_tests.as_ref());
        let others = self.held.and_then(|held| held.other_tests.as_ref());
        let run = || self.tests(Kinds::any, "tests");
        match units.or(others) {
            Some(_) if units.is_none() && run().outcome == Outcome::Pass => {
                Finding::pass("its tests run, and none of them are unit tests")
                    .with(run().evidence)
                    .into()
            }
            Some(shown) => {
                let why = "it has tests, and no pipeline runs them on its pull requests";
                Finding::fail(why).with([shown.clone()]).into()
            }
            None if is_reached => Finding::pass(
                "it has no tests of its own; those of others reach it, by what was handed in",
            )
            .into(),
            None => Finding::unknown(
                "it has no tests of its own; whether those of others reach it is not seen",
            )
            .into(),
        }
    }

    /// Which of its tests a step runs. Where they are not told apart, it runs none of a package that has none.
    fn kinds(&self, act: &Act, unplaced: Unplaced) -> Kinds {
        let Class::Test(kinds) = act.class else { return Kinds::default() };
        let is_placed = act.dir.is_some() || unplaced == Unplaced::Anywhere;
        if !is_placed || !self.starts(act, unplaced) {
            return Kinds::default();
        }
        if !act.packages.is_empty() {
            return act.packages.get(self.dir).copied().unwrap_or_default();
        }
        let has_tests =
            self.held.is_some_and(|held| held.unit_tests.is_some() || held.other_tests.is_some());
        if has_tests && self.is_in(act) { kinds } else { Kinds::default() }
    }

    fn builds(&self, act: &Act, unplaced: Unplaced) -> bool {
        let is_placed = act.dir.is_some() || unplaced == Unplaced::Anywhere;
        let is_build = act.class == Class::Build && is_placed;
        self.kinds(act, unplaced).any() || is_build && self.starts(act, unplaced) && self.is_in(act)
    }

    /// Whether a change of the package starts the pipeline, as far as that is known.
    fn starts(&self, act: &Act, unplaced: Unplaced) -> bool {
        self.started.get(&act.pipeline).is_none_or(|packages| match packages {
            Some(packages) => packages.contains(self.dir),
            None => unplaced == Unplaced::Anywhere,
        })
    }

    /// Whether a step works in the package, or around it.
    fn is_in(&self, act: &Act) -> bool {
        let is_below = |inner: &str, outer: &str| {
            outer.is_empty()
                || inner
                    .strip_prefix(outer)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let dir = act.dir.as_deref().unwrap_or_default();
        is_below(self.dir, dir) || !self.dir.is_empty() && is_below(dir, self.dir)
    }
}

/// Where a step is taken to work whose directory is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unplaced {
    Nowhere,
    Anywhere,
}
