//! Several sources of the same files, none of which can withhold what another one gives.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{ByteLimit, FetchError, Fetched, FileName, Source, SourceUrl};

/// The sources of one trust, in the order of the configuration.
#[derive(Debug)]
pub struct Mirrors {
    sources: Vec<Source>,
    health: Vec<Mutex<SourceHealth>>,
}

/// A source's place in the configuration, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceIndex(pub usize);

/// How long all sources are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until each has answered or failed.
    Thorough,
    /// Somebody waits: once one has answered, the others have what is left of the hedge time (2 s), and of a quarter
    /// of it where their last answer was an error.
    Hedged,
}

/// What one source answered.
#[derive(Debug)]
pub struct Answer {
    /// Which source.
    pub source: SourceIndex,
    /// Its address.
    pub url: SourceUrl,
    /// What it gave.
    pub result: Result<Fetched, FetchError>,
}

/// How a source has been doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceHealth {
    /// Its address.
    pub url: SourceUrl,
    /// When it last answered, be it that it has no such file.
    pub last_answer: Option<Timestamp>,
    /// What was wrong with it last, and when; `None` once it has answered well again.
    pub last_error: Option<(Timestamp, String)>,
    /// How many of its files were refused.
    pub refused: u64,
}

impl Mirrors {
    /// Over `sources`, the preferred one first.
    #[must_use]
    pub fn new(sources: Vec<Source>) -> Self {
        let fresh = |source: &Source| {
            Mutex::new(SourceHealth {
                url: source.url().clone(),
                last_answer: None,
                last_error: None,
                refused: 0,
            })
        };
        let health = sources.iter().map(fresh).collect();
        Self { sources, health }
    }

    /// Asks every source at once: for the next root and the timestamp, where the highest counts and absence must be
    /// unanimous. In the order of the sources; those that `patience` did not suffice for are left out.
    pub async fn all(&self, file: &FileName, limit: ByteLimit, patience: Patience) -> Vec<Answer> {
        let mut asked = Candidates::new(self, file, limit);
        let mut late = Vec::new();
        for (at, (source, health)) in self.sources.iter().zip(self.health()).enumerate() {
            let share = if health.last_error.is_some() { 4 } else { 1 };
            late.push((SourceIndex(at), Instant::now() + source.limits().hedge / share));
        }
        while asked.start_next() {}
        let mut answers: Vec<Answer> = Vec::new();
        let mut until = None;
        while let Some(answer) = asked.finished_by(until).await {
            late.retain(|(source, _)| *source != answer.source);
            answers.push(answer);
            if patience == Patience::Hedged && answers.iter().any(|answer| answer.result.is_ok()) {
                until = late.iter().map(|(_, at)| *at).max();
            }
        }
        late.into_iter().for_each(|(source, _)| self.note_silence(source));
        answers.sort_by_key(|answer| answer.source);
        answers
    }

    /// Asks one source after the other until the caller is content: for a file whose content is known from elsewhere.
    /// Sources whose last answer was an error come last.
    #[must_use]
    pub fn first(&self, file: &FileName, limit: ByteLimit) -> Candidates<'_> {
        Candidates::new(self, file, limit)
    }

    /// Notes that a source's bytes were refused, so that others are asked before it.
    pub fn refused(&self, source: SourceIndex, why: &dyn std::fmt::Display) {
        self.note(source, |health| {
            health.last_error = Some((Timestamp::now(), why.to_string()));
            health.refused += 1;
        });
    }

    /// How each source has been doing, in the order of the sources.
    #[must_use]
    pub fn health(&self) -> Vec<SourceHealth> {
        let read = |health: &Mutex<SourceHealth>| {
            health.lock().unwrap_or_else(PoisonError::into_inner).clone()
        };
        self.health.iter().map(read).collect()
    }

    fn note(&self, SourceIndex(index): SourceIndex, change: impl FnOnce(&mut SourceHealth)) {
        if let Some(health) = self.health.get(index) {
            change(&mut health.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// So that others are asked before it, and the operator sees it.
    fn note_silence(&self, source: SourceIndex) {
        let silence = "it gave no answer while somebody waited".to_owned();
        self.note(source, |health| health.last_error = Some((Timestamp::now(), silence)));
    }

    fn note_answer(&self, answer: &Answer) {
        let now = Timestamp::now();
        self.note(answer.source, |health| match &answer.result {
            Ok(_) => (health.last_answer, health.last_error) = (Some(now), None),
            Err(error) => {
                health.last_error = Some((now, format!("{}: {}", error.file, error.failure)))
            }
        });
    }
}

/// The answers to one request, as they come. Dropping it drops what is under way.
#[derive(Debug)]
pub struct Candidates<'a> {
    mirrors: &'a Mirrors,
    file: FileName,
    limit: ByteLimit,
    waiting: VecDeque<(SourceIndex, Source)>,
    under_way: JoinSet<Answer>,
    /// The one asked last.
    newest: Option<SourceIndex>,
    /// When the next source is asked even if none has answered.
    hedge_at: Instant,
}

impl<'a> Candidates<'a> {
    fn new(mirrors: &'a Mirrors, file: &FileName, limit: ByteLimit) -> Self {
        let mut waiting: Vec<_> = mirrors
            .sources
            .iter()
            .cloned()
            .enumerate()
            .map(|(at, source)| (SourceIndex(at), source))
            .collect();
        let failed: Vec<bool> =
            mirrors.health().iter().map(|health| health.last_error.is_some()).collect();
        waiting.sort_by_key(|(SourceIndex(at), _)| failed.get(*at).copied());
        Self {
            mirrors,
            file: file.clone(),
            limit,
            waiting: waiting.into(),
            under_way: JoinSet::new(),
            newest: None,
            hedge_at: Instant::now(),
        }
    }

    /// The next answer, or `None` when every source has answered. Each call asks one more source, and another one
    /// whenever the ones asked have been silent for the hedge time (2 s).
    ///
    /// Safe to cancel: no answer is lost.
    pub async fn next(&mut self) -> Option<Answer> {
        self.start_next();
        loop {
            let (hedge_at, more) = (self.hedge_at, !self.waiting.is_empty());
            tokio::select! {
                answer = self.finished() => if answer.is_some() || !self.start_next() {
                    return answer;
                },
                () = sleep_until(hedge_at), if more => {
                    self.newest.inspect(|silent| self.mirrors.note_silence(*silent));
                    self.start_next();
                }
            }
        }
    }

    /// Asks the next source; false when all have been asked.
    fn start_next(&mut self) -> bool {
        let Some((index, source)) = self.waiting.pop_front() else { return false };
        self.hedge_at = Instant::now() + source.limits().hedge;
        self.newest = Some(index);
        let (file, limit) = (self.file.clone(), self.limit);
        self.under_way.spawn(async move {
            let result = source.get(&file, limit).await;
            Answer { source: index, url: source.url().clone(), result }
        });
        true
    }

    /// The next answer, if it comes by then.
    async fn finished_by(&mut self, until: Option<Instant>) -> Option<Answer> {
        match until {
            Some(until) => timeout_at(until, self.finished()).await.ok().flatten(),
            None => self.finished().await,
        }
    }

    async fn finished(&mut self) -> Option<Answer> {
        while let Some(joined) = self.under_way.join_next().await {
            match joined {
                Ok(answer) => {
                    self.mirrors.note_answer(&answer);
                    return Some(answer);
                }
                Err(error) => {
                    tracing::error!(%error, file = %self.file, "a fetch ended unexpectedly")
                }
            }
        }
        None
    }
}
