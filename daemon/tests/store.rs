//! The state directory against damage, other versions, other daemons and hostile names.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tufd::store::{
    Cache, CacheKey, ChainFile, Loaded, LockError, Opened, Scope, SlotError, Slots, StateDir,
    StateError,
};

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Floors {
    root: u64,
    note: String,
}

fn floors(root: u64) -> Floors {
    Floors { root, note: "acme".into() }
}

fn open(dir: &Path) -> Loaded<Floors> {
    Slots::open(dir).unwrap().1
}

/// A directory in which floors 1, then 2 were written.
fn two_slots() -> (TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (mut slots, loaded) = Slots::open(dir.path()).unwrap();
    assert_eq!(loaded, Loaded::Never);
    slots.write(&floors(1)).unwrap();
    slots.write(&floors(2)).unwrap();
    let (older, newer) = (dir.path().join("floors.0"), dir.path().join("floors.1"));
    (dir, older, newer)
}

#[test]
fn slots_give_back_the_newest() {
    let (dir, _, _) = two_slots();
    let (mut slots, loaded) = Slots::open(dir.path()).unwrap();
    assert_eq!(loaded, Loaded::Found(floors(2)));
    slots.write(&floors(3)).unwrap();
    assert_eq!(open(dir.path()), Loaded::Found(floors(3)));
}

#[test]
fn slots_format_is_for_good() {
    let (dir, older, _) = two_slots();
    let expected = "tufd-floors 1 1 a72500b656d0581c449a693ff17708da22c7c3db742db0a0861b6ef5fbdd69f2\n{\"root\":1,\"note\":\"acme\"}";
    assert_eq!(fs::read_to_string(older).unwrap(), expected);
    assert_eq!(
        fs::metadata(dir.path().join("floors.0")).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn slots_any_flip_never_yields_other_content() {
    let (dir, older, newer) = two_slots();
    for (path, survivor) in [(&newer, floors(1)), (&older, floors(2))] {
        let good = fs::read(path).unwrap();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                fs::write(path, &bad).unwrap();
                let found = open(dir.path());
                assert_eq!(found, Loaded::Found(floors(survivor.root)), "byte {at} bit {bit}");
            }
        }
        fs::write(path, &good).unwrap();
    }
}

#[test]
fn slots_cut_anywhere_never_yield_other_content() {
    let (dir, _, newer) = two_slots();
    let good = fs::read(&newer).unwrap();
    for length in 0..good.len() {
        fs::write(&newer, &good[..length]).unwrap();
        assert_eq!(open(dir.path()), Loaded::Found(floors(1)), "cut to {length}");
    }
    let long = [&good[..], b" "].concat();
    fs::write(&newer, long).unwrap();
    assert_eq!(open(dir.path()), Loaded::Found(floors(1)));
}

#[test]
fn slots_both_damaged_are_lost_and_not_never() {
    let (dir, older, newer) = two_slots();
    fs::write(&older, b"").unwrap();
    fs::write(&newer, b"junk").unwrap();
    let (mut slots, loaded) = Slots::<Floors>::open(dir.path()).unwrap();
    assert_eq!(loaded, Loaded::Lost);
    slots.write(&floors(9)).unwrap();
    assert_eq!(open(dir.path()), Loaded::Found(floors(9)));
}

#[test]
fn slots_only_one_left_and_damaged_are_lost() {
    let (dir, older, newer) = two_slots();
    fs::remove_file(older).unwrap();
    fs::write(&newer, b"junk").unwrap();
    assert_eq!(open(dir.path()), Loaded::Lost);
}

#[test]
fn slots_replaced_by_something_else_are_lost() {
    let (dir, older, newer) = two_slots();
    fs::remove_file(&older).unwrap();
    fs::create_dir(&older).unwrap();
    fs::rename(&newer, dir.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), &newer).unwrap();
    assert_eq!(open(dir.path()), Loaded::Lost);
}

#[test]
fn slots_write_replaces_the_older_one_only() {
    let (dir, older, newer) = two_slots();
    let kept = fs::read(&newer).unwrap();
    let (mut slots, _) = Slots::<Floors>::open(dir.path()).unwrap();
    slots.write(&floors(3)).unwrap();
    assert_eq!(fs::read(&newer).unwrap(), kept);
    assert_ne!(fs::read(&older).unwrap(), kept);
    fs::write(&older, b"torn").unwrap();
    assert_eq!(open(dir.path()), Loaded::Found(floors(2)));
}

