claim "the domain taken from the daemon's entry denies after withdraw_after and SPIRE's sync"
WITHDRAW_AFTER=3s
stop tufd
start_tufd
within 10 expect_anchor_state fresh
bundle_withdraw
within 11 expect_deny ANCHOR_WITHDRAWN "$APP" "$APP_DIGEST"
expect_blocked ANCHOR_WITHDRAWN pull_cri "$APP"
claim "also after a restart"
stop tufd
start_tufd
within 5 expect_deny ANCHOR_WITHDRAWN "$APP" "$APP_DIGEST"
refuse_panics
