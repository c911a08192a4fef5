# containerd with our verifier as its only image verifier.

start_containerd() {
    local dir
    for dir in root state run bindir certs.d opt nri/plugins nri/conf.d cni; do mkdir -p "$RUN/c/$dir"; done
    install_verifier "$repository/target/dist/tufd-verifier"
    containerd_config >"$RUN/c/config.toml"
    printf 'runtime-endpoint: unix://%s\nimage-endpoint: unix://%s\n' "$RUN/c/run/c.sock" "$RUN/c/run/c.sock" >"$RUN/c/crictl.yaml"
    export CONTAINERD_ADDRESS=$RUN/c/run/c.sock CRI_CONFIG_FILE=$RUN/c/crictl.yaml
    TUFD_VERIFIER_CONFIG=$RUN/verifier.toml start containerd containerd -c "$RUN/c/config.toml"
    within 20 crictl info
}

# Puts a verifier into place by a rename, as an update would.
install_verifier() {
    install -m 0755 "$1" "$RUN/c/verifier.new"
    mv "$RUN/c/verifier.new" "$RUN/c/bindir/tufd-verifier"
}

pull_ctr() {
    ctr images pull "$@" 2>&1
}

pull_cri() {
    crictl pull "$@" 2>&1
}

# expect_pull PULL REF…
expect_pull() {
    "$@" >"$RUN/log/pull" || {
        cat "$RUN/log/pull"
        return 1
    }
}

# expect_blocked REASON PULL REF…: refused by the verifier, with our reason in the error that people see.
expect_blocked() {
    local reason=$1
    shift
    if "$@" >"$RUN/log/pull"; then
        echo "  pulled: $*"
        return 1
    fi
    grep -q "DENY $reason" "$RUN/log/pull" || {
        echo "  no DENY $reason in:"
        cat "$RUN/log/pull"
        return 1
    }
}

containerd_config() {
    cat <<TOML
version = 3
root = '$RUN/c/root'
state = '$RUN/c/state'
imports = []
disabled_plugins = []
[grpc]
  address = '$RUN/c/run/c.sock'
[ttrpc]
  address = '$RUN/c/run/c.ttrpc'
[debug]
  level = 'debug'
[plugins.'io.containerd.image-verifier.v1.bindir']
  bin_dir = '$RUN/c/bindir'
  max_verifiers = 10
  per_verifier_timeout = '10s'
[plugins.'io.containerd.internal.v1.opt']
  path = '$RUN/c/opt'
[plugins.'io.containerd.shim.v1.manager']
  socket_dir = '$RUN/c/run/s'
[plugins.'io.containerd.transfer.v1.local']
  config_path = '$RUN/c/certs.d'
[plugins.'io.containerd.nri.v1.nri']
  socket_path = '$RUN/c/run/nri.sock'
  plugin_path = '$RUN/c/nri/plugins'
  plugin_config_path = '$RUN/c/nri/conf.d'
[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '$REGISTRY/system/pause:1'
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = '$RUN/c/certs.d'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['$RUN/c/cni']
  conf_dir = '$RUN/c/cni'
TOML
}

# expect_blocked_inside SECONDS PULL REF…: without a verdict, and in time.
expect_blocked_inside() {
    local limit=$1 from=$EPOCHREALTIME
    shift
    expect_blocked NO_VERDICT "$@"
    echo "    blocked after $(seconds_since "$from") s (limit $limit): $*"
    ((${EPOCHREALTIME/./} - ${from/./} < limit * 1000000))
}

# run_pod REF: a pod on the host's network with one container, taken away again.
run_pod() {
    printf '{"metadata": {"name": "pod", "namespace": "suite", "uid": "1", "attempt": 1}, "linux": {"security_context": {"namespace_options": {"network": 2}}}}' >"$RUN/c/pod.json"
    printf '{"metadata": {"name": "app"}, "image": {"image": "%s"}}' "$1" >"$RUN/c/container.json"
    local status=0
    crictl run "$RUN/c/container.json" "$RUN/c/pod.json" >>"$RUN/log/pod" 2>&1 || status=$?
    crictl rmp --all --force >>"$RUN/log/pod" 2>&1
    return "$status"
}