#[test]
fn slots_failed_write_is_an_error_and_loses_nothing() {
    let (dir, older, _) = two_slots();
    let (mut slots, _) = Slots::<Floors>::open(dir.path()).unwrap();
    fs::create_dir(dir.path().join("floors.0.new")).unwrap();
    assert!(matches!(slots.write(&floors(3)), Err(SlotError::Write { path, .. }) if path == older));
    assert_eq!(open(dir.path()), Loaded::Found(floors(2)));
    fs::remove_dir(dir.path().join("floors.0.new")).unwrap();
    slots.write(&floors(4)).unwrap();
    assert_eq!(open(dir.path()), Loaded::Found(floors(4)));
}

#[test]
fn slots_of_a_newer_version_refused_untouched() {
    let (dir, older, newer) = two_slots();
    let body = r#"{"root":7,"note":"acme","more":1}"#;
    let sum = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        format!("tufd-floors 2 3\n{body}").as_bytes(),
    );
    let text = format!("tufd-floors 2 3 {}\n{body}", hex::encode(sum));
    fs::write(&older, &text).unwrap();
    let before = (fs::read(&older).unwrap(), fs::read(&newer).unwrap());
    let refused = Slots::<Floors>::open(dir.path()).unwrap_err();
    assert!(matches!(refused, SlotError::Newer { path, found: 2 } if path == older));
    assert_eq!((fs::read(&older).unwrap(), fs::read(&newer).unwrap()), before);
}

#[test]
fn slots_of_other_content_refused_untouched() {
    let (dir, _, _) = two_slots();
    assert!(matches!(Slots::<u64>::open(dir.path()), Err(SlotError::Content { .. })));
    assert_eq!(open(dir.path()), Loaded::Found(floors(2)));
}

#[test]
fn directory_is_made_private() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made/state");
    drop(StateDir::open(&path).unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let state = StateDir::open(&path).unwrap();
    assert_eq!(fs::metadata(state.path()).unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(fs::read_to_string(path.join("schema")).unwrap(), "tufd-state 1\n");
}

#[test]
fn directory_second_daemon_refused_by_pid() {
    let dir = tempfile::tempdir().unwrap();
    let first = StateDir::open(dir.path()).unwrap();
    let StateError::Lock(LockError::Held { pid, .. }) = StateDir::open(dir.path()).unwrap_err()
    else {
        panic!("not told that the directory is held");
    };
    assert_eq!(pid, std::process::id().to_string());
    drop(first);
    StateDir::open(dir.path()).unwrap();
}

#[test]
fn directory_of_a_newer_or_damaged_layout_refused_untouched() {
    for (text, newer) in
        [("tufd-state 2\n", true), ("tufd-state", false), ("", false), ("1\n", false)]
    {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.path().join("schema"), text).unwrap();
        let refused = StateDir::open(dir.path()).unwrap_err();
        assert_eq!(matches!(refused, StateError::Newer { found: 2, .. }), newer, "{text:?}");
        assert_eq!(matches!(refused, StateError::Damaged { .. }), !newer, "{text:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{text:?}");
        assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o755);
    }
}

fn scope(trust: &str, epoch: u64) -> Scope {
    Scope { trust: trust.into(), epoch }
}

fn key(file: ChainFile) -> CacheKey {
    CacheKey { scope: scope("acme", 1), file }
}

fn role(name: &str) -> CacheKey {
    key(ChainFile::Role(name.into()))
}

/// Bytes that differ from chunk to chunk.
fn large(seed: u8) -> Vec<u8> {
    (0..20_000_u32).map(|at| seed.wrapping_add(u8::try_from(at / 79 % 251).unwrap())).collect()
}

fn open_cache(dir: &Path) -> Cache {
    let (cache, opened) = Cache::open(&dir.join("db")).unwrap();
    assert_eq!(opened, Opened::Clean);
    cache
}

#[test]
fn cache_gives_back_every_size() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_cache(dir.path());
    for length in [0, 1, 6143, 6144, 6145, 12_288, 20_000] {
        let bytes = &large(3)[..length];
        store.put(&[(role("a"), bytes)]).unwrap();
        assert_eq!(store.get(&role("a")).unwrap().unwrap(), bytes, "{length}");
    }
    assert_eq!(store.get(&role("b")).unwrap(), None);
}

#[test]
fn cache_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open_cache(dir.path());
    cache.put(&[(key(ChainFile::Root), &large(1)), (key(ChainFile::Snapshot), b"{}")]).unwrap();
    drop(cache);
    let cache = open_cache(dir.path());
    assert_eq!(cache.get(&key(ChainFile::Root)).unwrap().unwrap(), large(1));
    assert_eq!(cache.get(&key(ChainFile::Snapshot)).unwrap().unwrap(), b"{}");
}

