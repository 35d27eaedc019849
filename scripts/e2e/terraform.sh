#!/usr/bin/env bash
# Terraform run by the server, with its AWS provider against the emulator; see terraform.py. Left out where terraform is
# not installed or the provider can't be had: TERRAFORM_MIRROR names a folder that has it, else it is downloaded once.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib.sh"

if ! command -v terraform >/dev/null; then
  note "left out: terraform is not installed"
  exit 0
fi
bundle="$PROJECT_DIR/examples/templates/terraform-bucket-environment/v1/infrastructure"
wanted=$(sha256sum "$bundle/versions.tf" | cut -c 1-12)
mirror="${TERRAFORM_MIRROR:-$CACHE_DIR/terraform-providers-$wanted}"
if [ ! -d "$mirror" ]; then
  mkdir -p "$CACHE_DIR"
  log="$CACHE_DIR/terraform-mirror.log"
  rm -rf "$mirror.part"
  if ! timeout 300 terraform -chdir="$bundle" providers mirror "$mirror.part" >"$log" 2>&1; then
    note "left out: the AWS provider of Terraform can't be downloaded ($(grep -v '^ *$' "$log" | tail -n 1))"
    exit 0
  fi
  mv "$mirror.part" "$mirror"
fi

"$PROJECT_DIR/scripts/python-env.sh"
need_compiler
command -v bwrap >/dev/null || need_apt "runs of commands are tested in their sandbox" bubblewrap
(cd "$PROJECT_DIR" && cargo build --quiet --locked --package protium)
clean_aws_environment
"$PYTHON_DIR/bin/python" "$PROJECT_DIR/scripts/e2e/terraform.py" --program "$CARGO_TARGET_DIR/debug/protium" --mirror "$mirror"
