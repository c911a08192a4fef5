//! Metadata that is old, forged, endless or elsewhere, role names that would be paths, and a directory that was lost.

use std::fs;

use jiff::SignedDuration;
use testkit::site::Manner;
use testkit::{Clock, Files, Org, Team, damage};

use crate::client::{Client, failed, files_below, succeeded, target};

/// An organisation with teams, and a client of it.
struct World {
    org: Org,
    client: Client,
}

impl World {
    async fn new(teams: &[&str]) -> Self {
        let mut org = Org::new(&Clock::default());
        for team in teams {
            org.add_team(Team::new(team, &[&format!("{}/*", team.replace('/', "-"))]));
            org.sign_target(team, &format!("{}/app", team.replace('/', "-")), target(b"app"));
        }
        org.sign_target("targets", "app", target(b"app"));
        let served = served(&org.publish());
        let root = served.get("metadata/1.root.json").unwrap().to_vec();
        let client = Client::new(served, &root, &org.clock().now().to_string()).await;
        Self { org, client }
    }

    fn publish(&mut self) -> Files {
        let files = self.org.publish();
        self.client.site.serve(served(&files));
        files
    }
}

fn served(files: &Files) -> Files {
    let mut served = Files::default();
    for (name, bytes) in files.iter() {
        served.insert(format!("metadata/{name}"), bytes);
    }
    served
}

