//! Signing in as the account that publishes.

use std::path::PathBuf;

use atproto_sdk::{
    Client, PasswordClient,
    api::com::atproto::lexicon::schema::Schema,
    identity::{Identity, Resolver},
    oauth::{ClientMetadata, OAuth},
    records::Records,
    store::FileStore,
    types::Did,
};

use crate::{
    CliError,
    document::COLLECTION,
    sources::{NetworkArguments, chain},
};

/// The environment variable with an app password, for machines without a browser.
pub(super) const APP_PASSWORD: &str = "ATPROTO_APP_PASSWORD";

/// An account that is signed in, in the browser or with a password.
pub(super) struct Account {
    client: Client,
    did: Did,
}

/// The app password in the environment, if there is one.
pub(super) fn app_password() -> Option<String> {
    std::env::var(APP_PASSWORD).ok().filter(|password| !password.is_empty())
}

/// The app, with its sessions in a file.
pub(super) fn oauth(
    resolver: Resolver,
    network: &NetworkArguments,
    sessions: Option<PathBuf>,
) -> Result<OAuth, CliError> {
    let path = match sessions {
        Some(path) => path,
        None => config_folder().ok_or(CliError::NoConfigFolder)?.join("atproto-sdk").join("sessions.json"),
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|problem| {
            let path = folder.to_owned();
            CliError::File { action: "write", path, problem }
        })?;
    }
    let store = FileStore::open(&path).map_err(|error| CliError::Publish(chain(&error)))?;
    let metadata = ClientMetadata::loopback().scope(format!("atproto repo:{COLLECTION}"));
    let mut builder = OAuth::builder(metadata).store(store).resolver(resolver);
    if let Some(proxy) = network.proxy() {
        builder = builder.proxy(proxy);
    }
    if network.allow_loopback_http {
        builder = builder.allow_loopback_http();
    }
    builder.build().map_err(|error| CliError::Publish(chain(&error)))
}

/// Where programs keep what belongs to the user.
fn config_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if cfg!(windows) {
        return variable("APPDATA");
    }
    let home = std::env::home_dir();
    if cfg!(target_os = "macos") {
        return home.map(|home| home.join("Library/Application Support"));
    }
    variable("XDG_CONFIG_HOME").or_else(|| home.map(|home| home.join(".config")))
}

impl Account {
    /// Signs in with an app password. The errors contain no secrets.
    pub(super) async fn with_password(
        identity: &Identity,
        password: &str,
        proxy: Option<&str>,
    ) -> Result<Self, String> {
        let mut builder = PasswordClient::builder(&identity.pds);
        if let Some(proxy) = proxy {
            builder = builder.proxy(proxy);
        }
        let client = builder.sign_in(identity.did.as_str(), password).await;
        let client =
            client.map_err(|error| format!("{} (with the password in {APP_PASSWORD})", chain(&error)))?;
        Ok(Self { did: client.did().clone(), client: client.into() })
    }

    /// Resumes the session in the file, or opens the browser.
    pub(super) async fn with_browser(oauth: OAuth, handle: &str, only_print: bool) -> Result<Self, String> {
        let signed_in = oauth.resume_or_sign_in(handle).browser(!only_print).print_url().await;
        let client = signed_in.map_err(|error| chain(&error))?.client;
        Ok(Self { did: client.did().clone(), client: client.into() })
    }

    pub(super) fn did(&self) -> &Did {
        &self.did
    }

    /// The lexicons in the account's repository.
    pub(super) fn schemas(&self) -> Records<'_, Schema> {
        self.client.records()
    }
}
