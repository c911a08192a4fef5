//! The database follows what is trusted, in the background: no verdict and no refresh ever waits for it.
//!
//! It is a second copy of the last chains, taken up where the plain files are damaged, and it remembers what was allowed.
//! A database that is damaged is set aside and made anew from memory; one that is only older than the floor file, which
//! any kill leaves behind, is brought up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};
use tufd_tuf::floors::Floors;

use crate::causes::in_one_line;
use crate::refresh::{Replayed, replay};
use crate::store::{
    Allowed, Cache, CacheError, CacheKey, ChainFile, ChainFiles, Scope, quarantine,
};

/// Tells the database what to follow. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Follower(Arc<Followed>);

#[derive(Debug)]
struct Followed {
    /// The newest chain of each scope, of which the floor file on the disk knows. None, where the scope was left.
    newest: Mutex<BTreeMap<Scope, Arc<ChainFiles>>>,
    changed: Notify,
    allowed: Arc<Allowed>,
    database: Mutex<Database>,
    /// Whether the newest turn went well.
    follows: AtomicBool,
}

/// A trust whose copy in the database is looked at when that opens.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) scope: Scope,
    /// As they were when the daemon started: the database has not been written since.
    pub(crate) floors: Floors,
    /// Who takes up what the copy vouches for.
    pub(crate) taker: oneshot::Sender<Replayed>,
}

/// Changes come in flocks: a root and its chain, ALLOWs of many images.
const GATHER: Duration = Duration::from_millis(250);
/// Between tries where the database cannot be used, doubling.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// A turn that takes longer hangs.
const TURN_LONG: Duration = Duration::from_secs(60);

impl Follower {
    /// The database in `dir` follows also what is noted in `allowed`. It is opened by `run`.
    #[must_use]
    pub fn new(dir: PathBuf, allowed: Arc<Allowed>) -> Self {
        let database = Mutex::new(Database { dir, open: None, waiting: Vec::new() });
        let (newest, changed) = (Mutex::default(), Notify::new());
        let follows = AtomicBool::new(false);
        Self(Arc::new(Followed { newest, changed, allowed, database, follows }))
    }

    /// Makes `files` what is to be in the database of a scope. Nothing is left of it for no files.
    pub fn follow(&self, scope: &Scope, files: Arc<ChainFiles>) {
        self.newest().insert(scope.clone(), files);
        self.0.changed.notify_one();
    }

