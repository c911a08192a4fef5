//! The sections that are tables: what is in the file, and what the daemon gets.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::error::Wrong;
use super::system::{Names, System};
use super::values::{
    Account, DirectoryPath, HumanDuration, Mode, NotYet, Patience, SocketPath, choose,
};

/// `[workload_api]`: where the anchor comes from, and how long its absence is put up with (design 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadApi {
    /// The agent's socket.
    pub socket: PathBuf,
    /// Who may own the other end of it.
    pub allowed_uids: BTreeSet<u32>,
    /// A domain missing for so long is withdrawn.
    pub withdraw_after: Patience,
    /// `PermissionDenied` for so long is a withdrawal.
    pub permission_denied_after: Patience,
    /// An anchor not confirmed for so long is stale.
    pub anchor_max_age: Patience,
}

/// `[serve]`: the socket of verdicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve {
    /// Its path.
    pub socket: PathBuf,
    /// Users that are answered.
    pub allow_uids: BTreeSet<u32>,
    /// Groups that are answered.
    pub allow_gids: BTreeSet<u32>,
    /// The socket's permission bits.
    pub mode: u32,
}

/// `[admin]`: the operator's socket, in a directory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Its path.
    pub socket: PathBuf,
    /// Users that are answered.
    pub allow_uids: BTreeSet<u32>,
}

/// `[verdicts]`: what happens when freshness cannot be had (design 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// Which way is preferred.
    pub availability: Availability,
    /// How long expired metadata may still allow, under another availability than strict.
    pub grace_max: Duration,
}

/// `[verdicts] availability`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Expired is DENY.
    Strict,
}

/// `[log]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least level that is logged.
    pub level: LogLevel,
    /// How.
    pub format: LogFormat,
}

/// `[log] level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what needs an operator.
    Error,
    /// And what may.
    Warn,
    /// And what changed.
    Info,
    /// And why.
    Debug,
    /// And everything else.
    Trace,
}

/// `[log] format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// "own" in a list of users.
const OWN: &str = "own";

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawWorkloadApi {
    socket: Option<SocketPath>,
    allowed_uids: Option<Vec<Account>>,
    withdraw_after: Option<Patience>,
    permission_denied_after: Option<Patience>,
    anchor_max_age: Option<Patience>,
}

