PERIOD=5s
stop tufd
start_tufd
within 5 expect_allow "$APP" "$(digest "$APP")"
claim "with a refresh period of $PERIOD, a rescinded image is refused within the period and 3 s"
rescind_image payments "$APP"
within 8 stopped_allowing "$APP" "$(digest "$APP")"
expect_deny TARGET_NOT_FOUND "$APP" "$(digest "$APP")"
expect_blocked TARGET_NOT_FOUND pull_cri "$APP"
refuse_panics
