//! How much a bundle may hold. Data only: each part of `bundle` enforces its own numbers.

/// Limits for one bundle; the defaults are the quotas of the service, where those are workable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the uploaded archive, as uploaded.
    pub archive_bytes: usize,
    /// Bytes of all files together once unpacked: the bound against decompression bombs.
    pub unpacked_bytes: usize,
    /// Number of files. The service says 10, which real CDK bundles exceed.
    pub files: usize,
    /// Bytes of any one file once unpacked.
    pub file_bytes: usize,
    /// Bytes of a CloudFormation or Terraform file. Files of a CodeBuild part (lock files, say) are
    /// bound by `file_bytes` alone.
    pub template_bytes: usize,
    /// Bytes of `schema/schema.yaml`, and of each `manifest.yaml`.
    pub description_bytes: usize,
    /// Characters of a path inside the bundle.
    pub path_chars: usize,
    /// Folders that a file may be nested in.
    pub path_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive_bytes: 5 * 1024 * 1024,
            unpacked_bytes: 50 * 1024 * 1024,
            files: 1000,
            file_bytes: 5 * 1024 * 1024,
            template_bytes: 200 * 1024,
            description_bytes: 50 * 1024,
            path_chars: 400,
            path_depth: 20,
        }
    }
}

/// A number of bytes as a person reads it: `200 KB`, `5 MB`.
pub(crate) fn bytes(count: usize) -> String {
    const KIB: usize = 1024;
    const MIB: usize = 1024 * KIB;
    match count {
        n if n >= MIB && n.is_multiple_of(MIB) => format!("{} MB", n / MIB),
        n if n >= KIB && n.is_multiple_of(KIB) => format!("{} KB", n / KIB),
        n if n >= 10 * KIB => format!("{} KB", n.div_ceil(KIB)),
        n => format!("{n} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_like_sizes() {
        for (count, text) in [(5 << 20, "5 MB"), (200 << 10, "200 KB"), (999, "999 bytes"), (20_500, "21 KB")] {
            assert_eq!(bytes(count), text);
        }
    }
}
