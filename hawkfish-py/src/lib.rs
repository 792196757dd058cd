//! Python bindings of HawkFish.
