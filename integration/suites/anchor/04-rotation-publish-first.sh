claim "root-2 is replaced by root-5, which is published first: no DENY at any moment"
ask_always "$APP" "$APP_DIGEST"
org rotate-root --drop root-2 --add root-5:ecdsa
tufctl refresh
expect_root_version 3
bundle_set root-2 root-3 root-4 root-5
within 8 expect_anchor_keys 4
bundle_set root-3 root-4 root-5
within 8 expect_anchor_keys 3
expect_always_allowed