#[test]
fn cache_hostile_names_stay_apart_and_are_no_paths() {
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(100_000);
    let names = [
        "root", "../../x", "/abs", "a\0b", "a", "%2e%2e", "", "a/b", "\u{202e}", "e\u{301}",
        "\u{e9}", &long,
    ];
    let mut keys: Vec<CacheKey> = names.iter().map(|name| role(name)).collect();
    keys.extend([ChainFile::Root, ChainFile::Predecessor, ChainFile::Timestamp].map(key));
    keys.extend(
        ["acme", "acm", "ac\0me"]
            .map(|trust| CacheKey { scope: scope(trust, 2), file: ChainFile::Root }),
    );
    keys.push(CacheKey { scope: scope("acm", 1), file: ChainFile::Role("eroot".into()) });
    let store = open_cache(dir.path());
    let contents: Vec<String> = (0..keys.len()).map(|at| format!("content {at}")).collect();
    let files: Vec<_> = keys.iter().cloned().zip(contents.iter().map(String::as_bytes)).collect();
    store.put(&files).unwrap();
    for (key, bytes) in files {
        assert_eq!(store.get(&key).unwrap().unwrap(), bytes, "{key:?}");
    }
    let entries = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(entries.collect::<Vec<_>>(), ["db"]);
}

#[test]
fn cache_retain_drops_the_rest_of_its_scope_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_cache(dir.path());
    let other = CacheKey { scope: scope("acme", 2), file: ChainFile::Root };
    // The same bytes under two keys share their chunks: dropping one must not take the other's.
    let files = [
        (role("kept"), large(1)),
        (role("gone"), large(1)),
        (role("too"), large(2)),
        (other.clone(), large(1)),
    ];
    store.put(&files.each_ref().map(|(key, bytes)| (key.clone(), bytes.as_slice()))).unwrap();
    store.retain(&scope("acme", 1), &BTreeSet::from([role("kept"), role("never put")])).unwrap();
    assert_eq!(store.get(&role("kept")).unwrap().unwrap(), large(1));
    assert_eq!(store.get(&role("gone")).unwrap(), None);
    assert_eq!(store.get(&role("too")).unwrap(), None);
    assert_eq!(store.get(&other).unwrap().unwrap(), large(1));
}

/// Changes the database under the cache, as damage would.
fn tamper(dir: &Path, change: impl FnOnce(&sled::Db)) -> Cache {
    let db = sled::open(dir.join("db")).unwrap();
    change(&db);
    drop(db);
    open_cache(dir)
}

fn entries(db: &sled::Db, kind: u8) -> Vec<(sled::IVec, sled::IVec)> {
    db.scan_prefix([1, kind]).collect::<Result<_, _>>().unwrap()
}

#[test]
fn cache_replaced_chunks_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open_cache(dir.path());
    for seed in 0..20 {
        cache.put(&[(role("a"), &large(seed))]).unwrap();
        cache.retain(&scope("acme", 1), &BTreeSet::from([role("a")])).unwrap();
    }
    drop(cache);
    tamper(dir.path(), |db| assert_eq!((entries(db, b'h').len(), entries(db, b'c').len()), (1, 4)));
}

#[test]
fn cache_missing_altered_or_swapped_chunk_is_never_wrong_bytes() {
    type Damage = fn(&sled::Db);
    let damages: [Damage; 6] = [
        |db| drop(db.remove(&entries(db, b'c')[1].0).unwrap()),
        |db| drop(db.remove(&entries(db, b'c')[3].0).unwrap()),
        |db| {
            let (key, mut value) = entries(db, b'c').swap_remove(2);
            value[17] ^= 1;
            db.insert(key, value).unwrap();
        },
        |db| {
            let chunks = entries(db, b'c');
            db.insert(&chunks[0].0, &chunks[1].1).unwrap();
            db.insert(&chunks[1].0, &chunks[0].1).unwrap();
        },
        |db| drop(db.insert(&entries(db, b'c')[0].0, b"".as_slice()).unwrap()),
        |db| drop(db.insert(&entries(db, b'c')[0].0, vec![0; 1 << 20]).unwrap()),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let cache = open_cache(dir.path());
        cache.put(&[(role("a"), &large(1))]).unwrap();
        drop(cache);
        let cache = tamper(dir.path(), damage);
        cache.get(&role("a")).expect_err(&format!("damage {number}"));
        cache.put(&[(role("a"), &large(1))]).unwrap();
        assert_eq!(cache.get(&role("a")).unwrap().unwrap(), large(1), "damage {number} heals");
    }
}

#[test]
fn cache_head_that_lies_is_refused() {
    let huge = [&u64::MAX.to_be_bytes()[..], &[0; 32]].concat();
    let longer = |head: &[u8]| [&21_000_u64.to_be_bytes()[..], &head[8..]].concat();
    let dir = tempfile::tempdir().unwrap();
    let cache = open_cache(dir.path());
    cache.put(&[(role("a"), &large(1))]).unwrap();
    drop(cache);
    for lie in [0, 1, 2] {
        let cache = tamper(dir.path(), |db| {
            let (key, head) = entries(db, b'h').swap_remove(0);
            let lies = [huge.clone(), longer(&head), head[..39].to_vec()];
            db.insert(key, lies[lie].as_slice()).unwrap();
        });
        cache.get(&role("a")).expect_err(&format!("lie {lie}"));
        cache.put(&[(role("a"), &large(1))]).unwrap();
    }
}

