//! Sessions in a Redis server, or a compatible one such as Valkey.

mod cluster;
mod link;

use std::{fmt, sync::Arc, time::Duration};

use cluster::ServerInfo;
use link::Link;
use redis::{
    Client, ClientTlsConfig, ErrorKind, RedisError, Script, ServerErrorKind, TlsCertificates,
    io::tcp::TcpSettings,
};

use super::{
    Entry, Expected, Store, StoreError, StoreLock, Version,
    lease::{self, Leases},
    local_clock::LocalClock,
    tls::TlsFiles,
};
use crate::{limits, xrpc::BoxFuture};

/// The prefix of all keys. The braces are a hash tag: a cluster must store all keys on one node, because the scripts access
/// several of them.
const DEFAULT_PREFIX: &str = "{atproto}:";

/// Stores sessions in a Redis server (or a compatible one such as Valkey), for services with several instances.
///
/// The server must persist its data (`appendonly yes`) and must not evict any (`maxmemory-policy noeviction`, otherwise a
/// warning is logged). Users whose sessions are lost, also after `FLUSHALL`, must sign in again. Locks that are lost are
/// noticed when they are next renewed. A replica that becomes the primary may lack the last second of writes, also locks. If a
/// process dies, its locks expire within a minute.
///
/// In a Redis Cluster, all keys are on one node, because they start with a part in braces. The URL can name any node, best
/// by a host name that leads to those that are reachable; the store finds the responsible one, and its successor, also if the
/// node in the URL fails. While these keys are moved to another node, sessions that exist are read, and locked; writes wait for
/// a few seconds, and fail for now if it takes longer.
///
/// ```no_run
/// use atproto_sdk::{
///     oauth::{ClientMetadata, OAuth},
///     store::RedisStore,
/// };
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let store = RedisStore::connect("rediss://app:password@redis.example.com/0").await?;
/// let oauth = OAuth::builder(ClientMetadata::loopback()).store(store).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    link: Arc<Link>,
    scripts: Arc<Scripts>,
    prefix: Arc<str>,
    clock: LocalClock,
}

/// Scripts, which the server executes atomically.
struct Scripts {
    put: Script,
    delete: Script,
    list: Script,
    renew: Script,
    release: Script,
}

/// Also removes some expired entries from the index. Versions start at the time of the server, so that none is used again if
/// the server has lost its data. The end in `ARGV[4]` is by the clock of this process, which says `ARGV[5]`: if that is not
/// what the server's clock says, the server ends the entry after the same time by its own clock.
///
/// An entry that exists does so all the time: while a cluster moves keys to another node, it refuses what a script does with a
/// key that it has just removed, and what the script has done before that stays done. Others than those in `KEYS` may have
/// been moved already, which is what `pcall` is for.
const PUT: &str = "
    local found = redis.call('HGET', KEYS[1], 'n')
    if ARGV[3] == 'absent' then
        if found then return false end
    elseif ARGV[3] ~= 'any' and found ~= ARGV[3] then
        return false
    end
    local now = redis.call('TIME')
    if redis.call('EXISTS', KEYS[3]) == 0 then
        redis.call('SET', KEYS[3], string.format('%.0f', now[1] * 1000000 + now[2]))
    end
    local version = redis.call('INCR', KEYS[3])
    redis.call('HSET', KEYS[1], 'v', ARGV[2], 'n', version)
    redis.call('ZADD', KEYS[2], 0, ARGV[1])
    if ARGV[4] == '' then
        redis.call('HDEL', KEYS[1], 'e')
        redis.call('PERSIST', KEYS[1])
        redis.call('ZREM', KEYS[4], ARGV[1])
    else
        local ends, apart = ARGV[4], now[1] - ARGV[5]
        if math.abs(apart) > tonumber(ARGV[7]) then ends = string.format('%.0f', ends + apart) end
        redis.call('HSET', KEYS[1], 'e', ends)
        redis.call('EXPIREAT', KEYS[1], ends)
        redis.call('ZADD', KEYS[4], ends, ARGV[1])
        local over = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now[1], 'LIMIT', 0, 50)
        for _, key in ipairs(over) do
            if redis.pcall('EXISTS', ARGV[6] .. key) == 0 then
                redis.call('ZREM', KEYS[2], key)
                redis.call('ZREM', KEYS[4], key)
            end
        end
    end
    return version";

const DELETE: &str = "
    local found = redis.call('HMGET', KEYS[1], 'v', 'n', 'e')
    if found[2] and ARGV[2] ~= 'any' and ARGV[2] ~= found[2] then return false end
    redis.call('DEL', KEYS[1])
    redis.call('ZREM', KEYS[2], ARGV[1])
    redis.call('ZREM', KEYS[3], ARGV[1])
    return found";

