claim "the suite's own configuration is good"
tufd_config >"$RUN/good.toml"
tufd validate --config "$RUN/good.toml"

claim "a value that is wrong: exit 78, and the error names the key"
while IFS='|' read -r table line; do
    expect_bad_config "$table" "$line"
done <<'CASES'
workload_api|socket = 5
workload_api|allowed_uids = "everyone"
workload_api|withdraw_after = "soon"
workload_api|permission_denied_after = "-1m"
workload_api|anchor_max_age = "7 parsecs"
serve|socket = ""
serve|allow_uids = [-1]
serve|allow_gids = "wheel"
serve|mode = "0999"
admin|socket = 1
admin|allow_uids = [4294967296]
state|dir = 5
refresh|period = "0s"
verdicts|availability = "sometimes"
verdicts|grace_max = "100h"
metrics|listen = "nowhere"
log|level = "loud"
log|format = "xml"
[trust]|name = ""
[trust]|trust_domain = "Not A Domain"
[trust]|threshold = 0
[trust]|threshold = "two"
[trust]|metadata = []
[trust]|metadata = ["gopher://127.0.0.1/"]
[trust]|metadata = ["http://tuf.example.test/metadata/"]
[trust]|epoch = 0
[trust]|min_root_version = 0
[trust]|anchor_pins = ["zz"]
[trust]|allow_http = "yes"
[trust]|keyid = "maybe"
[trust]|succinct_terminating = 3
[policy]|images = "registry.test/a**b"
[policy]|trust = ["nobody"]
[policy]|mode = "sometimes"
workload_api|surprise = 1
serve|surprise = 1
admin|surprise = 1
state|surprise = 1
refresh|surprise = 1
verdicts|surprise = 1
metrics|surprise = 1
log|surprise = 1
[trust]|surprise = 1
[policy]|surprise = 1
surprise|key = 1
CASES

claim "a threshold has no default"
grep -v '^threshold' "$RUN/good.toml" >"$RUN/bad.toml"
expect_exit 78 threshold tufd validate --config "$RUN/bad.toml"

claim "a file that is no TOML, and the same when the daemon is to run"
head -c 4096 /dev/urandom >"$RUN/bad.toml"
expect_exit 78 bad.toml tufd validate --config "$RUN/bad.toml"
expect_exit 78 bad.toml tufd run --config "$RUN/bad.toml"
