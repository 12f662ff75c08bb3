use lockgate_model::delegation::Delegation;
use lockgate_model::ids::DelegationId;
use uuid::Uuid;

use super::*;
use crate::egress::identity::somebody;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn identity(version: &str) -> Identity {
    somebody("a", version)
}

fn of(version: &str) -> Of {
    ("a".parse().unwrap(), version.parse().unwrap())
}

fn id(n: u128) -> InteractionId {
    InteractionId(Uuid::from_u128(n))
}

fn linked(interaction: Option<u128>, trace: Option<&str>) -> Linked {
    let is_silent = interaction.is_none() && trace.is_none();
    let (interaction, trace) = (interaction.map(id), trace.map(str::to_owned));
    Linked { how: Link::None, interaction, trace, is_silent }
}

fn labels(facts: &SessionFacts) -> Vec<&str> {
    facts.labels.iter().flatten().map(String::as_str).collect()
}

#[tokio::test]
async fn a_call_carries_what_its_own_session_has_read() {
    let dir = tempfile::tempdir().unwrap();
    let all = Provenance::open(dir.path()).unwrap();
    let v1 = identity("v1");
    all.begin(id(1), of("v1"), Some(7), Some(TRACE));
    all.begin(id(2), of("v1"), None, None);
    let one = all.find(&v1, &linked(Some(1), None));
    let two = all.find(&v1, &linked(Some(2), None));
    assert_eq!((one.how, two.how), (Link::Explicit, Link::Explicit));
    assert_eq!(one.session.as_ref().unwrap().user, Some(7));
    all.tries(&v1, &one, "web/fetch", &["web".into()]).await.unwrap();
    one.session.as_ref().unwrap().did("web/fetch");
    let facts = all.facts(&v1, &one);
    assert_eq!(labels(&facts), ["web"]);
    assert!(facts.done.unwrap().contains("web/fetch"));
    let clean = all.facts(&v1, &two);
    assert_eq!(clean.labels, Some(BTreeSet::new()), "none, which is not the same as unknown");
    assert_eq!(all.find(&v1, &linked(None, Some(TRACE))).how, Link::Trace);

    // Whoever belongs to nobody carries what all have read, and has done nothing.
    for (interaction, trace) in [(None, None), (Some(9), None), (Some(9), Some(TRACE))] {
        let belongs = all.find(&v1, &linked(interaction, trace));
        assert_eq!(belongs.how, Link::None);
        let facts = all.facts(&v1, &belongs);
        assert_eq!((labels(&facts), &facts.done), (vec!["web"], &None));
    }
    let other = identity("v2");
    let strangers = all.find(&other, &linked(Some(1), None));
    assert_eq!(strangers.how, Link::None, "a session of another version");
    assert!(labels(&all.facts(&other, &strangers)).is_empty());
}

#[tokio::test]
async fn who_acts_for_another_is_in_the_session_of_the_first_giver() {
    let dir = tempfile::tempdir().unwrap();
    let all = Provenance::open(dir.path()).unwrap();
    all.begin(id(1), of("v1"), Some(7), None);
    all.begin(id(2), of("v1"), Some(8), None);
    let desk = Identity { agent: "desk".parse().unwrap(), ..identity("v1") };
    let acting = |interaction: Option<u128>| {
        let delegation = Delegation {
            id: DelegationId(Uuid::nil()),
            to: desk.agent.clone(),
            givers: vec![identity("v1")],
            scope: vec!["web/*".parse().unwrap()].try_into().unwrap(),
            interaction: interaction.map(id),
            link: Link::Trace,
            expires_wall_s: 1,
        };
        Identity { acting: Some(Arc::new(delegation)), ..desk.clone() }
    };
    let one = acting(Some(1));
    // It cannot choose another session.
    let belongs = all.find(&one, &linked(Some(2), None));
    assert_eq!((belongs.how, belongs.session.as_ref().unwrap().user), (Link::Trace, Some(7)));
    // What the desk has read elsewhere it may still know; what the giver has is in its sessions.
    let elsewhere = all.find(&desk, &linked(None, None));
    all.tries(&desk, &elsewhere, "vault/read", &["vault".into()]).await.unwrap();
    assert_eq!(labels(&all.facts(&one, &belongs)), ["vault"]);
    all.tries(&one, &belongs, "web/fetch", &["web".into()]).await.unwrap();
    assert_eq!(all.facts(&one, &belongs).delegation_depth, Some(1));
    let giver = identity("v1");
    let own = all.find(&giver, &linked(Some(1), None));
    let facts = all.facts(&giver, &own);
    assert_eq!((labels(&facts), facts.delegation_depth), (vec!["web"], Some(0)));
    for interaction in [None, Some(9)] {
        let unlinked = acting(interaction);
        let belongs = all.find(&unlinked, &linked(Some(2), None));
        assert_eq!(belongs.how, Link::None);
        let facts = all.facts(&unlinked, &belongs);
        assert_eq!((labels(&facts), facts.delegation_depth), (vec!["vault", "web"], Some(1)));
    }
    let alone = all.facts(&desk, &all.find(&desk, &linked(None, None)));
    assert_eq!((labels(&alone), alone.delegation_depth), (vec!["vault", "web"], None));
    // What is read for another is not forgotten with a restart, of either.
    let again = Provenance::open(dir.path()).unwrap();
    for (whose, carried) in [(&giver, &["web"][..]), (&desk, &["vault", "web"])] {
        let lost = again.find(whose, &linked(Some(1), None));
        assert_eq!(labels(&again.facts(whose, &lost)), carried, "{}", whose.agent);
    }
}

