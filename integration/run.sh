#!/usr/bin/env bash
# Runs one suite: `integration/run.sh SUITE`. Wants the real parts in PATH (`cargo xtask tools` prints
# their directories), target/release/{tufd,tufctl} and target/dist/tufd-verifier. Started by
# `cargo xtask test --only SUITE`, which reads the lines that begin with PASSED, FAILED and SKIPPED.
set -Eeuo pipefail

suite=$1
integration=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(dirname "$integration")
for part in "$integration"/lib/*.sh; do source "$part"; done

begin_suite
for step in "$integration/suites/$suite"/[0-9]*.sh; do
    begin_step "$step"
    source "$step"
    end_step
done
