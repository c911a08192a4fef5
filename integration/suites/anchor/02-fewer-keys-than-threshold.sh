claim "a bundle with one of the root's signers denies within 8 s, and containerd refuses the pull"
bundle_set root-3
within 8 expect_deny ROOT_NOT_COVERED "$APP" "$APP_DIGEST"
expect_blocked ROOT_NOT_COVERED pull_ctr "$APP"
expect_blocked ROOT_NOT_COVERED pull_cri "$APP"
claim "putting the keys back allows again within 8 s"
bundle_set root-1 root-2 root-3
within 8 expect_allow "$APP" "$APP_DIGEST"
expect_pull pull_cri "$APP"
