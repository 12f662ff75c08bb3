//! The console: readable without JavaScript, signed in by cookie, and moved by nobody else's page.

use lockgate_store::Role;
use reqwest::header::{
    ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE,
};
use reqwest::{Method, RequestBuilder, Response};

use serde_json::json;

use crate::server::{Server, json, problem, server, without_control};

struct Browser<'a> {
    server: &'a Server,
    cookie: String,
}

impl<'a> Browser<'a> {
    async fn sign_in(server: &'a Server, token: &str) -> Self {
        let answer =
            form(server, "/sign-in", &server.url, &format!("token={token}")).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains(token), "the cookie is not the token");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { server, cookie }
    }

    async fn get(&self, path: &str) -> Response {
        let url = format!("{}{path}", self.server.url);
        self.server.client.get(url).header(COOKIE, &self.cookie).send().await.unwrap()
    }

    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
        let html = answer.text().await.unwrap();
        // the policy would silently drop these
        assert!(
            !html.contains(" style=") && !html.contains("<style") && !html.contains(" onclick")
        );
        html
    }

    async fn say(&self, path: &str, origin: &str, body: &str) -> Response {
        let request = form(self.server, path, origin, body).header(COOKIE, &self.cookie);
        request.send().await.unwrap()
    }
}

fn form(server: &Server, path: &str, origin: &str, body: &str) -> RequestBuilder {
    server
        .client
        .request(Method::POST, format!("{}{path}", server.url))
        .header(ORIGIN, origin)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.to_owned())
}

#[tokio::test]
async fn pages_read_without_javascript() {
    let server = without_control(None).await;
    let rollout = server.world.start("support", "v2", Some("v1"), "<b>try</b> it").await;
    let browser = Browser::sign_in(&server, &server.admin).await;
    let overview = browser.page("/").await;
    for text in [
        "support",
        "billing",
        "Waiting for gateways",
        "Promoted",
        &format!("/rollouts/{}", rollout.id),
    ] {
        assert!(overview.contains(text), "{text}");
    }
    let page = browser.page(&format!("/rollouts/{}", rollout.id)).await;
    for text in [
        "<svg",
        "Candidate beside baseline",
        "Gates of this stage",
        "Triggers, always armed",
        "History",
        "Error rate",
        "needs data",
        "formaction=",
        "name=\"reason\"",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<b>try</b>"), "what people write is escaped");
    let fragment = browser.page(&format!("/fragments/rollouts/{}", rollout.id)).await;
    assert!(page.contains(fragment.trim()), "the fragment is the page's own live part");
    for asset in ["console.css", "console.js", "icon.svg"] {
        assert!(page.contains(&format!("/assets/{asset}")));
        assert_eq!(browser.get(&format!("/assets/{asset}")).await.status(), 200);
    }
}

#[tokio::test]
async fn strangers_are_sent_to_sign_in_and_back() {
    let server = without_control(None).await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    let stranger = Browser { server: &server, cookie: "lockgate_session=guess".into() };
    let answer = stranger.get(&format!("/rollouts/{id}")).await;
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()[LOCATION], format!("/sign-in?next=/rollouts/{id}"));
    assert_eq!(stranger.get("/fragments/overview").await.status(), 401);
    let wrong = form(&server, "/sign-in", &server.url, "token=lgk_wrong").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert!(!wrong.headers().contains_key(SET_COOKIE));
    let body = format!("token={}&next=//evil.example", server.admin);
    let right = form(&server, "/sign-in", &server.url, &body).send().await.unwrap();
    assert_eq!(right.headers()[LOCATION], "/");
    let page = stranger.get("/sign-in").await.text().await.unwrap();
    assert!(page.contains("--token-file"), "it says where the first token may be: {page}");
}

