//! OAuth sessions.