/// Reads a limited part of the index, because the server executes nothing else in the meantime. Returns the last key of this
/// part, the entries that exist, and those that do not, or are on another node.
const LIST: &str = "
    local keys = redis.call('ZRANGE', KEYS[1], ARGV[2], ARGV[3], 'BYLEX', 'LIMIT', 0, 500)
    local there, gone = {}, {}
    for _, key in ipairs(keys) do
        if redis.pcall('EXISTS', ARGV[1] .. key) == 1 then
            there[#there + 1] = key
        else
            gone[#gone + 1] = key
        end
    end
    return {keys[#keys] or false, there, gone}";

const RENEW: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0";

const RELEASE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

fn failed(error: RedisError) -> StoreError {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ReadOnly) => StoreError::ReadOnly { source: Arc::new(error) },
        _ => StoreError::backend(error),
    }
}

/// Creates a client from a URL and the files in its parameters.
fn client(url: &str) -> Result<Client, StoreError> {
    let (url, tls_files) = TlsFiles::take_from(url)?;
    let refuse =
        |error: RedisError| StoreError::Url { problem: format!("it is not a valid Redis URL ({error})") };
    if !url.starts_with("rediss:") {
        if !tls_files.is_empty() {
            let problem = "files for TLS require `rediss://`, because `redis://` is not encrypted";
            return Err(StoreError::Url { problem: problem.to_owned() });
        }
        return Client::open(url).map_err(refuse);
    }
    if url.ends_with("#insecure") {
        let problem =
            "certificates are always verified; set `sslrootcert` to the certificate authority of the server";
        return Err(StoreError::Url { problem: problem.to_owned() });
    }
    // The driver panics if no crypto provider is installed.
    crate::http_client::choose_crypto();
    let certificates = TlsCertificates {
        client_tls: tls_files
            .identity()?
            .map(|own| ClientTlsConfig { client_cert: own.certificates, client_key: own.key.to_vec() }),
        root_cert: tls_files.authorities()?.map(|(pem, _)| pem),
    };
    Client::build_with_tls(url, certificates).map_err(refuse)
}

/// Sets limits with which the operating system closes a connection that hangs, because the driver does not.
fn with_limits(client: Client) -> Result<Client, RedisError> {
    let tcp = TcpSettings::default().set_nodelay(true);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let tcp = tcp.set_user_timeout(limits::REDIS_ANSWER);
    Client::open(client.get_connection_info().clone().set_tcp_settings(tcp))
}

/// Checks what a server says about itself.
async fn check(link: &Link, prefix: &str) -> Result<(), StoreError> {
    let info = match link.query::<String>(&redis::cmd("INFO")).await {
        Ok(info) => ServerInfo::parse(&info),
        // The account may not be allowed to ask.
        Err(error) if error.is_io_error() || error.is_timeout() => return Err(failed(error)),
        Err(error) => {
            tracing::debug!(%error, "the Redis server does not say how it is configured");
            return Ok(());
        }
    };
    if info.is_cluster {
        link.learn().await;
    }
    if info.is_cluster && !has_hash_tag(prefix) {
        let problem = format!(
            "the server is part of a cluster, which stores all keys on one node only if the prefix contains a part in braces, and `{prefix}` does not"
        );
        return Err(StoreError::Url { problem });
    }
    if info.is_replica && !info.is_cluster {
        let replica = std::io::Error::other("the server is a replica");
        return Err(StoreError::ReadOnly { source: Arc::new(replica) });
    }
    if let Some(policy) = info.evicts {
        tracing::warn!(
            policy,
            "the Redis server may remove sessions when its memory is full, and their users must sign in again; set `maxmemory-policy noeviction`"
        );
    }
    Ok(())
}

/// Whether a cluster hashes only a part of each key with this prefix.
fn has_hash_tag(prefix: &str) -> bool {
    let after = prefix.split_once('{').and_then(|(_, after)| after.find('}'));
    after.is_some_and(|length| length > 0)
}

impl RedisStore {
    /// Connects to a server at `redis://user:password@host/0`, or `rediss://` for TLS.
    ///
    /// Certificates are always verified: with the certificate authorities of the system, or those in the PEM file in the URL
    /// parameter `sslrootcert`. `sslcert` and `sslkey` name the PEM files of a client certificate.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is invalid, if a file in its parameters cannot be used, or if the server cannot be
    /// reached or is a replica.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_with_prefix(url, DEFAULT_PREFIX).await
    }

    /// Connects like [`connect`](Self::connect), and sets the prefix of all keys, so that several apps can share a server.
    /// In a cluster, the prefix must contain a part in braces.
    ///
    /// ```no_run
    /// use atproto_sdk::store::RedisStore;
    ///
    /// # async fn f() -> Result<(), atproto_sdk::store::StoreError> {
    /// let store = RedisStore::connect_with_prefix("redis://localhost/0", "{my-app}:").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`connect`](Self::connect).
    pub async fn connect_with_prefix(url: &str, prefix: &str) -> Result<Self, StoreError> {
        let client = with_limits(client(url)?).map_err(failed)?;
        let link = Arc::new(Link::connect(client).await?);
        check(&link, prefix).await?;
        let scripts = Scripts {
            put: Script::new(PUT),
            delete: Script::new(DELETE),
            list: Script::new(LIST),
            renew: Script::new(RENEW),
            release: Script::new(RELEASE),
        };
        Ok(Self { link, scripts: Arc::new(scripts), prefix: prefix.into(), clock: LocalClock::default() })
    }

    #[cfg(test)]
    pub(super) fn with_clock_ahead(self, seconds: i64) -> Self {
        Self { clock: LocalClock::ahead(seconds), ..self }
    }

    fn entry(&self, key: &str) -> String {
        format!("{}entry:{key}", self.prefix)
    }

    fn lock_key(&self, key: &str) -> String {
        format!("{}lock:{key}", self.prefix)
    }

    fn named(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    async fn read(&self, key: &str) -> Result<Option<Entry>, RedisError> {
        let mut command = redis::cmd("HMGET");
        command.arg(self.entry(key)).arg("v").arg("n").arg("e");
        Ok(entry_of(self.link.query(&command).await?))
    }

    /// Returns the last key of a part of the index, and the keys of entries that exist.
    async fn piece(&self, from: &[u8], to: &[u8]) -> Result<(Option<Vec<u8>>, Vec<String>), RedisError> {
        let mut call = self.scripts.list.key(self.named("keys"));
        call.arg(self.entry("")).arg(from).arg(to);
        let (last, mut there, gone): (Option<Vec<u8>>, Vec<String>, Vec<String>) =
            self.link.invoke(&call).await?;
        if self.link.is_cluster() {
            // They may have been moved to another node, or not yet.
            for key in gone {
                if self.link.query(redis::cmd("EXISTS").arg(self.entry(&key))).await? {
                    there.push(key);
                }
            }
        }
        Ok((last, there))
    }
}

/// The fields of an entry: value, version and expiry.
type Fields = (Option<Vec<u8>>, Option<u64>, Option<i64>);

fn entry_of((value, version, expires_at): Fields) -> Option<Entry> {
    Some(Entry::new(value?, Version(version?)).with_expiry(expires_at))
}

/// What the scripts call the version that is expected.
fn argument_of(expected: Expected<Version>) -> String {
    match expected {
        Expected::Any => "any".to_owned(),
        Expected::Absent => "absent".to_owned(),
        Expected::Version(Version(number)) => number.to_string(),
    }
}

/// Repeats an idempotent operation once if the connection was lost.
async fn again<T, F: Future<Output = Result<T, RedisError>>>(work: impl Fn() -> F) -> Result<T, StoreError> {
    match work().await {
        Err(error) if error.is_io_error() || error.is_connection_dropped() => work().await.map_err(failed),
        outcome => outcome.map_err(failed),
    }
}

impl Store for RedisStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(again(move || self.read(key)))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            let mut call = self.scripts.put.key(self.entry(key));
            call.key(self.named("keys")).key(self.named("version")).key(self.named("expiring"));
            call.arg(key).arg(value).arg(argument_of(expected));
            call.arg(expires_at.map(|end| end.to_string()).unwrap_or_default());
            call.arg(self.clock.now()).arg(self.entry("")).arg(limits::CLOCKS_APART.as_secs());
            let version: Option<u64> = self.link.invoke(&call).await.map_err(failed)?;
            version.map(Version).ok_or(StoreError::Conflict)
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            let mut call = self.scripts.delete.key(self.entry(key));
            call.key(self.named("keys")).key(self.named("expiring"));
            call.arg(key).arg(argument_of(expected));
            let found: Option<Fields> = self.link.invoke(&call).await.map_err(failed)?;
            found.map(entry_of).ok_or(StoreError::Conflict)
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            // No key contains the byte 255.
            let mut from = [b"[", prefix.as_bytes()].concat();
            let to = [b"[", prefix.as_bytes(), b"\xff"].concat();
            let mut found = Vec::new();
            loop {
                let (last, there) = again(|| self.piece(&from, &to)).await?;
                found.extend(there);
                match last {
                    Some(last) => from = [b"(", last.as_slice()].concat(),
                    None => return Ok(found),
                }
            }
        })
    }

    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        Box::pin(lease::lock(self.clone(), key, wait))
    }
}

impl Leases for RedisStore {
    async fn take(&self, key: &str, holder: &str) -> Result<bool, StoreError> {
        let mut command = redis::cmd("SET");
        command.arg(self.lock_key(key)).arg(holder).arg("NX").arg("PX").arg(lifetime());
        let answer: Option<String> = self.link.query(&command).await.map_err(failed)?;
        Ok(answer.is_some())
    }

    async fn renew(&self, key: &str, holder: &str) -> Result<bool, StoreError> {
        let mut call = self.scripts.renew.key(self.lock_key(key));
        call.arg(holder).arg(lifetime());
        let renewed: i64 = self.link.invoke(&call).await.map_err(failed)?;
        Ok(renewed != 0)
    }

    async fn release(&self, key: &str, holder: &str) -> Result<(), StoreError> {
        let mut call = self.scripts.release.key(self.lock_key(key));
        call.arg(holder);
        self.link.invoke::<i64>(&call).await.map(drop).map_err(failed)
    }
}

/// In milliseconds.
fn lifetime() -> u64 {
    u64::try_from(limits::LEASE.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
