#!/usr/bin/env bash
# Builds what is released, for the machine that it runs on.
#
#   scripts/release.sh [FOLDER]                  the archive, its bill of materials and the checksums, into FOLDER
#                                                (dist by default)
#   scripts/release.sh --program-only FOLDER     the stripped program and its licence alone, as the container file does
#   scripts/release.sh --check                   all but the build: what a release needs is there and fits together
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
cd "$PROJECT_DIR"
export PATH="$TOOLS_DIR/bin:$PATH"

CYCLONEDX=0.5.9

# version: that of the workspace.
version() { sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml; }

# platform: e.g. x86_64-unknown-linux-gnu.
platform() { rustc --version --verbose | sed -n 's/^host: //p'; }

# program FOLDER: the program as users get it. Paths of this machine are not in it.
program() {
  local folder=$1
  mkdir -p "$folder"
  RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$PROJECT_DIR=/protium --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" \
    cargo build --release --locked --package protium
  install -m 0755 "$CARGO_TARGET_DIR/release/protium" "$folder/protium"
  strip "$folder/protium"
  install -m 0644 LICENSE NOTICE "$folder/"
}

# bill FILE: which crates are in it, with versions, hashes and licences (CycloneDX 1.5).
bill() {
  need_cargo_tool cyclonedx "$CYCLONEDX"
  cargo cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps --target "$(platform)" \
    --override-filename protium-bill --manifest-path crates/protium/Cargo.toml
  # Nor are paths of this machine in it.
  sed "s#file://$PROJECT_DIR#file:///protium#g" crates/protium/protium-bill.json >"$1"
  # One is written beside each crate of the workspace.
  find crates xtask scripts/e2e -name protium-bill.json -delete
}

# archive FOLDER: packs the program with what is needed to install it, the same bytes from the same files.
archive() {
  local folder=$1 name="protium-$(version)-$(platform)" work
  work=$(mktemp -d)
  on_exit rm -rf "$work"
  mkdir -p "$folder" "$work/$name"
  program "$work/$name"
  bill "$work/$name/protium.cdx.json"
  install -m 0644 packaging/protium.service packaging/local-runner.conf SECURITY.md docs/install.md "$work/$name/"
  tar --create --gzip --file "$folder/$name.tar.gz" --directory "$work" --sort=name --owner=0 --group=0 --numeric-owner \
    --mtime="@$(git log -1 --format=%ct)" "$name"
  cp "$work/$name/protium.cdx.json" "$folder/$name.cdx.json"
  (cd "$folder" && sha256sum "$name.tar.gz" "$name.cdx.json" >SHA256SUMS && sha256sum --check --quiet SHA256SUMS)
  done_note "$folder/$name.tar.gz"
}

# check: without building anything.
check() {
  local file unit
  [ -n "$(version)" ] || fail "Cargo.toml has no version of the workspace"
  [ -n "$(platform)" ] || fail "rustc does not say which platform it builds for"
  for file in LICENSE NOTICE SECURITY.md docs/install.md packaging/protium.service packaging/local-runner.conf; do
    [ -s "$file" ] || fail "$file is missing, and is a part of each release"
  done
  [ "$(cargo metadata --locked --offline --no-deps --format-version 1 2>/dev/null | grep -c '"name":"protium"')" = 1 ] ||
    fail "Cargo.lock does not fit the manifests; run cargo check and commit it"
  grep -q '^RUN scripts/release.sh --program-only /out$' packaging/Containerfile ||
    fail "packaging/Containerfile does not build with this script"
  grep -q '^USER [1-9]' packaging/Containerfile || fail "packaging/Containerfile runs as root"
  grep -q "^FROM docker.io/library/rust:$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)-" packaging/Containerfile ||
    fail "packaging/Containerfile builds with another Rust than Cargo.toml names"
  command -v systemd-analyze >/dev/null || { note "left out: systemd-analyze is not installed"; return; }
  unit=$(mktemp -d)
  on_exit rm -rf "$unit"
  # The program need not be installed here.
  sed 's#^ExecStart=[^ ]*#ExecStart=/bin/true#' packaging/protium.service >"$unit/protium.service"
  systemd-analyze verify --man=no "$unit/protium.service"
  systemd-analyze security --offline=yes --threshold=20 --no-pager "$unit/protium.service" | tail -n 1
  mkdir "$unit/protium.service.d"
  cp packaging/local-runner.conf "$unit/protium.service.d/"
  systemd-analyze verify --man=no "$unit/protium.service"
}

case "${1:-}" in
  --check) check ;;
  --program-only) program "${2:?which folder? scripts/release.sh --program-only FOLDER}" ;;
  -h | --help) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;;
  -*) fail "unknown argument '$1'; see scripts/release.sh --help" ;;
  *) archive "$(realpath -m "${1:-dist}")" ;;
esac
