//! The suite on SQLite, and what shows only with a file at hand.

use std::path::PathBuf;

use lockgate_store::{Store, StoreError};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use crate::conformance;
use crate::identities::{identity, key};
use crate::inbox::command;
use crate::world::{Database, agent, agent_a};

async fn open() -> Database {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let store = Store::open(&path).await.unwrap();
    Database { store, path, reopen, _dir: dir }
}

fn reopen(path: PathBuf) -> std::pin::Pin<Box<dyn Future<Output = Store> + Send>> {
    Box::pin(async move { Store::open(&path).await.unwrap() })
}

conformance!(open:
    configuration::{
        activation_is_idempotent_by_digest,
        an_older_configuration_can_come_back,
        a_known_version_never_changes,
        the_file_is_remembered_beside_what_the_api_activates,
        what_is_in_use_cannot_be_removed,
    }
    approvals::{
        a_yes_is_for_one_use_of_one_action,
        a_yes_that_is_raced_for_is_used_once,
        enough_people_must_agree,
        a_no_is_final,
        what_comes_too_late_is_nothing,
        questions_are_bounded,
        nobody_answers_for_who_is_not_known,
        nobody_answers_for_whom_it_is_asked,
        the_wait_ends_with_the_answer,
    }
    value::{
        each_interaction_is_counted_once_by_the_hour_and_by_the_day,
        what_is_said_late_counts_in_the_hour_of_its_interaction,
        an_event_is_told_once_and_corrected_by_a_new_one,
        nobody_corrects_what_is_about_another_agent,
        events_are_about_what_is_there,
        the_largest_sums_are_kept_read_and_taken_back,
        an_import_counts_when_it_is_whole_and_goes_on_where_it_stopped,
        what_an_import_corrects_counts_until_it_is_whole_and_one_given_up_leaves_nothing,
        an_import_that_nobody_goes_on_with_is_forgotten,
        a_report_is_that_of_all_events_that_count_one_by_one,
        releases_that_are_over_are_deployments,
        versions_are_compared_with_the_stable_one_of_their_time,
        days_count_that_were_seen,
        today_does_not_count_in_a_long_window,
    }
    charges::{
        the_same_bill_in_another_form_is_told,
    }
    corrections::{
        nothing_corrects_what_is_not_whole_and_the_chain_stays_as_it_was,
        a_chain_of_corrections_in_an_import_counts_when_it_is_whole,
        an_event_without_a_time_has_that_of_what_it_corrects_or_is_of_now,
        an_event_that_is_sent_again_without_a_time_is_the_one_that_is_there,
        events_of_some_agents_fill_a_page_of_their_own,
        a_report_is_of_one_moment,
    }
    suggestions::{
        past_releases_have_what_is_kept_of_them,
        a_release_of_weeks_is_looked_at_no_more_often,
        stable_windows_lie_in_their_stretch,
        questions_are_told_by_what_became_of_them,
        events_quarantines_and_incidents_are_told,
    }
    drift::{
        the_newest_of_each_source_is_kept,
        sources_are_bounded,
    }
    identities::{
        revoked_tokens_are_told_to_gateways,
        nobody_outside_vouches_for_what_was_cut_off,
        keys_take_turns_and_are_retired,
        keys_are_bounded,
        tools_are_in_the_snapshot,
    }
    limits::{
        no_span_holds_more_than_its_limit,
        a_place_is_taken_in_all_counts_or_in_none,
        what_is_used_takes_the_place_of_what_was_reserved,
        no_budget_is_exceeded_by_a_race,
    }
    inbox::{
        items_keep_their_order,
        a_key_counts_once,
        items_are_closed_once,
        security_events_and_fuses_arrive_once,
    }
    rollouts::{
        an_agent_has_one_open_rollout,
        a_stale_step_is_refused_whole,
        transitions_carry_their_effects,
        a_lease_changes_hands_with_a_higher_token,
        a_former_controller_writes_nothing,
    }
    outbox::{
        each_id_is_applied_once,
        the_first_snapshot_with_an_epoch_stays_its_revision,
        what_changes_traffic_comes_in_order,
        old_snapshots_are_dropped_and_revisions_grow,
    }
    paths::{
        the_newest_report_of_what_is_asked_comes_first,
        reports_are_bounded_and_forget_people,
    }
    exchange::{
        a_gateway_hears_what_is_newer,
        a_waiting_gateway_is_woken,
        reports_say_who_has_applied_what,
        a_fuse_that_was_lost_on_the_way_arrives,
        a_gateway_that_outlived_the_database_is_taken_along,
    }
    measurements::{
        a_window_counts_once,
        evidence_is_by_epoch_and_version_of_one_rollout,
        keys_are_distinct_across_gateways_and_seconds,
        keys_of_several_epochs_count_once_in_the_release,
        more_keys_than_one_statement_holds,
        dropped_keys_are_told,
        recent_is_what_happened_within_each_window,
        what_was_seen_in_the_test_environment_is_kept_apart,
        keys_met_in_the_test_environment_are_new_to_the_stages_with_users,
        what_came_in_an_initial_delay_is_not_recent,
        an_ended_rollout_gathers_no_more_evidence,
        gateways_must_agree_on_health,
        health_counts_once_it_was_checked_under_the_weight_in_force,
    }
    answers::{
        an_answer_counts_once,
        a_user_has_one_vote_per_version_and_rollout,
        an_answer_counts_when_it_came,
        late_answers_count_for_their_epoch,
        a_failed_outcome_is_an_error_of_its_key,
        a_user_is_one_failure_per_version_and_rollout,
        one_interaction_has_one_error,
        interactions_are_kept_once_newest_first,
        a_cost_keeps_the_table_that_it_came_from,
        an_interaction_learns_its_outcome,
        an_outcome_that_both_tell_counts_once,
        one_user_tells_the_outcomes_of_few,
    }
    retention::{
        totals_and_evidence_survive,
        a_new_window_joins_an_old_minute,
        keys_of_ended_rollouts_go_and_their_counts_stay,
        interactions_are_kept_for_90_days,
        an_ended_release_goes_step_by_step_and_a_running_one_stays,
        who_did_what_is_kept_for_400_days,
    }
    people::{
        tokens_are_revoked_once,
        the_journal_is_read_newest_first,
        who_is_forgotten_is_in_the_journal_no_more,
        who_is_forgotten_is_in_no_file,
    }
    durability::{
        a_restart_keeps_everything,
        many_writers_lose_nothing,
    }
);

