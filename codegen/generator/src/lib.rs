//! Generates typed Rust bindings from [Lexicon](https://atproto.com/specs/lexicon) documents, for use with `atproto-sdk`.
//!
//! Data flows one way: JSON text → [`document`] (parsed and checked) → [`catalog`] (refs resolved across documents) →
//! [`model`] (names and types chosen) → [`emit`] (Rust text) → [`output`] (files).
//!
//! Beside that way, [`lint`] tells what is wrong or unwise in documents, and [`evolution`] what a change of them breaks.

pub mod bundle;
pub mod catalog;
pub mod config;
pub mod diagnostic;
pub mod document;
pub mod emit;
pub mod evolution;
pub mod folder;
pub mod generator;
pub mod json;
pub mod lint;
pub mod model;
pub mod output;
pub mod pattern;
pub mod renames;

/// Guides.
pub mod guide {
    #[doc = include_str!("../docs/guide.md")]
    pub mod own_lexicons {}

    #[doc = include_str!("../docs/build-scripts.md")]
    pub mod build_scripts {}
}

pub use generator::{Bindings, GenerateError, Generator, build};