impl RawWorkloadApi {
    pub(super) fn check(self, system: &System) -> Result<WorkloadApi, Wrong> {
        let key = |name: &str| format!("workload_api.{name}");
        let socket = match (self.socket, &system.endpoint) {
            (Some(SocketPath(path)), _) => path,
            (None, Some(endpoint)) => {
                let refused = |problem| {
                    Wrong::new(key("socket"), format!("SPIFFE_ENDPOINT_SOCKET: {problem}"))
                };
                SocketPath::parse(endpoint).map_err(refused)?.0
            }
            (None, None) => {
                return Err(Wrong::new(
                    key("socket"),
                    "is required where SPIFFE_ENDPOINT_SOCKET is not set",
                ));
            }
        };
        let allowed_uids = match self.allowed_uids {
            Some(accounts) => {
                numbers(&key("allowed_uids"), accounts, &system.users, Some(system.own_uid))?
            }
            None => [Some(0), system.users.number_of("spire"), Some(system.own_uid)]
                .into_iter()
                .flatten()
                .collect(),
        };
        let within = |name, value: Option<Patience>, default, least, most| {
            let value = value.unwrap_or(Patience::For(default));
            value
                .limit()
                .map_or(Ok(()), |limit| bounded(&key(name), limit, least, most))
                .map(|()| value)
        };
        Ok(WorkloadApi {
            socket,
            allowed_uids,
            withdraw_after: within(
                "withdraw_after",
                self.withdraw_after,
                MINUTE,
                Duration::ZERO,
                DAY,
            )?,
            permission_denied_after: within(
                "permission_denied_after",
                self.permission_denied_after,
                30 * MINUTE,
                Duration::ZERO,
                30 * DAY,
            )?,
            anchor_max_age: within(
                "anchor_max_age",
                self.anchor_max_age,
                7 * DAY,
                Duration::from_secs(1),
                365 * DAY,
            )?,
        })
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawServe {
    socket: SocketPath,
    allow_uids: Vec<Account>,
    allow_gids: Vec<Account>,
    mode: Mode,
}

impl Default for RawServe {
    fn default() -> Self {
        Self {
            socket: SocketPath("/run/tufd/tufd.sock".into()),
            allow_uids: vec![Account::Number(0)],
            allow_gids: Vec::new(),
            mode: Mode(0o660),
        }
    }
}

impl RawServe {
    pub(super) fn check(self, system: &System) -> Result<Serve, Wrong> {
        Ok(Serve {
            socket: self.socket.0,
            allow_uids: numbers(
                "serve.allow_uids",
                self.allow_uids,
                &system.users,
                Some(system.own_uid),
            )?,
            allow_gids: numbers("serve.allow_gids", self.allow_gids, &system.groups, None)?,
            mode: self.mode.0,
        })
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawAdmin {
    socket: SocketPath,
    allow_uids: Vec<Account>,
}

impl Default for RawAdmin {
    fn default() -> Self {
        Self {
            socket: SocketPath("/run/tufd-admin/admin.sock".into()),
            allow_uids: vec![Account::Number(0)],
        }
    }
}

impl RawAdmin {
    /// The directory's modes guard the socket, so it is not shared with everybody who may ask for verdicts.
    pub(super) fn check(self, system: &System, serve: &Serve) -> Result<Admin, Wrong> {
        let SocketPath(socket) = self.socket;
        if socket.parent() == serve.socket.parent() {
            let shared = socket.parent().unwrap_or(Path::new("/")).display().to_string();
            return Err(Wrong::new(
                "admin.socket",
                format!("must lie in another directory than serve.socket, not in {shared}"),
            ));
        }
        let allow_uids =
            numbers("admin.allow_uids", self.allow_uids, &system.users, Some(system.own_uid))?;
        Ok(Admin { socket, allow_uids })
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawState {
    dir: DirectoryPath,
}

impl Default for RawState {
    fn default() -> Self {
        Self { dir: DirectoryPath("/var/lib/tufd".into()) }
    }
}

impl RawState {
    pub(super) fn check(self) -> PathBuf {
        self.dir.0
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawRefresh {
    period: HumanDuration,
}

impl Default for RawRefresh {
    fn default() -> Self {
        Self { period: HumanDuration(5 * MINUTE) }
    }
}

impl RawRefresh {
    pub(super) fn check(self) -> Result<Duration, Wrong> {
        bounded("refresh.period", self.period.0, Duration::from_secs(1), DAY)
            .map(|()| self.period.0)
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawVerdicts {
    #[serde(deserialize_with = "availability")]
    availability: Availability,
    grace_max: HumanDuration,
}

impl Default for RawVerdicts {
    fn default() -> Self {
        Self { availability: Availability::Strict, grace_max: HumanDuration(DAY) }
    }
}

impl RawVerdicts {
    pub(super) fn check(self) -> Result<Verdicts, Wrong> {
        let grace_max = self.grace_max.0;
        bounded("verdicts.grace_max", grace_max, Duration::ZERO, 72 * HOUR)?;
        Ok(Verdicts { availability: self.availability, grace_max })
    }
}

fn availability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Availability, D::Error> {
    choose(deserializer, &[("strict", Availability::Strict)], &["known-good"])
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawMetrics {
    listen: Option<NotYet>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawLog {
    #[serde(deserialize_with = "level")]
    level: LogLevel,
    #[serde(deserialize_with = "format")]
    format: LogFormat,
}

impl Default for RawLog {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}

impl RawLog {
    pub(super) fn check(self) -> Log {
        Log { level: self.level, format: self.format }
    }
}

impl LogLevel {
    /// As `tracing` reads it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogLevel, D::Error> {
    use LogLevel::{Debug, Error, Info, Trace, Warn};
    let allowed = [Error, Warn, Info, Debug, Trace].map(|level| (level.as_str(), level));
    choose(deserializer, &allowed, &[])
}

fn format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogFormat, D::Error> {
    choose(deserializer, &[("text", LogFormat::Text), ("json", LogFormat::Json)], &[])
}

fn bounded(key: &str, value: Duration, least: Duration, most: Duration) -> Result<(), Wrong> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let [value, least, most] = [value, least, most].map(|duration| {
        jiff::SignedDuration::try_from(duration)
            .map_or_else(|_| "for ever".into(), |d| format!("{d:#}"))
    });
    Err(Wrong::new(key, format!("is {value}, must be from {least} to {most}")))
}

/// `own` is the daemon's own uid, where the list is one of users.
fn numbers(
    key: &str,
    accounts: Vec<Account>,
    names: &Names,
    own: Option<u32>,
) -> Result<BTreeSet<u32>, Wrong> {
    let number = |(index, account): (usize, Account)| match account {
        Account::Number(number) => Ok(number),
        Account::Name(name) => {
            own.filter(|_| name == OWN).or_else(|| names.number_of(&name)).ok_or_else(|| {
                let problem = format!(
                    "this machine has no `{}`; allowed are numbers and names it has",
                    name.escape_debug()
                );
                Wrong::new(format!("{key}[{index}]"), problem)
            })
        }
    };
    accounts.into_iter().enumerate().map(number).collect()
}
