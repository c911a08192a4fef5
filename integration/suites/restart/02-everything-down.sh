claim "restarted while SPIRE and the repository are down, it answers within 1 s of its start"
stop_spire
stop metadata
restart_after true
claim "also killed"
kill_hard tufd
first_verdict 1
expect_whole_after_refresh
