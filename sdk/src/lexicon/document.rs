//! A lexicon as it was published.

use crate::{
    repo::VerifiedRecord,
    server_text::{SHORT, excerpt},
    types::{Cid, Did, Nsid, Tid, Unknown, Value},
};

/// A published lexicon, proven to be what its account has signed. Returned by
/// [`LexiconResolver::resolve`](super::LexiconResolver::resolve).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PublishedLexicon {
    /// The NSID, which the document has as its `id`.
    pub nsid: Nsid,
    /// The account that publishes it.
    pub did: Did,
    /// The origin of the account's PDS.
    pub pds: String,
    /// The CID of the document. It changes with every change of the document.
    pub cid: Cid,
    /// The revision of the repository in which it was found.
    pub rev: Tid,
    /// The document in DAG-CBOR, with its `$type`.
    pub cbor: Vec<u8>,
    json: String,
}

impl PublishedLexicon {
    /// Returns the document as JSON text, with its `$type`. The fields of objects are sorted by length, as in DAG-CBOR.
    ///
    /// Encoding the text as DAG-CBOR again gives the same bytes, and the same CID.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Checks that a record is the lexicon with this NSID.
    pub(super) fn new(nsid: &Nsid, did: &Did, pds: &str, record: VerifiedRecord) -> Result<Self, String> {
        let document = Unknown::from_cbor(&record.bytes).map_err(|error| error.to_string())?;
        let text = |name| match document.get(name).map(|value| value.to_value()) {
            Some(Ok(Value::Text(text))) => Some(text),
            _ => None,
        };
        let found = |name: &str, text: Option<String>| match text {
            Some(text) => format!("its `{name}` is `{}`", excerpt(&text, SHORT)),
            None => format!("it has no `{name}`"),
        };
        let tag = text("$type");
        if tag.as_deref() != Some(super::COLLECTION.as_str()) {
            return Err(found("$type", tag));
        }
        let id = text("id");
        if id.as_deref() != Some(nsid.as_str()) {
            return Err(found("id", id));
        }
        match document.get("lexicon").map(|version| version.to_value()) {
            Some(Ok(Value::Integer(1))) => {}
            Some(Ok(Value::Integer(version))) => {
                return Err(format!(
                    "it is of version {version} of the lexicon language, and only version 1 is known"
                ));
            }
            _ => return Err("it has no version (`lexicon`)".to_owned()),
        }
        Ok(Self {
            nsid: nsid.clone(),
            did: did.clone(),
            pds: pds.to_owned(),
            cid: record.cid,
            rev: record.rev,
            json: document.as_json().into_owned(),
            cbor: record.bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::types::{Data as _, from_json};

    fn published(id: &str, asked: &Nsid) -> Result<PublishedLexicon, String> {
        let json = format!(r#"{{"$type":"com.atproto.lexicon.schema","lexicon":1,"id":"{id}","defs":{{}}}}"#);
        let bytes = from_json::<Value>(&json).unwrap().to_cbor().unwrap();
        let rev = Tid::new("3jzfcijpj2z2a").unwrap();
        let record = VerifiedRecord { cid: Cid::of_cbor(&bytes), rev, bytes };
        PublishedLexicon::new(asked, &Did::new("did:web:example.com").unwrap(), "https://example.com", record)
    }

    #[test]
    fn long_names_are_compared_as_a_whole() {
        let part = "a".repeat(60);
        let long: Nsid = format!("com.{part}.{part}.{part}.one").parse().unwrap();
        let longer: Nsid = format!("com.{part}.{part}.{part}.{part}.one").parse().unwrap();
        assert_eq!(published(longer.as_str(), &longer).unwrap().nsid, longer);
        // Those that differ only at the end are different, and messages stay short.
        let problem = published(&format!("{longer}x"), &longer).unwrap_err();
        assert!(problem.len() < 230, "{problem}");
        assert!(published(longer.as_str(), &long).is_err());
    }
}
