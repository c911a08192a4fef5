claim "a daemon that was killed: its socket is there, nobody listens"
kill -KILL "${PROCESS[tufd]}"
stop tufd
expect_blocked_inside 2 pull_ctr "$APP"
expect_blocked_inside 2 pull_cri "$APP"
