use std::fmt;

use jiff::Timestamp;
use tufd_proto::v1::Decision;

/// Cuts what could steer a terminal or forge another line out of a text that others wrote.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// A moment as RFC 3339; `None` for one that is absent or outside the calendar.
pub(super) fn moment(timestamp: Option<prost_types::Timestamp>) -> Option<Timestamp> {
    let prost_types::Timestamp { seconds, nanos } = timestamp?;
    Timestamp::new(seconds, nanos).ok()
}

/// A moment for people: absolute, and relative to `now`.
pub(super) fn moment_from(timestamp: Option<prost_types::Timestamp>, now: Timestamp) -> String {
    match (moment(timestamp), timestamp) {
        (Some(moment), _) => format!(
            "{} ({})",
            round(moment),
            Relative { seconds: moment.as_second() - now.as_second() }
        ),
        (None, Some(_)) => "outside the calendar".to_owned(),
        (None, None) => "-".to_owned(),
    }
}

/// `ALLOW` or `DENY`; `None` where nothing was decided.
pub(super) fn decision(number: i32) -> Option<&'static str> {
    match Decision::try_from(number) {
        Ok(decision @ (Decision::Allow | Decision::Deny)) => Some(decision.as_str_name()),
        Ok(Decision::Unspecified) | Err(_) => None,
    }
}

/// To the second.
pub(super) fn round(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

/// `in 6 d 3 h`, `2 min 5 s ago`: the two largest units.
struct Relative {
    seconds: i64,
}

impl fmt::Display for Relative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seconds == 0 {
            return write!(f, "now");
        }
        let seconds = self.seconds.unsigned_abs();
        let (large, small) = match seconds {
            86_400.. => ((seconds / 86_400, "d"), (seconds % 86_400 / 3600, "h")),
            3600.. => ((seconds / 3600, "h"), (seconds % 3600 / 60, "min")),
            60.. => ((seconds / 60, "min"), (seconds % 60, "s")),
            _ => ((seconds, "s"), (0, "")),
        };
        let before = if self.seconds > 0 { "in " } else { "" };
        let after = if self.seconds > 0 { "" } else { " ago" };
        write!(f, "{before}{} {}", large.0, large.1)?;
        if small.0 > 0 {
            write!(f, " {} {}", small.0, small.1)?;
        }
        write!(f, "{after}")
    }
}

// Twin of the one in `agent-plugin/src/line.rs`: the plugin imports nothing of the daemon.
fn harmless(each: char) -> char {
    match each {
        '\n' | '\t' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
        each if each.is_control() => '?',
        each => each,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_by_their_two_largest_units() {
        for (seconds, text) in [
            (0, "now"),
            (59, "in 59 s"),
            (-125, "2 min 5 s ago"),
            (3600, "in 1 h"),
            (6 * 86_400 + 3 * 3600 + 59, "in 6 d 3 h"),
            (i64::MIN, "106751991167300 d 15 h ago"),
        ] {
            assert_eq!(Relative { seconds }.to_string(), text);
        }
    }

    #[test]
    fn junk_moments_are_no_moments() {
        let junk = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: i32::MIN });
        assert_eq!(moment(junk), None);
        assert_eq!(moment_from(junk, Timestamp::UNIX_EPOCH), "outside the calendar");
        assert_eq!(moment_from(None, Timestamp::UNIX_EPOCH), "-");
        let good = Some(prost_types::Timestamp { seconds: 60, nanos: 5 });
        assert_eq!(moment_from(good, Timestamp::UNIX_EPOCH), "1970-01-01T00:01:00Z (in 1 min)");
    }

    #[test]
    fn control_characters_cannot_steer_a_terminal() {
        assert_eq!(clean("a\nb\u{1b}[2J\u{9b}2J\u{202e}"), "a b?[2J?2J?");
    }
}