    /// Whether the database is up to what there is, or soon will be.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.0.follows.load(Relaxed)
    }

    /// Keeps the database. Never ends.
    pub(crate) async fn run(self, waiting: Vec<Waiting>) {
        self.database().waiting = waiting;
        let (mut pause, mut said) = (PAUSE, None);
        loop {
            let follower = self.clone();
            let turn = spawn_blocking(move || follower.database().turn(&follower));
            let error = match self.end_of(turn).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(in_one_line(&error)),
                Err(panicked) => Some(panicked.to_string()),
            };
            self.0.follows.store(error.is_none(), Relaxed);
            match error {
                None => {
                    if said.take().is_some() {
                        tracing::info!("the database follows again");
                    }
                    pause = PAUSE;
                    self.changed().await;
                    sleep(GATHER).await;
                }
                Some(error) => {
                    if said.as_ref() != Some(&error) {
                        tracing::error!(
                            error,
                            "the database cannot follow; verdicts do not need it"
                        );
                    }
                    said = Some(error);
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    /// A turn that hangs follows nothing, whatever comes of it.
    async fn end_of<T>(&self, mut turn: JoinHandle<T>) -> Result<T, JoinError> {
        if let Ok(ended) = timeout(TURN_LONG, &mut turn).await {
            return ended;
        }
        self.0.follows.store(false, Relaxed);
        tracing::error!("the database hangs; verdicts do not need it");
        turn.await
    }

    /// Brings the database up for the last time and closes it, so that it is no older than the floor file.
    pub(crate) async fn finish(self) {
        let last = move || {
            let mut database = self.database();
            let ended = database.turn(&self);
            if let Some(open) = database.open.take() {
                open.cache.close();
            }
            ended
        };
        if let Ok(Err(error)) = spawn_blocking(last).await {
            tracing::warn!(error = in_one_line(&error), "the database was left behind");
        }
    }

    async fn changed(&self) {
        tokio::select! {
            () = self.0.changed.notified() => {}
            () = self.0.allowed.changed() => {}
        }
    }

    fn newest(&self) -> MutexGuard<'_, BTreeMap<Scope, Arc<ChainFiles>>> {
        self.0.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn database(&self) -> MutexGuard<'_, Database> {
        self.0.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is anything to put into a new database.
    fn has_something(&self) -> bool {
        !self.newest().is_empty() || self.0.allowed.count() > 0
    }
}

/// The database, on a thread that may block.
#[derive(Debug)]
struct Database {
    dir: PathBuf,
    open: Option<Open>,
    /// Until it was open once.
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Open {
    cache: Cache,
    /// What it holds of each scope.
    held: BTreeMap<Scope, Arc<ChainFiles>>,
}

impl Database {
    /// Brings the database up to what there is.
    fn turn(&mut self, follower: &Follower) -> Result<(), CacheError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            // An empty directory stays one: a database beside no floor file means that the floor file was deleted.
            None if !self.dir.exists() && !follower.has_something() => {
                self.waiting.clear();
                return Ok(());
            }
            None => self.open(follower)?,
        };
        match open.bring_up(follower) {
            Ok(()) => {
                self.open = Some(open);
                Ok(())
            }
            Err(error) => {
                open.cache.close();
                if error.is_damage() {
                    set_aside(&self.dir, &in_one_line(&error))?;
                }
                Err(error)
            }
        }
    }

    fn open(&mut self, follower: &Follower) -> Result<Open, CacheError> {
        let (cache, _) = Cache::open(&self.dir)?;
        match self.take_in(&cache, follower) {
            Ok(held) => Ok(Open { cache, held }),
            Err(why) => {
                cache.close();
                set_aside(&self.dir, &why)?;
                let (cache, _) = Cache::open(&self.dir)?;
                // Nothing of what is in memory is in there.
                follower.0.allowed.merge(&BTreeMap::new());
                Ok(Open { cache, held: BTreeMap::new() })
            }
        }
    }

    /// Reads what the database holds, all that is good of it, and gives it to whom it may help. An error is why the
    /// database is to be set aside.
    fn take_in(
        &mut self,
        cache: &Cache,
        follower: &Follower,
    ) -> Result<BTreeMap<Scope, Arc<ChainFiles>>, String> {
        let mut bad = None;
        match cache.allowed() {
            Ok(saved) => follower.0.allowed.merge(&saved),
            Err(error) => bad = Some(in_one_line(&error)),
        }
        let mut held = BTreeMap::new();
        for Waiting { scope, floors, taker } in self.waiting.drain(..) {
            let mut files = ChainFiles::new();
            let mut read = |file: &ChainFile| {
                let key = CacheKey { scope: scope.clone(), file: file.clone() };
                let found = cache.get(&key).unwrap_or_else(|error| {
                    bad = Some(in_one_line(&error));
                    None
                });
                let bytes: Arc<[u8]> = found?.into();
                files.insert(file.clone(), Arc::clone(&bytes));
                Some(bytes)
            };
            let replayed = replay(&mut read, &floors);
            if let Some(older) = &replayed.older {
                tracing::info!(
                    trust = scope.trust,
                    why = older,
                    "the database is older than the floor file; it will follow"
                );
            }
            // The trust may have what it needs.
            let _ = taker.send(replayed);
            held.insert(scope, Arc::new(files));
        }
        bad.map_or(Ok(held), Err)
    }
}

impl Open {
    fn bring_up(&mut self, follower: &Follower) -> Result<(), CacheError> {
        // First what is nowhere else: the chains are in the plain files.
        let unsaved = follower.0.allowed.unsaved();
        if !unsaved.is_empty() {
            self.cache.put_allowed(&unsaved)?;
            follower.0.allowed.saved(&unsaved);
        }
        let newest = follower.newest().clone();
        for (scope, files) in newest {
            let held = self.held.get(&scope).cloned();
            if held.as_ref().is_some_and(|held| **held == *files) {
                continue;
            }
            let held = held.unwrap_or_default();
            let key = |file: &ChainFile| CacheKey { scope: scope.clone(), file: file.clone() };
            let new: Vec<(CacheKey, &[u8])> = files
                .iter()
                .filter(|(file, bytes)| held.get(file) != Some(bytes))
                .map(|(file, bytes)| (key(file), &**bytes))
                .collect();
            self.cache.put(&new)?;
            self.cache.retain(&scope, &files.keys().map(key).collect::<BTreeSet<_>>())?;
            self.held.insert(scope, files);
        }
        Ok(())
    }
}

fn set_aside(dir: &Path, why: &str) -> Result<(), CacheError> {
    if !dir.exists() {
        return Ok(()); // somebody deleted it under us
    }
    let to = quarantine(dir)?;
    tracing::error!(why, to = %to.display(), "the database was set aside, and is made anew");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_was_allowed_is_saved_where_a_chain_cannot_be() {
        let dir = tempfile::tempdir().unwrap();
        let allowed = Arc::new(Allowed::default());
        let follower = Follower::new(dir.path().join("db"), Arc::clone(&allowed));
        let too_large = Arc::from(vec![0; 64 * 1024 * 1024 + 1]);
        let scope = Scope { trust: "tuf-root.acme.example".into(), epoch: 1 };
        follower.follow(&scope, Arc::new([(ChainFile::Snapshot, too_large)].into()));
        allowed.note([7; 32], jiff::Timestamp::UNIX_EPOCH);
        let (cache, _) = Cache::open(&dir.path().join("db")).unwrap();
        let mut open = Open { cache, held: BTreeMap::new() };
        open.bring_up(&follower).unwrap_err();
        assert!(open.cache.allowed().unwrap().contains_key(&[7; 32]));
    }

    #[tokio::test(start_paused = true)]
    async fn database_that_hangs_does_not_follow_and_follows_when_it_is_back() {
        let dir = tempfile::tempdir().unwrap();
        let follower = Follower::new(dir.path().join("db"), Arc::default());
        let running = tokio::spawn(follower.clone().run(Vec::new()));
        while !follower.follows() {
            sleep(Duration::from_millis(1)).await;
        }
        let ((locked, is_locked), (release, released)) = (mpsc::channel(), mpsc::channel::<()>());
        let holder = follower.clone();
        std::thread::spawn(move || {
            let _hangs = holder.database();
            locked.send(()).unwrap();
            let _ = released.recv();
        });
        is_locked.recv().unwrap();
        follower.follow(&Scope { trust: "a".to_owned(), epoch: 1 }, Arc::default());
        // The clock does not go on by itself while a thread is busy.
        for _ in 0..2 * TURN_LONG.as_secs() {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(!follower.follows());
        drop(release);
        while !follower.follows() {
            sleep(Duration::from_millis(1)).await;
        }
        running.abort();
    }
}
