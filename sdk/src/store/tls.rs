//! TLS settings in the URLs of databases.

#[cfg(feature = "postgres")]
use std::sync::Arc;

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use zeroize::Zeroizing;

use super::StoreError;

/// The files in the URL parameters `sslrootcert`, `sslcert` and `sslkey`, which the drivers do not support.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TlsFiles {
    authorities: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

/// A client certificate and its key.
pub(super) struct Identity {
    pub(super) certificates: Vec<u8>,
    pub(super) key: Zeroizing<Vec<u8>>,
}

impl TlsFiles {
    /// Removes the parameters from a URL, and returns the rest of the URL unchanged.
    pub(super) fn take_from(url: &str) -> Result<(String, Self), StoreError> {
        let (start, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
        let mut files = Self::default();
        let Some((address, query)) = start.split_once('?') else { return Ok((url.to_owned(), files)) };
        let mut others = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let parsed = url::form_urlencoded::parse(pair.as_bytes()).next();
            let place = match parsed.as_ref().map(|(name, _)| &**name) {
                Some("sslrootcert") => &mut files.authorities,
                Some("sslcert") => &mut files.certificate,
                Some("sslkey") => &mut files.key,
                _ => {
                    others.push(pair);
                    continue;
                }
            };
            *place = parsed.map(|(_, path)| path.into_owned());
        }
        if files.certificate.is_some() != files.key.is_some() {
            let problem = "`sslcert` and `sslkey` must be used together; one of them is missing";
            return Err(StoreError::Url { problem: problem.to_owned() });
        }
        let query = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
        Ok((format!("{address}{query}{fragment}"), files))
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The trusted certificate authorities, in PEM format and parsed.
    pub(super) fn authorities(&self) -> Result<Option<(Vec<u8>, RootCertStore)>, StoreError> {
        let Some(path) = &self.authorities else { return Ok(None) };
        let refuse = |problem: String| refuse("sslrootcert", path, &problem);
        let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates("sslrootcert", path, &pem)? {
            roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
        }
        Ok(Some((pem, roots)))
    }

    /// The client certificate and its key, in PEM format.
    pub(super) fn identity(&self) -> Result<Option<Identity>, StoreError> {
        let (Some(path), Some(key_path)) = (&self.certificate, &self.key) else { return Ok(None) };
        let pem = std::fs::read(path).map_err(|error| refuse("sslcert", path, &error.to_string()))?;
        certificates("sslcert", path, &pem)?;
        let key = std::fs::read(key_path).map(Zeroizing::new);
        let key = key.map_err(|error| refuse("sslkey", key_path, &error.to_string()))?;
        if PrivateKeyDer::from_pem_slice(&key).is_err() {
            return Err(refuse("sslkey", key_path, "it contains no private key in PEM format"));
        }
        Ok(Some(Identity { certificates: pem, key }))
    }

    /// A TLS configuration, for drivers that accept one. Without `sslrootcert`, the authorities of the system are trusted.
    #[cfg(feature = "postgres")]
    pub(super) fn client_config(&self) -> Result<rustls::ClientConfig, StoreError> {
        use rustls_platform_verifier::BuilderVerifierExt as _;
        let builder =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(StoreError::backend)?;
        let verified = match self.authorities()? {
            Some((_, roots)) => builder.with_root_certificates(roots),
            None => builder.with_platform_verifier().map_err(StoreError::backend)?,
        };
        let (Some(identity), Some(path)) = (self.identity()?, &self.certificate) else {
            return Ok(verified.with_no_client_auth());
        };
        let chain = certificates("sslcert", path, &identity.certificates)?;
        let key = PrivateKeyDer::from_pem_slice(&identity.key).map_err(StoreError::backend)?;
        verified
            .with_client_auth_cert(chain, key)
            .map_err(|error| refuse("sslcert", path, &format!("it does not match `sslkey` ({error})")))
    }
}

/// Parses the certificates in a PEM file. There must be at least one.
fn certificates(setting: &str, path: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(refuse(setting, path, "it contains no certificate in PEM format")),
        Err(error) => Err(refuse(setting, path, &error.to_string())),
    }
}

fn refuse(setting: &str, path: &str, problem: &str) -> StoreError {
    StoreError::Url { problem: format!("`{setting}` {path}: {problem}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_are_taken_out_of_the_url_and_nothing_else() {
        let take = |url: &str| TlsFiles::take_from(url).unwrap();
        for url in [
            "postgres://a:b%3F@h1:5432,h2:5433/db?sslmode=require&options=-c%20x",
            "rediss://h/0?protocol=resp3#insecure",
            "postgres:///db?host=/run/postgresql",
            "nonsense",
            "",
        ] {
            let (rest, files) = take(url);
            assert!(rest == url && files.is_empty(), "{rest}");
        }
        let (rest, files) = take("rediss://h/0?sslcert=a&protocol=resp3&sslkey=b%20c&sslrootcert=/d#x");
        assert_eq!(rest, "rediss://h/0?protocol=resp3#x");
        assert_eq!(files.authorities.as_deref(), Some("/d"));
        assert_eq!((files.certificate.as_deref(), files.key.as_deref()), (Some("a"), Some("b c")));
        assert_eq!(take("postgres://h/db?sslrootcert=x").0, "postgres://h/db");
        let error = TlsFiles::take_from("postgres://u:secret@h/db?sslkey=x").unwrap_err().to_string();
        assert!(error.contains("`sslcert`") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn errors_name_setting_and_file() {
        let folder = tempfile::tempdir().unwrap();
        let (pem, text) = (folder.path().join("good.pem"), folder.path().join("text.pem"));
        let authority = ::tests::Authority::new();
        std::fs::write(&pem, authority.certificate()).unwrap();
        std::fs::write(&text, "no PEM").unwrap();
        let damaged = folder.path().join("damaged.pem");
        std::fs::write(&damaged, "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").unwrap();
        let (pem, text, damaged) = (pem.display(), text.display(), damaged.display());
        for (query, words) in [
            ("sslrootcert=/none.pem".to_owned(), "`sslrootcert` /none.pem: No such file"),
            (format!("sslrootcert={text}"), "no certificate in PEM format"),
            (format!("sslrootcert={damaged}"), "damaged.pem: "),
            ("sslcert=/none.pem&sslkey=/none.key".to_owned(), "`sslcert` /none.pem"),
            (format!("sslcert={pem}&sslkey=/none.key"), "`sslkey` /none.key"),
            (format!("sslcert={pem}&sslkey={text}"), "no private key in PEM format"),
        ] {
            let (_, files) = TlsFiles::take_from(&format!("postgres://h/db?{query}")).unwrap();
            let error = files.authorities().map(drop).and_then(|()| files.identity().map(drop)).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
