# A suite's run directory, its steps, and the end of everything that it started.

begin_suite() {
    RUN=$(mktemp -d /tmp/tufd-XXXXXX) # short: a socket's path has at most 107 bytes
    mkdir "$RUN/log"
    step_name=begin began=$EPOCHREALTIME
    trap 'echo "  failed at ${BASH_SOURCE[0]#"$integration"/}:$LINENO: $BASH_COMMAND"' ERR
    trap end_suite EXIT
    need_programs
}

need_programs() {
    local program
    for program in release/tufd release/tufctl dist/tufd-verifier; do
        [[ -x $repository/target/$program ]] || {
            echo "  no target/$program: cargo build --release --locked --bins && cargo xtask dist --only verifier"
            return 1
        }
    done
    for program in spire-server spire-agent containerd ctr crictl crane runc; do
        command -v "$program" >/dev/null || {
            echo "  no $program in PATH: cargo xtask tools"
            return 1
        }
    done
}

begin_step() {
    step_name=$(basename "$1" .sh) began=$EPOCHREALTIME
    echo "--- $suite/$step_name"
}

end_step() {
    echo "PASSED $suite/$step_name $(seconds_since "$began") s"
}

# Prints what the commands after it prove.
claim() {
    echo "  * $*"
}

end_suite() {
    local status=$?
    trap - ERR
    set +e
    ((status == 0)) || report_failure
    stop_all
    unmount_all
    if [[ ${TUFD_KEEP:-} ]]; then echo "  kept $RUN"; else rm -rf "$RUN"; fi
    exit "$status"
}

report_failure() {
    local log later
    for log in "$RUN"/log/*; do
        [[ -s $log ]] || continue
        echo "  --- tail of ${log##*/}"
        tail -n "${TUFD_TAIL:-25}" "$log" | sed 's/^/  | /'
    done
    echo "FAILED $suite/$step_name $(seconds_since "$began") s"
    for later in "$integration/suites/$suite"/[0-9]*.sh; do
        later=$(basename "$later" .sh)
        if [[ $later > $step_name ]]; then echo "SKIPPED $suite/$later: $step_name failed"; fi
    done
}

seconds_since() {
    local micros=$((${EPOCHREALTIME/./} - ${1/./}))
    printf '%d.%02d' $((micros / 1000000)) $((micros % 1000000 / 10000))
}

# within SECONDS COMMAND…: tries until the command succeeds, which it must within that time.
within() {
    local limit=$1 from=$EPOCHREALTIME status=1
    shift
    until ((status == 0 || ${EPOCHREALTIME/./} - ${from/./} > limit * 1000000)); do
        status=0
        "$@" >"$RUN/log/within" 2>&1 || status=$?
        ((status == 0)) || sleep 0.05
    done
    echo "    $( ((status == 0)) && echo done || echo failing) after $(seconds_since "$from") s (limit $limit): $*"
    ((status == 0)) || sed 's/^/  | /' "$RUN/log/within"
    ((status == 0 && ${EPOCHREALTIME/./} - ${from/./} <= limit * 1000000))
}

# refuse COMMAND…: succeeds where the command fails.
refuse() {
    if "$@"; then return 1; fi
}

# Processes that were started, by name.
declare -A PROCESS=()

# start NAME COMMAND…: in the background, its output in $RUN/log/NAME.
start() {
    local name=$1
    shift
    "$@" >>"$RUN/log/$name" 2>&1 </dev/null &
    PROCESS[$name]=$!
}

# Stops NAME and waits for its end: asked first, killed after 10 s.
stop() {
    local name=$1 pid=${PROCESS[$1]:-} from=$EPOCHREALTIME
    [[ $pid ]] || return 0
    unset "PROCESS[$name]"
    kill -CONT "$pid" 2>/dev/null || true
    kill -TERM "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do
        if ((${EPOCHREALTIME/./} - ${from/./} > 10000000)); then
            echo "  $name does not stop: killed"
            kill -KILL "$pid" 2>/dev/null || true
            break
        fi
        sleep 0.05
    done
    wait "$pid" 2>/dev/null || true
}

# What a suite mounted in its run directory.
unmount_all() {
    local point
    while read -r _ point _; do
        [[ $point != "$RUN"/* ]] || umount -l "$point"
    done </proc/mounts
}

stop_all() {
    local name
    for name in "${!PROCESS[@]}"; do stop "$name"; done
}

# As many free TCP ports as asked for.
free_ports() {
    python3 - "$1" <<'PYTHON'
import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(taken.getsockname()[1] for taken in sockets))
PYTHON
}
