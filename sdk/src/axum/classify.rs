//! What every error of this crate means for a visitor.

use super::{
    AskToSignIn, HandlerError, HandlerErrorKind as Kind, NotSignedIn, SignInAgain, WebBuildError, WebError,
    error::{status_of_authorize, status_of_callback},
    handler_error::Class,
};
#[cfg(feature = "bsky")]
use crate::bsky::{
    post::{ImageProblem, LinkCardError, ReferenceError, ThreadError, UndoError, UploadError},
    preferences::{PreferencesError, UpdateProfileError},
    rich_text::{MentionError, MentionErrorSource},
    video::VideoError,
};
use crate::{
    InvalidProxy, NoRandom, PasswordError,
    identity::{FetchError, IdentityError},
    oauth::{
        AuthorizeError, BuildError, CallbackError, ClientError, ClientKeyError, ClientMetadataError,
        DiscoveryError, DpopError, InvalidSessionId, PendingError, ReadMetadataError, ServerError,
        SessionError, SessionFormatError, SessionStoreError, SignInError, SignOutError, TokenResponseError,
    },
    records::{DeleteAllError, WritesError},
    scopes::{InvalidScope, ScopeProblem},
    store::{OpenError, SealingKeyError, StoreError},
    types::{DataError, InvalidText, NotAnAccount, Problem, ViolationKind, Violations, WarningKind},
    xrpc::{
        DecodeError, Error, ErrorKind, InvalidRequest, InvalidService, LexiconError, NoError, ReadError,
        Reauthenticate, TransportError, UnreadableRecord,
    },
};
#[cfg(feature = "repo")]
use crate::{lexicon::ResolutionError, repo, repo::ProofError};
use axum::http::StatusCode;

impl<E: LexiconError> From<Error<E>> for HandlerError {
    fn from(error: Error<E>) -> Self {
        let error = error.erase();
        Self::new(of_call(&error), error)
    }
}

fn of_call<E: LexiconError>(error: &Error<E>) -> Class {
    match error.kind() {
        ErrorKind::SignInAgain => match error {
            Error::Reauthenticate(ended) => Class::ended(ended),
            _ => Class::of(Kind::SignIn),
        },
        ErrorKind::AccountUnavailable => {
            error.account_problem().map_or_else(|| Class::of(Kind::AccountUnavailable), Class::unavailable)
        }
        ErrorKind::MissingScope => {
            let missing_scope = error.missing_scope().map(str::to_owned);
            Class { missing_scope, ..Class::of(Kind::MissingScope) }
        }
        ErrorKind::TryLater => Class { retry_after: error.retry_after(), ..Class::of(Kind::TryLater) },
        ErrorKind::InvalidInput => of_invalid_call(error),
        ErrorKind::BadAnswer => Class::of(Kind::BadAnswer),
    }
}

fn of_invalid_call<E: LexiconError>(error: &Error<E>) -> Class {
    match error {
        Error::InvalidRequest(InvalidRequest::Violations { problem, .. }) => of_violations(problem),
        // The server has refused what was sent.
        Error::Lexicon { response, .. } | Error::Server(response) => {
            let is_missing = response.name.as_deref().is_some_and(|name| name.ends_with("NotFound"));
            Class::of(if is_missing { Kind::NotFound } else { Kind::InvalidInput })
        }
        // A mistake of the app, such as an invalid header.
        _ => Class::of(Kind::Internal),
    }
}

/// What is wrong with the data says nothing about the app, and the visitor can change it.
fn of_violations(violations: &Violations) -> Class {
    let list: Vec<String> = violations.violations.iter().map(ToString::to_string).collect();
    Class::of(Kind::InvalidInput).saying(format!("This is not possible: {}.", list.join("; ")))
}

fn of_session(error: &SessionError) -> Class {
    match error {
        SessionError::Reauthenticate(ended) => Class::ended(ended),
        SessionError::AccountUnavailable { problem, .. } => Class::unavailable(*problem),
        _ => Class::of(Kind::TryLater),
    }
}

fn of_status(status: StatusCode) -> Class {
    Class::of(match status {
        StatusCode::INTERNAL_SERVER_ERROR => Kind::Internal,
        status if status.is_client_error() => Kind::InvalidInput,
        _ => Kind::TryLater,
    })
}

fn of_authorize(error: &AuthorizeError) -> Class {
    of_status(status_of_authorize(error))
}

fn of_callback(error: &CallbackError) -> Class {
    of_status(status_of_callback(error))
}

fn of_sign_in(error: &SignInError) -> Class {
    match error {
        SignInError::Authorize(error) => of_authorize(error),
        SignInError::Callback(error) => of_callback(error),
        SignInError::Store(_) => Class::of(Kind::TryLater),
        _ => Class::of(Kind::Internal),
    }
}

