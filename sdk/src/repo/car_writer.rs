//! Writing CAR files (version 1).

use std::io::{self, Write};

use super::car::write_length;
use crate::types::{
    Cid,
    codec::{cbor_head, cbor_major as major},
};

/// Writes a CAR file of version 1, block by block.
///
/// Nothing is kept in memory. What is written goes out in small pieces, so a file is best wrapped in a
/// [`BufWriter`](io::BufWriter).
///
/// ```
/// use atproto_sdk::{repo::CarWriter, types::Cid};
///
/// let block = b"\xa0";
/// let cid = Cid::of_cbor(block);
/// let mut writer = CarWriter::new(Vec::new(), &cid)?;
/// writer.write(&cid, block)?;
/// assert_eq!(writer.finish()?.len(), 97);
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct CarWriter<W> {
    out: W,
    /// The beginning of a section.
    head: Vec<u8>,
}

impl<W: Write> CarWriter<W> {
    /// Begins a file with a root, which for the file of a repository is the commit.
    ///
    /// # Errors
    ///
    /// Returns an error if writing fails, or if the CID has a form that repositories do not use.
    pub fn new(mut out: W, root: &Cid) -> io::Result<Self> {
        out.write_all(&header(root)?)?;
        Ok(Self { out, head: Vec::new() })
    }

    /// Writes a block. Whether it has the hash that the CID says is not checked.
    ///
    /// # Errors
    ///
    /// Returns an error if writing fails, or if the CID has a form that repositories do not use.
    pub fn write(&mut self, cid: &Cid, block: &[u8]) -> io::Result<()> {
        section(&mut self.head, cid, block)?;
        self.out.write_all(&self.head)?;
        self.out.write_all(block)
    }

    /// Flushes and returns the writer that the file was written to.
    ///
    /// # Errors
    ///
    /// Returns an error if writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Writes a CAR file of version 1 without blocking, block by block.
///
/// Like [`CarWriter`], over what tokio writes to: a file, a socket, the body of an answer.
///
/// ```
/// use atproto_sdk::{repo::AsyncCarWriter, types::Cid};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let block = b"\xa0";
/// let cid = Cid::of_cbor(block);
/// let mut writer = AsyncCarWriter::new(Vec::new(), &cid).await?;
/// writer.write(&cid, block).await?;
/// assert_eq!(writer.finish().await?.len(), 97);
/// # Ok::<_, std::io::Error>(())
/// # })?;
/// # Ok::<_, std::io::Error>(())
/// ```
#[cfg(feature = "client")]
#[derive(Debug)]
pub struct AsyncCarWriter<W> {
    out: W,
    /// The beginning of a section.
    head: Vec<u8>,
}

#[cfg(feature = "client")]
impl<W: tokio::io::AsyncWrite + Unpin> AsyncCarWriter<W> {
    /// Begins a file with a root, which for the file of a repository is the commit.
    ///
    /// # Errors
    ///
    /// Returns an error if writing fails, or if the CID has a form that repositories do not use.
    pub async fn new(mut out: W, root: &Cid) -> io::Result<Self> {
        use tokio::io::AsyncWriteExt as _;

        out.write_all(&header(root)?).await?;
        Ok(Self { out, head: Vec::new() })
    }

    /// Writes a block. Whether it has the hash that the CID says is not checked.
    ///
    /// # Errors
    ///
    /// Returns an error if writing fails, or if the CID has a form that repositories do not use.
    pub async fn write(&mut self, cid: &Cid, block: &[u8]) -> io::Result<()> {
        use tokio::io::AsyncWriteExt as _;

        section(&mut self.head, cid, block)?;
        self.out.write_all(&self.head).await?;
        self.out.write_all(block).await
    }

    /// Flushes and returns the writer that the file was written to.
    ///
    /// # Errors
    ///
    /// Returns an error if writing fails.
    pub async fn finish(mut self) -> io::Result<W> {
        use tokio::io::AsyncWriteExt as _;

        self.out.flush().await?;
        Ok(self.out)
    }
}

fn bytes_of(cid: &Cid) -> io::Result<&[u8; 36]> {
    let problem = "a CID is not of version 1 with SHA-256 and DAG-CBOR or raw";
    cid.as_bytes().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, problem))
}

/// A CAR file in memory, of blocks whose CIDs are all of the form that repositories use. Others are left out.
pub(super) struct CarBytes {
    out: Vec<u8>,
    head: Vec<u8>,
}

impl CarBytes {
    pub(super) fn new(root: &Cid) -> Self {
        Self { out: header(root).unwrap_or_default(), head: Vec::new() }
    }

    pub(super) fn push(&mut self, cid: &Cid, block: &[u8]) {
        if section(&mut self.head, cid, block).is_ok() {
            self.out.extend_from_slice(&self.head);
            self.out.extend_from_slice(block);
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }
}

/// The first section, which has its length in front.
fn header(root: &Cid) -> io::Result<Vec<u8>> {
    let cid = bytes_of(root)?;
    let mut header = Vec::with_capacity(64);
    cbor_head(&mut header, major::MAP, 2);
    cbor_head(&mut header, major::TEXT, 5);
    header.extend_from_slice(b"roots");
    cbor_head(&mut header, major::LIST, 1);
    cbor_head(&mut header, major::TAG, 42);
    cbor_head(&mut header, major::BYTES, cid.len() as u64 + 1);
    header.push(0);
    header.extend_from_slice(cid);
    cbor_head(&mut header, major::TEXT, 7);
    header.extend_from_slice(b"version");
    cbor_head(&mut header, major::UNSIGNED, 1);
    let mut out = Vec::with_capacity(1 + header.len());
    write_length(&mut out, header.len());
    out.append(&mut header);
    Ok(out)
}

/// Replaces what is in `head` by what is before the data of a block.
fn section(head: &mut Vec<u8>, cid: &Cid, block: &[u8]) -> io::Result<()> {
    let cid = bytes_of(cid)?;
    head.clear();
    write_length(head, cid.len() + block.len());
    head.extend_from_slice(cid);
    Ok(())
}
