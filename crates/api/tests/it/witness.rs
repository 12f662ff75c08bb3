//! A witness as logs and auditors meet it: statuses and types of the protocol, over HTTP.

use lockgate_api::WitnessServer;
use lockgate_audit::{
    AddCheckpoint, Checkpoint, Entry, Log, LogKey, LogOptions, Reader, Witness, WitnessKey,
    WitnessOptions, cosignatures, origin_hash, prove_consistency,
};
use reqwest::{Client, Response};

struct World {
    dir: tempfile::TempDir,
    key: LogKey,
    witness: WitnessKey,
    client: Client,
    url: String,
    server: WitnessServer,
}

async fn world() -> World {
    // reqwest wants one although everything here is plain HTTP; a second install does nothing
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let key = LogKey::generate("test.example/log").unwrap();
    Log::create(&LogOptions::new(dir.path().join("log")), &key).unwrap();
    let witness = WitnessKey::generate("witness.example/w1").unwrap();
    let seen = dir.path().join("seen");
    Witness::create(&seen).unwrap();
    let options = WitnessOptions::new(seen, witness.clone(), vec![key.public().clone()]);
    let opened = Witness::open(options).unwrap();
    let server = WitnessServer::start("127.0.0.1:0".parse().unwrap(), opened).await.unwrap();
    let url = format!("http://{}", server.local_addr());
    World { dir, key, witness, client: Client::new(), url, server }
}

impl World {
    fn append(&self, records: u32, principal: &str) {
        let options = LogOptions::new(self.dir.path().join("log"));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let log = Log::open(&options, self.key.clone()).unwrap();
                let session = log.session();
                for n in 0..records {
                    session
                        .append_blocking(&Entry::event(n.into(), principal, "act", "x"))
                        .unwrap();
                }
                log.close();
            });
        });
    }

    fn request(&self, old_size: u64) -> AddCheckpoint {
        let log = Reader::open_signed(self.dir.path().join("log"), vec![]).unwrap();
        let older = Checkpoint { size: old_size, root: [0; 32] };
        let proof = prove_consistency(&log, older).unwrap();
        AddCheckpoint { old_size, proof, note: log.note().to_vec() }
    }

    async fn post(&self, body: impl Into<Vec<u8>>) -> Response {
        let url = format!("{}/add-checkpoint", self.url);
        self.client.post(url).body(body.into()).send().await.unwrap()
    }

    async fn status(&self, body: impl Into<Vec<u8>>) -> u16 {
        self.post(body).await.status().as_u16()
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_has_the_status_and_type_of_the_protocol() {
    let world = world().await;
    world.append(3, "ada");
    let first = world.request(0);
    let path = format!("/{}/checkpoint", origin_hash("test.example/log"));
    assert_eq!(world.get(&path).await.status(), 404, "nothing was cosigned yet");

    let cosigned = world.post(first.to_bytes()).await;
    assert_eq!(cosigned.status(), 200);
    let lines = cosigned.bytes().await.unwrap();
    assert!(lines.starts_with("— witness.example/w1 ".as_bytes()) && lines.ends_with(b"\n"));
    let whole = [first.note.as_slice(), &lines].concat();
    assert_eq!(cosignatures(&whole, &[world.witness.public().clone()]).unwrap().len(), 1);
    let told = world.get(&path).await;
    assert_eq!((told.status().as_u16(), &told.bytes().await.unwrap()[..]), (200, &whole[..]));

    world.append(300, "ada");
    let conflict = world.post(world.request(0).to_bytes()).await;
    assert_eq!(conflict.status(), 409);
    assert_eq!(conflict.headers()["content-type"], "text/x.tlog.size");
    assert_eq!(conflict.text().await.unwrap(), "3\n");
    let good = world.request(3);
    let mut bad = good.clone();
    bad.proof[0][0] ^= 1;
    assert_eq!(world.status(bad.to_bytes()).await, 422);
    let other = LogKey::generate("other.example/log").unwrap();
    let text = String::from_utf8(good.note.clone()).unwrap();
    let of_other = text.replacen("test.example/log\n", "other.example/log\n", 1);
    let of_other = AddCheckpoint { note: of_other.into_bytes(), ..good.clone() };
    assert_eq!(world.status(of_other.to_bytes()).await, 404);
    let forged = text.replacen("\n303\n", "\n304\n", 1);
    let forged = AddCheckpoint { note: forged.into_bytes(), ..good.clone() };
    assert_eq!(world.status(forged.to_bytes()).await, 403);
    assert_eq!(world.status("old 0\n\n").await, 400);
    assert_eq!(world.status("").await, 400);
    let backwards = AddCheckpoint { old_size: 304, ..good.clone() };
    assert_eq!(world.status(backwards.to_bytes()).await, 400);
    assert_eq!(world.status("x".repeat(AddCheckpoint::MAX_BYTES + 1)).await, 413);
    assert_eq!(world.get("/add-checkpoint").await.status(), 405);
    for path in ["/", "/x/checkpoint", "/..%2f..%2fkeys/checkpoint", "/metrics"] {
        assert_eq!(world.get(path).await.status(), 404, "{path}");
    }
    let not_followed = format!("/{}/checkpoint", origin_hash(other.public().origin()));
    assert_eq!(world.get(&not_followed).await.status(), 404);
    assert_eq!(world.status(good.to_bytes()).await, 200, "refusals change nothing");
    world.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_requests_at_once_one_goes_on() {
    let world = world().await;
    world.append(5, "ada");
    let asked = (0..32).map(|_| world.status(world.request(0).to_bytes()));
    let mut statuses = futures_util::future::join_all(asked).await;
    statuses.sort_unstable();
    assert_eq!(statuses[..2], [200, 409], "{statuses:?}");
    assert!(statuses[1..].iter().all(|status| *status == 409));
    world.server.shutdown().await;
}