/// A connection of somebody else's, to look at the file and to break it.
async fn other(db: &Database) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(&db.path);
    SqlitePool::connect_with(options).await.unwrap()
}

/// Tokens of before keys had names, and gateways that were told of none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_former_release_are_the_first_keys() {
    let db = open().await;
    db.activate(&[agent("agent-a", &["v1"])]).await.unwrap();
    let before = db.newest_snapshot().await.unwrap().unwrap();
    assert!(before.identity_keys.is_empty());
    let one = identity(1, "v1", 0);
    db.insert_identity(&one, "ada").await.unwrap();
    sqlx::query("UPDATE identity SET kid = ''").execute(&other(&db).await).await.unwrap();
    assert!(db.adopt_identity_key(&key(7), "local", 1).await.unwrap());
    let row = db.identity(one.id).await.unwrap().unwrap();
    assert_eq!(row.identity.voucher.key(), Some(&key(7).kid));
    let after = db.newest_snapshot().await.unwrap().unwrap();
    assert!(after.revision > before.revision, "gateways are told without a new configuration");
    assert_eq!(after.identity_keys, [key(7)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_is_told_and_leaves_nothing() {
    let db = open().await;
    let outside = other(&db).await;
    sqlx::query(
        "CREATE TRIGGER broken BEFORE INSERT ON feed
         BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    )
    .execute(&outside)
    .await
    .unwrap();
    let mut changed = db.changed();
    changed.mark_unchanged();
    let submitted = db.submit(command(Some("k"), "one")).await;
    assert!(matches!(submitted, Err(StoreError::Database(_))), "{submitted:?}");
    let activated = db.activate(&[agent("agent-a", &["v1"])]).await;
    assert!(matches!(activated, Err(StoreError::Database(_))), "{activated:?}");
    assert!(db.inbox_pending(10).await.unwrap().is_empty());
    assert_eq!(db.active_config().await.unwrap(), None);
    assert_eq!(db.newest_snapshot().await.unwrap(), None);
    assert!(!changed.has_changed().unwrap());

    sqlx::query("DROP TRIGGER broken").execute(&outside).await.unwrap();
    db.submit(command(Some("k"), "one")).await.unwrap();
    db.activate(&[agent("agent-a", &["v1"])]).await.unwrap();
    assert!(db.newest_snapshot().await.unwrap().unwrap().route(&agent_a()).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_is_in_the_file_while_it_is_open() {
    let db = open().await;
    let id = db.submit(command(None, "one")).await.unwrap();
    let outside = other(&db).await;
    let found: i64 = sqlx::query_scalar("SELECT id FROM inbox").fetch_one(&outside).await.unwrap();
    assert_eq!(found, id.0);
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&outside).await.unwrap();
    assert_eq!(mode, "wal");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let db = open().await;
    db.submit(command(None, "one")).await.unwrap();
    for name in ["state.db", "state.db-wal"] {
        let metadata = std::fs::metadata(db.path.with_file_name(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o077, 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    std::fs::write(&path, "something else altogether, and long enough to have a header".repeat(99))
        .unwrap();
    assert!(Store::open(&path).await.is_err());
    assert!(Store::open(&dir.path().join("missing/state.db")).await.is_err());
}
