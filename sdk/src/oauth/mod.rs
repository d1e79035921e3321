//! OAuth sessions.
pub mod store;
/// stand-in
pub struct OAuthClient;
impl crate::xrpc::Transport for OAuthClient {
    fn send<'a>(
        &'a self,
        _: crate::xrpc::Request,
    ) -> crate::xrpc::BoxFuture<'a, Result<crate::xrpc::TransportResponse, crate::xrpc::TransportError>> {
        unreachable!()
    }
}
