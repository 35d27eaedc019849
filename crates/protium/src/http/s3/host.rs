//! Virtual-host style: the bucket's name in the host's.

use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

/// `--s3-domain`: hosts below it name a bucket, all others don't.
#[derive(Clone, Debug)]
pub(super) struct Domain(String);

impl Domain {
    pub(super) fn new(domain: &str) -> Self {
        Self(format!(".{}", domain.to_ascii_lowercase()))
    }
}

impl S3Host for Domain {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = host.split_once(':').map_or(host, |(name, _port)| name).to_ascii_lowercase();
        match name.strip_suffix(&self.0) {
            Some(bucket) if !bucket.is_empty() => Ok(VirtualHost::new(host).with_bucket(bucket.to_owned())),
            _ => Ok(VirtualHost::new(host)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_below_the_domain_name_a_bucket() {
        let domain = Domain::new("Buckets.example");
        let bucket = |host: &str| domain.parse_host_header(host).unwrap().bucket().map(str::to_owned);
        assert_eq!(bucket("Mine.buckets.example:8420").as_deref(), Some("mine"));
        assert_eq!(bucket("my.own.buckets.example").as_deref(), Some("my.own"));
        for host in ["buckets.example", ".buckets.example", "localhost:8420", "mine.example", "notbuckets.example"] {
            assert_eq!(bucket(host), None, "{host}");
        }
    }
}
