//! What Makefiles and scripts of packages run, as the shells run it that they call.

use lockgate_readiness::finding::Outcome::{self, Fail, Pass, Unknown};
use lockgate_readiness::tree::wanted;

use super::{RUST, assessed, check, told, with};

const CI: &str = ".github/workflows/ci.yml";

fn outcome(id: &str, file: (&str, &str), run: &str) -> (Outcome, String) {
    let text = format!(
        "on: pull_request\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: {run}\n"
    );
    let found = assessed(&with(&[RUST, &[(CI, &text), file]]));
    let check = check(&found, id);
    (check.outcome, told(check))
}

#[test]
fn make_runs_recipes_as_it_is_told() {
    for (makefile, run, expected) in [
        ("test:\n\tcargo test\n", "make test", Pass),
        ("test:\n\tcargo test\n", "make -k -j4 test", Pass),
        ("test:\n\tcargo test\n", "make -n test", Fail),
        ("test:\n\tcargo test\n", "make --dry-run test", Fail),
        ("test:\n\tcargo test\n", "make -t test", Fail),
        ("test:\n\tcargo test\n", "make -i test", Fail),
        ("test:\n\tcargo test\n", "make -ki test", Fail),
        ("test:\n\tcargo test\n", "MAKEFLAGS=n make test", Fail),
        ("test:\n\tcargo test\n", "make test SHELL=/bin/true", Fail),
        ("SHELL = /bin/true\ntest:\n\tcargo test\n", "make test", Fail),
        ("SHELL := /bin/bash\ntest:\n\tcargo test\n", "make test", Pass),
        ("SHELL := $(shell which bash)\ntest:\n\tcargo test\n", "make test", Pass),
        ("SHELL := odd\ntest:\n\tcargo test\n", "make test", Unknown),
        (".IGNORE:\ntest:\n\tcargo test\n", "make test", Fail),
        (".IGNORE: other\ntest:\n\tcargo test\n", "make test", Pass),
        ("ifeq (1,2)\ntest:\n\tcargo test\nendif\n", "make test", Unknown),
        ("define never\ntest:\n\tcargo test\nendef\ntest:\n\techo\n", "make test", Fail),
        ("test:\n\tcargo test\ntest:\n\techo\n", "make test", Fail),
        ("test: build\n\tcargo test\ntest: more\n", "make test", Pass),
        ("T = cargo test\ntest:\n\t$(T)\n", "make test", Pass),
        ("T = cargo test\ntest:\n\t$(T)\n", "make test T=true", Fail),
        ("A = cargo\nT = $(A) test\ntest:\n\t$(T)\n", "make test", Pass),
        // A line is a script of its own, and stops at no failure.
        ("test:\n\tcargo test; echo done\n", "make test", Fail),
        ("test:\n\tcargo test\n\techo done\n", "make test", Pass),
        ("test:\n\tset -e; cargo test; echo done\n", "make test", Pass),
        (
            ".SHELLFLAGS = -eu -o pipefail -c\ntest:\n\tcargo test | tee log; echo\n",
            "make test",
            Pass,
        ),
        (".ONESHELL:\ntest:\n\tcargo test\n\techo done\n", "make test", Fail),
        ("test: ; cargo test\n", "make test", Pass),
    ] {
        let (found, told) = outcome("tests.unit_on_pull_request", ("Makefile", makefile), run);
        assert_eq!(found, expected, "{makefile} {run}: {told}");
    }
}

/// A rule with many names has its lines once for each: a file of a megabyte was more than there is room for.
#[test]
fn of_a_makefile_that_multiplies_nothing_is_known() {
    let names: Vec<String> = (0..500).map(|n| format!("a{n}")).collect();
    let names = names.join(" ");
    let lines = |n: usize| format!("test:\n\tcargo test\n{names}:\n{}", "\techo\n".repeat(n));
    let needs = format!("test:\n\tcargo test\n{names}: {}\n", "b ".repeat(500));
    for (makefile, expected) in [(lines(100), Pass), (lines(500), Unknown), (needs, Unknown)] {
        let id = "tests.unit_on_pull_request";
        let (found, told) = outcome(id, ("Makefile", &makefile), "make test");
        assert_eq!(found, expected, "{told}");
    }
}

