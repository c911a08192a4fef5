claim "with one slot of the floor file damaged, it answers within 1 s of its start"
restart_after truncate -s 100 "$RUN/state/floors.0"
expect_whole_after_refresh
claim "with both damaged, FLOORS_LOST until an online refresh of all sources"
stop tufd
truncate -s 100 "$RUN"/state/floors.[01]
start_tufd
within 5 expect_deny FLOORS_LOST "$APP" "$APP_DIGEST"
restart_tufd
expect_deny FLOORS_LOST "$APP" "$APP_DIGEST"
expect_exit 1 error tufctl refresh -o json
expect_deny FLOORS_LOST "$APP" "$APP_DIGEST"
start_metadata_server
start_spire_server
start_spire_agent
within 10 expect_allow "$APP" "$APP_DIGEST"
expect_whole_after_refresh
claim "with both deleted, too"
stop tufd
rm "$RUN"/state/floors.[01]
start_tufd
within 5 expect_deny FLOORS_LOST "$APP" "$APP_DIGEST"
start_metadata_server
within 10 expect_allow "$APP" "$APP_DIGEST"
expect_whole_after_refresh
within 15 expect_anchor_state fresh
