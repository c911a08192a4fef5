claim "with sled deleted, it answers within 1 s of its start"
restart_after rm -r "$RUN/state/db"
expect_whole_after_refresh
claim "with its log emptied, cut and overwritten, and with garbage for its configuration, too"
restart_after truncate -s 0 "$RUN/state/db/db"
expect_whole_after_refresh
restart_after truncate -s 3000 "$RUN/state/db/db"
expect_whole_after_refresh
restart_after dd if=/dev/urandom of="$RUN/state/db/db" bs=4096 count=8 conv=notrunc status=none
expect_whole_after_refresh
restart_after dd if=/dev/urandom of="$RUN/state/db/conf" bs=64 count=1 status=none
expect_whole_after_refresh
claim "never more than three of them are kept"
(($(set_aside) <= 3))
