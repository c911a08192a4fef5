//! The search for a target: pre-order, depth first (TUF 5.6.7).

use std::collections::BTreeSet;

use jiff::Timestamp as Time;

use crate::metadata::{After, Effort, Role, RoleName, SearchPath, Target, Targets};
use crate::trust::{Edge, Fresh};
use crate::verified::Verified;

/// More roles are not visited in one search (the value of python-tuf and go-tuf).
pub const VISITED_MAX: usize = 32;

/// What the chain says of a path.
#[derive(Debug)]
pub enum Answer<'t> {
    /// A role vouches for it.
    Found {
        /// What it says.
        target: &'t Target,
        /// The role.
        role: &'t Verified<Targets>,
        /// The way to it, from `targets`.
        path: Vec<RoleName>,
        /// All roles that were asked, in order: the answer holds as long as all of them do.
        asked: Vec<&'t Verified<Targets>>,
    },
    /// No role that may speak of it does.
    NotFound {
        /// The roles asked, in order.
        visited: Vec<RoleName>,
    },
    /// A role that would have to be asked is not there. The search ends with it: withholding must not flip an answer.
    Unavailable {
        /// The role.
        role: RoleName,
    },
    /// A role that would have to be asked has expired. The search ends with it.
    Expired {
        /// The role.
        role: RoleName,
        /// Since when.
        expires: Time,
    },
    /// Its delegations take too long to compare. The search ends with it.
    TooCostly {
        /// The role.
        role: RoleName,
    },
}

/// A delegation to follow.
struct Step {
    edge: Option<Edge>,
    path: Vec<RoleName>,
}

/// Looks a target path up.
#[must_use]
pub fn search<'t>(fresh: &Fresh<'t>, target_path: &str) -> Answer<'t> {
    let trust = fresh.trust();
    let mut stack = vec![Step { edge: None, path: vec![trust.targets().name().clone()] }];
    let (target_path, mut effort) = (SearchPath::new(target_path), Effort::SEARCH);
    let (mut visited, mut asked) = (BTreeSet::new(), Vec::new());
    while let Some(Step { edge, path }) = stack.pop() {
        let name = path.last().cloned().unwrap_or_else(|| trust.targets().name().clone());
        if asked.len() >= VISITED_MAX || !visited.insert(name.clone()) {
            continue;
        }
        let role = match edge.as_ref().map_or(Some(trust.targets()), |edge| trust.role(edge)) {
            Some(role) => role,
            // A role that the snapshot does not list is not there to be asked: the search ends (TUF 5.6).
            None if trust.snapshot().role(&name).is_none() => break,
            None => return Answer::Unavailable { role: name },
        };
        asked.push(role);
        if role.expires() <= fresh.now() {
            return Answer::Expired { role: name, expires: role.expires() };
        }
        if let Some(target) = role.target(target_path.as_str()) {
            return Answer::Found { target, role, path, asked };
        }
        descend(role, &target_path, &path, &mut stack, &mut effort);
        if effort.is_spent() {
            return Answer::TooCostly { role: name };
        }
    }
    Answer::NotFound { visited: asked.iter().map(|role| role.name().clone()).collect() }
}

/// Pushes the delegations that cover the path, the first on top; a terminating one forgets all that would follow it.
/// Names are unique in a role, so no more than twice [`VISITED_MAX`] of them can ever be asked or passed over.
fn descend(
    role: &Targets,
    target_path: &SearchPath<'_>,
    path: &[RoleName],
    stack: &mut Vec<Step>,
    effort: &mut Effort,
) {
    let covering =
        role.delegations().iter().filter(|delegation| delegation.scope.covers(target_path, effort));
    let mut below = Vec::new();
    for delegation in covering.take(2 * VISITED_MAX) {
        let edge =
            path.last().map(|from| Edge { delegator: from.clone(), role: delegation.name.clone() });
        below.push(Step { edge, path: [path, std::slice::from_ref(&delegation.name)].concat() });
        if delegation.after == After::Terminate {
            stack.clear();
            break;
        }
    }
    stack.extend(below.into_iter().rev());
}
