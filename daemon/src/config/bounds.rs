//! What durations and accounts of the configuration may be.

use std::collections::BTreeSet;
use std::time::Duration;

use super::error::Wrong;
use super::system::Names;
use super::values::Account;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// "own" in a list of users.
const OWN: &str = "own";

pub(super) fn bounded(
    key: &str,
    value: Duration,
    least: Duration,
    most: Duration,
) -> Result<(), Wrong> {
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
pub(super) fn numbers(
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
