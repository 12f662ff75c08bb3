//! What stands in the way, and whether a release may start.

use super::*;

/// Findings that all say the same.
fn all(path: Scenario, finding: &Finding) -> Findings {
    let of_files = steps(path).filter(|step| step.sees.repository());
    of_files.map(|step| (step.id.to_owned(), finding.clone())).collect()
}

fn good(path: Scenario) -> Findings {
    let mut findings = all(path, &Finding::pass("shown"));
    findings.insert(format!("{path}.review"), Finding::awaited("nothing measures the value yet"));
    findings
}

fn posted(path: Scenario) -> Posted {
    Posted {
        path,
        version: "v2".parse().unwrap(),
        commit: "c".repeat(40),
        at_wall_ms: NOW_MS,
        findings: good(path),
    }
}

fn asked(
    path: Scenario,
    agent: &lockgate_model::ids::AgentName,
    version: &lockgate_model::ids::VersionName,
    now_wall_ms: i64,
) -> Release {
    let asked = Asked { path, agent, version, commit: None, now_wall_ms };
    release(&asked, Some(&posted(path)), &facts())
}

#[test]
fn what_only_a_release_can_show_stops_none() {
    let today = gate::date(NOW_MS);
    for path in Scenario::ALL {
        let known = server(path, &facts());
        let found = evaluate(path, Some(&good(path)), Some(&known), today);
        assert!(!found.blocked, "{path}: {:?}", found.blocking().collect::<Vec<_>>());
        assert!(!found.complete, "the review is open");
        let known = server(path, &proven());
        let found = evaluate(path, Some(&good(path)), Some(&known), today);
        let open: Vec<&str> =
            found.steps.iter().filter(|step| step.next.is_some()).map(|step| step.id).collect();
        assert_eq!(open, [format!("{path}.review")]);
        assert_eq!(found.next, Some(open[0]));
        assert_eq!(found.passed(), found.steps.len() - 1);
    }
}

#[test]
fn unknown_blocks_before_a_release_and_so_does_a_server_that_was_not_asked() {
    let today = gate::date(NOW_MS);
    for path in Scenario::ALL {
        let without = evaluate(path, Some(&good(path)), None, today);
        for step in &without.steps {
            let by_server = STEPS
                .iter()
                .any(|one| one.id == step.id && one.sees.server() && one.sees != Sees::Either);
            let is_review = step.phase == Phase::After;
            assert_eq!(step.outcome == Outcome::Unknown, by_server || is_review, "{}", step.id);
            assert_eq!(step.blocks, by_server && !is_review, "{}", step.id);
        }
        let known = server(path, &facts());
        let blind = evaluate(path, None, Some(&known), today);
        let blocked = blind.blocking().count();
        let of_files = steps(path).filter(|step| {
            step.phase == Phase::Before && matches!(step.sees, Sees::Repository | Sees::Both)
        });
        assert!(blocked >= of_files.count(), "{path}: {blocked}");
        let failed = all(path, &Finding::fail("missing"));
        assert!(evaluate(path, Some(&failed), Some(&known), today).blocked);
    }
}

#[test]
fn a_word_opens_a_step_until_its_day_and_the_step_stays_unknown() {
    let word = Word {
        of: "monolith.agent".into(),
        owner: "o".into(),
        link: "https://a.io".into(),
        until: "2026-11-27".parse().unwrap(),
    };
    let mut findings = good(Scenario::Monolith);
    let said = Finding { attested: vec![word.clone()], ..Finding::unknown("nothing shows it") };
    findings.insert("monolith.agent".into(), said);
    let mut facts = facts();
    facts.answers = None;
    let known = server(Scenario::Monolith, &facts);
    let on =
        |day: &str| evaluate(Scenario::Monolith, Some(&findings), Some(&known), day.parse().ok());
    let now = on("2026-11-27");
    let agent = |found: &Evaluation| found.steps[1].clone();
    assert_eq!(
        (now.blocked, agent(&now).outcome, agent(&now).attested),
        (false, Outcome::Unknown, vec![word])
    );
    assert!(on("2026-11-28").blocked);
    assert!(
        evaluate(Scenario::Monolith, Some(&findings), Some(&known), None).blocked,
        "no date, no word"
    );
}

