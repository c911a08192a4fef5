//! The plain files of the last chain against damage, kills, hostile names and disks that cannot be written.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tufd::store::{ChainDir, ChainFile, ChainFiles, Left, Scope};
use tufd_tuf::hash::Sha256;

/// More than one batch of anything.
const ROLES: usize = 120;

fn scope(epoch: u64) -> Scope {
    Scope { trust: "tuf-root.acme.example".into(), epoch }
}

fn open(state: &TempDir) -> ChainDir {
    ChainDir::open(state.path(), &scope(1))
}

/// Version `number` of a chain of many roles; the root stays.
fn chain(number: usize) -> ChainFiles {
    let file = |what: &str| Arc::from(format!("{what} {number}").into_bytes());
    let mut files: ChainFiles =
        [(ChainFile::Timestamp, file("timestamp")), (ChainFile::Snapshot, file("snapshot"))].into();
    files.insert(ChainFile::Root, Arc::from(b"root".as_slice()));
    for role in 0..ROLES {
        files.insert(ChainFile::Role(format!("team-{role}")), file(&format!("role {role}")));
    }
    files
}

fn directory(state: &TempDir) -> PathBuf {
    let mut scopes = fs::read_dir(state.path().join("chains")).unwrap();
    scopes.next().unwrap().unwrap().path()
}

fn names(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    fs::read_dir(dir).unwrap().map(name).map(|name| name.into_string().unwrap()).collect()
}

/// A directory in which version 1 was kept.
fn kept() -> (TempDir, PathBuf) {
    let state = tempfile::tempdir().unwrap();
    open(&state).keep(chain(1)).unwrap();
    let dir = directory(&state);
    (state, dir)
}

#[test]
fn chain_comes_back_whole_and_private() {
    let state = tempfile::tempdir().unwrap();
    assert_eq!(open(&state).left(), Left::Nothing);
    open(&state).keep(chain(1)).unwrap();
    let again = open(&state);
    assert_eq!((again.left(), &*again.kept()), (Left::Whole, &chain(1)));
    assert_eq!(ChainDir::open(state.path(), &scope(2)).left(), Left::Nothing);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory(&state)), 0o700);
    assert_eq!(mode(&directory(&state).join("index")), 0o600);
}

#[test]
fn chain_change_writes_what_is_new_and_removes_what_is_not_used() {
    let (state, dir) = kept();
    let inodes = || -> BTreeMap<String, u64> {
        let inode = |name: String| (name.clone(), fs::metadata(dir.join(name)).unwrap().ino());
        names(&dir).into_iter().map(inode).collect()
    };
    let before = inodes();
    let mut next = chain(1);
    next.insert(ChainFile::Timestamp, Arc::from(b"timestamp 2".as_slice()));
    open(&state).keep(next).unwrap();
    let after = inodes();
    assert_eq!(after.len(), before.len());
    let replaced = after.iter().filter(|(name, inode)| before.get(*name) != Some(inode));
    let replaced: Vec<_> = replaced.map(|(name, _)| name.clone()).collect();
    assert_eq!(replaced.len(), 2, "{replaced:?}");
    assert!(replaced.contains(&Sha256::of(b"timestamp 2").to_string()), "{replaced:?}");
}

#[test]
fn chain_hostile_role_names_are_no_paths() {
    let state = tempfile::tempdir().unwrap();
    let long = "x".repeat(10_000);
    let hostile = ["../../x", "/abs", "a\0b", "index", "", ".", "a\nb", "\u{202e}", "root", &long];
    let mut files = ChainFiles::new();
    for (number, name) in hostile.into_iter().enumerate() {
        let content = format!("content {number}").into_bytes();
        files.insert(ChainFile::Role(name.into()), content.into());
    }
    open(&state).keep(files.clone()).unwrap();
    assert_eq!(*open(&state).kept(), files);
    assert_eq!(names(state.path()), ["chains"]);
    let plain = |name: &String| name == "index" || name.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(names(&directory(&state)).iter().all(plain));
}

#[test]
fn chain_damaged_file_is_found_by_its_hash_and_heals() {
    let damages: [fn(&Path); 6] = [
        |file| fs::write(file, b"").unwrap(),
        |file| fs::write(file, b"role 7 9").unwrap(),
        |file| fs::write(file, vec![0; 1 << 20]).unwrap(),
        |file| fs::remove_file(file).unwrap(),
        |file| {
            fs::rename(file, file.with_extension("aside")).unwrap();
            symlink(file.with_extension("aside"), file).unwrap();
        },
        |file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let (state, dir) = kept();
        damage(&dir.join(Sha256::of(b"role 7 1").to_string()));
        let damaged = open(&state);
        let mut others = chain(1);
        others.remove(&ChainFile::Role("team-7".into()));
        assert_eq!((damaged.left(), &*damaged.kept()), (Left::Damaged, &others), "{number}");
        if number < 5 {
            damaged.keep(chain(1)).unwrap();
            assert_eq!(open(&state).left(), Left::Whole, "{number}");
        }
    }
}