#[tokio::test]
async fn a_trace_of_two_is_nobodys() {
    let dir = tempfile::tempdir().unwrap();
    let all = Provenance::open(dir.path()).unwrap();
    all.begin(id(1), of("v1"), None, Some(TRACE));
    all.begin(id(2), of("v2"), None, Some(TRACE));
    let trace = linked(None, Some(TRACE));
    assert_eq!(all.find(&identity("v1"), &trace).how, Link::Trace, "the other is not its own");
    all.begin(id(3), of("v1"), None, Some(TRACE));
    assert_eq!(all.find(&identity("v1"), &trace).how, Link::None);
}

#[tokio::test]
async fn a_restart_makes_nobody_clean() {
    let dir = tempfile::tempdir().unwrap();
    let all = Provenance::open(dir.path()).unwrap();
    let v1 = identity("v1");
    all.begin(id(1), of("v1"), None, None);
    let one = all.find(&v1, &linked(Some(1), None));
    all.tries(&v1, &one, "web/fetch", &["web".into()]).await.unwrap();
    let again = Provenance::open(dir.path()).unwrap();
    let lost = again.find(&v1, &linked(Some(1), None));
    assert_eq!(lost.how, Link::None);
    assert_eq!(labels(&again.facts(&v1, &lost)), ["web"]);
    std::fs::write(dir.path().join("labels.json"), "{").unwrap();
    assert!(Provenance::open(dir.path()).is_err(), "what cannot be read is not nothing");
}

#[test]
fn labels_stay_for_a_while_and_are_written_once_in_a_while() {
    let mut carried = Carried::default();
    let web = ["web".to_owned()];
    assert!(carried.add(&of("v1"), &web, 0));
    assert!(!carried.add(&of("v1"), &web, 1_000));
    assert!(carried.add(&of("v1"), &web, 2 * WRITTEN_EVERY_MS));
    let until = 2 * WRITTEN_EVERY_MS + LINGER_MS;
    assert_eq!(carried.of(&of("v1"), until - 1).count(), 1);
    assert_eq!(carried.of(&of("v1"), until).count(), 0);
    assert_eq!(carried.of(&of("v2"), 0).count(), 0);
}

#[test]
fn what_is_more_than_is_kept_is_unknown_and_what_ended_makes_room() {
    let mut seen = Seen::default();
    for n in 0..=ACTIONS_MAX {
        seen.add(&format!("t/{n}"), |seen| &mut seen.done);
    }
    assert!(seen.actions_full && !seen.labels_full);
    let mut known = Known::default();
    for n in 0..3 {
        let session = Session {
            id: id(n),
            of: of("v1"),
            user: None,
            trace: Some(TRACE.into()),
            seen: Mutex::default(),
        };
        known.sessions.insert(id(n), Arc::new(session));
        known.traces.entry(TRACE.into()).or_default().push(id(n));
    }
    let web = ["web".to_owned()];
    for n in 0..2 {
        let session = Arc::clone(&known.sessions[&id(n)]);
        known.mark(&session, &web);
        known.mark(&session, &web);
    }
    let many: Vec<String> = (0..=LABELS_MAX).map(|n| n.to_string()).collect();
    let session = Arc::clone(&known.sessions[&id(0)]);
    known.mark(&session, &many);
    assert_eq!((known.read[&of("v1")].labels["web"], known.read[&of("v1")].full), (2, 1));
    let now = Instant::now();
    known.ended.push_back((now, id(0)));
    known.forget(now + LINGER / 2);
    assert_eq!(known.sessions.len(), 3);
    known.forget(now + LINGER * 2);
    assert_eq!((known.sessions.len(), known.traces[TRACE].len()), (2, 2));
    assert_eq!((known.read[&of("v1")].labels.len(), known.read[&of("v1")].full), (1, 0));
    known.mark(&session, &["late".to_owned()]);
    assert!(!known.read[&of("v1")].labels.contains_key("late"), "it is not known any more");
}

