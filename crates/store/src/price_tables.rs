//! Tables of prices by their numbers.

use std::collections::HashMap;
use std::sync::Arc;

use lockgate_model::interaction::Interaction;
use lockgate_model::price::PriceTable;
use sqlx::SqliteConnection;

use crate::error::StoreError;

/// The numbers of the tables that interactions name; one that is new gets one.
pub(crate) async fn ids(
    conn: &mut SqliteConnection,
    interactions: impl Iterator<Item = &Interaction>,
) -> Result<HashMap<Arc<PriceTable>, i64>, StoreError> {
    let mut ids: HashMap<Arc<PriceTable>, i64> = HashMap::new();
    for table in interactions.filter_map(|interaction| interaction.price_table.as_ref()) {
        if !ids.contains_key(table) {
            ids.insert(Arc::clone(table), id(conn, table).await?);
        }
    }
    Ok(ids)
}

async fn id(conn: &mut SqliteConnection, table: &PriceTable) -> Result<i64, StoreError> {
    // SQLite takes no two NULLs for the same.
    let date = table.date.as_deref().unwrap_or_default();
    let known: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM price_table WHERE name = ? AND version = ? AND date = ?",
    )
    .bind(&table.name)
    .bind(&table.version)
    .bind(date)
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let new = sqlx::query_scalar(
        "INSERT INTO price_table (name, version, date) VALUES (?, ?, ?) RETURNING id",
    )
    .bind(&table.name)
    .bind(&table.version)
    .bind(date)
    .fetch_one(conn)
    .await?;
    Ok(new)
}
