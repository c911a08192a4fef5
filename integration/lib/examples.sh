# The programs of examples/ that ask the daemon, and the operator's walk-through.

# example LANGUAGE REF DIGEST: asks as a workload does.
example() {
    local program
    case $1 in
        rust) program=("$repository/target/release/verify-image") ;;
        go) program=("$RUN/verify-image-go") ;;
        python) program=(python3-example -B "$repository/examples/python/verify_image.py") ;;
    esac
    TUFD_SOCKET=unix://${EXAMPLE_SOCKET:-$RUN/d/tufd.sock} timeout 20 "${program[@]}" "${@:2}"
}

# expect_examples STATUS WORD REF DIGEST: all three, asking at the same time, exit so and say WORD.
expect_examples() {
    local language
    local -A asking=()
    for language in rust go python; do
        (trap - ERR; example "$language" "$3" "$4") >"$RUN/log/example-$language" 2>&1 &
        asking[$language]=$!
    done
    for language in rust go python; do
        expect_exit "$1" "$2" answer_of "$language" "${asking[$language]}"
    done
}

# answer_of LANGUAGE PID: what a program that was started says, and its status.
answer_of() {
    local status=0
    wait "$2" || status=$?
    cat "$RUN/log/example-$1"
    return "$status"
}

# start_liar UID SOCKET DECISION DIGEST: a daemon of that user that gives this verdict about everything.
start_liar() {
    PYTHONPATH=$repository/examples/python start liar python3-example -B "$integration/liar.py" "$@"
    within 10 test -S "$2"
}

# What must not change in a page that the walk-through printed: its text, its commands, and their answers.
outcome() {
    awk '
        /^```/ { inside = !inside }
        !inside || /^```/ || /^[$>] / || /^(pulled|[0-9]+|exit [0-9]+)$/ { print; next }
        match($0, /(ALLOW|DENY) [A-Z_]+/) { print substr($0, RSTART, RLENGTH) }
    ' "$1"
}
