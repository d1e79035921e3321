//! Regenerates the bindings of `atproto-sdk`, and brings the project's folder of Lexicon documents up to date.
//!
//! The generator itself is the crate `atproto_sdk_codegen`. [`import`] makes the folder of documents from an unpacked
//! package; [`wire`] makes the calls of the wire tests; [`cli`] is the command line.

pub mod cli;
pub mod import;
pub mod wire;
