//! What a server says about itself and its cluster.

use redis::{FromRedisValue, ParsingError, Value};

/// What a server says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ServerInfo {
    pub(super) is_replica: bool,
    pub(super) is_cluster: bool,
    /// The policy by which it removes entries when its memory is full, if that can happen.
    pub(super) evicts: Option<String>,
}

impl ServerInfo {
    /// Reads the answer to `INFO`.
    pub(super) fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(':'));
            lines.find_map(|(found, value)| (found == name).then(|| value.trim().to_owned()))
        };
        let limited = field("maxmemory").is_some_and(|bytes| bytes != "0");
        Self {
            is_replica: field("role").is_some_and(|role| role == "slave"),
            is_cluster: field("cluster_enabled").is_some_and(|enabled| enabled == "1"),
            evicts: field("maxmemory_policy").filter(|policy| limited && policy != "noeviction"),
        }
    }
}

/// The nodes of a cluster, primaries and replicas, as `host:port`. The host is empty if it is that of the server that was asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Nodes(pub(super) Vec<String>);

impl Nodes {
    /// More than any cluster has.
    const MOST: usize = 1000;
}

/// Reads the answer to `CLUSTER SLOTS`: a list of ranges, each with its first and last slot, and then its nodes.
impl FromRedisValue for Nodes {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut nodes = Vec::new();
        for range in list(value) {
            for node in list(range).into_iter().skip(2) {
                let mut fields = list(node).into_iter();
                let (host, port) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
                let (Some(host), Value::Int(port)) = (text(host), port) else { continue };
                let node = format!("{host}:{port}");
                // A host that is unknown.
                if host != "?" && nodes.len() < Self::MOST && !nodes.contains(&node) {
                    nodes.push(node);
                }
            }
        }
        Ok(Self(nodes))
    }
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        _ => Vec::new(),
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Nil => Some(String::new()),
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_server_says_about_itself_is_read() {
        let info =
            "# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n# Replication\r\nrole:master\r\n";
        assert_eq!(ServerInfo::parse(info), ServerInfo::default());
        let info = "role:slave\r\ncluster_enabled:1\r\nmaxmemory:100\r\nmaxmemory_policy:volatile-ttl\r\n";
        let evicts = Some("volatile-ttl".to_owned());
        assert_eq!(ServerInfo::parse(info), ServerInfo { is_replica: true, is_cluster: true, evicts });
        assert_eq!(ServerInfo::parse("maxmemory:100\r\nmaxmemory_policy:noeviction\r\n").evicts, None);
        assert_eq!(ServerInfo::parse(""), ServerInfo::default());
    }

    #[test]
    fn nodes_of_a_cluster_are_read() {
        let node = |host: Value, port: i64| {
            let id = Value::BulkString(b"07c37dfeb235213a872192d90877d0cd55635b91".to_vec());
            Value::Array(vec![host, Value::Int(port), id, Value::Array(vec![])])
        };
        let host = |host: &str| Value::BulkString(host.as_bytes().to_vec());
        let range = |nodes: Vec<Value>| Value::Array([vec![Value::Int(0), Value::Int(5460)], nodes].concat());
        let answer = Value::Array(vec![
            range(vec![node(host("10.0.0.1"), 7000), node(host("::1"), 7001), node(Value::Nil, 7002)]),
            range(vec![node(host("10.0.0.1"), 7000), node(host("?"), 7003)]),
            Value::Nil,
            range(vec![Value::Array(vec![]), Value::Int(1)]),
        ]);
        let nodes = Nodes::from_redis_value(answer).unwrap();
        assert_eq!(nodes.0, ["10.0.0.1:7000", "::1:7001", ":7002"]);
        assert_eq!(Nodes::from_redis_value(Value::Okay).unwrap(), Nodes::default());
    }
}
