WITHDRAW_AFTER=6s
restart_tufd
within 8 expect_state fresh SIGNED
claim "bundle delete -mode dissociate: missing, ALLOW for withdraw_after ($WITHDRAW_AFTER), then withdrawn"
bundle_withdraw
within 8 expect_state missing SIGNED
within 11 expect_state withdrawn ANCHOR_WITHDRAWN
expect_since_kept
claim "setting the bundle again heals nothing, as the entry lost the domain: updating the entry does"
bundle_set root-1 root-2 root-3
sleep 3
expect_state withdrawn ANCHOR_WITHDRAWN
update_entry -federatesWith "spiffe://$TUF_DOMAIN"
within 12 expect_state fresh SIGNED

claim "an empty bundle: empty, ALLOW, then withdrawn; bundle set heals"
bundle_set_empty
within 8 expect_state empty SIGNED
expect_since_kept
expect_state empty SIGNED
within 11 expect_state withdrawn ANCHOR_WITHDRAWN
bundle_set root-1 root-2 root-3
within 8 expect_state fresh SIGNED

claim "an entry updated without -federatesWith: missing, ALLOW, then withdrawn; with it: fresh"
update_entry
within 12 expect_state missing SIGNED
within 11 expect_state withdrawn ANCHOR_WITHDRAWN
update_entry -federatesWith "spiffe://$TUF_DOMAIN"
within 12 expect_state fresh SIGNED
