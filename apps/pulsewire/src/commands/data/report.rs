//! A report of titled tables, for a terminal and as Markdown.

use std::fmt::Write as _;

use comfy_table::CellAlignment;

use crate::terminal::table;

/// A whole report.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) title: &'static str,
    pub(super) sections: Vec<Section>,
}

/// Tables and remarks on one matter.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) grids: Vec<Grid>,
    pub(super) notes: Vec<String>,
}

/// A table whose columns have sides.
#[derive(Debug)]
pub(super) struct Grid {
    columns: Vec<(String, Side)>,
    rows: Vec<Vec<String>>,
}

/// Where a column's cells begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

impl Grid {
    /// An empty table with these headings.
    pub(super) fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Side)>) -> Self {
        let columns = columns.into_iter().map(|(heading, side)| (heading.to_owned(), side));
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub(super) fn add(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().collect());
    }

    /// Whether it has no row.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn text(&self) -> String {
        let headings: Vec<&str> = self.columns.iter().map(|(heading, _)| heading.as_str()).collect();
        let mut table = table(&headings);
        table.add_rows(self.rows.clone());
        for (index, (_, side)) in self.columns.iter().enumerate() {
            if let (Side::Right, Some(column)) = (side, table.column_mut(index)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt()
    }

    fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let rule = self.columns.iter().map(|(_, side)| match side {
            Side::Left => "---".to_owned(),
            Side::Right => "---:".to_owned(),
        });
        let headings = self.columns.iter().map(|(heading, _)| escaped(heading)).collect();
        let rows = self.rows.iter().map(|row| line(row.iter().map(|cell| escaped(cell)).collect()));
        line(headings) + &line(rule.collect()) + &rows.collect::<String>()
    }
}

impl Report {
    /// For a terminal: aligned, without colours.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for section in &self.sections {
            // Writing to a String cannot fail.
            writeln!(text, "{}", section.title.to_uppercase()).unwrap_or_default();
            let grids = section.grids.iter().map(Grid::text);
            writeln!(text, "{}", grids.collect::<Vec<_>>().join("\n\n")).unwrap_or_default();
            section.notes.iter().for_each(|note| writeln!(text, " {note}").unwrap_or_default());
            text.push('\n');
        }
        text.trim_end().to_owned()
    }

    /// GitHub-flavoured Markdown; texts are escaped, so that none becomes markup.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("# {}\n", self.title);
        for section in &self.sections {
            write!(text, "\n## {}\n", section.title).unwrap_or_default();
            section.grids.iter().for_each(|grid| write!(text, "\n{}", grid.markdown()).unwrap_or_default());
            section.notes.iter().for_each(|note| write!(text, "\n{}\n", escaped(note)).unwrap_or_default());
        }
        text
    }
}

/// The text without meaning for Markdown or HTML (CommonMark 0.31, section 2.4).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\`*_[]<>|#~&".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut grid = Grid::new([("label", Side::Left), ("rows", Side::Right)]);
        grid.add(["up|down".to_owned(), "5".to_owned()]);
        grid.add(["<b>".to_owned(), "1200".to_owned()]);
        let section = Section { title: "Labels".into(), grids: vec![grid], notes: vec!["2 *labels*".to_owned()] };
        Report { title: "Data card", sections: vec![section] }
    }

    #[test]
    fn a_terminal_gets_aligned_columns() {
        assert_eq!(report().text(), "LABELS\n label    rows\n up|down     5\n <b>      1200\n 2 *labels*");
    }

    #[test]
    fn markdown_is_escaped() {
        let expected = "# Data card\n\n## Labels\n\n| label | rows |\n| --- | ---: |\n| up\\|down | 5 |\n\
                        | \\<b\\> | 1200 |\n\n2 \\*labels\\*\n";
        assert_eq!(report().markdown(), expected);
    }
}
