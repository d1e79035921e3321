mod given;
mod message;
pub(crate) use message::read;
