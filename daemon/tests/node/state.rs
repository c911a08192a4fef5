//! `tufctl state`: a node's floors and chains as a document, and the operator's word on the time floor.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use jiff::SignedDuration;
use serde_json::Value;
use tufd_proto::v1::ResetTimeFloorRequest;
use tufd_proto::v1::admin_client::AdminClient;

use crate::node::{API, DOMAIN, Node};
use crate::site::Manner;

const NEWER: &str = "registry.acme.example/payments/api:2.0";
const SLOTS: [&str; 2] = ["floors.0", "floors.1"];

#[tokio::test(start_paused = true)]
async fn exported_while_it_runs_and_imported_elsewhere_it_answers_alone() {
    let mut node = Node::allowing().await;
    let old = node.org.publish();
    node.publish_image(NEWER);
    assert_eq!(node.refresh().await.error, "");
    let file = export(&node);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    node.stop().await;
    fs::rename(node.state(), node.state().with_extension("old")).unwrap();

    let said = import(&node, &file);
    assert!(said.status.success(), "{}", text(&said.stderr));
    assert!(text(&said.stdout).contains(DOMAIN));
    start_alone(&mut node).await;
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
    // The floors came along.
    node.site.behave(Manner::Well);
    node.site.serve(old);
    assert!(node.refresh().await.error.contains("older"));
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn export_to_standard_output_is_one_document_that_can_be_imported() {
    let mut node = Node::allowing().await;
    let dir = node.state();
    for output in [&[][..], &["-o", "json"]] {
        let said = tufctl(&[&["state", "export", "--dir", utf8(&dir), "-"], output].concat());
        assert!(said.status.success(), "{}", text(&said.stderr));
        let document: Value = serde_json::from_slice(&said.stdout).unwrap();
        assert_eq!(document["trusts"].as_object().unwrap().keys().collect::<Vec<_>>(), [DOMAIN]);
        fs::write(document_of(&node), &said.stdout).unwrap();
        let empty = dir.with_extension("empty");
        let done = tufctl(&["state", "import", "--dir", utf8(&empty), utf8(&document_of(&node))]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        fs::remove_dir_all(empty).unwrap();
    }
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn import_refused_while_a_daemon_runs() {
    let node = Node::allowing().await;
    let file = export(&node);
    let before = contents(&node.state());
    let said = import(&node, &file);
    assert_eq!(said.status.code(), Some(1));
    let error = text(&said.stderr);
    assert!(error.contains("while tufd runs"), "{error}");
    assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
    assert_eq!(contents(&node.state()), before);
}

#[tokio::test(start_paused = true)]
async fn import_never_replaces_floors() {
    let mut node = Node::allowing().await;
    let file = export(&node);
    node.publish_image(NEWER);
    assert_eq!(node.refresh().await.error, "");
    node.stop().await;
    let before = contents(&node.state());
    let said = import(&node, &file);
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains("already has floors"), "{}", text(&said.stderr));
    assert_eq!(contents(&node.state()), before);
}

#[tokio::test(start_paused = true)]
async fn import_of_a_cut_changed_or_newer_document_touches_nothing() {
    let mut node = Node::allowing().await;
    let file = export(&node);
    node.stop().await;
    let good = fs::read_to_string(&file).unwrap();
    let replaced = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let bad = [
        (String::new(), "undamaged"),
        (good[..good.len() / 2].to_owned(), "undamaged"),
        (replaced("\"epoch\": 1", "\"epoch\": 2"), "undamaged"),
        (replaced("\"version\": 1", "\"version\": 7"), "undamaged"),
        (replaced("\"schema\": 1", "\"schema\": 2, \"more\": 3"), "schema 2"),
        (replaced("\"trusts\"", "\"more\": 1, \"trusts\""), "undamaged"),
    ];
    let empty = node.state().with_extension("empty");
    for (document, why) in bad {
        fs::write(&file, document).unwrap();
        let said = tufctl(&["state", "import", "--dir", utf8(&empty), utf8(&file)]);
        assert_eq!(said.status.code(), Some(1));
        assert!(text(&said.stderr).contains(why), "{}", text(&said.stderr));
        assert!(!empty.exists());
    }
}

#[tokio::test(start_paused = true)]
async fn import_that_cannot_be_written_leaves_nothing_behind() {
    let mut node = Node::allowing().await;
    let file = export(&node);
    node.stop().await;
    let dir = node.state().with_extension("blocked");
    fs::create_dir_all(dir.join("floors.0.new")).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    let said = tufctl(&["state", "import", "--dir", utf8(&dir), utf8(&file)]);
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains("cannot write"), "{}", text(&said.stderr));
    assert!(!dir.join("chains").exists());
    fs::remove_dir(dir.join("floors.0.new")).unwrap();
    let said = tufctl(&["state", "import", "--dir", utf8(&dir), utf8(&file)]);
    assert!(said.status.success(), "{}", text(&said.stderr));
}

#[tokio::test(start_paused = true)]
async fn import_whose_chain_cannot_be_written_leaves_floors_and_no_loss() {
    let mut node = Node::allowing().await;
    let older = node.org.publish();
    node.publish_image(NEWER);
    assert_eq!(node.refresh().await.error, "");
    let file = export(&node);
    node.stop().await;
    fs::rename(node.state(), node.state().with_extension("old")).unwrap();
    fs::create_dir(node.state()).unwrap();
    fs::set_permissions(node.state(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(node.state().join("chains"), b"no directory").unwrap();
    let said = import(&node, &file);
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains("floors were imported"), "{}", text(&said.stderr));
    start_alone(&mut node).await;
    assert_eq!(node.trust().await.reason, "NO_TRUST");
    node.stop().await;
    fs::remove_file(node.state().join("chains")).unwrap();
    node.site.behave(Manner::Well);
    node.site.serve(older);
    node.start().await;
    assert!(node.refresh().await.error.contains("older"), "the floors did not come along");
    node.publish();
    assert_eq!(node.refresh().await.error, "");
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn import_where_floors_were_lost_gives_floors_and_no_verdict() {
    let mut node = Node::allowing().await;
    let old = node.org.publish();
    node.publish_image(NEWER);
    assert_eq!(node.refresh().await.error, "");
    let file = export(&node);
    node.stop().await;
    for damage in [
        |path: &Path| fs::write(path, b"damaged").unwrap(),
        |path: &Path| {
            fs::remove_file(path).unwrap();
        },
    ] {
        SLOTS.iter().for_each(|slot| damage(&node.state().join(slot)));
        let said = import(&node, &file);
        assert!(said.status.success(), "{}", text(&said.stderr));
        start_alone(&mut node).await;
        assert_eq!(node.trust().await.reason, "FLOORS_LOST");
        node.site.behave(Manner::Well);
        node.site.serve(old.clone());
        assert!(node.refresh().await.error.contains("older"));
        assert_eq!(node.trust().await.reason, "FLOORS_LOST");
        node.publish();
        assert_eq!(node.refresh().await.error, "");
        assert_eq!(node.reason_of(NEWER).await, "SIGNED");
        node.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn export_of_no_floors_or_lost_ones_is_refused() {
    let mut node = Node::allowing().await;
    node.stop().await;
    let file = document_of(&node);
    let export = |node: &Node| {
        tufctl(&["state", "export", "--dir", utf8(&node.state()), utf8(&file), "-o", "json"])
    };
    SLOTS.iter().for_each(|slot| fs::write(node.state().join(slot), b"damaged").unwrap());
    let said = export(&node);
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains("is lost"), "{}", text(&said.stderr));
    fs::remove_dir_all(node.state()).unwrap();
    let said = export(&node);
    assert_eq!(said.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert!(error["error"].as_str().unwrap().contains("no floors"), "{error}");
    assert!(!file.exists());
}

#[tokio::test(start_paused = true)]
async fn time_floor_falls_only_by_the_operators_word() {
    let mut node = below_the_floor().await;
    assert!(node.refresh().await.error.contains("expired"));
    node.restart().await;
    assert!(node.refresh().await.error.contains("expired"), "a restart dropped it");

    let mut admin = AdminClient::new(node.admin());
    let mut reset = async |trust: &str| {
        let request = ResetTimeFloorRequest { trust: trust.into() };
        admin.reset_time_floor(request).await.map(tonic::Response::into_inner)
    };
    for unnamed in ["", "other"] {
        reset(unnamed).await.unwrap_err();
    }
    assert!(reset("acme").await.unwrap().before.is_some());
    assert_eq!(reset("acme").await.unwrap().before, None);
    assert_eq!(node.refresh().await.error, "");
    assert_eq!(node.reason_of(API).await, "SIGNED");
    node.restart().await;
    assert_eq!(node.refresh().await.error, "");
}

#[tokio::test(start_paused = true)]
async fn time_floor_stands_where_its_reset_cannot_be_written() {
    let mut node = below_the_floor().await;
    let blocks = SLOTS.map(|slot| node.state().join(format!("{slot}.new")));
    blocks.iter().for_each(|block| fs::create_dir(block).unwrap());
    let mut admin = AdminClient::new(node.admin());
    let request = ResetTimeFloorRequest { trust: "acme".into() };
    admin.reset_time_floor(request).await.unwrap_err();
    blocks.iter().for_each(|block| fs::remove_dir(block).unwrap());
    assert!(node.refresh().await.error.contains("expired"));
    node.restart().await;
    assert!(node.refresh().await.error.contains("expired"));
}

/// A node whose clock had run ahead: what is published now expires before the floor.
async fn below_the_floor() -> Node {
    let mut node = Node::allowing().await;
    let begin = node.clock.now();
    node.clock.advance(SignedDuration::from_hours(30));
    node.publish();
    assert_eq!(node.refresh().await.error, "");
    node.clock.set(begin);
    node.publish();
    node
}

fn export(node: &Node) -> PathBuf {
    let file = document_of(node);
    let said = tufctl(&["state", "export", "--dir", utf8(&node.state()), utf8(&file)]);
    assert!(said.status.success(), "{}", text(&said.stderr));
    file
}

fn import(node: &Node, file: &Path) -> Output {
    tufctl(&["state", "import", "--dir", utf8(&node.state()), utf8(file)])
}

fn document_of(node: &Node) -> PathBuf {
    node.config_file().with_extension("export")
}

fn tufctl(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tufctl"));
    command.args(arguments).stdin(Stdio::null()).output().unwrap()
}

async fn start_alone(node: &mut Node) {
    node.agent.stop();
    node.site.behave(Manner::Gone);
    node.start().await;
}

/// All files of a directory that anything is decided by.
fn contents(state: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut dirs = vec![state.to_owned()];
    let mut all = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() && entry.file_name() != "db" => dirs.push(entry.path()),
                kind if kind.is_file() && entry.file_name() != "lock" => {
                    all.push((entry.path(), fs::read(entry.path()).unwrap()));
                }
                _ => {}
            }
        }
    }
    all.sort();
    all
}

fn utf8(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
