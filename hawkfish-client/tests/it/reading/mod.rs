//! Reading: what a service can do, collections in one request, walks, and resources as types.

mod captured;
mod expand;
mod handles;
mod round_trips;
mod tree;
mod walk;