#[tokio::test]
async fn paths_that_nothing_is_at_are_a_page_for_people_and_a_problem_for_programs() {
    let server = without_control(None).await;
    let get = async |path: &str, accept: &str| {
        let url = format!("{}{path}", server.url);
        server.client.get(url).header(ACCEPT, accept).send().await.unwrap()
    };
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for path in ["/nowhere", "/rollouts", "/apiary"] {
        let page = get(path, browser).await;
        assert_eq!(page.status(), 404, "{path}");
        assert!(page.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/html"), "{path}");
        assert!(page.headers().contains_key(CONTENT_SECURITY_POLICY));
        let html = page.text().await.unwrap();
        assert!(html.contains("href=\"/\"") && html.contains(path), "{html}");
        assert!(!html.contains("/api/v1"), "{html}");
        problem(get(path, "*/*").await, 404).await;
    }
    problem(get("/api/v1/nowhere", browser).await, 404).await;
    let wrong_method = get("/sign-out", browser).await;
    assert_eq!(wrong_method.status(), 405);
    assert!(wrong_method.text().await.unwrap().contains("href=\"/\""));
}

#[tokio::test]
async fn a_release_that_is_not_there_is_told_of_in_words_of_the_console() {
    let server = without_control(None).await;
    let browser = Browser::sign_in(&server, &server.admin).await;
    for id in ["nope", "latest", "01a20a78-b3d6-73a7-8ccc-ee32dcfda7ba"] {
        let page = browser.get(&format!("/rollouts/{id}")).await;
        assert_eq!(page.status(), 404, "{id}");
        let html = page.text().await.unwrap();
        assert!(html.contains("The overview lists the newest releases."), "{html}");
        assert!(!html.contains("/api/") && !html.contains("?agent="), "{html}");
    }
}

#[tokio::test]
async fn who_has_no_javascript_is_told_that_numbers_stand_still() {
    let server = without_control(None).await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    let browser = Browser::sign_in(&server, &server.admin).await;
    for path in ["/", &format!("/rollouts/{id}")] {
        let page = browser.page(path).await;
        let told =
            page.split_once("<noscript>").and_then(|(_, rest)| rest.split_once("</noscript>"));
        assert!(told.is_some_and(|(told, _)| told.contains("reload")), "{path}");
    }
}

#[tokio::test]
async fn the_time_left_of_a_stage_is_said_once() {
    let server = without_control(None).await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    server.world.applied(id).await;
    let nearly_over = |rollout: &mut lockgate_rollout::state::Rollout| {
        rollout.dwell_ms = rollout.plan.stages[0].duration_ms - 1_400;
    };
    server.world.force(id, nearly_over).await;
    let browser = Browser::sign_in(&server, &server.admin).await;
    let page = browser.page(&format!("/rollouts/{id}")).await;
    assert!(page.contains("2 s left in this stage") && page.contains("of 1 d"), "{page}");
    assert_eq!(page.matches(" left").count(), 1, "{page}");
}

/// On a telephone a table's rows stand as blocks, and each cell says which column it is of.
#[tokio::test]
async fn every_cell_of_a_wide_table_knows_its_column() {
    let server = without_control(None).await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    let browser = Browser::sign_in(&server, &server.admin).await;
    for (path, least) in [("/", 20), (&*format!("/rollouts/{id}"), 40)] {
        let page = browser.page(path).await;
        let cells: Vec<&str> = page.split("<td").skip(1).collect();
        assert!(cells.len() > least, "{path}: {}", cells.len());
        for cell in cells {
            let tag = cell.split('>').next().unwrap();
            assert!(tag.contains("data-label=") || tag.contains("colspan="), "{path}: <td{tag}>");
        }
    }
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let server = server().await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    let browser = Browser::sign_in(&server, &server.admin).await;
    let abort = format!("/rollouts/{id}/abort");
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(browser.say(&abort, origin, "reason=x").await.status(), 403, "{origin}");
        let sign_in = form(&server, "/sign-in", origin, &format!("token={}", server.admin));
        assert_eq!(sign_in.send().await.unwrap().status(), 403, "{origin}");
    }
    // a cookie alone moves nothing in the API either
    let url = format!("{}/api/v1/rollouts/{id}/abort", server.url);
    let api = server.client.post(url).header(COOKIE, &browser.cookie).body("{\"reason\":\"x\"}");
    assert_eq!(api.send().await.unwrap().status(), 401);
    assert_eq!(server.world.store.journal_recent(5).await.unwrap().len(), 0);
    assert!(server.world.store.rollout(id).await.unwrap().unwrap().value.ended_wall_ms.is_none());
}

