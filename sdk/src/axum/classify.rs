//! What every error of this crate means for a visitor.

use super::{
    AskToSignIn, HandlerError, HandlerErrorKind as Kind, NotSignedIn, SignInAgain, WebBuildError, WebError,
    error::{of_input, status_of_callback},
    handler_error::Class,
    identity::{kind_of_authorize, kind_of_discovery, kind_of_identity, kind_of_server},
    violations,
};
#[cfg(feature = "bsky")]
use crate::bsky::{
    post::{ImageProblem, LinkCardError, ReferenceError, ThreadError, UndoError, UploadError},
    preferences::{PreferencesError, UpdateProfileError},
    rich_text::{MentionError, MentionErrorSource},
    video::VideoError,
};
#[cfg(feature = "jetstream")]
use crate::stream::jetstream::{
    ArchiveError, CompressionError, InvalidDictionary, InvalidFilter, InvalidStream, SegmentError,
};
#[cfg(feature = "stream")]
use crate::stream::{
    CursorError, ForEachError, FrameError, Interruption, NotAStream, StreamError, Undecodable,
};
#[cfg(all(feature = "stream", feature = "repo"))]
use crate::sync::{Refusal, RepairError, SignerError, StopError, VerifiedStreamError};
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
        Reauthenticate, ReauthenticateReason, TransportError, UnreadableRecord,
    },
};
#[cfg(feature = "repo")]
use crate::{
    archive::{BlobError, BlobsError, DownloadError, FileError, VerifyError},
    lexicon::ResolutionError,
    repo,
    repo::{EditError, ExportError, RepoError},
};
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
            let lacking = match error {
                Error::Transport(TransportError::MissingScope { did, .. }) => did.clone(),
                _ => None,
            };
            Class { missing_scope, lacking, ..Class::of(Kind::MissingScope) }
        }
        ErrorKind::TryLater => Class { retry_after: error.retry_after(), ..Class::of(Kind::TryLater) },
        ErrorKind::InvalidInput => of_invalid_call(error),
        ErrorKind::BadAnswer => Class::of(Kind::BadAnswer),
        ErrorKind::Internal => {
            let unusable = match error {
                Error::Transport(TransportError::UnusableSession { did, .. }) => Some(did.clone()),
                _ => None,
            };
            Class { unusable, ..Class::of(Kind::Internal) }
        }
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
    Class::of(Kind::InvalidInput).saying(violations::message(violations))
}

fn of_identity(error: &IdentityError) -> Class {
    Class::of(kind_of_identity(error))
}

fn of_fetch(error: &FetchError) -> Class {
    Class::temporary_or(Kind::BadAnswer, error.is_temporary())
}

fn of_session(error: &SessionError) -> Class {
    match error {
        SessionError::Reauthenticate(ended) => Class::ended(ended),
        SessionError::AccountUnavailable { problem, .. } => Class::unavailable(*problem),
        error if error.lasts() => Class::of(Kind::Internal),
        _ => Class::of(Kind::TryLater),
    }
}

fn of_session_store(error: &SessionStoreError) -> Class {
    Class::of(if error.lasts() { Kind::Internal } else { Kind::TryLater })
}

fn of_status(status: StatusCode) -> Class {
    Class::of(match status {
        StatusCode::INTERNAL_SERVER_ERROR => Kind::Internal,
        status if status.is_client_error() => Kind::InvalidInput,
        _ => Kind::TryLater,
    })
}

