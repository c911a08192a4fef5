claim "with sled in use by another process, it answers within 1 s of its start, and sets nothing aside"
before=$(set_aside)
stop tufd
hold_lock "$RUN/state/db/db"
first_verdict 1
within 5 grep -q "could not acquire lock" "$RUN/log/tufd"
start_metadata_server
publish_another
tufctl refresh >"$RUN/log/refresh" 2>&1
expect_allow "$AND" "$AND_DIGEST"
claim "let go, sled follows by itself"
stop holder
within 15 grep -q "the database follows again" "$RUN/log/tufd"
(($(set_aside) == before))
expect_whole_after_refresh
