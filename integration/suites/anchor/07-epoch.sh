claim "a raised epoch enters the new root after a restart"
EPOCH=2
stop tufd
start_tufd
within 10 expect_allow "$APP" "$APP_DIGEST"
expect_root_version 5
expect_pull pull_cri "$APP"