fn of_authorize(error: &AuthorizeError) -> Class {
    match error {
        AuthorizeError::Input { input, problem } => {
            Class::of(Kind::InvalidInput).saying(of_input(input, problem))
        }
        error => Class::of(kind_of_authorize(error)),
    }
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
    SessionStoreError: of_session_store;
    SessionFormatError: |_| Class::of(Kind::Internal);
    ClientError: |error| match error {
        ClientError::SessionNotFound { did } => {
            Class::ended(&Reauthenticate::new(did.clone(), ReauthenticateReason::NotFound, None))
        }
        ClientError::Store(error) => of_session_store(error),
    };
    SignOutError: |_| Class::of(Kind::TryLater);
    InvalidSessionId: |_| Class::of(Kind::InvalidInput);

    AuthorizeError: of_authorize;
    CallbackError: of_callback;
    SignInError: of_sign_in;
    PendingError: |_| Class::of(Kind::TryLater);
    DiscoveryError: |error| Class::of(kind_of_discovery(error));
    ServerError: |error| Class::of(kind_of_server(error));
    TokenResponseError: |_| Class::of(Kind::BadAnswer);
    WebError: |error| match error {
        WebError::Authorize { source, .. } => of_authorize(source),
        error => of_status(error.status()),
    }
    .saying(error.user_message());
    PasswordError: of_password;

    IdentityError: of_identity;
    FetchError: of_fetch;
    StoreError: |error| of_session_store(&error.clone().into());

    WritesError: |error| of_call(&error.source);
    DeleteAllError: |error| match error {
        DeleteAllError::List(source) => of_call(source),
        DeleteAllError::Unexpected { .. } => Class::of(Kind::BadAnswer),
        DeleteAllError::Delete(error) => of_call(&error.source),
        DeleteAllError::DeleteOne { source, .. } => of_call(source),
    };
    UnreadableRecord: |_| Class::of(Kind::BadAnswer);

    NotAnAccount: |error| Class::of(Kind::InvalidInput).saying(of_input(&error.input, &error.problem));
    InvalidText: |_| Class::of(Kind::InvalidInput);
    Violations: of_violations;
    ViolationKind: |_| Class::of(Kind::InvalidInput);
    WarningKind: |_| Class::of(Kind::InvalidInput);
    InvalidScope: |_| Class::of(Kind::InvalidInput);
    ScopeProblem: |_| Class::of(Kind::InvalidInput);
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

    #[cfg(feature = "repo")]
    ResolutionError: of_resolution;
    #[cfg(feature = "repo")]
    RepoError: of_repo;
    #[cfg(feature = "repo")]
    repo::SourceError: of_source;
    #[cfg(feature = "repo")]
    repo::RecordError: |error| match error {
        repo::RecordError::Repo(error) => of_repo(error),
        _ => Class::of(Kind::BadAnswer),
    };
    #[cfg(feature = "repo")]
    repo::UndecodableRecord: |_| Class::of(Kind::BadAnswer);
    #[cfg(feature = "repo")]
    FileError: |_| Class::of(Kind::Internal);
    #[cfg(feature = "repo")]
    DownloadError: |error| match error {
        DownloadError::Call { source, .. } => of_call(source),
        DownloadError::Repo(error) => of_repo(error),
        DownloadError::File(_) => Class::of(Kind::Internal),
        DownloadError::Verify(VerifyError::Identity { source, .. }) => of_identity(source),
        _ => Class::of(Kind::BadAnswer),
    };
    #[cfg(feature = "repo")]
    BlobError: |error| match error {
        BlobError::Call(source) => of_call(source),
        BlobError::Body(source) => of_transport(source),
        BlobError::File(_) => Class::of(Kind::Internal),
        _ => Class::of(Kind::BadAnswer),
    };
    #[cfg(feature = "repo")]
    BlobsError: |error| match error {
        BlobsError::List { source, .. } => of_call(source),
        BlobsError::Folder(_) => Class::of(Kind::Internal),
        BlobsError::TooMany { .. } | BlobsError::TooLarge { .. } => Class::of(Kind::BadAnswer),
    };
    #[cfg(feature = "repo")]
    VerifyError: |error| match error {
        VerifyError::Identity { source, .. } => of_identity(source),
        VerifyError::Repo(error) => of_repo(error),
        _ => Class::of(Kind::BadAnswer),
    };
    #[cfg(feature = "repo")]
    repo::CommitError: |_| Class::of(Kind::BadAnswer);
    #[cfg(feature = "repo")]
    repo::EditError: |error| match error {
        EditError::Name(_)
        | EditError::Exists { .. }
        | EditError::NotFound { .. }
        | EditError::Data { .. }
        | EditError::NotARecord { .. } => Class::of(Kind::InvalidInput),
        EditError::Repository(error) => of_repo(error),
        EditError::NoRevision { .. } | EditError::Sign(_) => Class::of(Kind::Internal),
    };
    #[cfg(feature = "repo")]
    repo::ExportError: |error| match error {
        ExportError::Repository(error) => of_repo(error),
        ExportError::Write(_) => Class::of(Kind::Internal),
    };
    #[cfg(feature = "repo")]
    repo::SignCommitError: |_| Class::of(Kind::Internal);
    #[cfg(feature = "repo")]
    repo::SigningKeyError: |_| Class::of(Kind::Internal);
    #[cfg(feature = "repo")]
    repo::InvalidSignature: |_| Class::of(Kind::BadAnswer);
    #[cfg(feature = "repo")]
    repo::InvalidVerifyingKey: |_| Class::of(Kind::BadAnswer);
}

