//! Generates a key for a confidential client: `cargo run --example client_key [-- KEY_ID]`.
//!
//! The private key is written to standard output; store it with the other secrets of the app. The public key, which is part
//! of the client metadata, is written to standard error.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use atproto_sdk::{Report, oauth::ClientKey};

fn main() -> Result<(), Report> {
    let mut key = ClientKey::generate()?;
    if let Some(kid) = std::env::args().nth(1) {
        key = key.with_kid(kid)?;
    }
    println!("{}", key.to_jwk().as_str());
    eprintln!("Public key: {}", key.to_public_jwk());
    Ok(())
}
