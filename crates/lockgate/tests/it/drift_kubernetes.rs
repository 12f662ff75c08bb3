//! `lockgate drift --kubernetes`: the real kubectl against a small stand-in for a cluster, over HTTP.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use lockgate_model::drift::{Drift, Report};
use serde_json::{Value, json};

use crate::support::{Ran, lockgate};

const MANIFEST: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: limits, namespace: web}
data: {size: small}
";

/// What no output may hold.
const HIDDEN: &str = "hunter2-example";

/// A cluster that has one object, or refuses everyone.
struct Cluster {
    dir: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
    size: Arc<Mutex<Option<String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Served {
    size: Arc<Mutex<Option<String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn answer(State(served): State<Served>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let asked = format!("{method} {} {}", path, request.uri().query().unwrap_or_default());
    served.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    let status = |code: StatusCode, reason: &str| {
        let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
            "reason": reason, "code": code.as_u16(), "message": HIDDEN});
        (code, Json(body)).into_response()
    };
    let Some(size) = served.size.lock().unwrap_or_else(PoisonError::into_inner).clone() else {
        return status(StatusCode::FORBIDDEN, "Forbidden");
    };
    let mut object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"size": size},
        "metadata": {"name": "limits", "namespace": "web", "uid": "u", "resourceVersion": "1", "annotations": {"a": "b"}},
    });
    match (method, path.as_str()) {
        (Method::GET, "/api") => {
            Json(json!({"kind": "APIVersions", "versions": ["v1"]})).into_response()
        }
        (Method::GET, "/apis") => {
            Json(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []})).into_response()
        }
        (Method::GET, "/api/v1") => Json(json!({
            "kind": "APIResourceList", "groupVersion": "v1",
            "resources": [{"name": "configmaps", "singularName": "configmap", "namespaced": true,
                "kind": "ConfigMap", "verbs": ["get", "patch", "create"]}],
        }))
        .into_response(),
        (Method::GET, "/api/v1/namespaces/web/configmaps/limits") => Json(object).into_response(),
        (Method::PATCH, "/api/v1/namespaces/web/configmaps/limits") => {
            let body = axum::body::to_bytes(request.into_body(), 100_000).await.unwrap_or_default();
            let applied: Value = serde_json::from_slice(&body).unwrap_or_default();
            if let Some(size) = applied.pointer("/data/size") {
                object["data"]["size"] = size.clone();
            }
            Json(object).into_response()
        }
        _ => status(StatusCode::NOT_FOUND, "NotFound"),
    }
}

impl Cluster {
    fn new(size: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("bound");
        let served =
            Served { size: Arc::new(Mutex::new(Some(size.to_owned()))), asked: Arc::default() };
        let app = Router::new().fallback(answer).with_state(served.clone());
        runtime.spawn(async move {
            listener.set_nonblocking(true).expect("a socket");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            axum::serve(listener, app).await
        });
        let dir = tempfile::tempdir().expect("a directory for the test");
        let manifests = dir.path().join("deploy");
        fs::create_dir_all(&manifests).expect("takes directories");
        fs::write(manifests.join("limits.yaml"), MANIFEST).expect("takes files");
        let config = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: \"http://{at}\"}}}}]\nusers: [{{name: u, user: {{}}}}]\ncontexts: [{{name: test, context: {{cluster: c, user: u}}}}]\n"
        );
        fs::write(dir.path().join("kubeconfig"), config).expect("takes files");
        Self { dir, _runtime: runtime, size: served.size, asked: served.asked }
    }

    fn has(&self, size: Option<&str>) {
        *self.size.lock().unwrap_or_else(PoisonError::into_inner) = size.map(str::to_owned);
    }

    fn drift(&self, more: &[&str]) -> (Report, i32) {
        let found = std::env::var_os("LOCKGATE_TEST_KUBECTL").map(PathBuf::from);
        let paths = std::env::var_os("PATH").expect("there is a PATH");
        let beside = found.as_ref().and_then(|path| path.parent()).map(PathBuf::from);
        let paths = beside.into_iter().chain(std::env::split_paths(&paths));
        let ran: Ran = lockgate()
            .args(["drift", "--output", "json", "--kubernetes", "deploy"])
            .args(["--kubeconfig", "kubeconfig"])
            .args(more)
            .current_dir(self.dir.path())
            .env("PATH", std::env::join_paths(paths).expect("paths"))
            .env("HOME", self.dir.path())
            .output()
            .expect("the binary starts")
            .into();
        assert!(!ran.shown().contains(HIDDEN), "{}", ran.shown());
        let report = Report::read(&ran.stdout);
        let report = report.unwrap_or_else(|error| panic!("{error}: {}", ran.shown()));
        assert!(
            !report.roots[0].reason.contains("not installed"),
            "kubectl is installed; ./test gets it, and LOCKGATE_TEST_KUBECTL names it"
        );
        (report, ran.code)
    }
}

#[test]
fn what_the_cluster_has_is_compared_and_nothing_is_changed() {
    let cluster = Cluster::new("small");
    let context = ["--context", "test"];
    let (report, code) = cluster.drift(&context);
    assert_eq!((report.outcome, code), (Drift::None, 0), "{report:?}");
    cluster.has(Some(HIDDEN));
    let (report, code) = cluster.drift(&context);
    assert_eq!((report.outcome, code), (Drift::Drifted, 1), "{report:?}");
    let told: Vec<&str> = report.roots[0].changes.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(told, ["v1.ConfigMap.web.limits"]);
    let asked = cluster.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let patches: Vec<&String> = asked.iter().filter(|one| !one.starts_with("GET")).collect();
    assert!(
        !patches.is_empty() && patches.iter().all(|one| one.contains("dryRun=All")),
        "{asked:?}"
    );
}

#[test]
fn a_kustomization_is_compared_as_one() {
    let cluster = Cluster::new("small");
    let text = "resources: [limits.yaml]\n";
    fs::write(cluster.dir.path().join("deploy/kustomization.yaml"), text).expect("takes files");
    assert_eq!(cluster.drift(&["--context", "test"]).1, 0);
    cluster.has(Some("large"));
    assert_eq!(cluster.drift(&["--context", "test"]).1, 1);
}

#[test]
fn a_cluster_that_cannot_be_asked_leaves_it_unknown() {
    let cluster = Cluster::new("small");
    let unknown = |cluster: &Cluster, more: &[&str]| {
        let (report, code) = cluster.drift(more);
        assert_eq!((report.outcome, code), (Drift::Unknown, 7), "{report:?}");
        report.roots[0].reason.clone()
    };
    unknown(&cluster, &["--context", "another"]);
    cluster.has(None);
    let why = unknown(&cluster, &["--context", "test"]);
    assert!(why.contains("forbids") || why.contains("exit code"), "{why}");
    fs::write(cluster.dir.path().join("deploy/limits.yaml"), "kind: [").expect("takes files");
    unknown(&cluster, &["--context", "test"]);
}