#[cfg(feature = "bsky")]
convert! {
    ImageProblem: of_image;
    UploadError: of_upload;
    LinkCardError: |error| match error {
        LinkCardError::Fetch(FetchError::NoSuchHost { .. }) => Class::of(Kind::InvalidInput),
        LinkCardError::Fetch(error) => of_fetch(error),
        LinkCardError::NotAPage { .. } | LinkCardError::Url(_) => Class::of(Kind::InvalidInput),
        LinkCardError::Upload(error) => of_upload(error),
        LinkCardError::Proxy(_) | LinkCardError::Setup(_) => Class::of(Kind::Internal),
    };
    ThreadError: |error| of_call(&error.source);
    ReferenceError: |error| match error {
        ReferenceError::NotARecord { .. } | ReferenceError::NotAPost { .. } => Class::of(Kind::InvalidInput),
        ReferenceError::NoVersion { .. } | ReferenceError::Unreadable { .. } => Class::of(Kind::BadAnswer),
        ReferenceError::Call { source, .. } => of_call(source),
    };
    UndoError: |error| match error {
        UndoError::NotAReaction { .. } => Class::of(Kind::InvalidInput),
        UndoError::Call { source, .. } => of_call(source),
    };
    MentionError: |error| of_mention(&error.source);
    MentionErrorSource: of_mention;
    UpdateProfileError: |error| match error {
        UpdateProfileError::NotSignedIn => Class::of(Kind::Internal),
        UpdateProfileError::Read(source) => of_call(source),
        UpdateProfileError::Write(source) => of_call(source),
        UpdateProfileError::NoVersion => Class::of(Kind::BadAnswer),
        UpdateProfileError::Contended => Class::of(Kind::TryLater),
    };
    PreferencesError: |error| match error {
        PreferencesError::Read(source) => of_call(source),
        PreferencesError::Write(source) => of_call(source),
        PreferencesError::Busy { .. } => Class::of(Kind::TryLater),
    };
    VideoError: of_video;
}

#[cfg(feature = "stream")]
convert! {
    // By itself, a stream goes on.
    Interruption: |_| Class::of(Kind::TryLater);
    NotAStream: |_| Class::of(Kind::BadAnswer);
    FrameError: |_| Class::of(Kind::BadAnswer);
    Undecodable: |_| Class::of(Kind::BadAnswer);
    CursorError: of_cursor;
}

#[cfg(feature = "stream")]
fn of_cursor(error: &CursorError) -> Class {
    match error {
        CursorError::Store { .. } | CursorError::Removed { .. } | CursorError::Ended => {
            Class::of(Kind::TryLater)
        }
        _ => Class::of(Kind::Internal),
    }
}

#[cfg(feature = "jetstream")]
convert! {
    InvalidStream: |_| Class::of(Kind::Internal);
    InvalidFilter: |_| Class::of(Kind::InvalidInput);
    InvalidDictionary: |_| Class::of(Kind::BadAnswer);
    CompressionError: |_| Class::of(Kind::BadAnswer);
    SegmentError: |_| Class::of(Kind::BadAnswer);
    ArchiveError: of_archive;
}

#[cfg(feature = "jetstream")]
fn of_archive(error: &ArchiveError) -> Class {
    match error {
        ArchiveError::Plan(error) => of_call(error),
        ArchiveError::Segment(error) => of_call(error),
        ArchiveError::Block(error) => of_call(error),
        ArchiveError::Download(_) | ArchiveError::Changed { .. } => Class::of(Kind::TryLater),
        ArchiveError::Damaged(_) | ArchiveError::Blocks { .. } | ArchiveError::Endless { .. } => {
            Class::of(Kind::BadAnswer)
        }
    }
}

#[cfg(feature = "stream")]
impl<E: LexiconError> From<StreamError<E>> for HandlerError {
    fn from(error: StreamError<E>) -> Self {
        Self::new(of_stream(&error), error)
    }
}

#[cfg(feature = "stream")]
impl<S, E> From<ForEachError<S, E>> for HandlerError
where
    S: std::error::Error + Into<Self> + 'static,
    E: std::fmt::Debug + std::fmt::Display + Send + Sync + 'static,
    ForEachError<S, E>: Send + Sync,
{
    fn from(error: ForEachError<S, E>) -> Self {
        match error {
            ForEachError::Stream(error) => error.into(),
            processing => Self::new(Class::of(Kind::Internal), processing),
        }
    }
}

