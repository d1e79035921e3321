//! Signed commits: the root of a repository (version 3).

use super::RepoError;
use crate::{
    types::{Cid, Data as _, Did, Tid, Value, from_cbor},
    verifying_key::VerifyingKey,
};

/// What a commit says of its repository.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) did: Did,
    pub(super) rev: Tid,
    /// The root of the tree of records.
    pub(super) data: Cid,
    signature: Vec<u8>,
    /// The commit without its signature, which is what was signed.
    signed: Vec<u8>,
}

impl Commit {
    pub(super) fn decode(block: &[u8]) -> Result<Self, RepoError> {
        const WHAT: &str = "the commit";
        let fail = |problem| RepoError::Commit { problem };
        let undecodable = |source| RepoError::Undecodable { what: WHAT, source };
        let Value::Map(mut fields) = from_cbor(block).map_err(undecodable)? else {
            return Err(fail("it is not an object"));
        };
        let Some(Value::Bytes(signature)) = fields.remove("sig") else {
            return Err(fail("it is not signed"));
        };
        if fields.get("version").and_then(Value::as_i64) != Some(3) {
            return Err(fail("its version is not 3"));
        }
        let text = |name| fields.get(name).and_then(Value::as_str);
        let did = text("did").and_then(|text| Did::new(text).ok()).ok_or(fail("`did` is not a DID"))?;
        let rev = text("rev").and_then(|text| Tid::new(text).ok()).ok_or(fail("`rev` is not a TID"))?;
        let Some(Value::Link(data)) = fields.get("data").cloned() else {
            return Err(fail("`data` is not a link"));
        };
        // Only the canonical form is read, so the rest is written again as it was signed.
        let signed = Value::Map(fields).to_cbor().map_err(undecodable)?;
        Ok(Self { did, rev, data, signature: signature.0.to_vec(), signed })
    }

    pub(super) fn verify(&self, key: &VerifyingKey) -> Result<(), RepoError> {
        key.verify(&self.signed, &self.signature)
            .map_err(|source| RepoError::Signature { did: self.did.clone(), source })
    }
}
