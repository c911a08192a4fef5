claim "another user listens in root's directory: not believed"
mkdir -m 0755 "$RUN/i"
start impostor python3 "$integration/impostor.py" 65534 "$RUN/i/tufd.sock"
within 5 test -S "$RUN/i/tufd.sock"
verifier_config "$RUN/i/tufd.sock"
expect_blocked_inside 2 pull_ctr "$APP"
expect_blocked_inside 2 pull_cri "$APP"
grep -q 65534 "$RUN/log/pull" # the peer's uid: the path is root's throughout
stop impostor

claim "root's socket, in another user's directory: not believed"
mkdir "$RUN/o"
chown 65534 "$RUN/o"
start impostor python3 "$integration/impostor.py" 0 "$RUN/o/tufd.sock"
within 5 test -S "$RUN/o/tufd.sock"
verifier_config "$RUN/o/tufd.sock"
expect_blocked_inside 2 pull_ctr "$APP"
stop impostor
