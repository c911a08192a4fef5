claim "restarted while SPIRE and the repository are down, the daemon answers from its own files"
stop_spire
stop metadata
stop tufd
start_tufd
within 5 expect_allow "$APP" "$APP_DIGEST"
expect_pull pull_cri "$APP"
start_metadata_server
start_spire_server
start_spire_agent
within 15 expect_anchor_state fresh
