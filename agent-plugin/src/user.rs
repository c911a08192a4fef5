use serde::Deserialize;
use thiserror::Error;

const PASSWD: &str = "/etc/passwd";
/// What the kernel shows for every uid it cannot map: as the daemon's user it would name anybody.
const OVERFLOW_UID: u32 = 65534;

/// The user that the daemon runs as: a uid, or a name in `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a user's name or uid")]
pub(crate) enum User {
    Uid(u32),
    Name(String),
}

#[derive(Debug, Error)]
pub(crate) enum UserError {
    #[error("uid {OVERFLOW_UID} stands for every user that the kernel cannot map")]
    Overflow,
}

impl User {
    /// `None` where there is no such user, so that only root is believed.
    ///
    /// A static program has no NSS: users of LDAP and the like must be given by uid.
    pub(crate) fn uid(&self) -> Result<Option<u32>, UserError> {
        let uid = match self {
            Self::Uid(uid) => Some(*uid),
            Self::Name(name) => {
                name.parse().ok().or_else(|| find(&std::fs::read(PASSWD).unwrap_or_default(), name))
            }
        };
        if uid == Some(OVERFLOW_UID) { Err(UserError::Overflow) } else { Ok(uid) }
    }
}

/// passwd(5): `name:password:uid:…`. The first line of a name counts, as in the C library.
fn find(passwd: &[u8], name: &str) -> Option<u32> {
    let mut lines =
        passwd.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let uid = lines.find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1))
    });
    uid??.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_name_counts() {
        let passwd = b"root:x:0:0::/:/bin/sh\n\xff:x:1:\ntufd2:x:7:\ntufd:x:998:\ntufd:x:0:\nbroken\nminus:x:-1:\n";
        assert_eq!(find(passwd, "tufd"), Some(998));
        assert_eq!(find(passwd, "tuf"), None);
        assert_eq!(find(passwd, "broken"), None);
        assert_eq!(find(passwd, "minus"), None);
    }

    #[test]
    fn the_overflow_uid_is_nobody_in_particular() {
        assert!(matches!(User::Uid(65534).uid(), Err(UserError::Overflow)));
        assert!(matches!(User::Name("65534".into()).uid(), Err(UserError::Overflow)));
        assert!(matches!(User::Name("nobody".into()).uid(), Err(UserError::Overflow) | Ok(None)));
        assert_eq!(User::Name("998".into()).uid().unwrap(), Some(998));
        assert_eq!(User::Name("root".into()).uid().unwrap(), Some(0));
        assert_eq!(User::Name("no:such".into()).uid().unwrap(), None);
    }
}
