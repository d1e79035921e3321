//! The generator's output for the documents in `lexicons/`, one of them for each feature of the language.
//!
//! `codegen/generator/tests/golden.rs` compares it with what the generator makes today. That it is a crate outside of the SDK shows
//! that generated code needs the public face alone.

#[rustfmt::skip]
pub mod lexicons;
