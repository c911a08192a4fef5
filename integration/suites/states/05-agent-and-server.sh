claim "an agent that is stopped is unreachable, and one restarted heard again: no DENY at any moment"
ask_always "$APP" "$APP_DIGEST"
stop spire-agent
within 5 expect_state unreachable SIGNED
start_spire_agent
within 10 expect_state fresh SIGNED
expect_always_allowed
claim "with the server down the agent still has the bundle, for a new stream too"
stop spire-server
restart_tufd
within 5 expect_state fresh SIGNED
claim "an agent restarted meanwhile serves no socket: unreachable; since when survives a restart"
stop spire-agent
start spire-agent spire-agent run -config "$RUN/sa/agent.conf"
within 5 expect_state unreachable SIGNED
expect_since_kept
expect_state unreachable SIGNED
claim "and is heard again once the server is back"
start_spire_server
within 20 expect_state fresh SIGNED

claim "an agent that hangs while the daemon restarts: cached, ALLOW"
hold spire-agent
restart_tufd
within 3 expect_state cached SIGNED
within 3 expect_told cached
let_go spire-agent
within 8 expect_state fresh SIGNED

claim "an agent that stays away past anchor_max_age: stale, DENY; one that is back heals"
MAX_AGE=6s
restart_tufd
within 8 expect_state fresh SIGNED
stop spire-agent
within 5 expect_state unreachable SIGNED
within 9 expect_state stale ANCHOR_STALE
expect_since_kept
expect_state stale ANCHOR_STALE
start_spire_agent
within 10 expect_state fresh SIGNED
claim "one that stays does not go stale: streams are opened anew well within anchor_max_age"
sleep 8
expect_state fresh SIGNED
stop tufd
MAX_AGE=7d
start_tufd