#[tokio::test]
async fn buttons_do_what_the_api_does() {
    let server = server().await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    server.world.applied(id).await;
    let browser = Browser::sign_in(&server, &server.admin).await;
    let origin = server.url.clone();
    let pause = format!("/rollouts/{id}/pause");
    let no_reason = browser.say(&pause, &origin, "reason=").await;
    assert_eq!(no_reason.status(), 422);
    let done = browser.say(&pause, &origin, "reason=look").await;
    assert_eq!(
        (done.status().as_u16(), done.headers()[LOCATION].to_str().unwrap()),
        (303, format!("/rollouts/{id}").as_str())
    );
    assert!(browser.page(&format!("/rollouts/{id}")).await.contains("Resume"));
    assert_eq!(browser.say(&pause, &origin, "reason=again").await.status(), 409);
    let journal = server.world.store.journal_recent(5).await.unwrap();
    assert_eq!(journal.last().unwrap().action, "rollout.pause");
}

#[tokio::test]
async fn a_stage_that_waits_is_confirmed_by_its_button() {
    let server = server().await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    server.world.applied(id).await;
    let browser = Browser::sign_in(&server, &server.admin).await;
    let page = format!("/rollouts/{id}");
    assert!(!browser.page(&page).await.contains("Confirm"));
    server.world.waits(id).await;
    let waiting = browser.page(&page).await;
    assert!(waiting.contains("✓ Confirm") && !waiting.contains("Resume"), "{waiting}");
    assert!(waiting.contains("Next: a person confirms"), "{waiting}");
    let confirm = format!("/rollouts/{id}/confirm");
    assert_eq!(browser.say(&confirm, &server.url, "reason=seen").await.status(), 303);
    let rollout = server.world.store.rollout(id).await.unwrap().unwrap().value;
    assert_eq!((rollout.phase.as_str(), rollout.confirmed_stage), ("running", Some(0)));
    assert_eq!(browser.say(&confirm, &server.url, "reason=again").await.status(), 409);
    let journal = server.world.store.journal_recent(5).await.unwrap();
    assert!(journal.iter().any(|entry| entry.action == "rollout.confirm"));
}

#[tokio::test]
async fn viewers_get_no_buttons_and_scopes_hold() {
    let server = server().await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    let viewer = server.token(Role::Viewer, None).await;
    let browser = Browser::sign_in(&server, &viewer).await;
    let page = browser.page(&format!("/rollouts/{id}")).await;
    assert!(!page.contains("formaction="));
    let refused = browser.say(&format!("/rollouts/{id}/abort"), &server.url, "reason=x").await;
    assert_eq!(refused.status(), 403);
    let scoped = server.token(Role::Operator, Some(&["billing"])).await;
    let browser = Browser::sign_in(&server, &scoped).await;
    assert!(!browser.page("/").await.contains("support"));
    assert_eq!(browser.get(&format!("/rollouts/{id}")).await.status(), 404);
    assert_eq!(browser.get(&format!("/fragments/rollouts/{id}")).await.status(), 404);
}

#[tokio::test]
async fn signing_out_and_revoking_end_a_session() {
    let server = without_control(None).await;
    let browser = Browser::sign_in(&server, &server.admin).await;
    assert_eq!(browser.say("/sign-out", &server.url, "").await.status(), 303);
    assert_eq!(browser.get("/").await.status(), 303);
    let viewer = server.token(Role::Viewer, None).await;
    let browser = Browser::sign_in(&server, &viewer).await;
    assert_eq!(browser.get("/").await.status(), 200);
    let tokens = server.world.store.tokens().await.unwrap();
    let record = tokens.iter().find(|token| token.role == Role::Viewer).unwrap();
    server.world.store.revoke_token(&record.id, 1).await.unwrap();
    assert_eq!(browser.get("/").await.status(), 303);
}

