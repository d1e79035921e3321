//! A layer that keeps pages of signed-in users out of caches, including the browser's history cache, and answers in place
//! of handlers that have failed.

use std::{
    fmt,
    task::{Context, Poll},
};

use axum::{
    extract::Request,
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, VARY},
    },
    response::Response,
};
use tower_layer::Layer;
use tower_service::Service;

use super::{WebAuth, answer::parts_for_answer, handler_error::Failed};
use crate::xrpc::BoxFuture;

/// A layer that prevents caching of responses to signed-in browsers, and answers in place of handlers that return a
/// [`HandlerError`](super::HandlerError). Created by [`WebAuth::layer`].
///
/// It adds `Cache-Control: no-store`, unless the handler has set `Cache-Control` itself, so that the back button does not
/// show pages of a user who has signed out. It also adds `Vary: Cookie` to all responses, so that a shared cache does not
/// serve one user's page to another.
#[derive(Debug, Clone)]
pub struct SignedInLayer {
    web: WebAuth,
}

impl WebAuth {
    /// Creates a layer for the app's router that prevents caching of responses to signed-in browsers, and turns a
    /// [`HandlerError`](super::HandlerError) into a page, a redirect or JSON.
    ///
    /// ```no_run
    /// use atproto_sdk::axum::WebAuth;
    /// use axum::{Router, routing::get};
    ///
    /// # fn example(web: WebAuth) -> Router {
    /// Router::new().route("/", get(|| async { "Hello" })).merge(web.routes()).layer(web.layer())
    /// # }
    /// ```
    pub fn layer(&self) -> SignedInLayer {
        SignedInLayer { web: self.clone() }
    }
}

impl<S> Layer<S> for SignedInLayer {
    type Service = SignedInService<S>;

    fn layer(&self, inner: S) -> SignedInService<S> {
        SignedInService { inner, web: self.web.clone() }
    }
}

/// The service of [`SignedInLayer`].
#[derive(Clone)]
pub struct SignedInService<S> {
    inner: S,
    web: WebAuth,
}

impl<S> fmt::Debug for SignedInService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedInService").field("web", &self.web).finish_non_exhaustive()
    }
}

impl<S> Service<Request> for SignedInService<S>
where
    S: Service<Request, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let signed_in = self.web.inner.jar.has_sessions(request.headers());
        let (web, parts) = (self.web.clone(), parts_for_answer(&request));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if let Some(Failed(error)) = response.extensions_mut().remove() {
                let headers = std::mem::take(response.headers_mut());
                drop(response);
                response = web.answer(&parts, &error, headers).await;
            }
            if signed_in && !response.headers().contains_key(CACHE_CONTROL) {
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            // A shared cache must not serve one user's page to another.
            response.headers_mut().append(VARY, HeaderValue::from_static("cookie"));
            Ok(response)
        })
    }
}
