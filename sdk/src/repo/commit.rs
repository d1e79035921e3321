//! Signed commits: the root of a repository (version 3).

use std::fmt;

use super::{RepoError, SigningKey, SigningKeyError};
use crate::{
    types::{
        Cid, DataError, Did, Reader, Tid,
        codec::{Kind, cbor_head, cbor_major as major},
    },
    verifying_key::VerifyingKey,
};

/// What a commit is called in errors.
const COMMIT: &str = "the commit";
/// The length of a signature.
const SIGNATURE: usize = 64;

/// A signed [commit](https://atproto.com/specs/repository#commit-objects): the root of a repository, of version 3.
///
/// ```
/// use atproto_sdk::{did, repo::{Commit, SigningKey, Tree}, types::Tid};
///
/// let key = SigningKey::generate_p256()?;
/// let did = did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz");
/// let commit = Commit::sign(&did, &Tid::now(), &Tree::new().root(), &key)?;
///
/// let commit = Commit::decode(commit.as_bytes())?;
/// commit.verify(&key.verifying_key())?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Commit {
    did: Did,
    rev: Tid,
    data: Cid,
    prev: Option<Cid>,
    block: Vec<u8>,
    signature: Vec<u8>,
    /// The commit without its signature, which is what was signed.
    signed: Vec<u8>,
}

impl Commit {
    /// Decodes a commit. Its signature is not verified.
    ///
    /// # Errors
    ///
    /// Returns an error if the block is not a signed commit of version 3.
    pub fn decode(block: &[u8]) -> Result<Self, RepoError> {
        let undecodable = |source| RepoError::Undecodable { what: COMMIT, source };
        let fail = |problem| RepoError::Commit { problem };
        let mut reader = Reader::cbor(block);
        if reader.peek().map_err(undecodable)? != Kind::Map {
            return Err(fail("it is not an object"));
        }
        let fields = Fields::read(&mut reader).map_err(undecodable)?;
        let Some((signature, start, end)) = fields.signature else { return Err(fail("it is not signed")) };
        if fields.version != Some(3) {
            return Err(fail("its version is not 3"));
        }
        let did =
            fields.did.and_then(|text| Did::new(text).ok()).ok_or_else(|| fail("`did` is not a DID"))?;
        let rev =
            fields.rev.and_then(|text| Tid::new(text).ok()).ok_or_else(|| fail("`rev` is not a TID"))?;
        let data = fields.data.ok_or_else(|| fail("`data` is not a link"))?;
        if !fields.is_prev_fine {
            return Err(fail("`prev` is neither a link nor null"));
        }
        // Only the canonical form is read, and without the signature it is still canonical: what was signed.
        let mut signed = Vec::with_capacity(block.len());
        cbor_head(&mut signed, major::MAP, fields.count - 1);
        signed.extend_from_slice(&block[fields.start..start]);
        signed.extend_from_slice(&block[end..]);
        Ok(Self { did, rev, data, prev: fields.prev, block: block.to_vec(), signature, signed })
    }

    /// Creates and signs a commit, with `prev: null` as every commit of version 3 has it.
    ///
    /// # Errors
    ///
    /// Returns an error if the DID or the revision was decoded and is not valid, if `data` is not the CID of a tree, or if
    /// the commit cannot be signed.
    pub fn sign(did: &Did, rev: &Tid, data: &Cid, key: &SigningKey) -> Result<Self, SignCommitError> {
        let (did, rev) = (Did::new(did)?, Tid::new(rev)?);
        let link = data.as_bytes().ok_or(SignCommitError::Data)?;
        let encode = |signature: Option<&[u8]>| {
            let mut out = Vec::with_capacity(256);
            cbor_head(&mut out, major::MAP, if signature.is_some() { 6 } else { 5 });
            let text = |out: &mut Vec<u8>, text: &str| {
                cbor_head(out, major::TEXT, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            };
            // By the length of their names, then by their bytes.
            text(&mut out, "did");
            text(&mut out, did.as_str());
            text(&mut out, "rev");
            text(&mut out, rev.as_str());
            if let Some(signature) = signature {
                text(&mut out, "sig");
                cbor_head(&mut out, major::BYTES, signature.len() as u64);
                out.extend_from_slice(signature);
            }
            text(&mut out, "data");
            cbor_head(&mut out, major::TAG, 42);
            cbor_head(&mut out, major::BYTES, link.len() as u64 + 1);
            out.push(0);
            out.extend_from_slice(link);
            text(&mut out, "prev");
            out.push(0xf6);
            text(&mut out, "version");
            cbor_head(&mut out, major::UNSIGNED, 3);
            out
        };
        let signed = encode(None);
        let signature: [u8; SIGNATURE] = key.sign(&signed)?;
        let block = encode(Some(&signature));
        Ok(Self { did, rev, data: data.clone(), prev: None, block, signature: signature.into(), signed })
    }

    /// Verifies the signature.
    ///
    /// # Errors
    ///
    /// Returns [`RepoError::Signature`] if the commit was not signed with the key.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), RepoError> {
        key.verify(&self.signed, &self.signature)
            .map_err(|source| RepoError::Signature { did: self.did.clone(), source })
    }

