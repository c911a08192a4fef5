claim "restarted on a read-only disk, it answers within 1 s of its start"
restart_after remount_disk ro
start_metadata_server
publish_another
expect_refresh_fails "Read-only file system"
claim "written to again, the next refresh brings all back"
remount_disk rw
expect_whole_after_refresh
