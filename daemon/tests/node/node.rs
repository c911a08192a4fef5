//! A node: the daemon between a fake agent and sources of metadata.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use testkit::workload_api::FakeWorkloadApi;
use testkit::{Clock, FakeImage, Org, Team};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Response, Status};
use tufd::config::{Config, System};
use tufd::store::StateDir;
use tufd_proto::v1;
use tufd_proto::v1::admin_client::AdminClient;
use tufd_proto::v1::trust_client::TrustClient;
use tufd_proto::v1::verifier_client::VerifierClient;
use tufpub::{KeyKind, SigningKey};

use crate::site::Site;

/// The trust domain of the organisation.
pub(crate) const DOMAIN: &str = "tuf-root.acme.example";
/// The image that is signed from the start.
pub(crate) const API: &str = "registry.acme.example/payments/api:1.0";
/// After this much of the paused clock a test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(120);

/// What an organisation, an agent and a daemon share.
pub(crate) struct Node {
    dir: tempfile::TempDir,
    pub(crate) clock: Clock,
    pub(crate) org: Org,
    pub(crate) site: Site,
    pub(crate) agent: FakeWorkloadApi,
    pub(crate) settings: Settings,
    running: Option<Running>,
}

/// What differs from the reference configuration.
pub(crate) struct Settings {
    pub(crate) period: &'static str,
    pub(crate) epoch: u64,
    pub(crate) sources: Vec<String>,
    /// Further trusts.
    pub(crate) more: String,
    state: PathBuf,
}

/// The daemon in this process, if it is here, and connections to it.
struct Running {
    task: Option<Task>,
    channel: Channel,
    admin: Channel,
}

struct Task {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<anyhow::Result<()>>,
    daemon: tufd::Running,
}

impl Node {
    /// Everything but the daemon: one signed image, published; root keys in the bundle.
    pub(crate) async fn new() -> Self {
        keep_time_slow();
        Self::at(Clock::default()).await
    }

    /// The same at another time, for a daemon in a process of its own.
    pub(crate) async fn at(clock: Clock) -> Self {
        let mut org = organisation(&clock);
        let site = Site::start(org.publish()).await;
        let dir = tempfile::tempdir().unwrap();
        let agent = FakeWorkloadApi::start(dir.path().join("agent.sock")).unwrap();
        agent.set(DOMAIN, org.anchor().to_der());
        let (sources, state) = (vec![site.url()], dir.path().join("state"));
        let settings = Settings { period: "5m", epoch: 1, sources, more: String::new(), state };
        let node = Self { dir, clock, org, site, agent, settings, running: None };
        std::fs::write(node.config_file(), node.config_text()).unwrap();
        node
    }

    /// A node whose daemon answers ALLOW.
    pub(crate) async fn allowing() -> Self {
        let mut node = Self::new().await;
        node.start().await;
        node.trust_becomes("").await;
        assert_eq!(node.reason().await, "SIGNED");
        node
    }

    pub(crate) async fn start(&mut self) {
        self.try_start().await.expect("the daemon starts");
    }

    pub(crate) async fn try_start(&mut self) -> anyhow::Result<()> {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let clock = self.clock.clone();
        let setup = tufd::Setup::new(self.config())?;
        let run = async move {
            let state = StateDir::open(&setup.config().state_dir)?;
            let clock = tufd::clock::Clock::new(move || clock.now());
            let ready = move |running| ready.send(running).unwrap();
            let shutdown = async move {
                let _ = stopped.await;
            };
            tufd::run(setup, &state, clock, ready, shutdown).await
        };
        let ended = tokio::spawn(run);
        let Ok(daemon) = is_ready.await else {
            ended.await.unwrap()?;
            panic!("it ended before it was ready");
        };
        self.connect(Some(Task { stop, ended, daemon }));
        Ok(())
    }

    /// Talks to a daemon in another process, as soon as that serves.
    pub(crate) fn attach(&mut self) {
        self.connect(None);
    }

    fn connect(&mut self, task: Option<Task>) {
        let (channel, admin) = (connect(&self.socket()), connect(&self.admin_socket()));
        self.running = Some(Running { task, channel, admin });
    }

