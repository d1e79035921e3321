//! `rpc:`, calling methods of other services.

use std::fmt;

use super::{
    audience::{Audience, Service},
    error::ScopeProblem,
    names::Names,
    syntax::{Printer, Syntax},
};
use crate::{types::Nsid, xrpc::Method};

/// Calls of some methods, which the account's server passes on to one service or to any; or of all methods of
/// one service. All methods of any service is what cannot be had (O43), so there is no way to build it.
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
    /// All methods of a service.
    pub fn all(service: Service) -> Self {
        Self { methods: Names::All, audience: Audience::Service(service) }
    }

    /// One method.
    pub fn of(method: Nsid, audience: impl Into<Audience>) -> Self {
        Self { methods: Names::one(method), audience: audience.into() }
    }

    /// A generated method.
    pub fn method<M: Method>(audience: impl Into<Audience>) -> Self {
        Self::of(Nsid::__literal(M::NSID), audience)
    }

    /// One method more.
    #[must_use]
    pub fn and(mut self, method: Nsid) -> Self {
        self.methods.add(method);
        self
    }

    /// The methods, sorted; nothing stands for all.
    pub fn methods(&self) -> Option<&[Nsid]> {
        self.methods.listed()
    }

    /// Where calls may go.
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
