//! What a sign-in asks for beyond its defaults (protocol O19).

/// What the server is to ask the user (OpenID Connect's `prompt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prompt {
    /// Nothing: fails with `login_required` or `consent_required` where it would have to.
    None,
    /// The password, also of somebody who is signed in at the server.
    Login,
    /// Consent, also if it was given before.
    Consent,
    /// Which account.
    SelectAccount,
    /// To make a new account.
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

/// How the server is to show its pages (OpenID Connect's `display`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Display {
    /// A full page.
    Page,
    /// A small window.
    Popup,
    /// A touch screen.
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

/// What a sign-in asks for beyond its defaults.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AuthorizeOptions {
    /// The scope to ask for: contains `atproto` and is a subset of the metadata's, which is the default.
    pub scope: Option<String>,
    /// What the server is to ask the user.
    pub prompt: Option<Prompt>,
    /// The user's languages, best first, separated by spaces (BCP 47).
    pub ui_locales: Option<String>,
    /// How the server is to show its pages.
    pub display: Option<Display>,
    /// Where to return to; the first one of the metadata by default.
    pub redirect_uri: Option<String>,
    /// Anything that the app wants to have back with the callback; it is kept in the store, not sent.
    pub app_state: Option<String>,
    /// Whom the sign-in page suggests, if sign-in starts from a server; from a handle or a DID it is that one.
    pub login_hint: Option<String>,
}

impl AuthorizeOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`scope`](Self::scope).
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
    #[must_use]
    pub fn app_state(mut self, state: impl Into<String>) -> Self {
        self.app_state = Some(state.into());
        self
    }

    /// Sets [`login_hint`](Self::login_hint).
    #[must_use]
    pub fn login_hint(mut self, hint: impl Into<String>) -> Self {
        self.login_hint = Some(hint.into());
        self
    }
}
