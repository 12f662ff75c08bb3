//! A gateway without traffic: it applies whatever it hears, and says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lockgate_model::ids::{BootId, Revision};
use lockgate_model::ports::{Report, Snapshots};
use uuid::Uuid;

/// Reports until it is dropped. While `frozen` is set it applies nothing new.
pub async fn reporting(snapshots: Arc<dyn Snapshots>, frozen: Arc<AtomicBool>) {
    let mut report = Report {
        gateway: "one".parse().unwrap(),
        boot: BootId(Uuid::now_v7()),
        applied: Revision(0),
        health: vec![],
        fuses: vec![],
    };
    loop {
        let heard = snapshots.exchange(report.clone(), 50).await.unwrap();
        if let Some(snapshot) = heard.snapshot
            && !frozen.load(Ordering::SeqCst)
        {
            report.applied = snapshot.revision;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
