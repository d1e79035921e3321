//! Sign-ins and sessions against servers that can be told to misbehave.

mod session;
mod sign_in;
