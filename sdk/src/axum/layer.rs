//! Keeps the pages of a signed-in user out of every cache, that of the back button included.

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

use super::WebAuth;
use crate::xrpc::BoxFuture;

/// Adds `Cache-Control: no-store` to what a signed-in browser gets, where the handler has set no rule of its own: after
/// signing out, the back button then shows no page of the user before. Made by [`WebAuth::layer`].
#[derive(Debug, Clone)]
pub struct SignedInLayer {
    web: WebAuth,
}

impl WebAuth {
    /// The layer for a site's router; see [`SignedInLayer`].
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
        let signed_in = self.web.inner.jar.is_there(request.headers());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if signed_in && !response.headers().contains_key(CACHE_CONTROL) {
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            // A shared cache in front must not give one user's page to another.
            response.headers_mut().append(VARY, HeaderValue::from_static("cookie"));
            Ok(response)
        })
    }
}
