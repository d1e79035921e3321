//! The lexicons `com.example.club.*`, which refer to those of `books_lexicons`.

/// The bindings.
pub mod lexicons {
    include!(concat!(env!("OUT_DIR"), "/lexicons.rs"));
}
