//! A judge that lets everything pass proves nothing.

use super::*;

/// A verdict of this version, with that root.
fn verdict(decision: Decision, reason: &str, timestamp: u64, root: u64) -> Verdict {
    let versions = [("timestamp".to_owned(), timestamp), ("root".to_owned(), root)];
    let (decision, reason) = (decision.into(), reason.to_owned());
    Verdict { decision, reason, versions: versions.into(), ..Verdict::default() }
}

fn signed(timestamp: u64) -> Verdict {
    verdict(Decision::Allow, "SIGNED", timestamp, 1)
}

fn denied(reason: &str) -> Verdict {
    let (decision, reason) = (Decision::Deny.into(), reason.to_owned());
    Verdict { decision, reason, ..Verdict::default() }
}

/// Ten versions were published; the image is signed in those from 3 to 6.
fn at_ten() -> (State, Arc<Image>) {
    let image = Image::unsigned("registry.acme.example/payments/api:3", "sha256:00");
    image.sign(3);
    image.rescind(7);
    (State { published: 10, ..State::default() }, image)
}

/// Asked and answered at once.
fn judge(state: &mut State, image: &Image, verdict: &Verdict) -> Result<()> {
    let now = state.moment();
    state.judge(image, verdict, &now, &now)
}

#[test]
fn each_version_has_its_own_right_answer() {
    let (mut state, image) = at_ten();
    let not_found = |version| verdict(Decision::Deny, "TARGET_NOT_FOUND", version, 1);
    judge(&mut state, &image, &signed(2)).unwrap_err();
    judge(&mut state, &image, &not_found(2)).unwrap();
    judge(&mut state, &image, &not_found(3)).unwrap_err();
    judge(&mut state, &image, &signed(6)).unwrap();
    judge(&mut state, &image, &signed(7)).unwrap_err();
    judge(&mut state, &image, &verdict(Decision::Deny, "NO_POLICY", 8, 1)).unwrap_err();
    judge(&mut state, &image, &not_found(11)).unwrap_err();
}

#[test]
fn nothing_older_than_what_was_seen_may_answer() {
    let (mut state, image) = at_ten();
    let before = state.moment();
    judge(&mut state, &image, &signed(5)).unwrap();
    judge(&mut state, &image, &signed(4)).unwrap_err();
    // Asked before the other was answered.
    let now = state.moment();
    state.judge(&image, &signed(4), &before, &now).unwrap();
    state.seen.raise(Seen { timestamp: 5, root: 2 });
    judge(&mut state, &image, &signed(5)).unwrap_err();
    judge(&mut state, &image, &verdict(Decision::Allow, "SIGNED", 5, 2)).unwrap();
}

#[test]
fn denials_want_a_reason_that_is_excused_and_only_as_long() {
    let (mut state, image) = at_ten();
    judge(&mut state, &image, &denied("NO_VALID_CHAIN")).unwrap_err();
    state.excused.insert("NO_VALID_CHAIN", 5);
    judge(&mut state, &image, &denied("NO_VALID_CHAIN")).unwrap();
    judge(&mut state, &image, &denied("FLOORS_LOST")).unwrap_err();
    judge(&mut state, &image, &signed(5)).unwrap();
    judge(&mut state, &image, &denied("NO_VALID_CHAIN")).unwrap_err();
}

#[test]
fn what_is_required_leaves_no_other_answer() {
    let (mut state, image) = at_ten();
    state.excused.insert("ANCHOR_WITHDRAWN", NEVER);
    state.required = Some("ANCHOR_WITHDRAWN");
    judge(&mut state, &image, &signed(5)).unwrap_err();
    judge(&mut state, &image, &denied("ANCHOR_WITHDRAWN")).unwrap();
    judge(&mut state, &image, &verdict(Decision::Allow, "ANCHOR_WITHDRAWN", 5, 1)).unwrap_err();
}

#[test]
fn silence_is_for_daemons_that_are_down_and_for_the_first_start() {
    let (mut state, image) = at_ten();
    let [down, forgot] = ["transport error", "NO_TRUST: nothing"].map(Status::unavailable);
    state.judge_silence(&down).unwrap();
    state.judge_silence(&forgot).unwrap();
    judge(&mut state, &image, &signed(5)).unwrap();
    state.judge_silence(&down).unwrap();
    state.judge_silence(&forgot).unwrap_err();
    state.outages = Outages::None;
    state.judge_silence(&down).unwrap_err();
}
