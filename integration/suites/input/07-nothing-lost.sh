expect_allow "$APP" "$APP_DIGEST"
claim "the daemon that heard all this is the one that was started, and stops when it is asked"
kill -0 "${PROCESS[tufd]}"
stop tufd
refuse_panics
