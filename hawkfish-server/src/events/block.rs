//! Events as they go over the wire, made once for all who are to have them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hawkfish_core::events::{Format, Record, Telling, Told};

use super::stream::Listener;
use super::wanted::Wanted;

/// Bytes of a block, about: so much goes out with one write, and so much at most does a stream hold on to that is stuck.
const BLOCK_BYTES: usize = 32 * 1024;
/// Bytes of all blocks that are kept. Who is further behind reads events one by one.
const RING_BYTES: usize = 4 * 1024 * 1024;

/// One event as it goes over the wire.
fn put(out: &mut String, seq: u64, body: &Bytes) {
    // Writing into memory does not fail.
    let _ = write!(out, "id: {seq}\ndata: ");
    let text = std::str::from_utf8(body).unwrap_or_default();
    // JSON as it is written here has no line breaks; one would end the field.
    debug_assert!(!text.contains(['\n', '\r']), "{text}");
    out.push_str(text);
    out.push_str("\n\n");
}

/// One event as it goes over the wire, with its envelope.
pub(super) fn frame(out: &mut String, telling: &dyn Telling, seq: u64, record: &Record) {
    put(out, seq, &telling.body(&seq.to_string(), None, &[record]));
}

/// Some events, one after the other.
#[derive(Debug)]
pub(super) struct Block {
    /// The number before its first event.
    pub(super) after: u64,
    /// The number of its last event.
    pub(super) through: u64,
    /// All that goes to who wants every event and no report.
    joined: Bytes,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    told: Arc<Told>,
    /// Where it begins in what is joined.
    from: usize,
    /// It by itself.
    frame: Bytes,
}

impl Block {
    /// As many events as fit, of those that follow `after`; and how many that were.
    fn of(after: u64, events: &[Arc<Told>], telling: &dyn Telling) -> (Self, usize) {
        let mut joined = String::with_capacity(BLOCK_BYTES + 2048);
        let mut apart = Vec::new();
        let mut taken = 0;
        for told in events {
            let from = joined.len();
            let record = told.record(telling);
            if record.format == Format::Event {
                frame(&mut joined, telling, told.seq(), record);
                apart.push((from, None));
            } else {
                let mut alone = String::new();
                frame(&mut alone, telling, told.seq(), record);
                apart.push((from, Some(Bytes::from(alone))));
            }
            taken += 1;
            if joined.len() >= BLOCK_BYTES {
                break;
            }
        }
        let joined = Bytes::from(joined);
        let ends: Vec<usize> = apart.iter().skip(1).map(|(from, _)| *from).collect();
        let ends = ends.into_iter().chain([joined.len()]);
        let parts = apart.into_iter().zip(ends).zip(events);
        let parts = parts.map(|(((from, alone), to), told)| Part {
            told: told.clone(),
            from,
            frame: alone.unwrap_or_else(|| joined.slice(from..to)),
        });
        let block = Self {
            after,
            through: events[..taken].last().map_or(after, |told| told.seq()),
            parts: parts.collect(),
            joined,
        };
        (block, taken)
    }

    /// What of it comes after `seq` and is wanted; empty where nothing is.
    pub(super) fn after(
        &self,
        seq: u64,
        wanted: &Wanted,
        listener: &Listener,
        telling: &dyn Telling,
    ) -> Bytes {
        let parts = self.parts.iter().skip_while(|part| part.told.seq() <= seq);
        if wanted.is_all() && listener.hears_all() {
            let from = parts.map(|part| part.from).next();
            return self.joined.slice(from.unwrap_or(self.joined.len())..);
        }
        let chosen =
            |part: &&Part| wanted.takes(part.told.record(telling)) && listener.hears(&part.told);
        let mut chosen = parts.filter(chosen);
        let Some(first) = chosen.next() else {
            return Bytes::new();
        };
        let Some(second) = chosen.next() else {
            return first.frame.clone();
        };
        let mut out = BytesMut::with_capacity(first.frame.len() + second.frame.len());
        for part in [first, second].into_iter().chain(chosen) {
            out.extend_from_slice(&part.frame);
        }
        out.freeze()
    }
}

/// The newest blocks.
#[derive(Debug, Default)]
pub(super) struct Ring {
    blocks: VecDeque<Arc<Block>>,
    bytes: usize,
}

/// Blocks of events that follow `after`.
pub(super) fn blocks(after: u64, events: &[Arc<Told>], telling: &dyn Telling) -> Vec<Arc<Block>> {
    let (mut after, mut rest) = (after, events);
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (block, taken) = Block::of(after, rest, telling);
        after = block.through;
        rest = &rest[taken..];
        all.push(Arc::new(block));
    }
    all
}

impl Ring {
    /// Adds blocks that follow what is there.
    pub(super) fn extend(&mut self, blocks: Vec<Arc<Block>>) {
        for block in blocks {
            self.bytes += block.joined.len();
            self.blocks.push_back(block);
        }
        while self.bytes > RING_BYTES {
            let Some(old) = self.blocks.pop_front() else {
                break;
            };
            self.bytes -= old.joined.len();
        }
    }

    pub(super) fn clear(&mut self) {
        self.blocks.clear();
        self.bytes = 0;
    }

    /// The block with the event that follows `seq`, if it is kept.
    pub(super) fn after(&self, seq: u64) -> Option<Arc<Block>> {
        let at = self.blocks.partition_point(|block| block.through <= seq);
        let block = self.blocks.get(at)?;
        (block.after <= seq).then(|| block.clone())
    }
}