#[cfg(feature = "stream")]
fn of_stream<E: LexiconError>(error: &StreamError<E>) -> Class {
    match error {
        StreamError::Call(error) => of_call(error),
        #[cfg(feature = "jetstream")]
        StreamError::Archive(error) => of_archive(error),
        StreamError::GaveUp { .. } => Class::of(Kind::TryLater),
        StreamError::Ended { .. } => Class::of(Kind::InvalidInput),
        StreamError::Cursor(error) => of_cursor(error),
        StreamError::Unacknowledged { .. } => Class::of(Kind::Internal),
        StreamError::NotAStream(_) | StreamError::Undecodable(_) | StreamError::Unusable { .. } => {
            Class::of(Kind::BadAnswer)
        }
    }
}

#[cfg(all(feature = "stream", feature = "repo"))]
convert! {
    Refusal: |_| Class::of(Kind::BadAnswer);
    SignerError: |error| Class::of(if error.is_temporary() { Kind::TryLater } else { Kind::BadAnswer });
    RepairError: |_| Class::of(Kind::TryLater);
    StopError: |_| Class::of(Kind::Internal);
    VerifiedStreamError: |error| match error {
        VerifiedStreamError::Stream(error) => of_stream(error),
        VerifiedStreamError::States { .. }
        | VerifiedStreamError::Unrepaired(_)
        | VerifiedStreamError::NotSaved(_) => Class::of(Kind::Internal),
    };
}

#[cfg(feature = "repo")]
fn of_repo(error: &RepoError) -> Class {
    match error {
        RepoError::Source(source) => of_source(source),
        RepoError::Storage { .. } => Class::of(Kind::Internal),
        _ => Class::of(Kind::BadAnswer),
    }
}

/// What a repository is read from: a connection, or a file of the app.
#[cfg(feature = "repo")]
fn of_source(error: &repo::SourceError) -> Class {
    match error.get_ref().downcast_ref::<TransportError>() {
        Some(error) => of_transport(error),
        None => Class::of(Kind::Internal),
    }
}

#[cfg(feature = "repo")]
fn of_resolution(error: &ResolutionError) -> Class {
    match error {
        ResolutionError::Publisher { source, .. } => of_identity(source),
        ResolutionError::Fetch { source, .. } | ResolutionError::List { source, .. } => of_call(source),
        ResolutionError::SigningKey { .. }
        | ResolutionError::Proof { .. }
        | ResolutionError::Document { .. } => Class::of(Kind::BadAnswer),
        error => Class::temporary_or(Kind::InvalidInput, error.is_temporary()),
    }
}

#[cfg(feature = "bsky")]
fn of_image(problem: &ImageProblem) -> Class {
    let class = Class::of(Kind::InvalidInput);
    match problem {
        ImageProblem::UnknownType => {
            class.saying("This file is not an image: choose a JPEG, PNG, WebP or GIF.")
        }
        ImageProblem::Damaged { .. } => class.saying("This image is damaged."),
        ImageProblem::TooLarge { found, most } => {
            class.saying(format!("This image is too large: {found} bytes, at most {most} are allowed."))
        }
    }
}

#[cfg(feature = "bsky")]
fn of_upload(error: &UploadError) -> Class {
    match error {
        UploadError::Image(problem) => of_image(problem),
        UploadError::Call(source) => of_call(source),
    }
}

#[cfg(feature = "bsky")]
fn of_mention(error: &MentionErrorSource) -> Class {
    match error {
        MentionErrorSource::Resolver(source) => of_identity(source),
        MentionErrorSource::Call(source) => of_call(source),
        MentionErrorSource::InvalidDid { .. } => Class::of(Kind::BadAnswer),
    }
}

#[cfg(feature = "bsky")]
fn of_video(error: &VideoError) -> Class {
    let refused = |message| Class::of(Kind::InvalidInput).saying(message);
    match error {
        VideoError::NotSignedIn | VideoError::NoPds => Class::of(Kind::Internal),
        VideoError::Token(source) | VideoError::Service(source) => of_call(source),
        VideoError::UnconfirmedEmail { .. } => {
            refused("Confirm the email address of your account first; then it can upload videos.")
        }
        VideoError::Refused { .. } => refused("This video was not accepted."),
        VideoError::Failed { .. } => refused("This video could not be processed."),
        VideoError::Late { .. } => {
            Class::of(Kind::TryLater).saying("The video is still being processed. Please look again later.")
        }
        VideoError::Answer => Class::of(Kind::BadAnswer),
    }
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
