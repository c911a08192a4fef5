# States of the anchor, and the commands that cause them.

# expect_state STATE REASON: what `tufctl status` and the metrics say of the anchor, and the answer about APP: ALLOW for
# SIGNED, none for NO_TRUST, else DENY.
expect_state() {
    expect_anchor_state "$1" && expect_metric "tufd_anchor_state{trust=\"acme\",state=\"$1\"} 1" && case $2 in
        SIGNED) expect_allow "$APP" "$APP_DIGEST" ;;
        NO_TRUST) expect_exit 3 NO_TRUST tufctl verify "$APP@$APP_DIGEST" ;;
        *) expect_deny "$2" "$APP" "$APP_DIGEST" ;;
    esac
}

# anchor_field NAME: of the node's only trust.
anchor_field() {
    tufctl status -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["trusts"][0]["anchor"][sys.argv[1]])' "$1"
}

# expect_metric LINE
expect_metric() {
    python3 -c 'import sys, urllib.request
lines = urllib.request.urlopen(sys.argv[1], timeout=1).read().decode().splitlines()
sys.exit(None if sys.argv[2] in lines else "no " + sys.argv[2])' "http://127.0.0.1:$METRICS_PORT/metrics" "$1"
}

# Since when the anchor is in its state, which a restart of the daemon must not change.
expect_since_kept() {
    local since
    since=$(anchor_field since)
    restart_tufd
    expect_trust 'trust["anchor"]["since"]' "$since"
}

restart_tufd() {
    stop tufd
    start_tufd
    within 5 tufctl status
}

# SIGKILL, as the kernel's when memory is short.
kill_hard() {
    local pid=${PROCESS[$1]}
    unset "PROCESS[$1]"
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
}

# hold NAME, let_go NAME: it exists and says nothing.
hold() {
    kill -STOP "${PROCESS[$1]}"
}

let_go() {
    kill -CONT "${PROCESS[$1]}"
}

# update_entry [-federatesWith …]: all fields are replaced, so without one the entry federates with nothing.
update_entry() {
    spire_server entry update -entryID "$(entry_id)" -parentID spiffe://node.test/node \
        -spiffeID spiffe://node.test/tufd -selector unix:uid:0 "$@" >/dev/null
}

delete_entry() {
    spire_server entry delete -entryID "$(entry_id)" >/dev/null
}

entry_id() {
    spire_server entry show -spiffeID spiffe://node.test/tufd | sed -n 's/^Entry ID *: //p'
}

# expect_told STATE: by a line of the daemon's log.
expect_told() {
    grep -q "ANCHOR_STATE.*to\"\?[=:]\"$1\"" "$RUN/log/tufd" || {
        echo "  no line for $1"
        return 1
    }
}
