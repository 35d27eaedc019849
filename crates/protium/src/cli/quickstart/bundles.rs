//! The bundles that a quickstart registers: those of `examples/quickstart`, within the program.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io;

/// The files of a bundle: paths and texts.
pub(super) type Files = &'static [(&'static str, &'static str)];

macro_rules! bundle {
    ($folder:literal: $($file:literal),+) => {
        &[$(($file, include_str!(concat!("../../../../../examples/quickstart/", $folder, "/", $file)))),+]
    };
}

pub(super) const ENVIRONMENT: Files = bundle!("environment": "schema/schema.yaml", "infrastructure/manifest.yaml");
pub(super) const SERVICE_1_0: Files =
    bundle!("service/v1.0": "schema/schema.yaml", "instance_infrastructure/manifest.yaml");
pub(super) const SERVICE_1_1: Files =
    bundle!("service/v1.1": "schema/schema.yaml", "instance_infrastructure/manifest.yaml");

/// The files as a `tar.gz`, in which bundles are uploaded.
pub(super) fn pack(files: Files) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes())?;
    }
    archive.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protium_domain::bundle::Limits;

    #[test]
    fn every_bundle_is_an_archive_that_registration_takes() {
        for files in [ENVIRONMENT, SERVICE_1_0, SERVICE_1_1] {
            let read = protium_domain::bundle::unpack(&pack(files).unwrap(), &Limits::default()).unwrap();
            let found: Vec<&str> = read.keys().map(String::as_str).collect();
            for (path, _) in files {
                assert!(found.contains(path), "{path}: {found:?}");
            }
        }
    }
}
