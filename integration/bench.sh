#!/usr/bin/env bash
# Measures this machine: a daemon on the real parts, and the benchmark on its socket. `cargo xtask bench`
# builds what it needs and starts it; arguments go to the benchmark.
set -Eeuo pipefail

suite=bench
integration=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(dirname "$integration")
for part in "$integration"/lib/*.sh; do source "$part"; done

begin_suite
{
    start_parts
    start_tufd
    within 10 expect_allow "$APP" "$APP_DIGEST"
} >&2
"$repository/target/release/bench" --socket "$RUN/d/tufd.sock" --reference "$APP" --digest "$APP_DIGEST" \
    --plugin "$repository/target/dist/tufd-verifier" --plugin-config "$RUN/verifier.toml" "$@"
