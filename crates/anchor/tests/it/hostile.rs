//! Witnesses that are not what they say: whatever they answer, nothing of it is kept and the next round goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Redirect, Response};
use lockgate_anchor::{Stopped, fetch_checkpoint};
use lockgate_audit::Witness;

use crate::world::{honest, log_of, status, witness};

type Answer = Box<dyn Fn() -> Response + Send + Sync>;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_it_answers_is_believed() {
    let made = log_of(300);
    let served = witness(&[&made]).await;
    let other = witness(&[&made]).await;
    let elsewhere = other.url.clone();
    let sizes = Arc::new(AtomicU64::new(0));
    let answers: Vec<(&str, Answer)> = vec![
        ("nothing", Box::new(|| status(200, ""))),
        ("no line", Box::new(|| status(200, "<html>200</html>"))),
        ("a line of nobody", Box::new(|| status(200, "— x AAAAAAA=\n"))),
        ("too much", Box::new(|| status(200, &"x".repeat(10 << 20)))),
        (
            "without end",
            Box::new(|| {
                let forever = std::iter::repeat_with(|| {
                    Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 4096]))
                });
                Body::from_stream(futures_stream(forever)).into_response()
            }),
        ),
        (
            "cut off",
            Box::new(|| {
                let cut = [Ok(Bytes::from("— w")), Err(std::io::Error::other("cut"))].into_iter();
                Body::from_stream(futures_stream(cut)).into_response()
            }),
        ),
        (
            "another place",
            Box::new(move || {
                Redirect::temporary(&format!("{elsewhere}/add-checkpoint")).into_response()
            }),
        ),
        ("an error", Box::new(|| status(500, "\u{1b}[31mno\n"))),
        ("no size", Box::new(|| status(409, "none\n"))),
        ("an empty size", Box::new(|| status(409, ""))),
        ("a size of two spellings", Box::new(|| status(409, "007\n"))),
        (
            "another size each time",
            Box::new(move || {
                status(409, &format!("{}\n", sizes.fetch_add(1, Ordering::SeqCst) + 1))
            }),
        ),
    ];
    let mut asker = made.asker(&served);
    for (name, answer) in answers {
        served.acts(move |_, _| Some(answer()));
        match asker.round().await {
            Err(Stopped::Failed(why)) => assert!(!why.contains('\u{1b}'), "{name}: {why:?}"),
            round => panic!("{name}: {round:?}"),
        }
        assert_eq!(made.kept(), 0, "{name}");
    }
    for size in ["301\n", "18446744073709551615\n", "300\n"] {
        served.acts(move |_, _| Some(status(409, size)));
        let round = asker.round().await;
        assert!(matches!(round, Err(Stopped::Refused(_))), "{size}: {round:?}");
    }
    assert_eq!(other.asked.load(Ordering::SeqCst), 0, "a redirection is not followed");
    served.acts(|witness, body| Some(honest(witness, body)));
    assert_eq!(asker.round().await, Ok(true), "the next round goes on");
    assert!(made.verify(&served).intact());
}

/// Cosignatures that are real, and not of this checkpoint or this witness.
#[tokio::test(flavor = "multi_thread")]
async fn cosignatures_of_something_else_are_not_kept() {
    let made = log_of(300);
    let (served, other) = (witness(&[&made]).await, witness(&[&made]).await);
    let first = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&first);
    other.acts(move |witness: &Witness, body| {
        let lines = witness.add_checkpoint(body, 7).unwrap();
        kept.lock().unwrap().clone_from(&lines);
        Some(lines.into_response())
    });
    assert_eq!(made.asker(&other).round().await, Ok(true));
    // The key of the one, the cosignature of the other.
    let lines = first.lock().unwrap().clone();
    served.acts(move |_, _| Some(lines.clone().into_response()));
    let mut asker = made.asker(&served);
    assert!(matches!(asker.round().await, Err(Stopped::Failed(_))));
    // Its own, of an older checkpoint.
    let own = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&own);
    served.acts(move |witness: &Witness, body| {
        let Ok(lines) = witness.add_checkpoint(body, 7) else {
            return Some(honest(witness, body));
        };
        kept.lock().unwrap().clone_from(&lines);
        Some(lines.into_response())
    });
    assert_eq!(asker.round().await, Ok(true));
    made.append(1, "ada");
    let lines = own.lock().unwrap().clone();
    served.acts(move |_, _| Some(lines.clone().into_response()));
    assert!(matches!(asker.round().await, Err(Stopped::Failed(_))));
    let found = made.verify(&served);
    assert!(found.intact() && found.unanchored_from == Some(300), "what was kept stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_says_that_it_remembers_is_bounded() {
    let served = witness(&[]).await;
    assert_eq!(fetch_checkpoint(&served.url, "x").await, Ok(None));
    assert!(fetch_checkpoint("http://127.0.0.1:1", "x").await.is_err());
    let error = fetch_checkpoint(&format!("{}/nowhere", served.url), "x").await;
    assert_eq!(error, Ok(None));
}

fn futures_stream<I>(items: I) -> impl futures_util::Stream<Item = I::Item> + Send + 'static
where
    I: Iterator + Send + 'static,
    I::Item: Send,
{
    futures_util::stream::iter(items)
}
