#!/usr/bin/env bash
# Runs every check of the project, and first installs what they need (see scripts/lib.sh for how).
#
#   scripts/test.sh           everything, as CI does
#   scripts/test.sh --quick   what is worth its time before every commit: no licences, documentation, fuzzing or
#                             end-to-end runs
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

quick=no
case "${1:-}" in
  '') ;;
  --quick) quick=yes ;;
  -h | --help)
    sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
  *)
    echo "unknown argument '$1'; usage: scripts/test.sh [--quick]" >&2
    exit 2
    ;;
esac

cd "$PROJECT_DIR"
export PATH="$TOOLS_DIR/bin:$PYTHON_DIR/bin:$PATH"
summary=()

# Thousands of databases are written and thrown away: where there is memory for them, without waiting for a disk.
if [ -z "${TMPDIR:-}" ] && memory=$(findmnt --noheadings --output OPTIONS --types tmpfs /dev/shm) &&
  [[ $memory != *noexec* ]] && [ "$(df --output=avail /dev/shm | tail -n 1)" -gt $((4 << 20)) ]; then
  export TMPDIR=/dev/shm
fi

# section NAME COMMAND [ARGUMENT...]: runs one part under a heading; the first one that fails ends the run.
section() {
  local name=$1 began=$SECONDS status
  shift
  heading "$name"
  # Not in a condition: there, bash would ignore errors inside the command.
  set +e
  (
    set -e
    "$@"
  )
  status=$?
  set -e
  [ "$status" -eq 0 ] || fail "'$name' failed with status $status; the sections before it passed"
  summary+=("$(printf '%5ds  %s' $((SECONDS - began)) "$name")")
}

# slow_section: likewise, left out by --quick.
slow_section() { [ "$quick" = yes ] || section "$@"; }

tools() {
  need_compiler
  if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    rustup component add rustfmt clippy
  fi
  need_postgres
  command -v bwrap >/dev/null || need_apt "runs of commands are tested in their sandbox" bubblewrap
  scripts/python-env.sh
  # What is compiled for one checkout is of no use to one in another folder, and adds up.
  if [ "${CI:-}" = true ] && [ -d "$CARGO_TARGET_DIR" ] && [ "$(du -sk "$CARGO_TARGET_DIR" | cut -f 1)" -gt $((20 << 20)) ]; then
    rm -rf "$CARGO_TARGET_DIR"
  fi
  if [ "$quick" = no ]; then
    need_cargo_tool machete 0.9.2
    need_cargo_tool deny 0.20.2
    need_cargo_tool fuzz 0.13.2
    rm -rf "$CACHE_DIR/tools-target"
  fi
  note "$(rustc --version), $(python --version), $(aws --version)"
}

formatted() {
  cargo fmt --all --check
  cargo fmt --check --manifest-path fuzz/Cargo.toml
}

clippy() {
  cargo clippy --locked --workspace --all-targets -- -D warnings
  # Built without the fuzzer's flags, but seen. Its manifest says no lints: those of the workspace are not its own.
  cargo clippy --locked --manifest-path fuzz/Cargo.toml --all-targets -- -D warnings
}

documentation() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps; }

# What is known against dependencies changes without us; where the database can't be fetched nothing can be told.
advisories() {
  if timeout 120 cargo deny fetch db 2>"$CACHE_DIR/advisories.log"; then
    cargo deny --locked check --hide-inclusion-graph advisories
  else
    note "left out: the database of advisories can't be fetched ($(grep -v '^ *$' "$CACHE_DIR/advisories.log" | tail -n 1))"
  fi
}

rust_tests() {
  local report="$CARGO_TARGET_DIR/tmp/conformance"
  rm -rf "$report"
  if command -v cargo-nextest >/dev/null; then cargo nextest run --locked --workspace --no-fail-fast; else
    cargo test --locked --workspace --no-fail-fast --lib --bins --tests
  fi
  if ! command -v terraform >/dev/null; then
    note "left out: the tests of the real Terraform (process::terraform), which is not installed"
  fi
  note "conformance to the models of the API; each operation is in $report"
  tail -q -n 1 "$report"/*.md
}

end_to_end() {
  local script
  for script in scripts/e2e/*.sh; do
    [ -e "$script" ] || continue
    note "$script"
    "$script"
  done
}

section "tools" tools
section "format" formatted
section "house rules" cargo xtask tidy
section "generated code" cargo xtask codegen --check
section "what Jinja2 makes of the snippets" python crates/domain/tests/jinja/expect.py --check
slow_section "unused dependencies" cargo machete --with-metadata
slow_section "licences and sources of dependencies" \
  cargo deny --locked check --hide-inclusion-graph bans licenses sources
slow_section "advisories about dependencies" advisories
section "example templates" python scripts/lint-examples.py
section "clippy" clippy
section "what a release needs" scripts/release.sh --check
slow_section "documentation" documentation
section "tests" rust_tests
slow_section "documentation tests" cargo test --locked --workspace --doc
slow_section "fuzzing" scripts/fuzz.sh
slow_section "end to end" end_to_end
slow_section "the demo" scripts/demo.sh

heading "All passed"
printf '%s\n' "${summary[@]}"
