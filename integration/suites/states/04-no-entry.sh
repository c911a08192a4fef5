claim "entry delete: denied, ALLOW for permission_denied_after ($DENIED_AFTER), then withdrawn"
delete_entry
within 12 expect_state denied SIGNED
expect_since_kept
expect_state denied SIGNED
within 10 expect_state withdrawn ANCHOR_WITHDRAWN
register_tufd
within 12 expect_state fresh SIGNED
claim "bundle delete -mode delete takes the entry along: the same"
spire_server bundle delete -id "spiffe://$TUF_DOMAIN" -mode delete >/dev/null
[[ -z $(entry_id) ]]
within 12 expect_state denied SIGNED
within 10 expect_state withdrawn ANCHOR_WITHDRAWN
bundle_set root-1 root-2 root-3
register_tufd
within 12 expect_state fresh SIGNED
