//! The routes in process: which requests start something, and what happens if the store does not answer.
#![allow(clippy::unwrap_used)]

mod cross_site;
mod handler_errors;
mod nested;
mod sign_in_failures;
mod sign_out;
mod unusable;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{FromRef, Request},
    http::{Method, StatusCode, header::LOCATION},
    response::Response,
    routing::get,
};
use tower_service::Service as _;

use super::{WebAuth, WebAuthBuilder};
use crate::{
    identity::{Identity, IdentityError, ResolveIdentity},
    oauth::{ClientMetadata, OAuth, OAuthClient},
    store::{Entry, Expected, MemoryStore, SealingKey, SealingKeys, Store, StoreError, Version, passed_on},
    types::{Did, Handle},
    xrpc::BoxFuture,
};

const ORIGIN: &str = "https://app.example.com";

/// Knows nobody, and remembers who was asked for: a sign-in that starts asks for its account first.
#[derive(Debug, Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl ResolveIdentity for Asked {
    fn resolve<'a>(&'a self, input: &'a str) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        self.0.lock().unwrap().push(input.to_owned());
        let handle = Handle::new("nobody.example.com").unwrap();
        Box::pin(async { Err(IdentityError::HandleNotFound { handle }) })
    }

    fn invalidate(&self, _: &Did) {}
}

/// A store that can be made to hang.
#[derive(Clone, Default)]
struct Hanging {
    inner: Arc<MemoryStore>,
    hangs: Arc<AtomicBool>,
}

impl Hanging {
    async fn answers(&self) {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

impl Store for Hanging {
    passed_on!(inner: get, put, list, lock);

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            self.answers().await;
            self.inner.delete(key, expected).await
        })
    }
}

#[derive(Clone)]
struct App(WebAuth);

impl FromRef<App> for WebAuth {
    fn from_ref(app: &App) -> Self {
        app.0.clone()
    }
}

struct Site {
    asked: Asked,
    store: Hanging,
    web: WebAuth,
    app: Router,
}

impl Site {
    fn new() -> Self {
        Self::with("", |builder| builder, |web| web.routes())
    }

    fn with(
        prefix: &str,
        change: impl FnOnce(WebAuthBuilder) -> WebAuthBuilder,
        routes: impl FnOnce(&WebAuth) -> Router<App>,
    ) -> Self {
        let metadata = ClientMetadata::web(format!("{ORIGIN}{prefix}/client-metadata.json"))
            .redirect_uri(format!("{ORIGIN}{prefix}/callback"));
        Self::of(metadata, change, routes)
    }

    /// A site that may request these scopes.
    fn scoped(
        scope: &str,
        change: impl FnOnce(WebAuthBuilder) -> WebAuthBuilder,
        routes: impl FnOnce(&WebAuth) -> Router<App>,
    ) -> Self {
        let metadata = ClientMetadata::web(format!("{ORIGIN}/client-metadata.json"))
            .redirect_uri(format!("{ORIGIN}/callback"))
            .scope(scope);
        Self::of(metadata, change, routes)
    }

    fn of(
        metadata: ClientMetadata,
        change: impl FnOnce(WebAuthBuilder) -> WebAuthBuilder,
        routes: impl FnOnce(&WebAuth) -> Router<App>,
    ) -> Self {
        let (asked, store) = (Asked::default(), Hanging::default());
        let oauth = OAuth::builder(metadata)
            .resolver(asked.clone())
            .store(store.clone())
            .allow_loopback_http()
            .build()
            .unwrap();
        let keys = SealingKeys::new([SealingKey::generate().unwrap()]).unwrap();
        let web = change(WebAuth::builder(oauth, keys)).build().unwrap();
        let app = routes(&web).layer(web.layer()).with_state(App(web.clone()));
        Self { asked, store, web, app }
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut request = Request::builder().method(method).uri(path).header("host", "app.example.com");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.app.clone().call(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap()
    }

    /// How many sign-ins have been started since the last call.
    fn started(&self) -> usize {
        std::mem::take(&mut *self.asked.0.lock().unwrap()).len()
    }
}

fn location(response: &Response) -> &str {
    response.headers().get(LOCATION).map_or("", |value| value.to_str().unwrap())
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

/// The cookie of a browser in which this session is signed in.
fn cookie_of(web: &WebAuth, id: crate::oauth::SessionId) -> String {
    let mut sessions = super::cookie::Sessions::default();
    web.inner.jar.sign_in(&mut sessions, id);
    let set = web.inner.jar.set_sessions(&sessions).remove(0);
    set.to_str().unwrap().split(';').next().unwrap().to_owned()
}
