//! Real machines, through libvirt.
