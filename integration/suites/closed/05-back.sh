claim "once the daemon is back, the pull goes through"
start_tufd
within 5 expect_allow "$APP" "$APP_DIGEST"
expect_pull pull_ctr "$APP"
refuse_panics
