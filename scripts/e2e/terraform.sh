#!/usr/bin/env bash
# Terraform run by the server: with its AWS provider against the emulator (see terraform.py), and with its state in S3
# and in PostgreSQL (see terraform_state.py). Left out where terraform is not installed; the first also where the
# provider can't be had. It is looked for where Terraform itself would, and then downloaded once; TERRAFORM_MIRROR names
# a folder that has it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib.sh"

if ! command -v terraform >/dev/null; then
  note "left out: terraform is not installed"
  exit 0
fi
if [ -n "${TF_CLI_CONFIG_FILE:-}" ] && [ ! -f "$TF_CLI_CONFIG_FILE" ]; then
  note "TF_CLI_CONFIG_FILE names $TF_CLI_CONFIG_FILE, which is not there; it is ignored"
  unset TF_CLI_CONFIG_FILE
fi
bundle="$PROJECT_DIR/examples/templates/terraform-bucket-environment/v1/infrastructure"
wanted=$(sha256sum "$bundle/versions.tf" | cut -c 1-12)
downloaded="$CACHE_DIR/terraform-providers-$wanted"

# mirrors: the folders that may have providers, one a line, as Terraform is told of them; those below /opt last, where
# images of machines keep what they bring.
mirrors() {
  local config="${TF_CLI_CONFIG_FILE:-$HOME/.terraformrc}" data_dirs
  printf '%s\n' "${TERRAFORM_MIRROR:-}"
  if [ -f "$config" ]; then
    # Of filesystem_mirror "path", and plugin_cache_dir.
    sed -nE 's/.*(path|plugin_cache_dir)[[:space:]]*=[[:space:]]*"([^"]+)".*/\2/p' "$config"
  fi
  printf '%s\n' "${TF_PLUGIN_CACHE_DIR:-}" "$HOME/.terraform.d/plugins" \
    "${XDG_DATA_HOME:-$HOME/.local/share}/terraform/plugins"
  IFS=: read -ra data_dirs <<<"${XDG_DATA_DIRS:-/usr/local/share:/usr/share}"
  printf '%s/terraform/plugins\n' "${data_dirs[@]}"
  printf '%s\n' "$downloaded" /opt/*
}

# find_mirror: prints the first of them that has the provider.
find_mirror() {
  local folder
  while IFS= read -r folder; do
    if [ -n "$folder" ] && [ -d "$folder/registry.terraform.io/hashicorp/aws" ]; then
      printf '%s\n' "$folder"
      return
    fi
  done < <(mirrors)
}

mirror=$(find_mirror)
if [ -z "$mirror" ]; then
  mkdir -p "$CACHE_DIR"
  log="$CACHE_DIR/terraform-mirror.log"
  rm -rf "$downloaded.part"
  if timeout 300 terraform -chdir="$bundle" providers mirror "$downloaded.part" >"$log" 2>&1; then
    mv "$downloaded.part" "$downloaded"
    mirror="$downloaded"
  else
    note "left out: the AWS provider of Terraform is not on this machine and can't be downloaded ($(grep -v '^ *$' "$log" | tail -n 1))"
  fi
fi

"$PROJECT_DIR/scripts/python-env.sh"
need_compiler
need_postgres
command -v bwrap >/dev/null || need_apt "runs of commands are tested in their sandbox" bubblewrap
(cd "$PROJECT_DIR" && cargo build --quiet --locked --package protium)
clean_aws_environment
program="$CARGO_TARGET_DIR/debug/protium"
"$PYTHON_DIR/bin/python" "$PROJECT_DIR/scripts/e2e/terraform_state.py" --program "$program"
if [ -n "$mirror" ]; then
  note "the AWS provider is in $mirror"
  "$PYTHON_DIR/bin/python" "$PROJECT_DIR/scripts/e2e/terraform.py" --program "$program" --mirror "$mirror"
fi