#[test]
fn scripts_of_packages_stop_at_no_failure_by_themselves() {
    for (script, expected) in [
        ("cargo test", Pass),
        ("cargo test && rm -rf tmp", Pass),
        ("cargo test; rm -rf tmp", Fail),
        ("exit 0; cargo test", Fail),
    ] {
        let package = format!("{{\"scripts\": {{\"test\": \"{script}\"}}}}\n");
        let id = "tests.unit_on_pull_request";
        let (found, told) = outcome(id, ("package.json", &package), "npm test");
        assert_eq!(found, expected, "{script}: {told}");
    }
}

#[test]
fn shell_scripts_are_run_by_the_shell_that_is_called() {
    for (script, run, expected) in [
        ("#!/bin/bash -e\ncargo test\necho\n", "./t.sh", Pass),
        ("#!/bin/bash -e\ncargo test\necho\n", "bash t.sh", Fail),
        ("#!/bin/bash\ncargo test\necho\n", "bash -e t.sh", Pass),
        ("#!/bin/bash\nset -e\ncargo test\necho\n", "bash t.sh", Pass),
        ("#!/bin/bash\ncargo test\n", "bash -n t.sh", Fail),
        ("#!/bin/bash\ncargo test | tee log\n", "bash -o pipefail t.sh", Pass),
    ] {
        let (found, told) = outcome("tests.unit_on_pull_request", ("t.sh", script), run);
        assert_eq!(found, expected, "{script} {run}: {told}");
    }
}

#[test]
fn a_name_alone_builds_nothing() {
    for (file, text, run, expected) in [
        ("package.json", "{\"scripts\": {\"build\": \"tsdown\"}}", "npm run build", Pass),
        ("package.json", "{\"scripts\": {\"build\": \"\"}}", "npm run build", Fail),
        ("package.json", "{\"scripts\": {\"build\": \"true\"}}", "npm run build", Fail),
        ("package.json", "{\"scripts\": {\"build\": \": && echo built\"}}", "npm run build", Fail),
        ("Makefile", "build:\n\tmkdocs build\n", "make build", Pass),
        ("Makefile", "build:\n", "make build", Fail),
        ("Makefile", "build:\n\t@echo built\n", "make build", Fail),
    ] {
        let (found, told) = outcome("ci_cd.build_on_pull_request", (file, text), run);
        assert_eq!(found, expected, "{text}: {told}");
    }
}

#[test]
fn a_makefile_is_read_with_those_that_it_includes() {
    let ci = "on: pull_request\njobs: {a: {runs-on: x, steps: [{run: make test}]}}\n";
    for (main, common, expected) in [
        ("include ./ci/common.mk\ntest:\n\t$(RUN) test\n", "RUN ?= cargo\n", Pass),
        ("include $(CURDIR)/ci/common.mk\n", "test:\n\tcargo test\n", Pass),
        ("-include ci/common.mk gone.mk # both\n", "test:\n\tcargo test\n", Pass),
        ("include ci/common.mk\n", "include Makefile ci/common.mk\ntest:\n\tcargo test\n", Pass),
        ("include ci/Makefile.Common\n", "", Pass),
        ("include $(CI)/common.mk\n", "test:\n\tcargo test\n", Unknown),
        ("# include ci/common.mk\n", "test:\n\tcargo test\n", Unknown),
    ] {
        let other = ("ci/Makefile.Common", "test:\n\tcargo test\n");
        assert!(wanted(other.0), "it is read");
        let files = [(CI, ci), ("Makefile", main), ("ci/common.mk", common), other];
        let found = assessed(&with(&[RUST, &files]));
        let unit = check(&found, "tests.unit_on_pull_request");
        assert_eq!(unit.outcome, expected, "{main}: {}", told(unit));
        if common.contains("cargo test") && expected == Pass {
            assert!(unit.evidence.iter().any(|one| one.file == "ci/common.mk"), "{}", told(unit));
        }
    }
    let each = "DIRS = $(shell ls)\ntest: $(DIRS)\n$(DIRS):\n\t$(MAKE) -C $@ test\n";
    let (found, told) = outcome("tests.unit_on_pull_request", ("Makefile", each), "make test");
    assert_eq!(found, Unknown, "{told}");
    assert!(told.contains("make in a directory that is not known"), "{told}");
}