/// A call that says this, of what a model may have asked for.
fn called(all: &Provenance, identity: &Identity, linked: &Linked) -> Belongs {
    let (tool, arguments) = ("files".parse().unwrap(), serde_json::json!({ "path": "x" }));
    all.find_call(identity, linked, &Call { tool: &tool, action: "read", arguments: &arguments })
}

fn asks(name: &str) -> ToolCall {
    let arguments = serde_json::json!({ "path": "x" });
    ToolCall::Of { name: name.into(), arguments: arguments.as_object().cloned() }
}

#[tokio::test]
async fn a_call_that_a_model_asked_for_is_in_the_session_of_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    let all = Provenance::open(dir.path()).unwrap();
    let v1 = identity("v1");
    all.begin(id(1), of("v1"), Some(7), None);
    all.begin(id(2), of("v1"), Some(8), Some(TRACE));
    let silent = linked(None, None);
    assert_eq!(called(&all, &v1, &silent).how, Link::None);
    all.asks_for(&v1, Some(id(1)), &[asks("files_read")]);
    let belongs = called(&all, &v1, &silent);
    assert_eq!(belongs.how, Link::Inferred);
    assert_eq!(belongs.session.as_ref().unwrap().user, Some(7));
    all.tries(&v1, &belongs, "files/read", &["disk".into()]).await.unwrap();
    let facts = all.facts(&v1, &belongs);
    assert_eq!((facts.link, labels(&facts)), (Link::Inferred, vec!["disk"]));
    assert!(labels(&all.facts(&v1, &all.find(&v1, &linked(Some(2), None)))).is_empty());

    // What is said comes first, and what is said of nobody stays nobody's.
    let unreadable = Linked { is_silent: false, ..silent.clone() };
    for (said, how, user) in [
        (linked(Some(2), None), Link::Explicit, Some(8)),
        (linked(None, Some(TRACE)), Link::Trace, Some(8)),
        (linked(Some(9), None), Link::None, None),
        (linked(None, Some("0af7651916cd43dd8448eb211c80319c")), Link::None, None),
        (unreadable, Link::None, None),
    ] {
        let belongs = called(&all, &v1, &said);
        let whose = belongs.session.as_ref().and_then(|session| session.user);
        assert_eq!((belongs.how, whose), (how, user), "{said:?}");
    }
    assert_eq!(called(&all, &identity("v2"), &silent).how, Link::None, "another version");
    all.asks_for(&v1, Some(id(2)), &[asks("read")]);
    assert_eq!(called(&all, &v1, &silent).how, Link::None, "two asked");
}

#[test]
fn only_a_session_of_ones_own_that_is_known_is_inferred() {
    let dir = tempfile::tempdir().unwrap();
    let all = Provenance::open(dir.path()).unwrap();
    let (v1, silent) = (identity("v1"), linked(None, None));
    all.begin(id(1), of("v1"), Some(7), None);
    let delegation = Delegation {
        id: DelegationId(Uuid::nil()),
        to: "a".parse().unwrap(),
        givers: vec![Identity { agent: "b".parse().unwrap(), ..identity("v1") }],
        scope: vec!["files/*".parse().unwrap()].try_into().unwrap(),
        interaction: None,
        link: Link::None,
        expires_wall_s: 1,
    };
    let acting = Identity { acting: Some(Arc::new(delegation)), ..v1.clone() };
    all.asks_for(&v1, Some(id(1)), &[asks("read")]);
    assert_eq!(called(&all, &acting, &silent).how, Link::None, "its first giver named none");
    assert_eq!(called(&all, &v1, &silent).how, Link::Inferred);
    // The same asked for while it acts for another makes it nobody's.
    all.asks_for(&acting, Some(id(1)), &[asks("read")]);
    assert_eq!(called(&all, &v1, &silent).how, Link::None);

    for (session, version) in [(9, "v1"), (1, "v2")] {
        let other = Provenance::open(dir.path()).unwrap();
        other.begin(id(1), of(version), Some(7), None);
        other.asks_for(&v1, Some(id(session)), &[asks("read")]);
        assert_eq!(called(&other, &v1, &silent).how, Link::None, "{session} {version}");
    }
}
