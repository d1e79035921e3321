//! The generator of `atproto-sdk`: Lexicon documents in, Rust bindings out.
//!
//! Data flows one way: JSON text → [`document`] (parsed and checked) → [`catalog`] (refs resolved
//! across documents) → [`emit`] (Rust text) → [`output`] (files).

pub mod catalog;
pub mod diagnostic;
pub mod document;
pub mod emit;
pub mod json;
