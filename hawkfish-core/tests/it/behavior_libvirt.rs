//! The behaviour suite on libvirt.
