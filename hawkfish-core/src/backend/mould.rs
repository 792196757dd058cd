//! What made-up machines are made from: so that nothing need be kept of those that nobody has touched.

use std::fmt;

use super::{Machine, MachineKey};

/// Makes the machines of a host as they came, over and over.
///
/// # Behavior
/// - What it makes of a key is the same each time, whatever became of the machine since. It asks nobody, and answers as well while the host does not.
/// - A recipe is all that decides which machines there are. What they look like may change with the program.
pub trait Mould: fmt::Debug + Send + Sync {
    /// The keys of all machines, in order.
    fn keys(&self) -> Vec<MachineKey>;

    /// The first of the keys.
    fn first(&self) -> Option<MachineKey>;

    /// How many machines there are.
    fn count(&self) -> usize;

    /// Whether there is such a machine.
    fn has(&self, key: MachineKey) -> bool;

    /// A machine as it came.
    fn make(&self, key: MachineKey) -> Option<Machine>;

    /// Machines of which every other is like one, but for what tells machines apart: names, numbers, addresses.
    fn samples(&self) -> Vec<MachineKey>;

    /// What decides which machines there are, as a text to be kept.
    fn recipe(&self) -> String;

    /// The keys of the machines of another recipe, in order; `None` for what is none.
    fn keys_of(&self, recipe: &str) -> Option<Vec<MachineKey>>;
}
