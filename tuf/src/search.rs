//! The search for a target: pre-order, depth first (TUF 5.6.7).

use std::collections::BTreeSet;

use jiff::Timestamp as Time;

use crate::metadata::{After, Effort, Role, RoleName, SearchPath, Target, Targets};
use crate::trust::{Edge, Fresh, Grace, Trust};
use crate::verified::Verified;

/// More roles are not visited in one search (the value of python-tuf and go-tuf).
pub const VISITED_MAX: usize = 32;

/// A search and what came of it.
#[derive(Debug)]
pub struct Found<'t> {
    /// All roles that were asked, in order: the answer holds as long as all of them do.
    pub asked: Vec<&'t Verified<Targets>>,
    /// What they say.
    pub answer: Answer<'t>,
}

/// What the chain says of a path.
#[derive(Debug)]
pub enum Answer<'t> {
    /// A role vouches for it.
    Target {
        /// What it says.
        target: &'t Target,
        /// The role.
        role: &'t Verified<Targets>,
        /// The way to it, from `targets`.
        path: Vec<RoleName>,
    },
    /// No role that may speak of it does.
    NotFound,
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
pub fn search<'t>(fresh: &Fresh<'t>, target_path: &str) -> Found<'t> {
    let trust = fresh.trust();
    Walk { trust, now: fresh.now(), asked: Vec::new() }
        .through(target_path, |edge| trust.role(edge))
}

/// Looks a target path up in a chain that is past its expiry, or lacks roles that something stands in for.
pub(crate) fn search_in_grace<'t>(grace: &Grace<'t>, target_path: &str) -> Found<'t> {
    let walk = Walk { trust: grace.trust(), now: grace.now(), asked: Vec::new() };
    walk.through(target_path, |edge| grace.role(edge))
}

struct Walk<'t> {
    trust: &'t Trust,
    now: Time,
    asked: Vec<&'t Verified<Targets>>,
}

impl<'t> Walk<'t> {
    fn through(
        mut self,
        target_path: &str,
        role: impl Fn(&Edge) -> Option<&'t Verified<Targets>>,
    ) -> Found<'t> {
        let answer = self.answer(&SearchPath::new(target_path), role);
        Found { asked: self.asked, answer }
    }

    fn answer(
        &mut self,
        target_path: &SearchPath<'_>,
        role: impl Fn(&Edge) -> Option<&'t Verified<Targets>>,
    ) -> Answer<'t> {
        let top = self.trust.targets();
        let mut stack = vec![Step { edge: None, path: vec![top.name().clone()] }];
        let (mut visited, mut effort) = (BTreeSet::new(), Effort::SEARCH);
        while let Some(Step { edge, path }) = stack.pop() {
            let name = path.last().unwrap_or(top.name()).clone();
            if self.asked.len() >= VISITED_MAX || !visited.insert(name.clone()) {
                continue;
            }
            let role = match edge.as_ref().map_or(Some(top), &role) {
                Some(role) => role,
                // A role that the snapshot does not list is not there to be asked: the search ends (TUF 5.6).
                None if self.trust.snapshot().role(&name).is_none() => break,
                None => return Answer::Unavailable { role: name },
            };
            self.asked.push(role);
            if role.expires() <= self.now {
                return Answer::Expired { role: name, expires: role.expires() };
            }
            if let Some(target) = role.target(target_path.as_str()) {
                return Answer::Target { target, role, path };
            }
            descend(role, target_path, &path, &mut stack, &mut effort);
            if effort.is_spent() {
                return Answer::TooCostly { role: name };
            }
        }
        Answer::NotFound
    }
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
