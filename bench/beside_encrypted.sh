#!/usr/bin/env bash
# Moves one file from memory to memory over loopback with each program that is installed, several rounds
# in turns, and prints MB/s from the start of the programs to their end:
#
#   bench/beside_encrypted.sh [MEBIBYTES] [ROUNDS] [FOLDER OF matou-bin]
#
# Matou: `send` and `receive` by a server on the same machine. scp: an sshd of its own. magic-wormhole: a
# mailbox server of its own, files directly (TWIST and WORMHOLE name the programs if they are elsewhere).
# croc: a relay of its own.
set -euo pipefail

mebibytes=${1:-1024}
rounds=${2:-3}
programs=${3:-target/release}
twist=${TWIST:-twist}
wormhole=${WORMHOLE:-wormhole}

folder=$(mktemp -d /dev/shm/matou-beside.XXXXXX)
servers=()
finish() {
    for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
    rm -rf "$folder"
}
trap finish EXIT

head -c "$((mebibytes * 1024 * 1024))" /dev/urandom > "$folder/source"

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# listening PORT: waits for a server.
listening() {
    for _ in $(seq 200); do
        (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.05
    done
    echo "nothing listens on port $1" >&2
    exit 1
}

matou_port=$(free_port)
matou() {
    HOME=$folder/bea "$programs/matou-bin" receive --server "127.0.0.1:$matou_port" --username bea \
        --to "$folder/out" --once >/dev/null 2>"$folder/log" &
    HOME=$folder/ada "$programs/matou-bin" send --server "127.0.0.1:$matou_port" --username ada \
        bea "$folder/source" >/dev/null 2>>"$folder/log"
    wait $!
}

ssh_port=$(free_port)
scp_with() {
    scp -q -c "$1" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o LogLevel=ERROR -P "$ssh_port" -i "$folder/user" "127.0.0.1:$folder/source" "$folder/out/source"
}

wormhole_port=$(free_port)
wormhole_run() {
    local code="7-$RANDOM-$RANDOM"
    local common=(--relay-url "ws://127.0.0.1:$wormhole_port/v1" --transit-helper "tcp:127.0.0.1:1")
    "$wormhole" "${common[@]}" send --hide-progress --code "$code" "$folder/source" >"$folder/log" 2>&1 &
    (cd "$folder/out" && "$wormhole" "${common[@]}" receive --hide-progress --accept-file "$code" \
        >>"$folder/log" 2>&1)
    wait $!
}

croc_port=$(free_port)
croc_run() {
    local code="7-$RANDOM-beside-$RANDOM"
    CROC_SECRET=$code croc --yes --relay "127.0.0.1:$croc_port" send "$folder/source" >"$folder/log" 2>&1 &
    sleep 0.3
    (cd "$folder/out" && CROC_SECRET=$code croc --yes --relay "127.0.0.1:$croc_port" >>"$folder/log" 2>&1)
    wait $!
}

# measure NAME COMMAND...
measure() {
    local name=$1 begin end
    shift
    rm -rf "$folder/out"
    mkdir "$folder/out"
    begin=$(date +%s%N)
    if ! "$@"; then
        echo "$name failed: $(tail -n 3 "$folder/log" 2>/dev/null)"
        return
    fi
    end=$(date +%s%N)
    cmp -s "$folder/source" "$folder/out/source" || { echo "$name delivered something else"; return; }
    echo "$name $((mebibytes * 1048576 * 1000 / (end - begin))) MB/s"
}

mkdir "$folder/ada" "$folder/bea" "$folder/server"
HOME=$folder/server "$programs/matou-bin" server --listen "127.0.0.1:$matou_port" >/dev/null 2>&1 &
servers+=($!)
listening "$matou_port"
candidates=(matou)
if [ -x /usr/sbin/sshd ]; then
    for key in host user; do ssh-keygen -q -t ed25519 -N '' -f "$folder/$key"; done
    mkdir -p /run/sshd
    cat > "$folder/sshd_config" <<CONFIG
ListenAddress 127.0.0.1
Port $ssh_port
HostKey $folder/host
PidFile none
UsePAM no
AuthorizedKeysFile $folder/user.pub
StrictModes no
PermitRootLogin yes
Subsystem sftp internal-sftp
CONFIG
    /usr/sbin/sshd -D -e -f "$folder/sshd_config" 2>/dev/null &
    servers+=($!)
    listening "$ssh_port"
    candidates+=(scp scp_gcm)
fi
if command -v "$wormhole" "$twist" >/dev/null; then
    "$twist" wormhole-mailbox --port "tcp:$wormhole_port:interface=127.0.0.1" \
        --channel-db "$folder/mailbox" --usage-db "$folder/usage" >/dev/null 2>&1 &
    servers+=($!)
    listening "$wormhole_port"
    candidates+=(wormhole)
fi
if command -v croc >/dev/null; then
    croc relay --ports "$croc_port,$((croc_port + 1))" >/dev/null 2>&1 &
    servers+=($!)
    listening "$croc_port"
    candidates+=(croc)
fi

for _ in $(seq "$rounds"); do
    for candidate in "${candidates[@]}"; do
        case $candidate in
            matou) measure "Matou" matou ;;
            scp) measure "scp, chacha20-poly1305" scp_with chacha20-poly1305@openssh.com ;;
            scp_gcm) measure "scp, aes128-gcm" scp_with aes128-gcm@openssh.com ;;
            wormhole) measure "magic-wormhole" wormhole_run ;;
            croc) measure "croc" croc_run ;;
        esac
    done
done
