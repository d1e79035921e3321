//! OAuth sessions.

mod dpop;
mod nonce;
mod server;
mod session;
pub mod store;
/// stand-in
#[derive(Debug, Clone)]
pub struct OAuthClient;
impl OAuthClient { /// x
 pub fn did(&self) -> &crate::types::Did { unreachable!() } }
impl crate::xrpc::Transport for OAuthClient {
    fn send<'a>(
        &'a self,
        _: crate::xrpc::Request,
    ) -> crate::xrpc::BoxFuture<'a, Result<crate::xrpc::TransportResponse, crate::xrpc::TransportError>> {
        unreachable!()
    }
}
