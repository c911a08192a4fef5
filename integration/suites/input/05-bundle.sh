claim "authorities with keys that cannot be used are skipped and counted"
org bundle root-1 root-2 root-3 >"$RUN/bundle.pem"
for kind in rsa:1024 ec:secp521r1; do unusable_authority "$kind" >>"$RUN/bundle.pem"; done
bundle_set_file "$RUN/bundle.pem"
within 8 expect_trust 'trust["anchor"]["skipped"]' 2
expect_allow "$APP" "$APP_DIGEST"

claim "one key in many certificates counts once"
bundle_set root-1 root-1 root-1
within 8 expect_anchor_keys 1
expect_deny ROOT_NOT_COVERED "$APP" "$APP_DIGEST"
bundle_set root-1 root-2 root-3
within 8 expect_allow "$APP" "$APP_DIGEST"

claim "over 64 keys the message is refused, and the anchor stays what it was"
many=$(seq -f 'many-%g:ed25519' 65)
# shellcheck disable=SC2086 # one word a key
org new-keys $many
# shellcheck disable=SC2086
bundle_set ${many//:ed25519/}
within 8 expect_anchor_state undecodable
expect_anchor_keys 3
expect_allow "$APP" "$APP_DIGEST"
bundle_set root-1 root-2 root-3
within 8 expect_anchor_state fresh

claim "an empty bundle is a withdrawal that pends, and that the domain's return cancels"
bundle_set_empty
within 8 expect_anchor_state empty
bundle_set root-1 root-2 root-3
within 8 expect_anchor_state fresh
expect_allow "$APP" "$APP_DIGEST"
