//! The machine of a verified stream, over accounts that are made up here.

#![allow(clippy::unwrap_used)]

mod chains;
mod crowds;
mod endings;
mod floods;
mod keys;
mod lies;
mod repairs;
mod restarts;
mod saving;
mod unrepaired;
mod wire;
mod world;
