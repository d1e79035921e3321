//! A TCP proxy before a database, which keeps everything from passing for a while.

use std::{io, net::Ipv4Addr};

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
    task::AbortHandle,
};

/// What becomes of a store for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Nothing passes, and nobody is told. What was sent arrives afterwards, when its sender may have given up.
    Hang,
    /// Connections end, and no new ones come about.
    Cut,
    /// The server is started again.
    Restart,
}

/// Whether something passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    Hanging,
    Cut,
}

/// A proxy before a port of this machine. It ends with this value.
#[derive(Debug)]
pub struct StoreGate {
    port: u16,
    gate: watch::Sender<Gate>,
    task: AbortHandle,
}

impl StoreGate {
    /// Starts one, through which everything passes.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn before(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (gate, watched) = watch::channel(Gate::Open);
        // Connections end with the gate, whose sender is gone then.
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut watched = watched.clone();
                if *watched.borrow_and_update() != Gate::Cut {
                    tokio::spawn(pass(client, server, watched));
                }
            }
        });
        Ok(Self { port, gate, task: task.abort_handle() })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets nothing pass from now on. A restart does that by itself.
    pub fn close(&self, trouble: Trouble) {
        match trouble {
            Trouble::Hang => drop(self.gate.send_replace(Gate::Hanging)),
            Trouble::Cut => drop(self.gate.send_replace(Gate::Cut)),
            Trouble::Restart => {}
        }
    }

    /// Lets everything pass again.
    pub fn open(&self) {
        self.gate.send_replace(Gate::Open);
    }
}

impl Drop for StoreGate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection, until it ends or is cut.
async fn pass(client: TcpStream, server: u16, mut gate: watch::Receiver<Gate>) {
    if gate.wait_for(|gate| *gate != Gate::Hanging).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await else { return };
    // Single small packets in both directions.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let both = async {
        tokio::join!(pump(from_client, to_server, gate.clone()), pump(from_server, to_client, gate.clone()))
    };
    let mut cut = gate.clone();
    tokio::select! {
        _ = both => {}
        // Also when the gate is gone.
        _ = cut.wait_for(|gate| *gate == Gate::Cut) => {}
    }
}

/// Passes on what comes, and keeps it while the gate hangs.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut gate: watch::Receiver<Gate>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if gate.wait_for(|gate| *gate == Gate::Open).await.is_err() {
            return Ok(());
        }
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    /// A server that returns what it gets.
    async fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mut from, mut to) = stream.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from, &mut to).await });
            }
        });
        port
    }

    async fn returned(stream: &mut TcpStream) -> io::Result<u8> {
        stream.write_all(&[7]).await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn what_hangs_arrives_late_and_what_is_cut_does_not() {
        let gate = StoreGate::before(echo().await).await.unwrap();
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, gate.port()));
        let mut old = connect().await.unwrap();
        assert_eq!(returned(&mut old).await.unwrap(), 7);
        gate.close(Trouble::Hang);
        let mut new = connect().await.unwrap();
        for stream in [&mut old, &mut new] {
            let late = tokio::time::timeout(Duration::from_millis(100), returned(stream)).await;
            assert!(late.is_err(), "{late:?}");
        }
        gate.open();
        assert_eq!((old.read_u8().await.unwrap(), new.read_u8().await.unwrap()), (7, 7));
        gate.close(Trouble::Cut);
        assert!(old.read_u8().await.is_err());
        assert!(returned(&mut connect().await.unwrap()).await.is_err());
        gate.open();
        assert_eq!(returned(&mut connect().await.unwrap()).await.unwrap(), 7);
    }
}
