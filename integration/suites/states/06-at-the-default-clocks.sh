WITHDRAW_AFTER=60s DENIED_AFTER=30m
restart_tufd
within 8 expect_state fresh SIGNED
claim "a domain that is gone for 30 s and comes back: ALLOW at any moment"
ask_always "$APP" "$APP_DIGEST"
update_entry
within 12 expect_state missing SIGNED
sleep 30
expect_state missing SIGNED
update_entry -federatesWith "spiffe://$TUF_DOMAIN"
within 12 expect_state fresh SIGNED
expect_always_allowed

claim "a withdrawal that pends survives SIGKILL of the agent and of the daemon: it comes into force when it was due"
bundle_withdraw
within 8 expect_state missing SIGNED
due=$(anchor_field withdraws)
kill_hard spire-agent
kill_hard tufd
start_tufd
within 5 expect_state missing SIGNED
expect_trust 'trust["anchor"]["withdraws"]' "$due"
within 65 expect_state withdrawn ANCHOR_WITHDRAWN
expect_trust 'trust["anchor"]["since"]' "$due"
claim "nor does an agent that is back without the domain undo it; the domain does"
rm -f "$RUN/sa/api.sock"
start_spire_agent
sleep 2
expect_state withdrawn ANCHOR_WITHDRAWN
bundle_set root-1 root-2 root-3
update_entry -federatesWith "spiffe://$TUF_DOMAIN"
within 12 expect_state fresh SIGNED
