//! Connections that a server has switched to another protocol.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that a server has switched to another protocol with its response, whose status is 101: a WebSocket.
///
/// A [`Transport`](super::Transport) that sends requests by HTTP/1.1 returns it with
/// [`TransportResponse::with_upgrade`](super::TransportResponse::with_upgrade). One that cannot do that works for calls, and not
/// for [streams](crate::stream).
pub struct Upgraded(Box<dyn Connection>);

/// What a connection can do.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Upgraded {
    /// Wraps a connection, for implementations of [`Transport`](super::Transport).
    ///
    /// ```
    /// use atproto_sdk::xrpc::Upgraded;
    ///
    /// // A server in a test has the other end.
    /// let (ours, theirs) = tokio::io::duplex(1 << 16);
    /// let connection = Upgraded::new(ours);
    /// # drop((connection, theirs));
    /// ```
    pub fn new(connection: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Box::new(connection))
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgraded(..)")
    }
}
