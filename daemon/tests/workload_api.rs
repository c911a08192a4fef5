//! The bundle stream against a Workload API that changes, refuses, dies and lies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // helpers of tests

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::time::Duration;

use spiffe::TrustDomain;
use testkit::workload_api::FakeWorkloadApi;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tufd::workload_api::{BundleEvent, WorkloadApi};
use tufd_proto::workload::X509BundlesResponse;
use tufd_tuf::anchor::Place;

const OURS: &str = "tuf-root.example";
/// After this a test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);

struct Room {
    dir: tempfile::TempDir,
    socket: PathBuf,
}

impl Room {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().canonicalize().unwrap().join("api.sock");
        Self { dir, socket }
    }

    fn agent(&self) -> FakeWorkloadApi {
        FakeWorkloadApi::start(&self.socket).unwrap()
    }

    fn api(&self) -> WorkloadApi {
        WorkloadApi::new(self.socket.clone(), vec![own_uid()])
    }
}

struct Watch {
    events: mpsc::Receiver<BundleEvent>,
}

impl Watch {
    fn of(api: WorkloadApi) -> Self {
        let (sender, events) = mpsc::channel(16);
        tokio::spawn(api.watch(BTreeSet::from([domain(OURS)]), sender));
        Self { events }
    }

    async fn next(&mut self) -> BundleEvent {
        let event = timeout(PATIENCE, self.events.recv()).await;
        event.expect("an event comes").expect("the watch goes on")
    }

    /// The next event that is not about a failed attempt: how many of those come depends on luck.
    async fn next_reached(&mut self) -> BundleEvent {
        timeout(PATIENCE, async {
            loop {
                let event = self.next().await;
                if !matches!(event, BundleEvent::Unreachable { .. }) {
                    return event;
                }
            }
        })
        .await
        .expect("the agent is reached")
    }

