#!/usr/bin/env bash
# An operator's way through tufd on one machine, with real SPIRE and containerd. It prints its own comments and
# commands and what these say, as Markdown: docs/walkthrough.md is what it printed.
#
#     cargo build --release --locked --bins && cargo xtask dist --only verifier
#     PATH=$(cargo xtask tools | paste -sd:):$PATH examples/walkthrough.sh >docs/walkthrough.md
#
# It wants root. The first part below gives it a view of the machine of its own, so that paths and ports can be the
# usual ones: nothing that runs here already is touched, and nothing outlives the script.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ ${1:-} != inside ]]; then
    for program in spire-{server,agent} crane containerd target/{release/{tufd,tufctl,verify-image},dist/tufd-verifier}; do
        command -v "$program" >/dev/null || { echo "no $program: see the first lines of $0" >&2 && exit 1; }
    done
    unshare --mount --net --pid --fork --kill-child --mount-proc \
        env -i PATH="$PATH" CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1 examples/walkthrough.sh inside
    echo '```'
    exit
fi
ip link set lo up
mount -t tmpfs -o mode=0755 tmpfs /run
for place in etc opt tmp usr var/lib; do # as they are, but what is written here stays here
    mkdir -p /run/own/$place/{new,work}
    chmod --reference=/$place /run/own/$place/new
    mount -t overlay overlay -o "lowerdir=/$place,upperdir=/run/own/$place/new,workdir=/run/own/$place/work" /$place
done
for place in /etc/{containerd,tufd} /opt/containerd /tmp/walk /var/lib/{containerd,spire,tufd}; do # and these are new
    mkdir -p $place
    mount -t tmpfs -o mode=0755 tmpfs $place
done

