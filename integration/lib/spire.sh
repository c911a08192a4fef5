# A SPIRE server and agent with intervals of 1 s, and the bundle that carries the root keys.

TUF_DOMAIN=tuf-root.acme.test

start_spire() {
    local port token
    port=$(free_ports 1)
    mkdir -p "$RUN"/{ss,sa}/data
    spire_config "$port"
    start_spire_server
    spire_server bundle show -format pem >"$RUN/sa/bootstrap.pem"
    token=$(spire_server token generate -spiffeID spiffe://node.test/node | sed 's/Token: //')
    start_spire_agent -joinToken "$token"
}

# The server's command line, on its socket.
spire_server() {
    spire-server "$1" ${2:+"$2"} -socketPath "$RUN/ss/api.sock" "${@:3}"
}

start_spire_server() {
    start spire-server spire-server run -config "$RUN/ss/server.conf"
    within 20 spire-server healthcheck -socketPath "$RUN/ss/api.sock"
}

# An agent that was attested before needs no token.
start_spire_agent() {
    start spire-agent spire-agent run -config "$RUN/sa/agent.conf" "$@"
    within 20 spire-agent healthcheck -socketPath "$RUN/sa/api.sock"
}

stop_spire() {
    stop spire-agent
    stop spire-server
}

# bundle_set KEY…: these root keys, and no others, are the bundle of the TUF domain.
bundle_set() {
    org bundle "$@" >"$RUN/bundle.pem"
    bundle_set_file "$RUN/bundle.pem"
}

# bundle_set_file PEM
bundle_set_file() {
    spire_server bundle set -id "spiffe://$TUF_DOMAIN" -path "$1" >/dev/null
}

bundle_set_empty() {
    echo '{"keys": []}' >"$RUN/bundle.json"
    spire_server bundle set -id "spiffe://$TUF_DOMAIN" -format spiffe -path "$RUN/bundle.json" >/dev/null
}

# Takes the whole domain away from the daemon's entry.
bundle_withdraw() {
    spire_server bundle delete -id "spiffe://$TUF_DOMAIN" -mode dissociate >/dev/null
}

# The daemon runs as root; its entry gives it the TUF domain's bundle. The bundle must be there first.
register_tufd() {
    spire_server entry create -parentID spiffe://node.test/node -spiffeID spiffe://node.test/tufd \
        -selector unix:uid:0 -federatesWith "spiffe://$TUF_DOMAIN" >/dev/null
}

spire_config() {
    cat >"$RUN/ss/server.conf" <<CONF
server {
    bind_address = "127.0.0.1"
    bind_port = "$1"
    socket_path = "$RUN/ss/api.sock"
    trust_domain = "node.test"
    data_dir = "$RUN/ss/data"
    log_level = "INFO"
    experimental {
        cache_reload_interval = "1s"
    }
}
plugins {
    DataStore "sql" {
        plugin_data {
            database_type = "sqlite3"
            connection_string = "$RUN/ss/data/datastore.sqlite3"
        }
    }
    NodeAttestor "join_token" {
        plugin_data {}
    }
    KeyManager "disk" {
        plugin_data {
            keys_path = "$RUN/ss/data/keys.json"
        }
    }
}
CONF
    cat >"$RUN/sa/agent.conf" <<CONF
agent {
    data_dir = "$RUN/sa/data"
    log_level = "INFO"
    server_address = "127.0.0.1"
    server_port = "$1"
    socket_path = "$RUN/sa/api.sock"
    trust_bundle_path = "$RUN/sa/bootstrap.pem"
    trust_domain = "node.test"
    experimental {
        sync_interval = "1s"
    }
}
plugins {
    NodeAttestor "join_token" {
        plugin_data {}
    }
    KeyManager "disk" {
        plugin_data {
            directory = "$RUN/sa/data"
        }
    }
    WorkloadAttestor "unix" {
        plugin_data {}
    }
}
CONF
}
