//! Sign-in on a web site: the routes and extractors against the reference server, and the example in a real browser.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

mod browser;
mod clients;
#[path = "../../../sdk/examples/web.rs"]
mod example;
mod failures;
mod routes;
mod tabs;
mod visitor;

use std::net::Ipv4Addr;

use atproto_sdk::{
    axum::{HandlerError, NotSignedIn, WebAuth, WebAuthBuilder},
    identity::{HandleResolver, Resolver},
    oauth::{ClientMetadata, OAuth, OAuthBuilder, OAuthClient},
    store::{SealingKey, SealingKeys},
    types::Did,
};
use axum::{
    Router,
    extract::{FromRef, FromRequestParts as _, Request, State},
    http::request::Parts,
    routing::get,
};
use tests::{Account, Network};
use tokio::net::TcpListener;
use visitor::Visitor;

#[derive(Clone)]
struct App {
    web: WebAuth,
}

impl FromRef<App> for WebAuth {
    fn from_ref(app: &App) -> Self {
        app.web.clone()
    }
}

/// A site with one page of each kind of handler, at a network with an account.
struct Site {
    network: Network,
    account: Account,
    web: WebAuth,
    origin: String,
}

fn keys() -> SealingKeys {
    SealingKeys::new([SealingKey::generate().unwrap()]).unwrap()
}

fn app(network: &Network, metadata: ClientMetadata) -> OAuthBuilder {
    let resolver = Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    OAuth::builder(metadata).resolver(resolver).allow_loopback_http()
}

/// A form with the account that it was shown for.
async fn as_account(State(app): State<App>, parts: Parts, form: String) -> Result<String, HandlerError> {
    let did = url::form_urlencoded::parse(form.as_bytes()).find(|(name, _)| name == "did").unwrap().1;
    let client = app.web.client_for(&parts, &Did::new(&did)?).await?;
    Ok(format!("as {}", client.did()))
}

fn router(web: &WebAuth) -> Router {
    let outcome = async |state: axum::extract::State<App>, request: Request| {
        let (mut parts, _) = request.into_parts();
        // By hand, with exactly three outcomes.
        match OAuthClient::from_request_parts(&mut parts, &*state).await {
            Ok(client) => format!("client of {}", client.did()),
            Err(NotSignedIn::NoSession(_)) => "no session".to_owned(),
            Err(NotSignedIn::SignInAgain(again)) => format!("again: {:?}", again.ended.reason),
        }
    };
    Router::new()
        .route(
            "/",
            get(async |user: Option<OAuthClient>| format!("user: {:?}", user.map(|user| user.did().clone()))),
        )
        .route(
            "/private",
            get(async |client: OAuthClient| {
                let session = client.com_atproto_server().get_session().await.unwrap();
                format!("private: {}", session.handle)
            })
            .post(async |_: OAuthClient| "posted"),
        )
        .route("/outcome", get(outcome))
        .route("/as", axum::routing::post(as_account))
        .merge(web.routes())
        .layer(web.layer())
        .with_state(App { web: web.clone() })
}

impl Site {
    async fn start(change: impl FnOnce(WebAuthBuilder) -> WebAuthBuilder) -> Self {
        Self::with_prefix("", change).await
    }

    async fn with_prefix(prefix: &str, change: impl FnOnce(WebAuthBuilder) -> WebAuthBuilder) -> Self {
        let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
        let account = network.account("alice").await.unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let metadata = ClientMetadata::loopback().redirect_uri(format!("{origin}{prefix}/callback"));
        let oauth = app(&network, metadata).build().unwrap();
        let web = change(WebAuth::builder(oauth, keys())).build().unwrap();
        tokio::spawn(axum::serve(listener, router(&web)).into_future());
        Self { network, account, web, origin }
    }

    fn did(&self) -> Did {
        self.account.did.clone()
    }

    fn visitor(&self) -> Visitor {
        Visitor::new(&self.origin)
    }

    /// As far as the callback's address.
    async fn begin(&self, visitor: &mut Visitor, account: &Account, return_to: &str) -> String {
        let path = format!("{}?identifier={}&return_to={return_to}", self.web.login_path(), account.handle);
        let leaving = visitor.get_own(&path).await;
        assert_eq!(leaving.status, 303, "{}", leaving.body);
        self.network.approve(leaving.location(), account).await.unwrap()
    }

    async fn sign_in(&self, visitor: &mut Visitor, account: &Account) {
        let callback = self.begin(visitor, account, "/").await;
        let back = visitor.get(&callback).await;
        assert_eq!((back.status, back.location()), (303, "/"), "{}", back.body);
    }
}
