claim "restarted on a full disk, it answers within 1 s of its start"
restart_after fill_disk
claim "what cannot be written does not answer, and the error says why"
start_metadata_server
publish_another
expect_refresh_fails "No space left on device"
claim "with space, the next refresh brings all back"
free_disk
expect_whole_after_refresh
