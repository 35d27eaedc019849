#!/usr/bin/env bash
# Looks for inputs that break what must hold for any bytes (fuzz/src/properties), and prints those that it finds.
#
#   scripts/fuzz.sh                    every target for 20 seconds, as CI does: much the same inputs each time
#   scripts/fuzz.sh spec template      these targets
#   FUZZ_SECONDS=600 scripts/fuzz.sh   longer, with other inputs each time
#
# What a longer run learned is kept in .cache/fuzz, so that the next one goes on from there.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

seconds=${FUZZ_SECONDS:-20}
# A check of a change nearly repeats itself (hash maps and threads differ), so that what it finds is likely the
# change's; 0 is a seed by chance.
seed=$([ -n "${FUZZ_SECONDS:-}" ] && echo 0 || echo 1)
cd "$PROJECT_DIR"
export PATH="$TOOLS_DIR/bin:$PATH"
# The flags of a fuzzer are not those of the project's own builds.
export CARGO_TARGET_DIR="$CARGO_TARGET_DIR/fuzz" CARGO_INCREMENTAL=0

need_compiler
command -v c++ >/dev/null || need_apt "the fuzzer is C++" g++
need_cargo_tool fuzz 0.13.2

# run TARGET: fuzzes it; prints what broke it.
run() {
  local target=$1 learned="$CACHE_DIR/fuzz/$1" found input
  found=$(mktemp -d)
  on_exit rm -rf "$found"
  [ "$seed" = 0 ] || learned="$found.learned"
  on_exit rm -rf "$found.learned"
  mkdir -p "$learned"
  # Without a sanitizer (they need a nightly compiler): panics, overflows, and what the properties assert.
  if ! cargo fuzz run -s none "$target" "$learned" "fuzz/corpus/$target" -- \
    -seed="$seed" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$found/" >"$found.log" 2>&1; then
    tail -n 60 "$found.log" >&2
    for input in "$found"/*; do
      [ -e "$input" ] || continue
      printf '\n%s of the target %s, in base64 (`base64 -d` it into fuzz/corpus/%s/NAME.ENDING):\n' \
        "$(basename -- "$input")" "$target" "$target" >&2
      base64 "$input" >&2
    done
    rm -f "$found.log"
    fail "the target $target is broken by an input; see Fuzzing in CONTRIBUTING.md"
  fi
  done_note "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found.log") inputs in $seconds s"
  rm -f "$found.log"
}

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for source in fuzz/fuzz_targets/*.rs; do targets+=("$(basename -- "$source" .rs)"); done
fi
cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null ||
  fail "fuzz/Cargo.lock is behind: run cargo update --workspace --manifest-path fuzz/Cargo.toml, and commit it"
note "building the fuzz targets"
cargo fuzz build -s none
for target in "${targets[@]}"; do run "$target"; done