#[tokio::test]
async fn the_stage_bar_says_where_a_release_is() {
    let server = without_control(None).await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    server.world.applied(id).await;
    let half = |rollout: &mut lockgate_rollout::state::Rollout| {
        rollout.stage = 2;
        rollout.weight_bp = rollout.plan.stages[2].weight_bp;
        rollout.dwell_ms = rollout.plan.stages[2].duration_ms / 2;
    };
    server.world.force(id, half).await;
    let browser = Browser::sign_in(&server, &server.admin).await;
    let page = browser.page(&format!("/rollouts/{id}")).await;
    let tracks = |class: &str| page.matches(&format!("class=\"track {class}\"")).count();
    assert_eq!((tracks("done"), tracks("current"), tracks("next")), (2, 1, 2));
    assert!(page.contains("aria-label=\"Stage 3 of 5, candidate at 25 %\""));
    assert!(page.contains("2 h left"), "half of four hours");
}

#[tokio::test]
async fn a_release_that_ended_says_what_decided() {
    let server = without_control(None).await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    server.world.applied(id).await;
    let abort = lockgate_rollout::event::Event::Command {
        command: lockgate_rollout::event::Command::Abort,
        by: "grace".into(),
        reason: "wrong prompt digest".into(),
    };
    server.world.step(id, abort).await.unwrap();
    server.world.applied(id).await;
    let browser = Browser::sign_in(&server, &server.admin).await;
    let page = browser.page(&format!("/rollouts/{id}")).await;
    for text in
        ["Aborted", "What decided", "wrong prompt digest", "taken back here", "Release again"]
    {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("/abort\""), "nothing is left to abort");
}

#[tokio::test]
async fn a_replaced_release_does_not_look_under_way() {
    let server = without_control(None).await;
    let id = server.world.start("support", "v2", Some("v1"), "test").await.id;
    server.world.applied(id).await;
    let by = "v3".parse().unwrap();
    server.world.step(id, lockgate_rollout::event::Event::Superseded { by }).await.unwrap();
    server.world.applied(id).await;
    let browser = Browser::sign_in(&server, &server.admin).await;
    let page = browser.page(&format!("/rollouts/{id}")).await;
    assert!(page.contains("another version took over here"));
    assert!(!page.contains("class=\"track current\""), "nothing goes on");
    let overview = browser.page("/").await;
    assert!(!overview.contains("<i class=\"current\""), "nor in the list");
}

/// Whoever looks at who gets traffic sees what is stopped, and why nothing comes of it.
#[tokio::test]
async fn what_is_stopped_by_order_is_the_first_thing_on_the_page() {
    let server = without_control(None).await;
    let browser = Browser::sign_in(&server, &server.admin).await;
    assert!(!browser.page("/").await.contains("Stopped by order"));
    let order = json!({ "agent": "support", "version": "v1", "reason": "<i>leaks</i>" });
    let begun = json(server.post("/api/v1/quarantines", &server.admin, order).await, 201).await;
    let page = browser.page("/").await;
    let (stopped, agents) = (page.find("version support/v1"), page.find("<h2>Agents"));
    assert!(stopped.is_some() && stopped < agents, "{page}");
    assert!(page.contains("leaks") && !page.contains("<i>leaks"), "{page}");
    let path = format!("/api/v1/quarantines/{}?reason=over", begun["id"].as_str().unwrap());
    let lifted = server.client.request(Method::DELETE, format!("{}{path}", server.url));
    let lifted = lifted.bearer_auth(&server.admin).send().await.unwrap();
    assert_eq!(lifted.status(), 204);
    assert!(!browser.page("/").await.contains("Stopped by order"));
}
