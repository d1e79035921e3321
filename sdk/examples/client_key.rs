//! Makes a key for a confidential client: `cargo run --example client_key [-- NAME]`.
//!
//! The private key goes to standard output, and from there to where the app keeps its secrets; the public one, which the
//! client metadata shows, to standard error.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use atproto_sdk::oauth::{ClientKey, ClientKeyError};

fn main() -> Result<(), ClientKeyError> {
    let mut key = ClientKey::generate()?;
    if let Some(name) = std::env::args().nth(1) {
        key = key.with_kid(name)?;
    }
    println!("{}", key.to_jwk().as_str());
    eprintln!("The public key, for servers: {}", key.to_public_jwk());
    Ok(())
}
