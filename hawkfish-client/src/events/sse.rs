//! The wire format of server-sent events (the HTML standard, "Parsing an event stream"), read in pieces as they come, in bounded memory.

use std::mem;
use std::time::Duration;

/// What a stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// A message.
    Message {
        /// Its own id, where it has one.
        id: Option<String>,
        /// Its data.
        data: String,
    },
    /// A number without a message: where to go on after a break.
    Id(String),
    /// How long to wait before coming again.
    Retry(Duration),
    /// A comment, which is a sign of life.
    Alive,
    /// A message that is longer than what is read; the rest of it is passed over.
    TooLong,
}

/// Reads a stream.
#[derive(Debug)]
pub(super) struct Parser {
    /// Most bytes of a line, and of the data of one message.
    most: usize,
    line: Vec<u8>,
    /// The line is longer than is kept.
    cut: bool,
    after_return: bool,
    first: bool,
    data: Vec<u8>,
    has_data: bool,
    id: Option<String>,
    too_long: bool,
}

impl Parser {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            line: Vec::new(),
            cut: false,
            after_return: false,
            first: true,
            data: Vec::new(),
            has_data: false,
            id: None,
            too_long: false,
        }
    }

    /// Takes what has come and says what it was. However it is cut into pieces, the frames are the same.
    pub(super) fn feed(&mut self, mut bytes: &[u8], out: &mut impl Extend<Frame>) {
        if self.after_return && !bytes.is_empty() {
            self.after_return = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(at) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.keep(&bytes[..at], out);
            let end = bytes[at];
            bytes = &bytes[at + 1..];
            if end == b'\r' {
                match bytes.first() {
                    Some(b'\n') => bytes = &bytes[1..],
                    Some(_) => {}
                    None => self.after_return = true,
                }
            }
            self.end_of_line(out);
        }
        self.keep(bytes, out);
    }

    /// Keeps a part of a line, up to the bound.
    fn keep(&mut self, part: &[u8], out: &mut impl Extend<Frame>) {
        if self.cut || part.is_empty() {
            return;
        }
        if self.line.len() + part.len() > self.most {
            self.cut = true;
            // A comment or a field that is not known may be as long as it likes.
            let is_data = {
                let begin = self.line.iter().chain(part).copied().take(8);
                let begin: Vec<u8> = begin.collect();
                let begin = begin.strip_prefix(BOM).unwrap_or(&begin);
                begin.starts_with(b"data") || begin.starts_with(b"id")
            };
            self.line = Vec::new();
            if is_data {
                self.overflow(out);
            }
            return;
        }
        self.line.extend_from_slice(part);
    }

    fn overflow(&mut self, out: &mut impl Extend<Frame>) {
        self.data = Vec::new();
        if !mem::replace(&mut self.too_long, true) {
            out.extend([Frame::TooLong]);
        }
    }

    fn end_of_line(&mut self, out: &mut impl Extend<Frame>) {
        let first = mem::replace(&mut self.first, false);
        if mem::take(&mut self.cut) {
            return;
        }
        let line = mem::take(&mut self.line);
        let whole = match line.strip_prefix(BOM) {
            Some(rest) if first => rest,
            _ => &line[..],
        };
        if whole.is_empty() {
            self.dispatch(out);
        } else {
            self.field(whole, out);
        }
        // The room of a line is used for the next, unless it was a giant.
        if line.capacity() <= KEPT {
            self.line = line;
            self.line.clear();
        }
    }

    fn field(&mut self, line: &[u8], out: &mut impl Extend<Frame>) {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(0) => return out.extend([Frame::Alive]),
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" if self.too_long => {}
            b"data" if self.data.len() + value.len() + 1 > self.most => self.overflow(out),
            b"data" => {
                if mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"id" if !value.contains(&0) => {
                self.id = Some(String::from_utf8_lossy(value).into_owned());
            }
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let millis = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse().ok());
                out.extend(millis.map(|millis| Frame::Retry(Duration::from_millis(millis))));
            }
            _ => {}
        }
    }

    fn dispatch(&mut self, out: &mut impl Extend<Frame>) {
        let (id, data) = (self.id.take(), mem::take(&mut self.data));
        let has_data = mem::take(&mut self.has_data);
        let too_long = mem::take(&mut self.too_long);
        if has_data && !data.is_empty() && !too_long {
            let data = String::from_utf8(data)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
            out.extend([Frame::Message { id, data }]);
        } else {
            // Also of a message that was passed over: it would be as long the next time.
            out.extend(id.map(Frame::Id));
        }
    }
}

