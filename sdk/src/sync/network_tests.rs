#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn a_connection_may_come_back_and_a_full_disk_does_not() {
    let error = || crate::repo::SourceError::new(std::io::Error::from(std::io::ErrorKind::StorageFull));
    assert!(may_pass(&RepairError::Repository(RepoError::Source(error()))));
    let storage = RepoError::Storage { folder: "/tmp".into(), source: error() };
    assert!(!may_pass(&RepairError::Repository(storage)));
}
