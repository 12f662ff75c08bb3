//! The same against a server that speaks S3: `moto`, a Python package.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use lockgate_mirror::{Copier, Stopped, Target};
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;

use crate::world::log_of;

/// Ends with the test.
struct Moto {
    child: Child,
    url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Port 0, a bucket, and the address on standard output.
const SERVE: &str = "
import logging, sys, urllib.request
from moto.server import ThreadedMotoServer
logging.getLogger('werkzeug').setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
signed = {'authorization': 'AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request'}
bucket = urllib.request.Request(f'http://{host}:{port}/audit', method='PUT', headers=signed)
urllib.request.urlopen(bucket).read()
print(f'http://{host}:{port}', flush=True)
sys.stdin.read()
";

fn moto() -> Moto {
    let python = std::env::var("LOCKGATE_TEST_PYTHON")
        .expect("LOCKGATE_TEST_PYTHON must name a Python with moto; ./test sets it");
    let mut child = Command::new(python)
        .args(["-c", SERVE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    Moto { child, url: url.trim().to_owned() }
}

#[tokio::test]
async fn a_bucket_holds_a_copy_and_takes_no_other() {
    let moto = moto();
    let environment = [
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT", moto.url.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let target = || Target::parse("s3://audit/logs/a", environment.clone()).unwrap();
    let made = log_of(300);
    let fork = made.copy();
    let mut copier = Copier::new(made.root(), target());
    // Another client looks at what is there.
    let store: Arc<dyn ObjectStore> = Arc::new(
        AmazonS3Builder::new()
            .with_bucket_name("audit")
            .with_endpoint(&moto.url)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_access_key_id("a")
            .with_secret_access_key("b")
            .build()
            .unwrap(),
    );
    assert_eq!(copier.round().await, Ok(300));
    made.append(300);
    assert_eq!(copier.round().await, Ok(600), "in place of the checkpoint that it wrote");
    assert!(made.verify(&store).await.intact());
    made.append(1);
    assert_eq!(Copier::new(made.root(), target()).round().await, Ok(601));
    made.append(1);
    let said = copier.round().await;
    assert!(matches!(&said, Err(Stopped::Failed(why)) if why.contains("someone else")), "{said:?}");
    assert_eq!(copier.round().await, Ok(602));
    fork.append(400);
    let said = Copier::new(fork.root(), target()).round().await;
    assert!(matches!(&said, Err(Stopped::Refused(_))), "{said:?}");
    let found = made.verify(&store).await;
    assert!(found.intact() && found.size == 602, "{:?}", found.damage);
}