/// The account with a password is the app's own.
fn of_password(error: &PasswordError) -> Class {
    let is_temporary = match error {
        PasswordError::SignIn(error) => error.kind() == ErrorKind::TryLater,
        PasswordError::Transport(_) | PasswordError::SignOut { .. } | PasswordError::Store(_) => true,
        _ => false,
    };
    Class::temporary_or(Kind::Internal, is_temporary)
}

fn of_transport(error: &TransportError) -> Class {
    of_call::<NoError>(&error.clone().into())
}

/// The errors of the conveniences for Bluesky.
#[cfg(feature = "bsky")]
mod bluesky {
    use super::*;

    pub(super) fn of_upload(error: &UploadError) -> Class {
        match error {
            UploadError::Image(problem) => of_image(problem),
            UploadError::Call(error) => of_call(error),
        }
    }

    pub(super) fn of_image(_: &ImageProblem) -> Class {
        Class::of(Kind::InvalidInput)
            .saying("This image cannot be used. It must be a JPEG, PNG, WebP or GIF, and not too large.")
    }

    pub(super) fn of_link_card(error: &LinkCardError) -> Class {
        match error {
            LinkCardError::Fetch(error) => Class::temporary_or(Kind::InvalidInput, error.is_temporary()),
            LinkCardError::NotAPage { .. } | LinkCardError::Url(_) => Class::of(Kind::InvalidInput),
            LinkCardError::Upload(error) => of_upload(error),
            LinkCardError::Proxy(_) | LinkCardError::Setup(_) => Class::of(Kind::Internal),
        }
    }

    pub(super) fn of_reference(error: &ReferenceError) -> Class {
        match error {
            ReferenceError::NotARecord { .. } | ReferenceError::NotAPost { .. } => {
                Class::of(Kind::InvalidInput)
            }
            ReferenceError::NoVersion { .. } | ReferenceError::Unreadable { .. } => {
                Class::of(Kind::BadAnswer)
            }
            ReferenceError::Call { source, .. } => of_call(source),
        }
    }

    pub(super) fn of_undo(error: &UndoError) -> Class {
        match error {
            UndoError::NotAReaction { .. } => Class::of(Kind::InvalidInput),
            UndoError::Call { source, .. } => of_call(source),
        }
    }

    pub(super) fn of_preferences(error: &PreferencesError) -> Class {
        match error {
            PreferencesError::Read(error) => of_call(error),
            PreferencesError::Write(error) => of_call(error),
            PreferencesError::Busy { .. } => Class::of(Kind::TryLater),
        }
    }

    pub(super) fn of_profile(error: &UpdateProfileError) -> Class {
        match error {
            UpdateProfileError::NotSignedIn => Class::of(Kind::SignIn),
            UpdateProfileError::Read(error) => of_call(error),
            UpdateProfileError::Write(error) => of_call(error),
            UpdateProfileError::Contended => Class::of(Kind::TryLater),
        }
    }

    pub(super) fn of_mention(error: &MentionErrorSource) -> Class {
        match error {
            MentionErrorSource::Resolver(error) => {
                Class::temporary_or(Kind::InvalidInput, error.is_temporary())
            }
            MentionErrorSource::Call(error) => of_call(error),
        }
    }

    pub(super) fn of_video(error: &VideoError) -> Class {
        match error {
            VideoError::NotSignedIn => Class::of(Kind::SignIn),
            VideoError::NoPds => Class::of(Kind::Internal),
            VideoError::Token(error) | VideoError::Service(error) => of_call(error),
            VideoError::UnconfirmedEmail { .. } => Class::of(Kind::InvalidInput)
                .saying("The email address of your account must be confirmed before you can upload videos."),
            VideoError::Refused { .. } | VideoError::Failed { .. } => {
                Class::of(Kind::InvalidInput).saying("This video could not be processed.")
            }
            VideoError::Late { .. } => Class::of(Kind::TryLater),
            VideoError::Answer => Class::of(Kind::BadAnswer),
        }
    }
}

fn of_delete_all(error: &DeleteAllError) -> Class {
    match error {
        DeleteAllError::List(error) => of_call(error),
        DeleteAllError::Delete(error) => of_call(&error.source),
        DeleteAllError::DeleteOne { source, .. } => of_call(source),
    }
}

