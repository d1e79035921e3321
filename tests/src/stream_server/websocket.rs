//! The frames of WebSockets ([RFC 6455](https://www.rfc-editor.org/rfc/rfc6455#section-5)), as a server writes and reads them.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;
use tokio::io::{AsyncRead, AsyncReadExt as _};

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// The largest frame that is read; more is a mistake of the client.
const FRAME_LIMIT: u64 = 64 << 20;

/// What a server answers to the key of a handshake.
pub(super) fn accepting(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

/// A frame of the server. `last` says whether the message ends with it.
pub(super) fn frame(kind: u8, last: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 10);
    out.push(kind | if last { 0x80 } else { 0 });
    match payload.len() {
        length @ 0..126 => out.push(length as u8),
        length @ 126..0x1_0000 => {
            out.push(126);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    out
}

/// A close frame.
pub(super) fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(CLOSE, true, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// Reads a frame of the client: its kind, and its payload without the mask.
pub(super) async fn read_frame(connection: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    connection.read_exact(&mut head).await?;
    if head[1] & 0x80 == 0 {
        return Err(io::Error::other("a frame of a client has no mask"));
    }
    let length = match head[1] & 0x7f {
        126 => u64::from(connection.read_u16().await?),
        127 => connection.read_u64().await?,
        length => u64::from(length),
    };
    if length > FRAME_LIMIT {
        return Err(io::Error::other(format!("a frame of {length} bytes")));
    }
    let mut mask = [0; 4];
    connection.read_exact(&mut mask).await?;
    let mut payload = vec![0; length as usize];
    connection.read_exact(&mut payload).await?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok((head[0] & 0x0f, payload))
}
