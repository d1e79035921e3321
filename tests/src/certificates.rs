//! Certificates for servers and clients that speak TLS.

use std::{io, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};

/// An authority that nobody but the test trusts.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Certificate {
    /// What everybody may see.
    pub certificate: String,
    /// What its owner keeps.
    pub key: String,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// If no key can be made.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "every one is another")]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.distinguished_name.push(DnType::CommonName, "Authority of a test");
        let key = KeyPair::generate().expect("the machine has random numbers");
        Self(CertifiedIssuer::self_signed(params, key).expect("the parameters are constants"))
    }

    /// Its certificate, in PEM.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server of this name or address, or for a client of this name.
    ///
    /// # Panics
    /// If the name cannot stand in a certificate.
    #[must_use]
    pub fn issue(&self, name: &str) -> Certificate {
        let mut params = CertificateParams::new([name.to_owned()]).expect("the name is ASCII");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("the machine has random numbers");
        let certificate = params.signed_by(&key, &self.0).expect("authority and key are good");
        Certificate { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// What a server needs for TLS.
pub struct ServerTls {
    authority: String,
    server: Certificate,
    pub(crate) asks_clients: bool,
}

impl ServerTls {
    /// For a server of this name, or for whatever listens at this address.
    #[must_use]
    pub fn new(authority: &Authority, name: &str) -> Self {
        Self { authority: authority.certificate(), server: authority.issue(name), asks_clients: false }
    }

    /// Has clients show a certificate of the same authority.
    #[must_use]
    pub fn ask_clients(mut self) -> Self {
        self.asks_clients = true;
        self
    }

    /// Writes `authority.crt`, `server.crt` and `server.key`.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::write(folder.join("authority.crt"), &self.authority)?;
        self.server.write(folder, "server")
    }
}

impl Certificate {
    /// Writes `name.crt` and `name.key` into a folder; the key is for its owner's eyes only, as servers demand.
    pub fn write(&self, folder: &Path, name: &str) -> io::Result<()> {
        std::fs::write(folder.join(format!("{name}.crt")), &self.certificate)?;
        let key = folder.join(format!("{name}.key"));
        std::fs::write(&key, &self.key)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;
        }
        Ok(())
    }
}
