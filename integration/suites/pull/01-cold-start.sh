start_parts
claim "python-tuf's own client reads the repository"
[[ $(read_target "$APP") == "$APP_DIGEST" ]]
claim "before the daemon runs, a pull is blocked"
expect_blocked NO_VERDICT pull_ctr "$APP"
claim "from the daemon's exec with no state to the first ALLOW"
start_tufd
within 10 expect_allow "$APP" "$APP_DIGEST"