#[test]
fn a_release_needs_a_report_of_it_that_is_not_old() {
    let path = Scenario::Monolith;
    let (agent, v2, v3) = ("a".parse().unwrap(), "v2".parse().unwrap(), "v3".parse().unwrap());
    let open = asked(path, &agent, &v2, NOW_MS);
    assert_eq!((open.open, open.blocked_by.len()), (true, 0), "{:?}", open.blocked_by);
    assert_eq!(open.commit, Some("c".repeat(40)));
    assert!(asked(path, &agent, &v2, NOW_MS + REPORT_MAX_AGE_MS).open);
    let stale = asked(path, &agent, &v2, NOW_MS + REPORT_MAX_AGE_MS + 1);
    assert!(
        !stale.open && stale.why().contains("is 7 days old, and counts for 7"),
        "{}",
        stale.why()
    );
    let other = asked(path, &agent, &v3, NOW_MS);
    assert!(
        !other.open && other.why().contains("is of version v2, and version v3"),
        "{}",
        other.why()
    );
    assert!(
        other.why().contains("`lockgate path monolith --report --agent a --version v3`"),
        "{}",
        other.why()
    );
    let of = |commit: Option<&str>, posted: Option<&Posted>| {
        release(
            &Asked { path, agent: &agent, version: &v2, commit, now_wall_ms: NOW_MS },
            posted,
            &facts(),
        )
    };
    let none = of(None, None);
    assert!(
        !none.open && none.why().contains("there is no report of version v2"),
        "{}",
        none.why()
    );
    assert_eq!(none.blocked_by.len(), 1, "what only files show is not told one by one");
    assert!(of(Some(&"c".repeat(40)), Some(&posted(path))).open);
    let built = of(Some(&"d".repeat(40)), Some(&posted(path)));
    assert!(!built.open && built.why().contains("was built from dddd"), "{}", built.why());
    let elsewhere = of(None, Some(&posted(Scenario::Serverless)));
    assert!(
        !elsewhere.open && elsewhere.why().contains("of the path `serverless`"),
        "{}",
        elsewhere.why()
    );
}

/// A caller's word about what the server sees counts for nothing.
#[test]
fn the_server_believes_itself_alone() {
    let path = Scenario::Microservices;
    let mut report = posted(path);
    report.findings.insert("microservices.governance".into(), Finding::pass("trust me"));
    let (agent, version) = ("a".parse().unwrap(), "v2".parse().unwrap());
    let mut facts = facts();
    facts.policy = None;
    let asked = Asked { path, agent: &agent, version: &version, commit: None, now_wall_ms: NOW_MS };
    let refused = release(&asked, Some(&report), &facts);
    assert!(!refused.open);
    assert!(
        refused.why().contains("microservices.governance is not so: no policy is in force"),
        "{}",
        refused.why()
    );
    report.findings.remove("microservices.scans");
    let refused = release(&asked, Some(&report), &super::facts());
    assert_eq!(
        refused.blocked_by.len(),
        1,
        "what a report leaves out is unknown: {:?}",
        refused.blocked_by
    );
}

/// One word must not open what it says nothing about.
#[test]
fn a_word_in_a_report_is_about_its_step_and_its_texts_are_of_one_line() {
    let path = Scenario::Monolith;
    let until = "2026-12-31".parse().unwrap();
    let check = |of: &str, link: &str, reason: &str| {
        let word = Word { of: of.into(), owner: "security".into(), link: link.into(), until };
        // As it comes over the network.
        let said = Finding { reason: reason.into(), attested: vec![word], ..Finding::unknown("") };
        check_report(path, &Findings::from([("monolith.tests".to_owned(), said)]))
    };
    let good = "https://wiki.example/tests";
    assert_eq!(check("tests.coverage_over_80", good, "not shown"), Ok(()));
    assert_eq!(check("monolith.tests", good, "not shown"), Ok(()));
    for (of, link, reason, why) in [
        ("observability.logs", good, "x", "nothing that `monolith.tests` asks for"),
        ("monolith.analysis", good, "x", "nothing that"),
        ("monolith.tests", "javascript:alert(1)", "x", "no http or https URL"),
        ("monolith.tests", good, "x\nerror: forged", "control characters"),
    ] {
        let refused = check(of, link, reason).err().unwrap_or_default();
        assert!(refused.contains(why), "{of} {link} {reason:?}: {refused}");
    }
}

/// What a repository's files say may be anyone's words, and nothing in the log is erased.
#[test]
fn what_is_recorded_of_a_blocked_path_holds_no_word_of_a_repository() {
    let path = Scenario::Monolith;
    let (agent, version) = ("a".parse().unwrap(), "v2".parse().unwrap());
    let asked = Asked { path, agent: &agent, version: &version, commit: None, now_wall_ms: NOW_MS };
    let mut report = posted(path);
    report
        .findings
        .insert("monolith.tests".into(), Finding::fail("ask mia: 0170 5550: is blocked: x"));
    let refused = release(&asked, Some(&report), &facts());
    assert!(refused.why().contains("0170 5550"), "{}", refused.why());
    assert_eq!(refused.in_short(), "the path `monolith` is blocked: monolith.tests");
    assert_eq!(says_blocked(&refused.why()).unwrap(), "the path `monolith` is blocked");
    assert_eq!(says_blocked("version v2 is stable already"), None);
    let none = release(&asked, None, &facts());
    assert_eq!(none.in_short(), "the path `monolith` is blocked: no report counts");
}

#[test]
fn the_markdown_says_what_blocks_and_lets_nobody_write_in_it() {
    let mut findings = good(Scenario::Monolith);
    findings.insert("monolith.tests".into(), Finding::fail("a | <b> @c"));
    let found = evaluate(Scenario::Monolith, Some(&findings), None, None);
    let text = markdown(&found);
    assert_eq!(text, markdown(&found));
    assert!(text.contains("**blocked**, 4 of 8 steps passed"), "{text}");
    assert!(text.contains("| `monolith.tests` | fail, **blocks** | – | <code>a &#124; &#60;b&#62; &#64;<!-- -->c</code>"), "{text}");
}
