//! The local network.
