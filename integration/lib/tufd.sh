# The daemon, its operator's command and the verifier's configuration.

tufd() {
    "$repository/target/release/tufd" "$@"
}

# What differs between suites; a suite sets it before it writes the configuration.
PERIOD=5m EPOCH=1 WITHDRAW_AFTER=60s DENIED_AFTER=30m MAX_AGE=7d SOURCES= METRICS_PORT=

tufd_config() {
    cat <<TOML
[workload_api]
socket = "$RUN/sa/api.sock"
withdraw_after = "$WITHDRAW_AFTER"
permission_denied_after = "$DENIED_AFTER"
anchor_max_age = "$MAX_AGE"
[serve]
socket = "$RUN/d/tufd.sock"
[admin]
socket = "$RUN/a/admin.sock"
[state]
dir = "$RUN/state"
[refresh]
period = "$PERIOD"
[metrics]
${METRICS_PORT:+listen = '127.0.0.1:$METRICS_PORT'}
[log]
level = "info"
format = "text"
[[trust]]
name = "acme"
trust_domain = "$TUF_DOMAIN"
threshold = 2
epoch = $EPOCH
metadata = [${SOURCES:-"\"http://127.0.0.1:$METADATA_PORT/metadata/\""}]
[[policy]]
images = "$REGISTRY/payments/**"
trust = ["acme"]
[[policy]]
images = "$REGISTRY/logistics/**"
trust = ["acme"]
[[policy]]
images = "$REGISTRY/system/**"
trust = ["acme"]
TOML
}

# verifier_config SOCKET
verifier_config() {
    printf 'socket = "%s"\ndeadline = "8s"\ndaemon_user = "root"\n' "$1" >"$RUN/verifier.toml"
    chmod 0600 "$RUN/verifier.toml"
}

# Starts the daemon; it answers when its sockets do.
start_tufd() {
    tufd_config >"$RUN/tufd.toml"
    verifier_config "$RUN/d/tufd.sock"
    start tufd "$repository/target/release/tufd" run --config "$RUN/tufd.toml"
}

tufctl() {
    "$repository/target/release/tufctl" --socket "$RUN/d/tufd.sock" --admin-socket "$RUN/a/admin.sock" "$@"
}

# expect_allow REF [DIGEST]: the daemon says ALLOW.
expect_allow() {
    local answer
    answer=$(tufctl verify "$1${2:+@$2}" -o json) || {
        echo "$answer"
        return 1
    }
    [[ $(field decision "$answer") == ALLOW ]]
}

# expect_deny REASON REF [DIGEST]: exit 1, decision DENY and this reason.
expect_deny() {
    local answer status=0
    answer=$(tufctl verify "$2${3:+@$3}" -o json) || status=$?
    [[ $status == 1 && $(field decision "$answer") == DENY && $(field reason "$answer") == "$1" ]] || {
        echo "exit $status, not DENY $1: $answer"
        return 1
    }
}

# stopped_allowing REF DIGEST: no ALLOW, be it DENY or a lookup that waits for newer metadata.
stopped_allowing() {
    refuse timeout 1 "$repository/target/release/tufctl" --socket "$RUN/d/tufd.sock" verify "$1@$2"
}

# field NAME JSON: a string of a document's top level.
field() {
    python3 -c 'import json, sys; print(json.loads(sys.argv[2]).get(sys.argv[1]))' "$1" "$2"
}

# expect_trust EXPRESSION VALUE: of the node's only trust, as Python reads it.
expect_trust() {
    local state found
    state=$(tufctl trust -o json) || return 1
    found=$(python3 -c 'import json, sys; trust = json.loads(sys.argv[1])["trusts"][0]; print(eval(sys.argv[2]))' "$state" "$1")
    [[ $found == "$2" ]] || {
        echo "  $1 is $found, not $2: $state"
        return 1
    }
}

expect_root_version() {
    expect_trust 'trust["root"]["version"]' "$1"
}

expect_anchor_keys() {
    expect_trust 'len(trust["anchor"]["keys"])' "$1"
}

expect_anchor_state() {
    expect_trust 'trust["anchor"]["state"]' "$1"
}

# ask_always REF DIGEST: in the background, without a pause, until expect_always_allowed.
ask_always() {
    rm -f "$RUN/log/always"
    # shellcheck disable=SC2016 # for the inner shell
    start always bash -c 'while true; do "$@" >"$0" 2>&1 || { cat "$0"; echo DENIED; }; echo asked; done' \
        "$RUN/always" "$repository/target/release/tufctl" --socket "$RUN/d/tufd.sock" verify "$1@$2"
}

# At least 20 answers, each of them ALLOW.
expect_always_allowed() {
    stop always
    refuse grep -B 5 DENIED "$RUN/log/always"
    echo "    $(grep -c asked "$RUN/log/always") times ALLOW"
    (($(grep -c asked "$RUN/log/always") >= 20))
}

# No log of this suite holds a panic.
refuse_panics() {
    claim "no panic in any log"
    refuse grep -ri panicked "$RUN/log"
}

# All real parts but the daemon, with a signed image APP and the sandbox's image.
start_parts() {
    start_registry
    start_org
    start_spire
    bundle_set root-1 root-2 root-3
    register_tufd
    verifier_config "$RUN/d/tufd.sock"
    start_containerd
    APP=$REGISTRY/payments/app:v1
    make_image "$APP" first
    make_image "$REGISTRY/system/pause:1" pause
    sign_image payments "$APP"
    sign_image system "$REGISTRY/system/pause:1"
    APP_DIGEST=$(digest "$APP")
}
