//! Targets that would lead out of the directory, never end, or are not what is signed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use testkit::site::Manner;
use testkit::{Clock, Files, Org, Team};

use crate::client::{Client, failed, files_below, stderr, succeeded, target};

const CONTENT: &[u8] = b"what is signed";

/// A client, and an organisation whose top-level role and whose team vouch for these targets.
async fn client(targets: &[&str]) -> (Client, Org) {
    let clock = Clock::default();
    let mut org = Org::new(&clock);
    for path in targets {
        org.sign_target("targets", path, target(CONTENT));
    }
    org.add_team(Team::new("team", &["team/*"]));
    org.sign_target("team", "team/app", target(CONTENT));
    let mut served = Files::default();
    for (name, bytes) in org.publish().iter() {
        served.insert(format!("metadata/{name}"), bytes);
    }
    let root = served.get("metadata/1.root.json").unwrap().to_vec();
    let client = Client::new(served, &root, &clock.now().to_string()).await;
    client.site.damage(|files| {
        for path in targets.iter().chain(&["team/app"]) {
            files.insert(place(path), CONTENT);
        }
    });
    (client, org)
}

/// Where the server has a target: `targets/DIR/HASH.NAME`.
fn place(path: &str) -> String {
    let hash = &target(CONTENT).hashes["sha256"];
    match path.rsplit_once('/') {
        Some((directory, name)) => format!("targets/{directory}/{hash}.{name}"),
        None => format!("targets/{hash}.{path}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn target_is_put_under_one_name_and_fetched_once() {
    let (client, _) = client(&["a/b.txt"]).await;
    for path in ["a/b.txt", "team/app"] {
        let output = client.download(path);
        succeeded(&output);
        let file = client.targets().join(path.replace('/', "%2F"));
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), file.to_str().unwrap());
        assert_eq!(fs::read(&file).unwrap(), CONTENT);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o600, 0o600);
        succeeded(&client.download(path));
        assert_eq!(client.site.asked_for(&place(path)), 1);
    }
    assert_eq!(files_below(&client.targets()).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn target_path_that_leads_out_of_the_directory_is_refused() {
    let hostile = ["../evil", "a/../../evil", "/etc/evil", ".", "..", "a//b", "a/./b", "a/"];
    let (client, _) = client(&hostile).await;
    for path in hostile {
        let words =
            if matches!(path, "." | "..") { "cannot be the name" } else { "has an empty segment" };
        failed(&client.download(path), words);
    }
    let outside: Vec<String> = files_below(client.inside.path()).into_keys().collect();
    assert!(outside.iter().all(|path| !path.contains("evil")), "{outside:?}");
    assert!(files_below(&client.targets()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn target_name_too_long_for_a_file_is_refused() {
    let long = "x".repeat(256);
    let (client, _) = client(&[&long]).await;
    failed(&client.download(&long), "cannot be the name of a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn target_other_than_signed_is_refused_and_leaves_nothing() {
    let (client, _) = client(&["app"]).await;
    for (content, words) in [
        (b"what is not so".as_slice(), "hash differs"),
        (b"what is".as_slice(), "7 bytes came, 14 are listed"),
        (b"what is signed, and more".as_slice(), "longer than 14 bytes"),
    ] {
        client.site.damage(|files| files.insert(place("app"), content));
        failed(&client.download("app"), words);
        assert!(files_below(&client.targets()).is_empty());
    }
    client.site.damage(|files| files.insert(place("app"), CONTENT));
    succeeded(&client.download("app"));
}

#[tokio::test(flavor = "multi_thread")]
async fn target_endless_cut_off_or_elsewhere_leaves_nothing() {
    let (client, _) = client(&["app"]).await;
    let elsewhere = format!("{}elsewhere/", client.site.url());
    for (manner, words) in [
        (Manner::Endless, "longer than 14 bytes"),
        (Manner::Long, "longer than 14 bytes"),
        (Manner::Truncated, "broke off"),
        (Manner::Redirect(elsewhere), "redirect"),
        (Manner::Absent, "has no"),
        (Manner::Unavailable, "status 503"),
    ] {
        client.site.behave_for(&place("app"), manner);
        failed(&client.download("app"), words);
        assert!(files_below(&client.targets()).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn target_changed_on_the_disk_is_fetched_again() {
    let (client, _) = client(&["app"]).await;
    succeeded(&client.download("app"));
    let file = client.targets().join("app");
    fs::write(&file, b"what is not so").unwrap();
    succeeded(&client.download("app"));
    assert_eq!(fs::read(&file).unwrap(), CONTENT);

    // A link in its place is replaced, not followed.
    let other = client.inside.path().join("other");
    fs::write(&other, b"mine").unwrap();
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&other, &file).unwrap();
    succeeded(&client.download("app"));
    assert_eq!(fs::read(&other).unwrap(), b"mine");
    assert_eq!(fs::read(&file).unwrap(), CONTENT);
    assert!(fs::symlink_metadata(&file).unwrap().is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn directory_is_a_source_of_metadata_and_targets() {
    let (client, mut org) = client(&["a/b.txt"]).await;
    let published = tempfile::tempdir().unwrap();
    org.publish_to(&published.path().join("metadata")).unwrap();
    let file = published.path().join(place("a/b.txt"));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, CONTENT).unwrap();
    let url = |place| format!("file://{}/{place}/", published.path().display());
    let output = client
        .program(&["--target-name", "a/b.txt", "--target-dir", client.targets().to_str().unwrap()])
        .args([
            "--metadata-url",
            &url("metadata"),
            "--target-base-url",
            &url("targets"),
            "download",
        ])
        .output()
        .unwrap();
    succeeded(&output);
    assert_eq!(fs::read(client.targets().join("a%2Fb.txt")).unwrap(), CONTENT);
    assert_eq!(client.site.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn target_directory_that_cannot_be_written_is_named() {
    let (client, _) = client(&["app"]).await;
    fs::remove_dir(client.targets()).unwrap();
    failed(&client.download("app"), "targets/app: No such file");
}

#[tokio::test(flavor = "multi_thread")]
async fn resolve_prints_one_document_and_fetches_no_target() {
    let (client, _) = client(&["app"]).await;
    let output = client.resolve("team/app");
    succeeded(&output);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!({
        "target": "team/app",
        "role_path": ["targets", "team"],
        "length": CONTENT.len(),
        "hashes": target(CONTENT).hashes,
    });
    assert_eq!(document, expected);
    assert_eq!(client.site.asked_for(&place("team/app")), 0);
    // The team's scope ends where the organisation said.
    failed(&client.resolve("teams/app"), "no role that may speak of target");
    assert!(stderr(&client.resolve("x\u{1b}[2J")).contains("\\u{1b}"));
}
