#!/usr/bin/env bash
# Three NATS servers and three Matou servers with one room, on loopback, to try out what a cluster does.
# They run until Ctrl-C (SIGINT, SIGTERM), which stops them in the right order.
#
#   ops/three-nodes.sh [FOLDER]
#
# FOLDER keeps what they write (default: a temporary folder, removed at the end). Variables:
#   MATOU         the program (default: target/release/matou-bin here, or else matou-bin of the PATH)
#   NATS_SERVER   the NATS server (default: nats-server of the PATH)
#   MATOU_PORT    the first of three ports for clients (default: 6286)
#   NATS_PORT     the first of three ports of NATS; three more are 1000 above (default: 4222)
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
matou=${MATOU:-$here/target/release/matou-bin}
[ -x "$matou" ] || matou=$(command -v "${MATOU:-matou-bin}") ||
    { echo "three-nodes: no matou-bin: run cargo build --release, or set MATOU" >&2; exit 1; }
nats=$(command -v "${NATS_SERVER:-nats-server}" || command -v /usr/sbin/nats-server) ||
    { echo "three-nodes: no nats-server: install it, or set NATS_SERVER" >&2; exit 1; }
matou_port=${MATOU_PORT:-6286}
nats_port=${NATS_PORT:-4222}
# How long each server may take to start or to stop.
seconds=30

folder=${1:-}
temporary=
if [ -z "$folder" ]; then
    folder=$(mktemp -d)
    temporary=$folder
fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

declare -A running=() # process id -> name
nodes=()
logs=()

say() { echo "three-nodes: $*"; }

# Stops what runs: the nodes first, so that each can say goodbye through NATS. All run in sessions of their own,
# so that Ctrl-C in a terminal reaches this script only.
stop() {
    trap '' INT TERM
    end "${nodes[@]}"
    end "${logs[@]}"
    [ -z "$temporary" ] || rm -rf "$temporary"
}

end() {
    local pid left
    for pid in "$@"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "$@"; do
        left=$((seconds * 10))
        while kill -0 "$pid" 2>/dev/null && [ "$left" -gt 0 ]; do
            sleep 0.1
            left=$((left - 1))
        done
        kill -KILL "$pid" 2>/dev/null && say "${running[$pid]} did not stop in time" || true
        wait "$pid" 2>/dev/null || true
    done
}

# Waits until a command succeeds; $1 is the process that has to live, $2 its log.
await() {
    local pid=$1 log=$2 left=$((seconds * 10))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! kill -0 "$pid" 2>/dev/null || [ "$left" -le 0 ]; then
            say "${running[$pid]} does not work:"
            tail -n 20 "$log" >&2
            exit 1
        fi
        sleep 0.1
        left=$((left - 1))
    done
}

ready() { grep -q 'JetStream cluster new metadata leader\|Self is new JetStream cluster metadata leader' "$@"; }

serves() { "$matou" admin --socket "$1" cluster status | grep -q '^serving *yes'; }

trap stop EXIT
trap 'exit 0' INT TERM

routes=
urls=
for number in 0 1 2; do
    routes+=${routes:+,}nats://127.0.0.1:$((nats_port + 1000 + number))
    urls+=${urls:+,}nats://127.0.0.1:$((nats_port + number))
done

# Without it an acknowledged message can be lost when the computer crashes; versions before 2.10 do not know it.
sync='sync_interval: always'
version=$("$nats" --version | grep -o '[0-9][0-9.]*' | head -n 1)
if [ "$(printf '%s\n2.10\n' "$version" | sort -V | head -n 1)" != 2.10 ]; then
    say "NATS $version is only good for trying out: use 2.12.3 or newer"
    sync=
fi

for number in 0 1 2; do
    name=nats-$((number + 1))
    mkdir -p "$folder/$name"
    cat >"$folder/$name.conf" <<CONF
server_name: $name
listen: 127.0.0.1:$((nats_port + number))
jetstream { store_dir: "$folder/$name", $sync }
cluster {
    name: matou
    listen: 127.0.0.1:$((nats_port + 1000 + number))
    routes: [$routes]
}
CONF
    setsid "$nats" -c "$folder/$name.conf" >"$folder/$name.log" 2>&1 &
    logs+=($!)
    running[$!]=$name
done
await "${logs[0]}" "$folder/nats-1.log" ready "$folder"/nats-?.log

servers=
for number in 0 1 2; do
    name=node-$((number + 1))
    mkdir -p "$folder/$name"
    # One key for the room: its address can name it, and people are known by it.
    setsid env MATOU_SERVER__NETWORK__LISTEN=127.0.0.1:$((matou_port + number)) \
        MATOU_SERVER__CLUSTER__NATS="$urls" \
        MATOU_SERVER__CLUSTER__ROOM=trial \
        MATOU_SERVER__CLUSTER__NODE="$name" \
        MATOU_SERVER__CLUSTER__REPLICAS=3 \
        MATOU_SERVER__SECURITY__KEY="$folder/server.key" \
        MATOU_SERVER__NAMES__STORE="$folder/$name/server.redb" \
        MATOU_SERVER__ADMIN__SOCKET="$folder/$name/admin" \
        MATOU_SERVER__ADMIN__BANS="$folder/$name/bans.json" \
        "$matou" server >"$folder/$name.log" 2>&1 &
    nodes+=($!)
    running[$!]=$name
    await $! "$folder/$name.log" serves "$folder/$name/admin"
    servers+=${servers:+,}127.0.0.1:$((matou_port + number))
done

for pid in "${logs[@]}" "${nodes[@]}"; do
    say "${running[$pid]} is process $pid, and logs to $folder/${running[$pid]}.log"
done
say "join:   $matou client --server $servers"
say "watch:  $matou admin --socket $folder/node-1/admin cluster status"
say "Ctrl-C stops all"

# A server that is killed, to see what that costs, is no reason to stop the others.
while [ "${#running[@]}" -gt 0 ]; do
    status=0
    # The shell itself says how it was killed, too.
    { wait -n -p pid "${!running[@]}" || status=$?; } 2>/dev/null
    [ -n "${pid:-}" ] || continue
    say "${running[$pid]} ended with $status"
    unset "running[$pid]"
done
say "all have ended"
