//! The `rpc:` permission.

use std::fmt;

use super::{
    audience::{Audience, Service},
    error::ScopeProblem,
    names::Names,
    syntax::{Printer, Syntax},
};
use crate::{types::Nsid, xrpc::Method};

/// Permission to call methods of other services through the PDS: an
/// [`rpc`](https://atproto.com/specs/permission#rpc) permission.
///
/// It is for certain methods of one or any service, or for all methods of one service. All methods of any service cannot be
/// granted, so such a permission cannot be created.
///
/// ```
/// use atproto_sdk::{nsid, scopes::{Audience, RpcPermission, Service}};
///
/// let service = Service::new("did:web:api.example.com#example")?;
/// let calls = RpcPermission::of(nsid!("com.example.getThing"), service.clone());
/// assert_eq!(calls.to_string(), "rpc:com.example.getThing?aud=did:web:api.example.com%23example");
/// assert_eq!(RpcPermission::of(nsid!("com.example.getThing"), Audience::Any).to_string(), "rpc:com.example.getThing?aud=*");
/// assert_eq!(RpcPermission::all(service).to_string(), "rpc:*?aud=did:web:api.example.com%23example");
/// # Ok::<_, atproto_sdk::types::InvalidText>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RpcPermission {
    pub(super) methods: Names,
    pub(super) audience: Audience,
}

const METHOD: &str = "the NSID of a method or `*`";
const AUDIENCE: &str = "a service like `did:web:api.example.com%23example` or `*`";

impl RpcPermission {
    /// Creates a permission for all methods of a service.
    pub fn all(service: Service) -> Self {
        Self { methods: Names::All, audience: Audience::Service(service) }
    }

    /// Creates a permission for a method. A scope with an NSID that was decoded and is not valid is refused by servers.
    pub fn of(method: Nsid, audience: impl Into<Audience>) -> Self {
        Self { methods: Names::one(method), audience: audience.into() }
    }

    /// Creates a permission for a generated method.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::get_timeline::GetTimeline,
    ///     nsid,
    ///     scopes::{Audience, RpcPermission},
    /// };
    ///
    /// let permission = RpcPermission::method::<GetTimeline>(Audience::Any).and(nsid!("app.bsky.feed.getFeed"));
    /// assert_eq!(permission.to_string(), "rpc?lxm=app.bsky.feed.getFeed&lxm=app.bsky.feed.getTimeline&aud=*");
    /// ```
    pub fn method<M: Method>(audience: impl Into<Audience>) -> Self {
        Self::of(Nsid::__literal(M::NSID), audience)
    }

    /// Adds another method.
    #[must_use]
    pub fn and(mut self, method: Nsid) -> Self {
        self.methods.add(method);
        self
    }

    /// Returns the methods, sorted, or `None` for all methods.
    pub fn methods(&self) -> Option<&[Nsid]> {
        self.methods.listed()
    }

    /// Returns the audience: the services that the methods can be called on.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    pub(super) fn parse(syntax: &Syntax<'_>) -> Result<Self, ScopeProblem> {
        syntax.only(&["lxm", "aud"], "`lxm` and `aud`")?;
        let values = syntax.many_positional("lxm", METHOD)?;
        let methods = Names::parse(&values, "lxm", METHOD)?;
        let value = syntax.one("aud")?.ok_or(ScopeProblem::Missing { name: "aud", expected: AUDIENCE })?;
        let audience = match value {
            "*" => Audience::Any,
            _ => Audience::Service(service(value, AUDIENCE)?),
        };
        match (methods, audience) {
            (Names::All, Audience::Any) => Err(ScopeProblem::EveryCall),
            (methods, audience) => Ok(Self { methods, audience }),
        }
    }
}

/// The service in a parameter `aud`.
pub(super) fn service(value: &str, expected: &'static str) -> Result<Service, ScopeProblem> {
    Service::new(value).map_err(|_| ScopeProblem::Value { name: "aud", value: value.to_owned(), expected })
}

impl fmt::Display for RpcPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer::new(f, "rpc")?;
        printer.list("lxm", self.methods.texts())?;
        printer.parameter("aud", self.audience.as_str())
    }
}
