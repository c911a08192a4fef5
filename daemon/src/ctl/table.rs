use comfy_table::{Table, presets};

use super::text::clean;

/// Text for people, built of lines and tables. Everything that goes in is cleaned.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    pub(super) fn line(&mut self, line: &str) {
        self.0.push_str(&clean(line));
        self.0.push('\n');
    }

    pub(super) fn blank(&mut self) {
        self.0.push('\n');
    }

    /// Names beside values; the empty ones are left out.
    pub(super) fn facts<const N: usize>(&mut self, facts: [(&str, String); N]) {
        let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
        self.push(bare(), facts.map(|(name, value)| [name.to_owned(), value]));
    }

    /// A table with a heading for each column, set off from what is above; nothing where there are no rows.
    pub(super) fn rows<const N: usize>(&mut self, header: [&str; N], rows: Vec<[String; N]>) {
        if rows.is_empty() {
            return;
        }
        if !self.0.is_empty() {
            self.blank();
        }
        let mut table = bare();
        table.set_header(header.map(str::to_uppercase));
        self.push(table, rows.into_iter());
    }

    pub(super) fn text(self) -> String {
        self.0
    }

    fn push<const N: usize>(&mut self, mut table: Table, rows: impl Iterator<Item = [String; N]>) {
        table.add_rows(rows.map(|row| row.map(|cell| clean(&cell))));
        for line in table.lines() {
            self.0.push_str("  ");
            self.0.push_str(line.trim());
            self.0.push('\n');
        }
    }
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}
