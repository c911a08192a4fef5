claim "a root signed by a stolen quorum carries the node away"
org steal --keys root-3 root-4
tufctl refresh
expect_root_version 4
expect_allow "$APP" "$APP_DIGEST"
claim "withdrawing the stolen keys stops it within 8 s"
org new-keys root-6:rsa root-7:ed25519
bundle_set root-5 root-6 root-7
within 8 expect_deny ROOT_NOT_COVERED "$APP" "$APP_DIGEST"
expect_blocked ROOT_NOT_COVERED pull_cri "$APP"
claim "a new root of the owner's alone does not move it: only the local epoch may"
org new-root --keys root-5 root-6 root-7
tufctl refresh || true
expect_deny ROOT_NOT_COVERED "$APP" "$APP_DIGEST"
