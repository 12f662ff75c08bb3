//! `lockgate rollout list`

use lockgate_api::shapes::RolloutSummary;

use crate::client::{self, Client, ServerArgs};
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};

fn cells(row: &RolloutSummary) -> Vec<String> {
    vec![
        row.id.to_string(),
        row.agent.to_string(),
        row.candidate.to_string(),
        row.phase.clone(),
        format!("{}/{} {}", row.stage + 1, row.stages, row.stage_name),
        output::weight(row.weight_bp),
        output::time(row.started_wall_ms),
        row.ended_wall_ms.map_or_else(|| output::UNKNOWN.into(), output::time),
    ]
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
    let rows: Vec<RolloutSummary> = client::typed(&listed)?;
    let cells: Vec<_> = rows.iter().map(cells).collect();
    let head = ["ID", "AGENT", "CANDIDATE", "PHASE", "STAGE", "WEIGHT", "STARTED", "ENDED"];
    output::print(&output::table(&head, &cells))?;
    Ok(Exit::Done)
}