#[tokio::test(flavor = "multi_thread")]
async fn root_that_its_own_role_did_not_sign_is_refused_by_init() {
    let mut org = Org::new(&Clock::default());
    let mut files = org.publish();
    damage::keep_signatures(&mut files, "1.root.json", 1);
    let world = World::new(&[]).await;
    let client = Client { inside: tempfile::tempdir().unwrap(), ..world.client };
    let asked = client.site.asked();
    failed(&client.init(files.get("1.root.json").unwrap()), "1 valid signatures");
    failed(&client.init(b"{}"), "malformed");
    failed(&client.refresh(), "trusts no root yet");
    assert_eq!(client.site.asked(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn root_given_later_replaces_none() {
    let world = World::new(&[]).await;
    let other = Org::new(&Clock::default()).publish();
    failed(&world.client.init(other.get("1.root.json").unwrap()), "has a trusted root already");
    succeeded(&world.client.refresh());
}

#[tokio::test(flavor = "multi_thread")]
async fn root_stays_trusted_when_a_later_step_fails() {
    let mut world = World::new(&[]).await;
    world.org.rotate_root(&[], &[]);
    let files = world.publish();
    world.client.site.damage(|files| damage::flip_bit(files, "metadata/timestamp.json"));
    failed(&world.client.refresh(), "timestamp");
    assert_eq!(world.client.trusted("root.json").unwrap(), files.get("2.root.json").unwrap());
    assert_eq!(world.client.trusted("timestamp.json"), None);

    // A run that ended between root and floors goes on; an older root in its place does not.
    world.org.rotate_root(&[], &[]);
    let files = world.publish();
    fs::write(world.client.metadata().join("root.json"), files.get("3.root.json").unwrap())
        .unwrap();
    succeeded(&world.client.refresh());
    fs::write(world.client.metadata().join("root.json"), files.get("2.root.json").unwrap())
        .unwrap();
    failed(&world.client.refresh(), "not the root that was trusted last");
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_between_runs_is_refused_whatever_is_left_on_the_disk() {
    let mut world = World::new(&["team"]).await;
    succeeded(&world.client.refresh());
    let old = world.org.publish();
    world.org.renew("team");
    world.publish();
    succeeded(&world.client.resolve("team/app"));
    let trusted = files_below(&world.client.metadata());

    world.client.site.serve(served(&old));
    failed(&world.client.refresh(), "older than");
    assert_eq!(files_below(&world.client.metadata()), trusted);
    for name in ["timestamp.json", "snapshot.json", "targets.json", "team.json"] {
        fs::remove_file(world.client.metadata().join(name)).unwrap();
        failed(&world.client.refresh(), "older than");
    }
    world.publish();
    succeeded(&world.client.refresh());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_that_failed_had_verified_is_a_floor() {
    let mut world = World::new(&["team"]).await;
    let old = world.publish();
    world.org.renew("team");
    let new = world.publish();
    let snapshot = format!("metadata/{}", new.newest("snapshot"));
    world.client.site.behave_for(&snapshot, Manner::Absent);
    failed(&world.client.refresh(), "has no 2.snapshot.json");
    assert_eq!(world.client.trusted("timestamp.json").unwrap(), new.of_role("timestamp"));

    fs::remove_file(world.client.metadata().join("timestamp.json")).unwrap();
    world.client.site.serve(served(&old));
    failed(&world.client.refresh(), "older than");
}

#[tokio::test(flavor = "multi_thread")]
async fn floors_lost_or_damaged_are_no_fresh_start() {
    let world = World::new(&[]).await;
    succeeded(&world.client.refresh());
    let floors = world.client.metadata().join("floors");
    fs::write(&floors, b"{\"root\":null}").unwrap();
    failed(&world.client.refresh(), "missing or damaged");
    fs::remove_file(&floors).unwrap();
    failed(&world.client.refresh(), "missing or damaged");
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_metadata_that_was_changed_is_fetched_again() {
    let world = World::new(&["team"]).await;
    succeeded(&world.client.resolve("team/app"));
    let trusted = files_below(&world.client.metadata());
    for name in ["timestamp.json", "snapshot.json", "targets.json", "team.json"] {
        fs::write(world.client.metadata().join(name), b"{}").unwrap();
        succeeded(&world.client.resolve("team/app"));
        assert_eq!(files_below(&world.client.metadata()), trusted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_endless_elsewhere_or_absent_changes_nothing() {
    let world = World::new(&[]).await;
    let elsewhere = format!("{}elsewhere/", world.client.site.url());
    let (newest_root, timestamp) = ("metadata/2.root.json", "metadata/timestamp.json");
    for (file, manner, words) in [
        (newest_root, Manner::Endless, "longer than 512000 bytes"),
        (newest_root, Manner::Redirect(elsewhere.clone()), "redirect"),
        (newest_root, Manner::Unavailable, "status 503"),
        (newest_root, Manner::Gone, "broke off"),
        (timestamp, Manner::Endless, "longer than 16384 bytes"),
        (timestamp, Manner::Redirect(elsewhere), "redirect"),
        (timestamp, Manner::Html, "malformed"),
        (timestamp, Manner::Absent, "has no timestamp.json"),
    ] {
        let before = files_below(&world.client.metadata());
        world.client.site.behave(Manner::Well);
        world.client.site.behave_for(file, manner);
        failed(&world.client.refresh(), words);
        assert_eq!(files_below(&world.client.metadata()), before);
    }
    world.client.site.behave(Manner::Well);
    succeeded(&world.client.refresh());
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_expired_is_refused_at_the_time_given() {
    let mut world = World::new(&[]).await;
    world.org.lifetimes.timestamp = SignedDuration::from_hours(10 * 24);
    world.publish();
    succeeded(&world.client.refresh());
    // Nothing is fetched but the timestamp, which is still good; the stored snapshot is not.
    world.client.time = hours_later(&world, 8 * 24);
    failed(&world.client.refresh(), "snapshot: expired");
    world.client.time = hours_later(&world, 11 * 24);
    failed(&world.client.refresh(), "timestamp: expired");
}

/// The daemon's floor under the clock would refuse this: here the caller says what time it is.
#[tokio::test(flavor = "multi_thread")]
async fn time_given_once_does_not_bind_the_next_run() {
    let mut world = World::new(&[]).await;
    world.client.time = hours_later(&world, 20);
    succeeded(&world.client.refresh());
    world.org.lifetimes.timestamp = SignedDuration::from_hours(1);
    world.publish();
    failed(&world.client.refresh(), "timestamp: expired");
    world.client.time = hours_later(&world, 0);
    succeeded(&world.client.refresh());
}

fn hours_later(world: &World, hours: i64) -> String {
    (world.org.clock().now() + SignedDuration::from_hours(hours)).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamp_of_the_same_version_changes_nothing() {
    let mut world = World::new(&[]).await;
    let mut files = world.publish();
    succeeded(&world.client.refresh());
    let trusted = files_below(&world.client.metadata());
    damage::forge(&mut files, &world.org, "timestamp", |signed| {
        signed["meta"]["snapshot.json"]["version"] = 7.into();
    });
    world.client.site.serve(served(&files));
    succeeded(&world.client.refresh());
    assert_eq!(files_below(&world.client.metadata()), trusted);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_did_not_change_are_not_fetched_again() {
    let mut world = World::new(&[]).await;
    for _ in 0..3 {
        succeeded(&world.client.refresh());
        world.publish();
    }
    let once = ["metadata/1.snapshot.json", "metadata/1.targets.json"];
    assert_eq!(once.map(|file| world.client.site.asked_for(file)), [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn role_names_that_would_be_paths_stay_in_the_directory() {
    let hostile = ["../../evil", "a/b", "..", "floors", "\u{1f37a}"];
    let world = World::new(&hostile).await;
    for team in hostile {
        succeeded(&world.client.resolve(&format!("{}/app", team.replace('/', "-"))));
    }
    let names: Vec<String> = files_below(world.client.inside.path()).into_keys().collect();
    let expected = [
        "given.json",
        "metadata/%F0%9F%8D%BA.json",
        "metadata/..%2F..%2Fevil.json",
        "metadata/...json",
        "metadata/a%2Fb.json",
        "metadata/floors",
        "metadata/floors.json",
        "metadata/root.json",
        "metadata/snapshot.json",
        "metadata/targets.json",
        "metadata/timestamp.json",
    ];
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    assert_eq!(names, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_asked_for_when_a_search_needs_them() {
    let mut world = World::new(&["one", "two"]).await;
    let asked = |world: &World, version: u64| {
        ["one", "two"]
            .map(|team| world.client.site.asked_for(&format!("metadata/{version}.{team}.json")))
    };
    succeeded(&world.client.refresh());
    succeeded(&world.client.resolve("app"));
    assert_eq!(asked(&world, 1), [0, 0]);
    succeeded(&world.client.resolve("two/app"));
    succeeded(&world.client.resolve("two/app"));
    assert_eq!(asked(&world, 1), [0, 1]);
    // The other one's change costs nothing.
    world.org.renew("one");
    world.publish();
    succeeded(&world.client.resolve("two/app"));
    assert_eq!((asked(&world, 1), asked(&world, 2)), ([0, 1], [0, 0]));
    // A role that cannot be had ends the search for its names, and for no others.
    world.client.site.behave_for("metadata/2.one.json", Manner::Absent);
    failed(&world.client.resolve("one/app"), "has no 2.one.json");
    succeeded(&world.client.resolve("two/app"));
}

#[tokio::test(flavor = "multi_thread")]
async fn role_expired_or_signed_by_others_vouches_for_nothing() {
    type Fault = fn(&mut Files, &Org, &str);
    let faults: [(Fault, _); 2] = [
        (damage::sign_with_strange_key, "0 valid signatures by distinct keys, 1 needed"),
        (damage::expire, "role team expired"),
    ];
    for (fault, words) in faults {
        let mut world = World::new(&["team"]).await;
        let mut files = world.org.publish();
        fault(&mut files, &world.org, "team");
        world.client.site.serve(served(&files));
        failed(&world.client.resolve("team/app"), words);
        assert_eq!(world.client.trusted("team.json"), None);
        succeeded(&world.client.resolve("app"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn directory_in_use_is_waited_for() {
    let world = World::new(&[]).await;
    let asked = world.client.site.asked();
    let in_use = fs::File::open(world.client.metadata()).unwrap();
    in_use.lock().unwrap();
    let url = format!("{}metadata/", world.client.site.url());
    let mut child = world.client.program(&["--metadata-url", &url, "refresh"]).spawn().unwrap();
    // The kernel lists who waits for a lock after an arrow.
    let pid = child.id().to_string();
    let waits = |locks: &str| {
        locks.lines().any(|line| line.contains("->") && line.split(' ').any(|word| word == pid))
    };
    while !waits(&fs::read_to_string("/proc/locks").unwrap()) {
        assert!(child.try_wait().unwrap().is_none(), "it did not wait");
        tokio::task::yield_now().await;
    }
    assert_eq!(world.client.site.asked(), asked);
    in_use.unlock().unwrap();
    assert!(tokio::task::block_in_place(|| child.wait()).unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn directory_that_is_missing_is_not_made_and_cannot_steer_a_terminal() {
    let world = World::new(&[]).await;
    let missing = world.client.inside.path().join("a\nb\u{1b}[2J");
    let url = format!("{}metadata/", world.client.site.url());
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_tuf-client"));
    let program =
        program.arg("--metadata-dir").arg(&missing).args(["--metadata-url", &url, "refresh"]);
    failed(&program.output().unwrap(), "a b?[2J trusts no root yet");
    assert!(!missing.exists());
}
