//! The options of a sign-in (O19).

/// What the authorization server asks the user for, as the `prompt` parameter of
/// [OpenID Connect](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest).
///
/// ```
/// use atproto_sdk::oauth::{AuthorizeOptions, Prompt};
///
/// // "Create an account"
/// let sign_up = AuthorizeOptions::new().prompt(Prompt::Create);
/// // "Add another account"
/// let add_account = AuthorizeOptions::new().prompt(Prompt::SelectAccount);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prompt {
    /// Nothing. If the server needs to interact with the user, it fails with `login_required` or `consent_required`;
    /// see [`CallbackError::needs_interaction`](super::CallbackError::needs_interaction).
    None,
    /// The credentials, even if the user is already signed in at the server.
    Login,
    /// Consent, even if it has been given before.
    Consent,
    /// The account to use.
    SelectAccount,
    /// To create a new account.
    Create,
}

impl Prompt {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
            Self::Create => "create",
        }
    }
}

/// How the authorization server displays its pages, as the `display` parameter of
/// [OpenID Connect](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest).
///
/// ```
/// use atproto_sdk::oauth::{AuthorizeOptions, Display};
///
/// let in_popup = AuthorizeOptions::new().display(Display::Popup);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Display {
    /// On a full page.
    Page,
    /// In a popup window.
    Popup,
    /// On a device with a touch screen.
    Touch,
}

impl Display {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Popup => "popup",
            Self::Touch => "touch",
        }
    }
}

/// The options of a sign-in.
///
/// ```
/// use atproto_sdk::oauth::{AuthorizeOptions, Prompt};
///
/// let options = AuthorizeOptions::new()
///     .scope("atproto")
///     .prompt(Prompt::Login)
///     .ui_locales("de en")
///     .app_state("/settings");
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AuthorizeOptions {
    /// The scope to request. It must contain `atproto` and be a subset of the scope in the client metadata, which is the
    /// default.
    pub scope: Option<String>,
    /// What the server asks the user for. By default, the server decides.
    pub prompt: Option<Prompt>,
    /// The preferred languages of the user, as [BCP 47](https://www.rfc-editor.org/info/bcp47) tags separated by spaces,
    /// in order of preference.
    pub ui_locales: Option<String>,
    /// How the server displays its pages.
    pub display: Option<Display>,
    /// The redirect URI. The default is the first one in the client metadata.
    pub redirect_uri: Option<String>,
    /// Any data that the app needs after the callback. It is saved in the store and not sent to the server.
    pub app_state: Option<String>,
    /// The account that the sign-in page suggests if the sign-in starts from the URL of a server. If it starts from a
    /// handle or a DID, that is the hint.
    pub login_hint: Option<String>,
}

impl AuthorizeOptions {
    /// Creates the default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`scope`](Self::scope).
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::like::Like, oauth::AuthorizeOptions, scopes};
    ///
    /// // Request fewer permissions now, and others in a later sign-in.
    /// let options = AuthorizeOptions::new().scope(scopes![create::<Like>()]);
    /// assert_eq!(options.scope.as_deref(), Some("atproto repo:app.bsky.feed.like?action=create"));
    /// ```
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Sets [`prompt`](Self::prompt).
    #[must_use]
    pub fn prompt(mut self, prompt: Prompt) -> Self {
        self.prompt = Some(prompt);
        self
    }

    /// Sets [`ui_locales`](Self::ui_locales).
    #[must_use]
    pub fn ui_locales(mut self, locales: impl Into<String>) -> Self {
        self.ui_locales = Some(locales.into());
        self
    }

    /// Sets [`display`](Self::display).
    #[must_use]
    pub fn display(mut self, display: Display) -> Self {
        self.display = Some(display);
        self
    }

    /// Sets [`redirect_uri`](Self::redirect_uri).
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(uri.into());
        self
    }

    /// Sets [`app_state`](Self::app_state).
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth, query: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::oauth::{AuthorizeOptions, CallbackParams};
    ///
    /// let options = AuthorizeOptions::new().app_state("/settings");
    /// let authorization = oauth.authorize("alice.example.com", options).await?;
    /// // When the user returns:
    /// let signed_in = oauth.callback(&CallbackParams::from_query(query)?).await?;
    /// assert_eq!(signed_in.app_state.as_deref(), Some("/settings"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn app_state(mut self, state: impl Into<String>) -> Self {
        self.app_state = Some(state.into());
        self
    }

    /// Sets [`login_hint`](Self::login_hint).
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::oauth::AuthorizeOptions;
    ///
    /// let options = AuthorizeOptions::new().login_hint("alice@example.com");
    /// let authorization = oauth.authorize("https://pds.example.com", options).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn login_hint(mut self, hint: impl Into<String>) -> Self {
        self.login_hint = Some(hint.into());
        self
    }
}
