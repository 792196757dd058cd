//! A way to die, for tests of crashes: at each step of the writer somebody may say that the process ends there.

use std::fmt;

/// Where the writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A piece of work is about to be done, in a transaction if it needs one.
    Begun,
    /// A piece of work is done, and nothing of it is committed.
    Worked,
    /// All is there to be committed.
    Committing,
    /// It is committed, and nobody knows.
    Committed,
    /// It is shown in memory and to who listens, and nobody is answered.
    Shown,
    /// Somebody is answered, and others may not be.
    Answered,
}

/// Says when it is over. Once it was, the store does nothing any more and answers nobody, as if its process had been killed.
pub trait Fuse: Send + Sync + fmt::Debug {
    /// Whether it is over here.
    fn burns(&self, at: Moment) -> bool;
}
