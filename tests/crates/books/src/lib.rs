//! The lexicons `com.example.books.*`, as a crate that others build on.

#[rustfmt::skip]
pub mod lexicons;
