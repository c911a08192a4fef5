DENIED_AFTER=5s
METRICS_PORT=$(free_ports 1)
start_registry
start_org
start_spire
APP=$REGISTRY/payments/app:v1
make_image "$APP" first
sign_image payments "$APP"
APP_DIGEST=$(digest "$APP")
claim "a new node whose agent hangs is waiting, and gives no verdict"
hold spire-agent
start_tufd
within 5 expect_state waiting NO_TRUST
within 3 expect_told waiting
claim "without an entry it is denied; as it never had keys, it is not withdrawn when that lasts"
let_go spire-agent
within 8 expect_state denied NO_TRUST
sleep 6
expect_state denied NO_TRUST
claim "bundle set and an entry that federates with it: fresh, ALLOW"
bundle_set root-1 root-2 root-3
register_tufd
within 12 expect_state fresh SIGNED
