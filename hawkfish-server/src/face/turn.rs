//! Putting a prefix in front of the URIs in a text, or taking it away, as the text comes.
//!
//! A URI of ours is known by how it begins: `/redfish`, at the beginning of a string, of a link, or of a word. So it is found in JSON (also in JSON that is the
//! text of a string), XML, YAML, HTML, events and headers alike, without reading any of them. A path in the middle of another URL is none: `http://a/redfish/v1`.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::Frame;
use memchr::memmem::Finder;

use super::ROOT;

/// What is found, and what comes in its place.
#[derive(Debug)]
pub(super) struct Turn {
    from: Finder<'static>,
    to: Vec<u8>,
    /// What came and is not decided.
    held: Vec<u8>,
    /// What came before it.
    before: Option<u8>,
}

impl Turn {
    fn new(from: &str, to: &str) -> Self {
        Self {
            from: Finder::new(from.as_bytes()).into_owned(),
            to: to.as_bytes().to_vec(),
            held: Vec::new(),
            before: None,
        }
    }

    /// Puts a prefix in front.
    pub(super) fn below(prefix: &str) -> Self {
        Self::new(ROOT, &[prefix, ROOT].concat())
    }

    /// Takes a prefix away.
    pub(super) fn plain(prefix: &str) -> Self {
        Self::new(&[prefix, ROOT].concat(), ROOT)
    }

    /// A text that is whole.
    pub(super) fn all(mut self, text: &[u8]) -> Bytes {
        self.next(text, true).into()
    }

    /// Takes what comes next, and gives what is decided.
    fn next(&mut self, more: &[u8], is_last: bool) -> Vec<u8> {
        let joined;
        let text = match self.held.is_empty() {
            true => more,
            false => {
                joined = [std::mem::take(&mut self.held).as_slice(), more].concat();
                joined.as_slice()
            }
        };
        let from = self.from.needle();
        let mut out = Vec::with_capacity(text.len() + text.len() / 8);
        let mut done = 0;
        let mut keep = text.len();
        for at in self.from.find_iter(text) {
            let end = at + from.len();
            if end == text.len() && !is_last {
                keep = at;
                break;
            }
            let before = match at {
                0 => self.before,
                at => Some(text[at - 1]),
            };
            out.extend_from_slice(&text[done..at]);
            let is_one = before.is_none_or(begins) && text.get(end).is_none_or(|next| ends(*next));
            out.extend_from_slice(if is_one { &self.to } else { from });
            done = end;
        }
        if keep == text.len() && !is_last {
            // The beginning of one may be the end of this.
            let longest = (from.len() - 1).min(text.len() - done);
            let begun = (1..=longest)
                .rev()
                .find(|length| text.ends_with(&from[..*length]));
            keep -= begun.unwrap_or(0);
        }
        out.extend_from_slice(&text[done..keep]);
        self.before = match keep {
            0 => self.before,
            keep => Some(text[keep - 1]),
        };
        self.held = text[keep..].to_vec();
        out
    }
}

/// Whether a URI can begin behind this.
fn begins(before: u8) -> bool {
    before.is_ascii_whitespace() || b"\"'`<>(,;".contains(&before)
}

/// Whether the first part of a path is over here.
fn ends(next: u8) -> bool {
    !(next.is_ascii_alphanumeric() || b"-_.~%".contains(&next) || next >= 0x80)
}

/// A body whose URIs are turned as it comes.
#[derive(Debug)]
pub(super) struct Turned {
    body: Body,
    turn: Turn,
    over: bool,
}

impl Turned {
    pub(super) fn new(body: Body, turn: Turn) -> Self {
        Self {
            body,
            turn,
            over: false,
        }
    }
}

impl hyper::body::Body for Turned {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        while !this.over {
            let frame = match ready!(hyper::body::Body::poll_frame(Pin::new(&mut this.body), cx)) {
                Some(Ok(frame)) => frame.into_data(),
                Some(Err(error)) => {
                    this.over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.over = true;
                    Ok(Bytes::new())
                }
            };
            let turned = match frame {
                Ok(data) => this.turn.next(&data, this.over),
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            };
            if !turned.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(turned.into()))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.over || (self.turn.held.is_empty() && hyper::body::Body::is_end_stream(&self.body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pieces(mut turn: Turn, text: &[u8], length: usize) -> String {
        let mut out = Vec::new();
        for piece in text.chunks(length) {
            out.extend(turn.next(piece, false));
        }
        out.extend(turn.next(b"", true));
        String::from_utf8(out).unwrap()
    }

    const PLAIN: &str = r#"{"@odata.id":"/redfish/v1/Systems/1","a":"/redfish","b":["/redfish/v1/","/redfishes"],"c":"http://h/redfish/v1",
        "d":"{\"x\":\"/redfish/v1/a\"}","e":"There is no resource at /redfish/v1/x.","f":"'/redfish/v1'","g":"/x/redfish/v1","h":"/redfish#/a"}"#;
    const BELOW: &str = r#"{"@odata.id":"/bmc/1/redfish/v1/Systems/1","a":"/bmc/1/redfish","b":["/bmc/1/redfish/v1/","/redfishes"],"c":"http://h/redfish/v1",
        "d":"{\"x\":\"/bmc/1/redfish/v1/a\"}","e":"There is no resource at /bmc/1/redfish/v1/x.","f":"'/bmc/1/redfish/v1'","g":"/x/redfish/v1","h":"/bmc/1/redfish#/a"}"#;

    #[test]
    fn a_prefix_comes_in_front_of_each_uri_and_goes_again_however_the_text_is_cut() {
        for length in 1..40 {
            let below = in_pieces(Turn::below("/bmc/1"), PLAIN.as_bytes(), length);
            assert_eq!(below, BELOW, "pieces of {length}");
            let plain = in_pieces(Turn::plain("/bmc/1"), BELOW.as_bytes(), length);
            assert_eq!(plain, PLAIN, "pieces of {length}");
        }
        assert_eq!(Turn::below("/bmc/1").all(PLAIN.as_bytes()), BELOW);
    }

    #[test]
    fn a_message_of_a_stream_is_not_held_back() {
        let mut turn = Turn::below("/b");
        let sent = turn.next(b"id: 1\ndata: {\"x\":\"/redfish/v1/\"}\n\n", false);
        assert_eq!(sent, b"id: 1\ndata: {\"x\":\"/b/redfish/v1/\"}\n\n");
    }
}
