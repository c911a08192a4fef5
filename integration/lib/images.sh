# A registry and small images in it.

start_registry() {
    REGISTRY=127.0.0.1:$(free_ports 1)
    start registry crane registry serve --address "$REGISTRY" --disk "$RUN/registry"
    mkdir -p "$RUN/layer/bin" "$RUN/registry"
    cp "$(command -v busybox)" "$RUN/layer/bin/busybox"
    local applet
    for applet in sh sleep echo; do ln -s busybox "$RUN/layer/bin/$applet"; done
    tar --sort=name --mtime=@0 --owner=0 --group=0 -C "$RUN/layer" -cf "$RUN/layer.tar" bin
    within 10 crane catalog "$REGISTRY"
}

# make_image REF CONTENT [PLATFORM]: an image that differs from others by CONTENT.
make_image() {
    {
        crane append --oci-empty-base -f "$RUN/layer.tar" -t "${1%:*}:base"
        crane mutate "${1%:*}:base" --entrypoint /bin/sleep --cmd 3600 --label "content=$2" \
            --set-platform "${3:-linux/amd64}" -t "$1"
    } >>"$RUN/log/crane" 2>&1
}

# make_index REF CONTENT: an index of two platforms.
make_index() {
    make_image "$1-amd64" "$2"
    make_image "$1-arm64" "$2" linux/arm64
    crane index append -m "$1-amd64" -m "$1-arm64" -t "$1" >>"$RUN/log/crane" 2>&1
}

# digest REF
digest() {
    crane digest "$1"
}