    pub(crate) async fn stop(&mut self) {
        let Running { task, channel, admin } = self.running.take().unwrap();
        drop((channel, admin));
        let Task { stop, ended, daemon: _ } = task.unwrap();
        stop.send(()).unwrap();
        ended.await.unwrap().unwrap();
    }

    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start().await;
    }

    /// Publishes what the organisation has changed.
    pub(crate) fn publish(&mut self) {
        self.site.serve(self.org.publish());
    }

    /// Signs and publishes another image; returns its digest.
    pub(crate) fn publish_image(&mut self, reference: &str) -> String {
        let image = FakeImage::new(reference);
        self.org.sign_image("payments", &image.named(reference));
        self.publish();
        digest_of(reference)
    }

    pub(crate) async fn verify(
        &self,
        reference: &str,
        digest: &str,
    ) -> Result<v1::Verdict, Status> {
        verify(self.channel(), reference, digest).await
    }

    /// The verdict on the image that is signed from the start, as its reason.
    pub(crate) async fn reason(&self) -> String {
        self.reason_of(API).await
    }

    /// The verdict on an image that [`FakeImage`] made of its own reference, as its reason.
    pub(crate) async fn reason_of(&self, reference: &str) -> String {
        look_up(self.channel(), reference).await
    }

    pub(crate) async fn trust(&self) -> v1::TrustEntry {
        let request = v1::GetTrustRequest::default();
        let state = TrustClient::new(self.channel()).get_trust(request).await.unwrap();
        state.into_inner().trusts.remove(0)
    }

    pub(crate) async fn refresh(&self) -> v1::RefreshResult {
        let request = v1::RefreshRequest::default();
        let response = AdminClient::new(self.admin()).refresh(request).await.unwrap();
        response.into_inner().results.remove(0)
    }

    /// Waits until the trust's own reason is this one; empty while it can allow.
    pub(crate) async fn trust_becomes(&self, reason: &str) -> v1::TrustEntry {
        self.trust_until(reason, |entry| entry.reason == reason).await
    }

    pub(crate) async fn trust_until(
        &self,
        what: &str,
        is_so: impl Fn(&v1::TrustEntry) -> bool,
    ) -> v1::TrustEntry {
        let mut last = None;
        let waiting = async {
            loop {
                let entry = self.trust().await;
                if is_so(&entry) {
                    return entry;
                }
                last = Some(entry);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, waiting).await;
        found.unwrap_or_else(|_| panic!("never {what:?}, but {last:#?}"))
    }

    pub(crate) fn channel(&self) -> Channel {
        self.running.as_ref().unwrap().channel.clone()
    }

    /// The daemon in this process.
    pub(crate) fn daemon(&self) -> &tufd::Running {
        &self.running.as_ref().unwrap().task.as_ref().unwrap().daemon
    }

    /// A connection of its own.
    pub(crate) fn new_channel(&self) -> Channel {
        connect(&self.socket())
    }

    pub(crate) fn admin(&self) -> Channel {
        self.running.as_ref().unwrap().admin.clone()
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.dir.path().join("tufd.toml")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("serve/tufd.sock")
    }

    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.dir.path().join("admin/admin.sock")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.settings.state.clone()
    }

    pub(crate) fn use_state_of(&mut self, other: &Self) {
        self.settings.state = other.state();
    }

    pub(crate) fn config(&self) -> Config {
        let text = self.config_text();
        Config::parse(&text, Path::new("tufd.toml"), &System::current().unwrap()).unwrap()
    }

    pub(crate) fn config_text(&self) -> String {
        let Settings { period, epoch, sources, more, state } = &self.settings;
        let state = state.display();
        let uid = rustix::process::geteuid().as_raw();
        let dir = self.dir.path().display();
        format!(
            r#"
[workload_api]
socket = "{dir}/agent.sock"
allowed_uids = [{uid}]
[serve]
socket = "{dir}/serve/tufd.sock"
allow_uids = [{uid}]
[admin]
socket = "{dir}/admin/admin.sock"
allow_uids = [{uid}]
[state]
dir = "{state}"
[refresh]
period = "{period}"
[[trust]]
name = "acme"
trust_domain = "{DOMAIN}"
threshold = 2
epoch = {epoch}
metadata = {sources:?}
{more}
[[policy]]
images = "registry.acme.example/**"
trust = ["acme"]
"#
        )
    }
}

async fn verify(channel: Channel, reference: &str, digest: &str) -> Result<v1::Verdict, Status> {
    let request = v1::VerifyImageRequest {
        reference: reference.to_owned(),
        digest: digest.to_owned(),
        ..v1::VerifyImageRequest::default()
    };
    VerifierClient::new(channel).verify_image(request).await.map(Response::into_inner)
}

/// The verdict on an image that [`FakeImage`] made of its own reference, as its reason.
pub(crate) async fn look_up(channel: Channel, reference: &str) -> String {
    match verify(channel, reference, &digest_of(reference)).await {
        Ok(verdict) => {
            let allow = verdict.decision() == v1::Decision::Allow;
            assert_eq!(allow, verdict.reason == "SIGNED", "{verdict:?}");
            verdict.reason
        }
        Err(status) => {
            assert_eq!(status.code(), Code::Unavailable, "{status}");
            status.message().split(':').next().unwrap().to_owned()
        }
    }
}

/// The digest that a tag of this name points at.
pub(crate) fn digest_of(reference: &str) -> String {
    FakeImage::new(reference).index.digest().to_string()
}

pub(crate) fn new_key() -> SigningKey {
    SigningKey::generate(KeyKind::Ed25519).unwrap()
}

/// Three root keys of which two must sign, two teams, one signed image.
pub(crate) fn organisation(clock: &Clock) -> Org {
    let mut org = Org::with_root_keys(clock, &[new_key(), new_key(), new_key()], 2);
    org.add_team(Team::new("payments", &["registry.acme.example/payments/*"]));
    org.add_team(Team::new("shop", &["registry.acme.example/shop/*"]));
    org.sign_image("payments", &FakeImage::new(API).named(API));
    org
}

fn connect(socket: &Path) -> Channel {
    let socket = socket.to_owned();
    let dial = tower::service_fn(move |_: Uri| {
        let socket = socket.clone();
        async move {
            // A daemon in another process serves when it is ready.
            let patience = tokio::time::Instant::now() + PATIENCE;
            loop {
                match UnixStream::connect(&socket).await {
                    Ok(stream) => return Ok::<_, io::Error>(TokioIo::new(stream)),
                    Err(error) if tokio::time::Instant::now() > patience => return Err(error),
                    Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
                }
            }
        }
    });
    Endpoint::from_static("http://localhost").connect_with_connector_lazy(dial)
}

/// A paused clock jumps to the next timer whenever all tasks wait, for a socket too. With a timer a millisecond away
/// it cannot overtake what two tasks say to each other.
fn keep_time_slow() {
    tokio::spawn(async {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}
