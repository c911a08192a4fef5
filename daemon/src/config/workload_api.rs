//! `[workload_api]`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::bounds::{DAY, MINUTE, bounded, numbers};
use super::error::Wrong;
use super::system::System;
use super::values::{Account, Patience, SocketPath};

/// `[workload_api]`: where the anchor comes from, and how long its absence is put up with.
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