macro_rules! convert {
    ($($(#[$cfg:meta])* $error:ty: $class:expr;)*) => {$(
        $(#[$cfg])*
        impl From<$error> for HandlerError {
            fn from(error: $error) -> Self {
                // The annotation gives closures their type.
                let class: fn(&$error) -> Class = $class;
                Self::new(class(&error), error)
            }
        }
    )*};
}

// A test reads this list, and misses every error of this crate that is not in it.
convert! {
    TransportError: of_transport;
    Reauthenticate: Class::ended;
    DecodeError: |_| Class::of(Kind::BadAnswer);
    ReadError: |error| match error {
        ReadError::Transport(error) => of_transport(error),
        _ => Class::of(Kind::BadAnswer),
    };
    InvalidRequest: |error| match error {
        InvalidRequest::Violations { problem, .. } => of_violations(problem),
        _ => Class::of(Kind::Internal),
    };
    InvalidService: |_| Class::of(Kind::Internal);

    SessionError: of_session;
    SessionStoreError: |_| Class::of(Kind::TryLater);
    SessionFormatError: |_| Class::of(Kind::Internal);
    ClientError: |error| match error {
        ClientError::SessionNotFound { .. } => Class::of(Kind::SignIn),
        _ => Class::of(Kind::TryLater),
    };
    SignOutError: |_| Class::of(Kind::TryLater);
    InvalidSessionId: |_| Class::of(Kind::InvalidInput);

    AuthorizeError: of_authorize;
    CallbackError: of_callback;
    SignInError: of_sign_in;
    PendingError: |_| Class::of(Kind::TryLater);
    DiscoveryError: |_| Class::of(Kind::TryLater);
    ServerError: |_| Class::of(Kind::TryLater);
    TokenResponseError: |_| Class::of(Kind::BadAnswer);
    WebError: |error| of_status(error.status()).saying(error.user_message());
    PasswordError: of_password;

    IdentityError: |error| {
        Class::temporary_or(Kind::InvalidInput, error.is_temporary())
    };
    FetchError: |error| Class::temporary_or(Kind::BadAnswer, error.is_temporary());
    StoreError: |_| Class::of(Kind::TryLater);

    InvalidText: |_| Class::of(Kind::InvalidInput);
    Violations: of_violations;
    ViolationKind: |_| Class::of(Kind::InvalidInput);
    InvalidScope: |_| Class::of(Kind::InvalidInput);
    ScopeProblem: |_| Class::of(Kind::InvalidInput);
    NotAnAccount: |_| Class::of(Kind::InvalidInput);
    WarningKind: |_| Class::of(Kind::InvalidInput);
    UnreadableRecord: |_| Class::of(Kind::BadAnswer);
    WritesError: |error| of_call(&error.source);
    DeleteAllError: of_delete_all;
    // A record of somebody's repository, usually.
    DataError: |_| Class::of(Kind::BadAnswer);
    Problem: |_| Class::of(Kind::BadAnswer);

    // What only the configuration of the app can cause.
    BuildError: |_| Class::of(Kind::Internal);
    WebBuildError: |_| Class::of(Kind::Internal);
    ClientKeyError: |_| Class::of(Kind::Internal);
    ClientMetadataError: |_| Class::of(Kind::Internal);
    ReadMetadataError: |_| Class::of(Kind::Internal);
    DpopError: |_| Class::of(Kind::Internal);
    SealingKeyError: |_| Class::of(Kind::Internal);
    OpenError: |_| Class::of(Kind::Internal);
    InvalidProxy: |_| Class::of(Kind::Internal);
    NoRandom: |_| Class::of(Kind::Internal);

    #[cfg(feature = "bsky")]
    ThreadError: |error| of_call(&error.source);
    #[cfg(feature = "bsky")]
    UploadError: bluesky::of_upload;
    #[cfg(feature = "bsky")]
    ImageProblem: bluesky::of_image;
    #[cfg(feature = "bsky")]
    LinkCardError: bluesky::of_link_card;
    #[cfg(feature = "bsky")]
    ReferenceError: bluesky::of_reference;
    #[cfg(feature = "bsky")]
    UndoError: bluesky::of_undo;
    #[cfg(feature = "bsky")]
    PreferencesError: bluesky::of_preferences;
    #[cfg(feature = "bsky")]
    UpdateProfileError: bluesky::of_profile;
    #[cfg(feature = "bsky")]
    MentionError: |error| bluesky::of_mention(&error.source);
    #[cfg(feature = "bsky")]
    MentionErrorSource: bluesky::of_mention;
    #[cfg(feature = "bsky")]
    VideoError: bluesky::of_video;

    #[cfg(feature = "repo")]
    ResolutionError: |error| Class::temporary_or(Kind::InvalidInput, error.is_temporary());
    #[cfg(feature = "repo")]
    ProofError: |_| Class::of(Kind::BadAnswer);
    #[cfg(feature = "repo")]
    repo::InvalidSignature: |_| Class::of(Kind::BadAnswer);
    #[cfg(feature = "repo")]
    repo::InvalidVerifyingKey: |_| Class::of(Kind::BadAnswer);
}

/// The answer is the one of the extractor.
impl From<NotSignedIn> for HandlerError {
    fn from(error: NotSignedIn) -> Self {
        let ask: AskToSignIn = match &error {
            NotSignedIn::NoSession(ask) => ask.clone(),
            NotSignedIn::SignInAgain(again) => again.ask.clone(),
        };
        Self::asking(ask, error)
    }
}

impl From<SignInAgain> for HandlerError {
    fn from(error: SignInAgain) -> Self {
        Self::asking(error.ask.clone(), error)
    }
}
