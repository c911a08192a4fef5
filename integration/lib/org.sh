# The organisation: its TUF repository, made by python-tuf, and the server of its metadata.

org() {
    python3 "$integration/org.py" "$RUN/org" "$@" 2>>"$RUN/log/org" || {
        tail -n 5 "$RUN/log/org"
        return 1
    }
}

# Root keys root-1 (Ed25519), root-2 (ECDSA), root-3 (RSA), threshold 2, and three teams. Each may
# sign for the repositories directly under its own name.
start_org() {
    local teams=() team
    for team in payments logistics system; do
        teams+=(--team "$team=$REGISTRY/$team/*:*,$REGISTRY/$team/*@*")
    done
    org init "${teams[@]}"
    METADATA_PORT=$(free_ports 1)
    start_metadata_server
}

start_metadata_server() {
    start metadata python3 -m http.server "$METADATA_PORT" --bind 127.0.0.1 --directory "$RUN/org/www"
    within 10 curl_head "http://127.0.0.1:$METADATA_PORT/metadata/timestamp.json"
}

curl_head() {
    python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=1)' "$1"
}

# make_certificate NAME: a CA in $RUN/tls/ca.pem, and a server's certificate that it signed for NAME.
make_certificate() {
    mkdir -p "$RUN/tls"
    (
        cd "$RUN/tls"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=suite-ca \
            -keyout ca.key -out ca.pem
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout server.key -out server.csr
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.pem \
            -extfile <(echo "subjectAltName = DNS:$1")
    ) >>"$RUN/log/openssl" 2>&1
}

# read_target REF: its digest as python-tuf's own client reads it.
read_target() {
    org read "http://127.0.0.1:$METADATA_PORT/metadata/" "$1"
}

# sign_image TEAM REF…: the tag of each and every digest below it.
sign_image() {
    local team=$1 targets
    shift
    targets=$(for image in "$@"; do python3 "$integration/targets.py" "$image"; done)
    # shellcheck disable=SC2086 # one word a target
    org sign "$team" $targets
}

# rescind_image TEAM REF: takes the tag and every digest below it out again.
rescind_image() {
    local targets
    targets=$(python3 "$integration/targets.py" "$2" | sed 's/=[^=]*$//')
    # shellcheck disable=SC2086 # one word a target
    org rescind "$1" $targets
}
