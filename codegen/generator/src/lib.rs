//! Generates typed Rust bindings from [Lexicon](https://atproto.com/specs/lexicon) documents, for use with
//! [`atproto-sdk`](https://docs.rs/atproto-sdk).
//!
//! Most crates need the command line `atproto-sdk` only, which is the package `atproto-sdk-cli`: start with the guide
//! [your own lexicons in ten minutes](guide::own_lexicons). A crate can also generate its bindings
//! [in a build script](guide::build_scripts), with [`build`] or a [`Generator`].
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`config`] | `lexicons.toml` |
//! | [`catalog`] | documents with their refs resolved, and the warnings about them |
//! | [`lint`] | the rules of the language and of the style guide |
//! | [`evolution`] | what changed between two versions of documents, and what that breaks |
//!
//! What cannot be used in a document is left out with a [warning](guide::warnings), and everything else is generated: the
//! output always compiles. It is the same on every platform, whatever the order of files and keys.
//!
//! The other modules are parts of the generator. They are public for its command lines, and may change in any version.

// Data flows one way: JSON text → document (parsed and checked) → catalog (refs resolved across documents) → model (names and
// types chosen) → emit (Rust text) → output (files).
#[doc(hidden)]
pub mod bundle;
pub mod catalog;
pub mod config;
pub mod diagnostic;
pub mod document;
#[doc(hidden)]
pub mod emit;
pub mod evolution;
#[doc(hidden)]
pub mod folder;
pub mod generator;
pub mod json;
pub mod lint;
#[doc(hidden)]
pub mod model;
#[doc(hidden)]
pub mod one_line;
pub mod output;
#[doc(hidden)]
pub mod package;
pub mod pattern;
#[doc(hidden)]
pub mod renames;

/// Guides.
pub mod guide {
    #[doc = include_str!("../docs/guide.md")]
    pub mod own_lexicons {}

    #[doc = include_str!("../docs/build-scripts.md")]
    pub mod build_scripts {}

    #[doc = include_str!("../docs/dependencies.md")]
    pub mod dependencies {}

    #[doc = include_str!("../docs/warnings.md")]
    pub mod warnings {}
}

pub use generator::{Bindings, GenerateError, Generator, build};
