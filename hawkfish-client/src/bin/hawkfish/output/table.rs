//! Columns of text. In a pipe each is as wide as its widest cell; on a terminal that is too narrow, the widest are cut.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::look::{Look, Meaning};

/// Between two columns.
const GAP: usize = 2;
/// A column is not cut below this.
const LEAST: usize = 6;

#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) meaning: Option<Meaning>,
}

/// Lines of columns, each ended by a newline.
pub(crate) fn grid(heads: Option<Vec<Cell>>, rows: Vec<Vec<Cell>>, look: Look) -> String {
    let all: Vec<Vec<Cell>> = heads.into_iter().chain(rows).collect();
    let columns = all.iter().map(Vec::len).max().unwrap_or_default();
    let mut widths = vec![0; columns];
    for row in &all {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.width());
        }
    }
    if let Some(room) = look.width() {
        narrow(&mut widths, room);
    }
    let mut text = String::new();
    for row in &all {
        let mut line = String::new();
        // Gap and padding are put in before the next cell that shows something, so that no line ends in blanks.
        let mut blanks = 0;
        for (cell, &width) in row.iter().zip(&widths) {
            let shown = cut(&cell.text, width);
            if !shown.is_empty() {
                line.extend(std::iter::repeat_n(' ', blanks));
                blanks = 0;
                line.push_str(&look.paint(&shown, cell.meaning));
            }
            blanks += width - shown.width() + GAP;
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Names and values; a long value goes on below itself.
pub(crate) fn pairs(rows: Vec<(String, Cell)>, look: Look) -> String {
    let names = rows.iter().map(|(name, _)| name.width()).max();
    let indent = names.unwrap_or_default() + GAP;
    let room = look.width().and_then(|width| width.checked_sub(indent));
    let mut text = String::new();
    for (name, cell) in rows {
        let lines = match room {
            Some(room) if room >= LEAST => wrapped(&cell.text, room),
            _ => vec![cell.text],
        };
        for (number, line) in lines.iter().enumerate() {
            let name = if number == 0 { name.as_str() } else { "" };
            let blanks = " ".repeat(indent - name.width());
            text.push_str(&look.paint(name, Some(Meaning::Heading)));
            text.push_str(&blanks);
            text.push_str(&look.paint(line, cell.meaning));
            text.push('\n');
        }
    }
    text
}

/// Takes from the widest columns until all fit; from the first, by which a thing is named, only when nothing else is left to take.
fn narrow(widths: &mut [usize], room: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(room);
    for from in [1, 0] {
        while excess > 0 {
            let Some(widest) = (from..widths.len()).max_by_key(|&column| widths[column]) else {
                break;
            };
            let next = (from..widths.len())
                .filter(|&column| column != widest)
                .map(|column| widths[column])
                .max()
                .unwrap_or(0);
            let width = widths[widest];
            if width <= LEAST {
                break;
            }
            let to = next
                .max(LEAST)
                .min(width - 1)
                .max(width - excess.min(width));
            excess -= width - to;
            widths[widest] = to;
        }
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut left = width.saturating_sub(1);
    for c in text.chars() {
        let wide = c.width().unwrap_or_default();
        if wide > left {
            break;
        }
        left -= wide;
        shown.push(c);
    }
    shown.push('…');
    shown
}

/// Broken between words. A word that is too long stays whole, so that a URI can be copied.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always one");
        if !line.is_empty() && line.width() + 1 + word.width() > room {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look {
        colours: false,
        terminal: false,
    };

    fn cells(texts: &[&str]) -> Vec<Cell> {
        texts
            .iter()
            .map(|text| Cell {
                text: (*text).to_owned(),
                meaning: None,
            })
            .collect()
    }

    #[test]
    fn columns_are_as_wide_as_they_are_shown_and_lines_end_without_blanks() {
        let text = grid(
            Some(cells(&["ID", "NAME", "X"])),
            vec![cells(&["1", "機械", ""]), cells(&["22", "b", "y"])],
            PLAIN,
        );
        assert_eq!(text, "ID  NAME  X\n1   機械\n22  b     y\n");
    }

    #[test]
    fn the_widest_column_is_cut_first_and_the_name_last() {
        let mut widths = [36, 40, 10];
        narrow(&mut widths, 80);
        assert_eq!(widths, [36, 30, 10]);
        narrow(&mut widths, 40);
        assert_eq!(widths.iter().sum::<usize>() + 4, 40);
        assert_eq!((widths[1], widths[2]), (6, 6));
        narrow(&mut widths, 3);
        assert_eq!(widths, [6, 6, 6]);
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("機械機", 4), "機…");
        assert_eq!(cut("abcd", 4), "abcd");
    }

    #[test]
    fn words_are_wrapped_and_a_long_one_is_left_whole() {
        assert_eq!(
            wrapped("a bc /redfish/v1/long d", 5),
            ["a bc", "/redfish/v1/long", "d"]
        );
    }
}