    async fn next_unreachable(&mut self) -> String {
        let event = self.next().await;
        let BundleEvent::Unreachable { text } = event else { panic!("{event:?}") };
        text
    }
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn domain(name: &str) -> TrustDomain {
    TrustDomain::new(name).unwrap()
}

fn message(place: Place, ours: Option<&[u8]>) -> BundleEvent {
    let bundles: BTreeMap<_, _> =
        ours.map(|der| (domain(OURS), der.to_vec())).into_iter().collect();
    BundleEvent::Message { place, bundles }
}

#[tokio::test]
async fn bundle_changes_empties_and_withdrawals_arrive_as_such() {
    let room = Room::new();
    let agent = room.agent();
    agent.set(OURS, "one");
    let mut watch = Watch::of(room.api());
    assert_eq!(watch.next().await, message(Place::First, Some(b"one")));
    agent.set(OURS, "onetwo");
    assert_eq!(watch.next().await, message(Place::Later, Some(b"onetwo")));
    agent.set(OURS, "");
    assert_eq!(watch.next().await, message(Place::Later, Some(b"")));
    agent.set("other.example", "x");
    assert_eq!(watch.next().await, message(Place::Later, Some(b"")));
    agent.remove(OURS);
    assert_eq!(watch.next().await, message(Place::Later, None));
    agent.set(OURS, "one");
    assert_eq!(watch.next().await, message(Place::Later, Some(b"one")));
    agent.clear();
    assert_eq!(watch.next().await, message(Place::Later, None));
}

#[tokio::test]
async fn bundle_empty_map_at_first_is_a_message() {
    let room = Room::new();
    let _agent = room.agent();
    let mut watch = Watch::of(room.api());
    assert_eq!(watch.next().await, message(Place::First, None));
}

#[tokio::test]
async fn bundle_bad_foreign_certificate_does_not_hide_our_withdrawal() {
    let room = Room::new();
    let agent = room.agent();
    agent.set(OURS, "one");
    let mut watch = Watch::of(room.api());
    assert_eq!(watch.next().await, message(Place::First, Some(b"one")));
    agent.raw(X509BundlesResponse {
        bundles: HashMap::from([
            ("spiffe://foreign.example".to_owned(), b"\x30\x82not a certificate".to_vec()),
            ("no trust domain at all".to_owned(), b"junk".to_vec()),
        ]),
        ..X509BundlesResponse::default()
    });
    assert_eq!(watch.next().await, message(Place::Later, None));
}

#[tokio::test]
async fn bundle_under_a_second_name_of_ours_is_undecodable() {
    let room = Room::new();
    let agent = room.agent();
    agent.set(OURS, "one");
    let mut watch = Watch::of(room.api());
    assert_eq!(watch.next().await, message(Place::First, Some(b"one")));
    agent.set("TUF-ROOT.example", "two");
    assert!(
        matches!(watch.next().await, BundleEvent::Undecodable { text } if text.contains("TUF-ROOT"))
    );
    agent.remove("TUF-ROOT.example");
    let mut event = watch.next().await;
    while matches!(event, BundleEvent::Undecodable { .. }) {
        event = watch.next().await;
    }
    assert_eq!(event, message(Place::First, Some(b"one")));
}

#[tokio::test]
async fn agent_denies_then_allows_again() {
    let room = Room::new();
    let agent = room.agent();
    agent.set(OURS, "one");
    let mut watch = Watch::of(room.api());
    assert_eq!(watch.next().await, message(Place::First, Some(b"one")));
    agent.deny();
    let denied = BundleEvent::PermissionDenied { text: "no identity issued".to_owned() };
    assert_eq!(watch.next().await, denied);
    assert_eq!(watch.next().await, denied, "it keeps asking");
    agent.allow();
    let mut event = watch.next().await;
    while event == denied {
        event = watch.next().await;
    }
    assert_eq!(event, message(Place::First, Some(b"one")));
}

#[tokio::test]
async fn agent_killed_and_restarted_is_found_again() {
    let room = Room::new();
    let mut agent = room.agent();
    agent.set(OURS, "one");
    let mut watch = Watch::of(room.api());
    assert_eq!(watch.next().await, message(Place::First, Some(b"one")));
    agent.stop();
    watch.next_unreachable().await;
    let absent = watch.next_unreachable().await;
    assert!(absent.contains("api.sock") && absent.contains("No such file"), "{absent}");
    agent.set(OURS, "two");
    agent.restart().unwrap();
    assert_eq!(watch.next_reached().await, message(Place::First, Some(b"two")));
}

#[tokio::test]
async fn agent_absent_at_start_is_waited_for() {
    let room = Room::new();
    let mut watch = Watch::of(room.api());
    watch.next_unreachable().await;
    let agent = room.agent();
    agent.set(OURS, "one");
    // The first message may have come before the bundle was set.
    loop {
        if let BundleEvent::Message { bundles, .. } = watch.next_reached().await
            && !bundles.is_empty()
        {
            break;
        }
    }
}

#[tokio::test]
async fn agent_of_another_uid_refused() {
    let room = Room::new();
    let agent = room.agent();
    let opened = agent.streams_opened();
    let api = WorkloadApi::new(room.socket.clone(), vec![own_uid() + 1]);
    let text = Watch::of(api).next_unreachable().await;
    assert!(text.contains(&format!("belongs to uid {}", own_uid())), "{text}");
    assert_eq!(*opened.borrow(), 0, "nothing was asked of it");
}

#[tokio::test]
async fn impostor_listening_on_a_file_of_an_allowed_owner_refused() {
    let room = Room::new();
    let agent = room.agent();
    let opened = agent.streams_opened();
    // Only root can give the file away; others meet the check of the file's owner instead.
    let allowed = own_uid() + 1;
    let given = chown(&room.socket, Some(allowed), None).is_ok();
    let text =
        Watch::of(WorkloadApi::new(room.socket.clone(), vec![allowed])).next_unreachable().await;
    let expected = if given { "is served by" } else { "belongs to" };
    assert!(text.contains(&format!("{expected} uid {}", own_uid())), "{text}");
    assert_eq!(*opened.borrow(), 0, "nothing was asked of it");
}

#[tokio::test]
async fn impostor_swapped_in_after_the_first_stream_refused() {
    let room = Room::new();
    let mut agent = room.agent();
    let mut watch = Watch::of(room.api());
    watch.next_reached().await;
    agent.stop();
    fs::write(&room.socket, "no socket").unwrap();
    while !watch.next_unreachable().await.contains("is not a socket") {}
}

#[tokio::test]
async fn path_world_writable_parent_refused() {
    let room = Room::new();
    let agent = room.agent();
    fs::set_permissions(room.dir.path(), Permissions::from_mode(0o777)).unwrap();
    let mut watch = Watch::of(room.api());
    let text = watch.next_unreachable().await;
    assert!(text.contains("writable by group or others"), "{text}");
    assert_eq!(*agent.streams_opened().borrow(), 0, "nothing was asked of it");
    fs::set_permissions(room.dir.path(), Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(watch.next_reached().await, message(Place::First, None), "sticky parents are sound");
}

#[tokio::test]
async fn path_through_a_link_leads_to_the_checked_place() {
    let room = Room::new();
    let _agent = room.agent();
    let link = room.socket.with_file_name("link.sock");
    symlink(&room.socket, &link).unwrap();
    let mut watch = Watch::of(WorkloadApi::new(link, vec![own_uid()]));
    assert_eq!(watch.next().await, message(Place::First, None));
}

#[tokio::test(start_paused = true)]
async fn message_oversized_alarms_without_a_spin() {
    let room = Room::new();
    let agent = room.agent();
    agent.set(OURS, "one");
    let mut watch = Watch::of(room.api());
    assert_eq!(watch.next().await, message(Place::First, Some(b"one")));
    agent.set("huge.example", vec![0; 2 * 1024 * 1024]);
    let started = Instant::now();
    let mut alarms: u32 = 0;
    while started.elapsed() < Duration::from_secs(60) {
        let event = watch.next().await;
        assert!(matches!(event, BundleEvent::Undecodable { .. }), "{event:?}");
        alarms += 1;
    }
    // On average one in 2.5 s.
    assert!(alarms < 100, "{alarms} alarms in a minute");
    agent.remove("huge.example");
    while let BundleEvent::Undecodable { .. } = watch.next().await {}
}

/// Else an agent that answers all the time would let an anchor go stale.
#[test]
fn stream_is_reopened_within_the_age_of_an_anchor() {
    let api = |age| Room::new().api().confirming_within(age).reopen_every;
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(60 * 60));
    assert_eq!((api(None), api(Some(hour * 24 * 7))), (hour, hour));
    assert_eq!(api(Some(minute)), minute / 2);
}

#[tokio::test(start_paused = true)]
async fn stream_is_reopened_every_hour() {
    let room = Room::new();
    let agent = room.agent();
    agent.set(OURS, "one");
    let started = Instant::now();
    let mut watch = Watch::of(room.api());
    for hour in 0..3 {
        let event = watch.events.recv().await;
        assert_eq!(event, Some(message(Place::First, Some(b"one"))));
        assert!(started.elapsed() >= Duration::from_secs(3600 * hour), "hour {hour}");
    }
    assert_eq!(*agent.streams_opened().borrow(), 3);
}

#[tokio::test(start_paused = true)]
async fn agent_that_accepts_and_says_nothing_is_unreachable() {
    let room = Room::new();
    let _mute = tokio::net::UnixListener::bind(&room.socket).unwrap();
    let text = Watch::of(room.api()).next_unreachable().await;
    assert!(text.contains("in time"), "{text}");
}

#[tokio::test]
async fn watch_ends_when_nobody_listens() {
    let room = Room::new();
    let _agent = room.agent();
    let (sender, mut events) = mpsc::channel(1);
    let watch = tokio::spawn(room.api().watch(BTreeSet::from([domain(OURS)]), sender));
    assert!(events.recv().await.is_some());
    drop(events);
    timeout(PATIENCE, watch).await.expect("it ends").unwrap();
}