/// What some put in front of UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";
/// How large the room of a line may be to be used again.
const KEPT: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(most: usize, pieces: &[&[u8]]) -> Vec<Frame> {
        let (mut parser, mut out) = (Parser::new(most), Vec::new());
        for piece in pieces {
            parser.feed(piece, &mut out);
            assert!(parser.line.len() + parser.data.len() <= 2 * most);
        }
        out
    }

    fn message(id: Option<&str>, data: &str) -> Frame {
        Frame::Message {
            id: id.map(str::to_owned),
            data: data.to_owned(),
        }
    }

    #[test]
    fn a_stream_is_read_as_the_standard_has_it() {
        let text = "\u{feff}retry: 2000\nid: 7\n\n:\n\ndata: a\ndata:b\ndata\nid:8\nevent: x\nodd: y\n\r\ndata:  c\rid: \0\r\rretry: -5\nid\ndata: {\"ü\"}\n\ndata: never ended";
        let retry = Frame::Retry(Duration::from_millis(2000));
        assert_eq!(
            frames(1000, &[text.as_bytes()]),
            [
                retry,
                Frame::Id("7".into()),
                Frame::Alive,
                message(Some("8"), "a\nb\n"),
                message(None, " c"),
                message(Some(""), "{\"ü\"}"),
            ]
        );
    }

    #[test]
    fn a_message_without_data_is_none_and_its_number_counts() {
        assert_eq!(
            frames(99, &[b"event: ping\n\nid: 3\ndata\n\n"]),
            [Frame::Id("3".into())]
        );
    }

    #[test]
    fn what_is_too_long_is_said_at_once_passed_over_and_does_not_come_again() {
        let long = "x".repeat(200);
        let text = format!("id: 1\ndata: {long}\ndata: more\n\nid: 2\ndata: short\n\n: {long}\n\n");
        let expected = [
            Frame::TooLong,
            Frame::Id("1".into()),
            message(Some("2"), "short"),
        ];
        assert_eq!(frames(100, &[text.as_bytes()]), expected);
        let many = format!("{}id: 5\n\n", "data: 0123456789\n".repeat(50));
        assert_eq!(
            frames(100, &[many.as_bytes()]),
            [Frame::TooLong, Frame::Id("5".into())]
        );
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory_than_is_allowed() {
        let (mut parser, mut out) = (Parser::new(1000), Vec::new());
        parser.feed(b"data: ", &mut out);
        for _ in 0..10_000 {
            parser.feed(&[b'x'; 997], &mut out);
            assert!(parser.line.capacity() <= 4000, "{}", parser.line.capacity());
        }
        assert_eq!(out, [Frame::TooLong]);
    }

    #[test]
    fn text_cut_within_a_character_is_put_together_and_what_is_no_text_is_shown_as_such() {
        let text = "data: ü€\n\n".as_bytes();
        for at in 0..text.len() {
            assert_eq!(
                frames(99, &[&text[..at], &text[at..]]),
                [message(None, "ü€")]
            );
        }
        assert_eq!(
            frames(99, &[b"data: a\xffb\n\n"]),
            [message(None, "a\u{fffd}b")]
        );
    }

    proptest! {
        #[test]
        fn however_a_stream_is_cut_it_says_the_same(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    &b"data"[..], b": ", b"\n", b"\r", b"\r\n", b"\n\n", b"id", b":", b"retry: 12", "€".as_bytes(), b"\xff", b"\0",
                    b"0123456789", BOM, b"x",
                ]),
                0..80,
            ),
            cuts in prop::collection::vec(0_usize..400, 0..20),
        ) {
            let whole: Vec<u8> = parts.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|two| &whole[two[0]..two[1]]).collect();
            for most in [12, 1000] {
                prop_assert_eq!(frames(most, &pieces), frames(most, &[&whole]));
            }
            let bytes: Vec<&[u8]> = whole.chunks(1).collect();
            prop_assert_eq!(frames(1000, &bytes), frames(1000, &[&whole]));
        }
    }
}
