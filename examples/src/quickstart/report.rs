use std::time::{Duration, Instant};

use anyhow::Result;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

use crate::node::Node;
use crate::pull::{Expected, Pull};

const WIDTH: u16 = 80;
const TICK: Duration = Duration::from_millis(100);
/// Between two questions while an answer is awaited.
const PAUSE: Duration = Duration::from_millis(100);

/// What was tried, expected and answered, and a line that shows what is going on.
pub(crate) struct Report {
    started: Instant,
    progress: ProgressBar,
    rows: Vec<Row>,
}

/// How long the expected answer may take to come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// The first answer counts.
    None,
    /// A change is on its way to the node.
    Within(Duration),
}

struct Row {
    tried: &'static str,
    expected: Expected,
    answered: String,
    line: String,
    right: bool,
    took: Duration,
}

impl Report {
    pub(crate) fn new() -> Self {
        let progress = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{spinner} {wide_msg}");
        progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        progress.enable_steady_tick(TICK);
        Self { started: Instant::now(), progress, rows: Vec::new() }
    }

    /// Says what is being done, also where stderr is no terminal.
    pub(crate) fn doing(&self, what: &'static str) {
        if self.progress.is_hidden() {
            eprintln!("{what}");
        } else {
            self.progress.set_message(what);
        }
    }

    /// Asks about a pull until the expected answer comes or patience ends. Time is from now to the answer.
    pub(crate) async fn ask(
        &mut self,
        node: &Node,
        tried: &'static str,
        pull: &Pull,
        expected: Expected,
        patience: Patience,
    ) -> Result<()> {
        self.doing(tried);
        let started = Instant::now();
        let longest = match patience {
            Patience::None => Duration::ZERO,
            Patience::Within(longest) => longest,
        };
        loop {
            let answer = node.ask(pull).await?;
            let (right, took) = (expected.is(&answer), started.elapsed());
            if right || took >= longest {
                let (answered, line) = (answer.to_string(), answer.line().to_owned());
                self.rows.push(Row { tried, expected, answered, line, right, took });
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether every answer was the expected one.
    pub(crate) fn is_as_expected(&self) -> bool {
        self.rows.iter().all(|row| row.right)
    }

    /// The line of progress goes away.
    pub(crate) fn finish(&self) {
        self.progress.finish_and_clear();
    }

    /// Prints the table, what went wrong, and how many answers were right.
    pub(crate) fn print(&self) {
        self.finish();
        for line in self.table().lines() {
            println!("{}", line.trim_end());
        }
        println!();
        let wrong: Vec<&Row> = self.rows.iter().filter(|row| !row.right).collect();
        for row in &wrong {
            println!("{}: expected {}, got {:?}", row.tried, row.expected, row.line);
        }
        let seconds = self.started.elapsed().as_secs_f32();
        let (right, all) = (self.rows.len() - wrong.len(), self.rows.len());
        println!("{right} of {all} answers as expected, in {seconds:.1} s");
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
        table.set_header(["#", "TRIED", "EXPECTED", "ANSWERED", "OK", "MS"]);
        for (index, row) in self.rows.iter().enumerate() {
            table.add_row([
                (index + 1).to_string(),
                row.tried.to_owned(),
                row.expected.to_string(),
                row.answered.clone(),
                (if row.right { "yes" } else { "NO" }).to_owned(),
                row.took.as_millis().to_string(),
            ]);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 1));
        }
        for index in [0, 5] {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}