#[test]
fn cache_put_torn_before_its_head_leaves_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open_cache(dir.path());
    cache.put(&[(role("a"), &large(1))]).unwrap();
    drop(cache);
    let mut old_head = None;
    let cache = tamper(dir.path(), |db| old_head = Some(entries(db, b'h').swap_remove(0)));
    cache.put(&[(role("a"), &large(2))]).unwrap();
    drop(cache);
    let (key, head) = old_head.unwrap();
    let cache = tamper(dir.path(), |db| drop(db.insert(key, head).unwrap()));
    assert_eq!(cache.get(&role("a")).unwrap().unwrap(), large(1));
}

#[test]
fn cache_of_another_layout_version_is_not_met() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open_cache(dir.path());
    cache.put(&[(role("a"), b"old layout")]).unwrap();
    drop(cache);
    let cache = tamper(dir.path(), |db| {
        for (key, value) in db.iter().map(Result::unwrap) {
            db.remove(&key).unwrap();
            db.insert([&[2], &key[1..]].concat(), value).unwrap();
        }
    });
    assert_eq!(cache.get(&role("a")).unwrap(), None);
}

#[test]
fn cache_leftover_snapshot_does_not_keep_it_shut() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open_cache(dir.path());
    cache.put(&[(role("a"), &large(1))]).unwrap();
    drop(cache);
    let db = dir.path().join("db");
    fs::write(db.join("snap.00000000FFFFFFFF.generating"), b"").unwrap();
    fs::write(db.join("snap.00000000EEEEEEEE.generating"), b"partial").unwrap();
    fs::write(db.join("snap.00000000DDDDDDDD"), b"").unwrap();
    assert_eq!(open_cache(dir.path()).get(&role("a")).unwrap().unwrap(), large(1));
}

#[test]
fn cache_damaged_files_are_set_aside() {
    for name in ["conf", "snap.00000000000000FF"] {
        let dir = tempfile::tempdir().unwrap();
        let cache = open_cache(dir.path());
        cache.put(&[(role("a"), &large(1))]).unwrap();
        drop(cache);
        let db = dir.path().join("db");
        fs::write(db.join(name), vec![0x5a; 64]).unwrap();
        let (cache, opened) = Cache::open(&db).unwrap();
        let Opened::Quarantined { to } = opened else { panic!("{name} was not noticed") };
        assert!(to.file_name().unwrap().to_str().unwrap().starts_with("db.corrupt-"));
        assert!(to.join("db").exists());
        assert_eq!(cache.get(&role("a")).unwrap(), None);
        cache.put(&[(role("a"), b"fetched again")]).unwrap();
        assert_eq!(cache.get(&role("a")).unwrap().unwrap(), b"fetched again");
    }
}

#[test]
fn cache_log_cut_anywhere_never_panics_or_lies() {
    let dir = tempfile::tempdir().unwrap();
    let cache = open_cache(dir.path());
    for seed in 0..4 {
        cache.put(&[(role("a"), &large(seed))]).unwrap();
    }
    drop(cache);
    let log = dir.path().join("db/db");
    let good = fs::read(&log).unwrap();
    for part in 0..16 {
        let cut = tempfile::tempdir().unwrap();
        fs::create_dir(cut.path().join("db")).unwrap();
        for entry in fs::read_dir(dir.path().join("db")).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), cut.path().join("db").join(entry.file_name())).unwrap();
            }
        }
        fs::write(cut.path().join("db/db"), &good[..good.len() * part / 16]).unwrap();
        let (cache, _) = Cache::open(&cut.path().join("db")).unwrap();
        if let Ok(Some(bytes)) = cache.get(&role("a")) {
            assert!((0..4).any(|seed| bytes == large(seed)), "cut to {part}/16");
        }
    }
}

#[test]
fn cache_damage_that_comes_back_does_not_fill_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..6 {
        match number % 2 {
            0 => fs::create_dir_all(dir.path().join("db")).unwrap(),
            _ => fs::write(dir.path().join("db"), b"no directory").unwrap(),
        }
        tufd::store::quarantine(&dir.path().join("db")).unwrap();
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn cache_in_use_is_not_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let held = open_cache(dir.path());
    held.put(&[(role("a"), b"kept")]).unwrap();
    Cache::open(&dir.path().join("db")).unwrap_err();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(held.get(&role("a")).unwrap().unwrap(), b"kept");
}