#[test]
fn chain_index_any_flip_or_cut_is_damage() {
    let (state, dir) = kept();
    let good = fs::read(dir.join("index")).unwrap();
    let (at_most, step) = (good.len(), 37);
    for at in (0..at_most).step_by(step) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        for bad in [&bad[..], &good[..at]] {
            fs::write(dir.join("index"), bad).unwrap();
            let damaged = open(&state);
            assert_eq!((damaged.left(), damaged.kept().len()), (Left::Damaged, 0), "{at}");
        }
    }
    fs::remove_file(dir.join("index")).unwrap();
    assert_eq!(open(&state).left(), Left::Damaged);
    open(&state).keep(chain(2)).unwrap();
    assert_eq!(*open(&state).kept(), chain(2));
}

#[test]
fn chain_index_that_names_too_much_is_not_read() {
    let (state, dir) = kept();
    let body = format!(
        r#"{{"trust":"a","epoch":1,"files":[{{"file":"root","sha256":"{}","length":{}}}]}}"#,
        Sha256::of(b"root"),
        u64::MAX
    );
    let sum = Sha256::of(format!("tufd-chain 1\n{body}").as_bytes());
    fs::write(dir.join("index"), format!("tufd-chain 1 {sum}\n{body}")).unwrap();
    assert_eq!(open(&state).left(), Left::Damaged);
}

/// A write that fails leaves what a kill at that moment would.
#[test]
fn chain_write_that_ends_at_any_file_leaves_the_old_whole() {
    let (state, dir) = kept();
    let new = chain(2);
    let mut steps: Vec<String> =
        new.values().map(|bytes| Sha256::of(bytes).to_string()).step_by(9).collect();
    steps.push("index".to_owned());
    for step in steps {
        let block = dir.join(format!("{step}.new"));
        fs::create_dir(&block).unwrap();
        let chain_dir = open(&state);
        let blocked = chain_dir.keep(new.clone());
        fs::remove_dir(&block).unwrap();
        if step == Sha256::of(b"root").to_string() {
            blocked.unwrap(); // that one is there
            open(&state).keep(chain(1)).unwrap();
            continue;
        }
        assert!(blocked.unwrap_err().to_string().contains("chains"), "{step}");
        assert_eq!(*chain_dir.kept(), chain(1), "{step}");
        let again = open(&state);
        assert_eq!((again.left(), &*again.kept()), (Left::Whole, &chain(1)), "{step}");
        assert!(names(&dir).iter().all(|name| !name.ends_with(".new")), "{step}");
    }
    open(&state).keep(new).unwrap();
    assert_eq!(*open(&state).kept(), chain(2));
    assert_eq!(names(&dir).len(), ROLES + 4);
}

#[test]
fn chain_leftovers_of_a_kill_are_removed() {
    let (state, dir) = kept();
    let leftovers = ["index.new".to_owned(), format!("{}.new", Sha256::of(b"x")), "junk".into()];
    leftovers.iter().for_each(|name| fs::write(dir.join(name), b"torn").unwrap());
    assert_eq!(open(&state).left(), Left::Whole);
    open(&state).keep(chain(2)).unwrap();
    assert_eq!(names(&dir).len(), ROLES + 4);
}

#[test]
fn chain_files_deleted_or_cut_under_us_are_written_again() {
    let damages: [fn(&Path); 3] = [
        |dir| fs::remove_dir_all(dir.parent().unwrap()).unwrap(),
        |dir| fs::remove_file(dir.join(Sha256::of(b"root").to_string())).unwrap(),
        |dir| fs::write(dir.join(Sha256::of(b"root").to_string()), b"").unwrap(),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let (state, dir) = kept();
        let running = open(&state);
        damage(&dir);
        running.keep(chain(2)).unwrap();
        let again = open(&state);
        assert_eq!((again.left(), &*again.kept()), (Left::Whole, &chain(2)), "{number}");
    }
}

/// After a failure nobody knows which index is on the disk: here it is one that `ours` does not know of.
#[test]
fn chain_failure_removes_nothing_that_an_index_may_name() {
    let (state, dir) = kept();
    let ours = open(&state);
    open(&state).keep(chain(2)).unwrap();
    fs::create_dir(dir.join("index.new")).unwrap();
    ours.keep(chain(3)).unwrap_err();
    let again = open(&state);
    assert_eq!((again.left(), &*again.kept()), (Left::Whole, &chain(2)));
    fs::remove_dir(dir.join("index.new")).unwrap();
    ours.keep(chain(3)).unwrap();
    assert_eq!(*open(&state).kept(), chain(3));
    assert_eq!(names(&dir).len(), ROLES + 4);
}

#[test]
fn chain_left_for_ever_is_forgotten() {
    let (state, dir) = kept();
    ChainDir::forget(state.path(), &scope(1));
    assert!(!dir.exists());
    ChainDir::forget(state.path(), &scope(1));
}
