//! Tables that are written twice: aligned for a terminal, and as Markdown.

/// A titled table with a title a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    title: String,
    headings: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
    notes: Vec<String>,
}

impl Table {
    /// A table without rows; the headings are those of the figures.
    pub(crate) fn new<H: Into<String>>(title: impl Into<String>, headings: impl IntoIterator<Item = H>) -> Self {
        let headings = headings.into_iter().map(Into::into).collect();
        Self { title: title.into(), headings, rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row of figures, one a heading; those that are missing stay blank.
    pub(crate) fn row(&mut self, title: impl Into<String>, figures: impl IntoIterator<Item = String>) {
        self.rows.push((title.into(), figures.into_iter().collect()));
    }

    /// Adds a line below.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Lines for a terminal, the figures aligned to the right, without a line break at the end.
    pub(crate) fn text(&self) -> String {
        let titles = self.rows.iter().map(|(title, _)| title).chain([&self.title]);
        let first = titles.map(|title| width(title)).max().unwrap_or(0);
        let column = |index: usize| {
            let figures = self.rows.iter().filter_map(|(_, figures)| figures.get(index));
            figures.chain(self.headings.get(index)).map(|figure| width(figure)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.headings.len()).map(column).collect();
        let line = |title: &str, figures: &[String]| {
            let mut line = format!("{title:first$}");
            for (figure, width) in figures.iter().zip(&widths) {
                line.push_str(&format!("  {figure:>width$}"));
            }
            line.trim_end().to_owned()
        };
        let head = line(&self.title, &self.headings);
        let rows = self.rows.iter().map(|(title, figures)| line(title, figures));
        std::iter::once(head).chain(rows).chain(self.notes.iter().cloned()).collect::<Vec<_>>().join("\n")
    }

    /// A section of a Markdown document, with a line break at the end.
    pub(crate) fn markdown(&self) -> String {
        let line = |title: &str, figures: &[String]| {
            let blank = std::iter::repeat_n("", self.headings.len().saturating_sub(figures.len()));
            let cells = std::iter::once(title).chain(figures.iter().map(String::as_str)).chain(blank);
            format!("| {} |\n", cells.map(escaped).collect::<Vec<_>>().join(" | "))
        };
        let mut document = format!("## {}\n\n{}| --- |", escaped(&self.title), line("", &self.headings));
        document.push_str(&" ---: |".repeat(self.headings.len()));
        document.push('\n');
        for (title, figures) in &self.rows {
            document.push_str(&line(title, figures));
        }
        for note in &self.notes {
            document.push_str(&format!("\n{}\n", escaped(note)));
        }
        document
    }
}

/// Columns of a terminal that a text takes; wide scripts are counted as narrow.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

/// Text that Markdown shows as it is.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '#') {
            escaped.push('\\');
        }
        escaped.push(if c.is_control() { ' ' } else { c });
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("topic", ["rows", "accuracy"]);
        table.row("m|a", ["12".to_owned(), "0.9167".to_owned()]);
        table.row("crude oil", ["3".to_owned()]);
        table.note("two values");
        table
    }

    #[test]
    fn text_is_aligned() {
        let expected = "topic      rows  accuracy\n\
                        m|a          12    0.9167\n\
                        crude oil     3\n\
                        two values";
        assert_eq!(table().text(), expected);
    }

    #[test]
    fn markdown_escapes_what_would_break_a_table() {
        let expected = "## topic\n\n\
                        |  | rows | accuracy |\n\
                        | --- | ---: | ---: |\n\
                        | m\\|a | 12 | 0.9167 |\n\
                        | crude oil | 3 |  |\n\n\
                        two values\n";
        assert_eq!(table().markdown(), expected);
    }
}
