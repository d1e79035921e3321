//! The end of a session: revocation at the server (RFC 7009), and the stored session goes (protocol O27).
