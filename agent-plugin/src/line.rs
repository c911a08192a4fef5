/// Of a line with its newline. containerd keeps 32 KiB of stdout and puts it into an error that people read.
pub(crate) const LINE_MAX_BYTES: usize = 2048;

const CUT: &str = " … (cut)";

/// One line that cannot forge another one, nor steer a terminal, nor grow.
pub(crate) fn line(text: &str) -> String {
    let room = LINE_MAX_BYTES - "\n".len();
    let mut line = String::with_capacity(text.len().min(LINE_MAX_BYTES));
    for each in text.trim().chars().map(harmless) {
        if line.len() + each.len_utf8() > room {
            cut(&mut line, room - CUT.len());
            line.push_str(CUT);
            break;
        }
        line.push(each);
    }
    line.push('\n');
    line
}

fn cut(line: &mut String, mut at: usize) {
    while !line.is_char_boundary(at) {
        at -= 1;
    }
    line.truncate(at);
}

/// Controls, line and paragraph separators, and what turns the direction of writing.
// Twin of the one in `daemon/src/ctl/text.rs`: the plugin imports nothing of the daemon.
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
    fn control_characters_cannot_forge_a_line() {
        assert_eq!(
            line("DENY A: x\nALLOW\r\u{1b}[2K\u{9b}2K\u{202e}\u{2028}\0"),
            "DENY A: x ALLOW??[2K?2K???\n"
        );
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        for text in ["é".repeat(500_000), format!("x{}", "€".repeat(500_000))] {
            let line = line(&text);
            assert!(
                line.len() <= LINE_MAX_BYTES && line.len() > LINE_MAX_BYTES - 8,
                "{}",
                line.len()
            );
            assert!(line.ends_with(" … (cut)\n"));
        }
        assert_eq!(line(&"x".repeat(2047)), format!("{}\n", "x".repeat(2047)));
    }
}