    /// Returns the account of the repository.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// Returns the revision. That of a later commit is greater.
    pub fn rev(&self) -> &Tid {
        &self.rev
    }

    /// Returns the root of the tree of records.
    pub fn data(&self) -> &Cid {
        &self.data
    }

    /// Returns the commit before this one. Nearly every commit of version 3 leaves it out.
    pub fn prev(&self) -> Option<&Cid> {
        self.prev.as_ref()
    }

    /// Returns the signature.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Returns what was signed: the commit without its signature, in DAG-CBOR.
    pub fn signed_bytes(&self) -> &[u8] {
        &self.signed
    }

    /// Returns the block of the commit: the commit in DAG-CBOR.
    pub fn as_bytes(&self) -> &[u8] {
        &self.block
    }

    /// Returns the CID of the commit.
    pub fn cid(&self) -> Cid {
        Cid::of_cbor(&self.block)
    }
}

/// Shows what the commit says.
impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Commit");
        shown.field("did", &self.did).field("rev", &self.rev).field("data", &self.data);
        shown.field("prev", &self.prev).finish_non_exhaustive()
    }
}

/// The fields of a commit. Those that are not known are signed too.
#[derive(Default)]
struct Fields {
    count: u64,
    /// Where the first field begins.
    start: usize,
    did: Option<String>,
    rev: Option<String>,
    data: Option<Cid>,
    prev: Option<Cid>,
    is_prev_fine: bool,
    version: Option<i64>,
    /// The signature, and where its field begins and ends.
    signature: Option<(Vec<u8>, usize, usize)>,
}

impl Fields {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        // An old commit may be without `prev`.
        let mut fields = Self { is_prev_fine: true, ..Self::default() };
        let mut entries = reader.enter_map()?;
        fields.start = reader.offset();
        let mut start = fields.start;
        while let Some(name) = reader.next_key(&mut entries)? {
            let kind = reader.peek()?;
            match (&*name, kind) {
                ("did", Kind::Text) => fields.did = Some(reader.text()?.into_owned()),
                ("rev", Kind::Text) => fields.rev = Some(reader.text()?.into_owned()),
                ("data", Kind::Link) => fields.data = Some(reader.link()?),
                ("prev", Kind::Link) => fields.prev = Some(reader.link()?),
                ("prev", Kind::Null) => drop(reader.null()?),
                ("version", Kind::Number) => fields.version = Some(reader.integer()?),
                ("sig", Kind::Bytes) => {
                    let signature = reader.cbor_bytes()?.to_vec();
                    fields.signature = Some((signature, start, reader.offset()));
                }
                (name, _) => {
                    fields.is_prev_fine &= name != "prev";
                    reader.skip()?;
                }
            }
            fields.count += 1;
            start = reader.offset();
        }
        reader.finish()?;
        Ok(fields)
    }
}

/// The error returned when a commit cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignCommitError {
    /// The DID or the revision was decoded and is not valid.
    #[error(transparent)]
    Name(#[from] crate::types::InvalidText),
    /// The CID of the tree has a form that repositories do not use.
    #[error("the root of the tree is not a CID of version 1 with SHA-256 and DAG-CBOR or raw")]
    Data,
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
}
