//! `[serve]` and `[admin]`: the sockets that are listened on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::bounds::numbers;
use super::error::Wrong;
use super::system::System;
use super::values::{Account, Mode, SocketPath};

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