# show LINE: the lines after those that were shown, up to the command at LINE.
mapfile -t lines <examples/walkthrough.sh
fence='' prompt='$'
show() {
    local line
    while ((shown < $1)) || [[ $prompt == '>' ]]; do
        line=${lines[shown]}
        shown=$((shown + 1))
        if [[ ! $line || $line == '#'* ]]; then
            if [[ $fence ]]; then echo '```'; fi
            fence='' line=${line#'#'}
            echo "${line# }"
        else
            if [[ ! $fence ]]; then echo '```console'; fi
            fence=open
            echo "$prompt $line"
            if [[ $line == *\\ ]]; then prompt='>'; else prompt='$'; fi
        fi
    done
}
fail() {
    echo "failed: $1"
    tail -n 25 /tmp/walk/*.log
    exit 1
}
trap 'fail "$BASH_COMMAND"' ERR
trap 'fail "interrupted, or not done in two minutes"' INT TERM
{ sleep 120 && kill $$; } &
exec 3>&1 2>&1
shown=$((LINENO + 2))
trap 'show $LINENO >&3' DEBUG

# # A walk through tufd
#
# What [examples/walkthrough.sh](../examples/walkthrough.sh) printed on one machine, with real SPIRE and containerd, in
# 20 seconds. It says how to run it. Its output is this page, and CI compares its text, its commands and their answers.
#
# ## SPIRE
#
# A server and an agent, as a node has them; these two look for changes each second.

mkdir -p /var/lib/spire/{server,agent}
spire-server run -config examples/walkthrough/server.conf >/tmp/walk/spire-server.log 2>&1 &
until spire-server healthcheck >/dev/null 2>&1; do sleep 0.1; done
spire-server bundle show >/tmp/walk/bootstrap.pem
spire-server token generate -spiffeID spiffe://example.org/node1 | cut -d ' ' -f 2 >/tmp/walk/token
spire-agent run -config examples/walkthrough/agent.conf -joinToken "$(cat /tmp/walk/token)" \
    >/tmp/walk/spire-agent.log 2>&1 &
until spire-agent healthcheck -socketPath /run/spire/agent/public/api.sock >/dev/null 2>&1; do sleep 0.1; done

# ## The organisation
#
# Two images, of the same content: one under a name that will be signed, one under a name that will not.

mkdir /tmp/walk/registry
crane registry serve --address 127.0.0.1:5000 --disk /tmp/walk/registry >/tmp/walk/registry.log 2>&1 &
until crane catalog 127.0.0.1:5000 >/dev/null 2>&1; do sleep 0.1; done
tar -cf /tmp/walk/layer.tar README.md
crane append --oci-empty-base -f /tmp/walk/layer.tar -t 127.0.0.1:5000/payments/app:v1 2>/dev/null
crane append --oci-empty-base -f /tmp/walk/layer.tar -t 127.0.0.1:5000/payments/unsigned:v1 2>/dev/null

# The ceremony: three root keys, of which two must sign, and a team `payments` that may sign for what is directly under
# its name. The repository is python-tuf's: any that a TUF 1.0 client can read will do.

python3 integration/org.py /tmp/walk/acme init --team 'payments=127.0.0.1:5000/payments/*:*,127.0.0.1:5000/payments/*@*'

# Out of it come the public root keys, in certificates for SPIRE, and their fingerprints, which the holders read out to
# the SPIRE admin.

python3 integration/org.py /tmp/walk/acme bundle root-1 root-2 root-3 >/tmp/walk/root-keys.pem
for n in 1 2 3; do openssl pkey -in /tmp/walk/acme/keys/root-$n.pem -pubout -outform DER | sha256sum; done \
    | cut -d ' ' -f 1 | tee /tmp/walk/fingerprints

# The team signs its image: the tag, and every digest below it. Then the repository is served.

python3 integration/org.py /tmp/walk/acme sign payments $(python3 integration/targets.py 127.0.0.1:5000/payments/app:v1)
python3 -m http.server 8000 --bind 127.0.0.1 --directory /tmp/walk/acme/www >/tmp/walk/metadata.log 2>&1 &

# ## The SPIRE admin
#
# The bundle of a trust domain that issues no identities carries the root keys, and the daemon's entry federates with
# that domain.

spire-server bundle set -id spiffe://tuf-root.acme.example -path /tmp/walk/root-keys.pem
spire-server entry create -entryID tufd -parentID spiffe://example.org/node1 -spiffeID spiffe://example.org/tufd \
    -selector unix:uid:0 -federatesWith spiffe://tuf-root.acme.example

# ## The daemon
#
# The reference configuration, with the names of this page. The daemon runs as root here; on a node it has a user of its
# own ([deploy/tufd.service](../deploy/tufd.service)).

install target/release/{tufd,tufctl} /usr/bin
sed -e '/^metadata/s|https://tuf.acme.example/|http://127.0.0.1:8000/|' \
    -e '/^images/s|registry.acme.example/|127.0.0.1:5000/|' \
    -e 's|^#withdraw_after = "60s"|withdraw_after = "5s"|' deploy/tufd.toml >/etc/tufd/tufd.toml
diff deploy/tufd.toml /etc/tufd/tufd.toml || true
tufd validate --config /etc/tufd/tufd.toml
tufd run --config /etc/tufd/tufd.toml 2>/tmp/walk/tufd.log &
until tufctl healthcheck >/dev/null 2>&1; do sleep 0.1; done
tufctl status

# Before containerd is told, the fingerprints on the node are compared with those that the holders read out.

tufctl trust
tufctl trust | grep -c -F -f /tmp/walk/fingerprints

# ## containerd
#
# `tufd-verifier`, alone in its directory, and the stanza that makes containerd ask it.

install -D target/dist/tufd-verifier /opt/containerd/image-verifier/bin/tufd-verifier
mkdir -p /etc/containerd/conf.d
cp deploy/containerd.toml /etc/containerd/conf.d/tufd.toml
printf "version = 3\nimports = ['/etc/containerd/conf.d/*.toml']\n" >/etc/containerd/config.toml
containerd >/tmp/walk/containerd.log 2>&1 &
until ctr version >/dev/null 2>&1; do sleep 0.1; done

# What the team signed is pulled. The other name is blocked, and the error says why.

ctr images pull 127.0.0.1:5000/payments/app:v1 >/dev/null && echo pulled
ctr images pull 127.0.0.1:5000/payments/unsigned:v1 || echo "exit $?"

# Others may ask too: the operator, and a workload ([examples](../examples)).

tufctl verify 127.0.0.1:5000/payments/app:v1@$(crane digest 127.0.0.1:5000/payments/app:v1)
target/release/verify-image 127.0.0.1:5000/payments/unsigned:v1 $(crane digest 127.0.0.1:5000/payments/unsigned:v1) \
    || echo "exit $?"

# ## The root keys are withdrawn
#
# The admin takes the domain away from the daemon's entry. After `withdraw_after` nothing is allowed any more: 5 s here,
# 60 s by default, since SPIRE is known to drop bundles for moments.

spire-server bundle delete -id spiffe://tuf-root.acme.example -mode dissociate
until tufctl status | grep -q ANCHOR_WITHDRAWN; do sleep 0.1; done
tufctl status
ctr images pull 127.0.0.1:5000/payments/app:v1 || echo "exit $?"

# And back: the bundle, and the entry with all its fields.

spire-server bundle set -id spiffe://tuf-root.acme.example -path /tmp/walk/root-keys.pem
spire-server entry update -entryID tufd -parentID spiffe://example.org/node1 -spiffeID spiffe://example.org/tufd \
    -selector unix:uid:0 -federatesWith spiffe://tuf-root.acme.example
until tufctl healthcheck >/dev/null 2>&1; do sleep 0.1; done
ctr images pull 127.0.0.1:5000/payments/app:v1 >/dev/null && echo pulled
