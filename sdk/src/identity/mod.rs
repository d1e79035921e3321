//! Handle and DID resolution.
