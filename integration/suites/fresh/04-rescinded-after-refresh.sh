claim "a rescinded image is refused at once after tufctl refresh"
NEW=$REGISTRY/payments/new:v1
expect_allow "$NEW" "$(digest "$NEW")"
rescind_image payments "$NEW"
tufctl refresh
expect_deny TARGET_NOT_FOUND "$NEW" "$(digest "$NEW")"
expect_blocked TARGET_NOT_FOUND pull_cri "$NEW"
