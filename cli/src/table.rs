//! Tables for people.

/// Rows of cells under a heading.
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    /// A table with these headings.
    pub(crate) fn new(headings: &[&str]) -> Table {
        Table(vec![
            headings
                .iter()
                .map(|heading| (*heading).to_owned())
                .collect(),
        ])
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: &[&dyn std::fmt::Display]) {
        self.0
            .push(cells.iter().map(|cell| cell.to_string()).collect());
    }

    /// Prints it, each column as wide as its longest cell.
    pub(crate) fn print(&self) {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.0 {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
}
