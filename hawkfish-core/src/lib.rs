//! The whole HawkFish system as an async Rust API: backends, inventory, power, media, accounts, tasks. No HTTP.
