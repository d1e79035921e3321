//! The generator of `atproto-sdk`: Lexicon documents in, Rust bindings out.
//!
//! Data flows one way: JSON text → [`document`] (parsed and checked) → [`catalog`] (refs resolved
//! across documents) → [`emit`] (Rust text) → [`output`] (files). [`import`] makes the folder of documents
//! from an unpacked package; [`cli`] is the command line over all of it.

pub mod catalog;
pub mod cli;
pub mod diagnostic;
pub mod document;
pub mod emit;
pub mod folder;
pub mod import;
pub mod json;
pub mod model;
pub mod output;
