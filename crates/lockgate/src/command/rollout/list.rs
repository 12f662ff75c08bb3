//! `lockgate rollout list`

use serde::Deserialize;

use crate::client::{self, Client, ServerArgs};
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};

/// One release in a list.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    pub(super) id: String,
    agent: String,
    candidate: String,
    phase: String,
    weight_bp: u32,
    started_wall_ms: i64,
    ended_wall_ms: Option<i64>,
}

impl Row {
    pub(super) fn ended(&self) -> bool {
        self.ended_wall_ms.is_some()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.agent.clone(),
            self.candidate.clone(),
            self.phase.clone(),
            output::weight(self.weight_bp),
            output::time(self.started_wall_ms),
            self.ended_wall_ms.map_or_else(|| output::UNKNOWN.into(), output::time),
        ]
    }
}

pub(super) async fn run(
    server: &ServerArgs,
    agent: Option<&str>,
    limit: u32,
    format: Format,
) -> CliResult {
    let client = Client::new(server)?;
    let mut url = client.url(&["rollouts"])?;
    url.query_pairs_mut().append_pair("limit", &limit.to_string());
    if let Some(agent) = agent {
        url.query_pairs_mut().append_pair("agent", agent);
    }
    let listed = client.get_url(url).await?;
    if format == Format::Json {
        output::print_json(&listed)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Row> = client::typed(&listed)?;
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    let head = ["ID", "AGENT", "CANDIDATE", "PHASE", "WEIGHT", "STARTED", "ENDED"];
    output::print(&output::table(&head, &cells))?;
    Ok(Exit::Done)
}
