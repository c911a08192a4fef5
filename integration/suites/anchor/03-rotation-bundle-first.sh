claim "root-1 is replaced by root-4, which goes into the bundle first: no DENY at any moment"
ask_always "$APP" "$APP_DIGEST"
org new-keys root-4:rsa
bundle_set root-1 root-2 root-3 root-4
within 8 expect_anchor_keys 4
org rotate-root --drop root-1 --add root-4
tufctl refresh
expect_root_version 2
bundle_set root-2 root-3 root-4
within 8 expect_anchor_keys 3
expect_always_allowed
