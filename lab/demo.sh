#!/bin/bash
# What `cargo xtask demo` does in the guest. Arguments: the folder of our programs, iterations,
# message size. Every line that starts with @ is a result for the host; the rest is for the log.
set -u
ours=$1 iterations=$2 size=$3
failed=0

# Two programs, one serving: NAME SERVER-COMMAND CLIENT-COMMAND
pingpong() {
    local name=$1 server=$2 client=$3
    $server > /run/server.log 2>&1 &
    local pid=$!
    # Ready once it listens on its TCP port.
    for _ in $(seq 200); do
        ss -Hltn "sport = :18515" 2>/dev/null | grep -q . && break
        sleep 0.05
    done
    $client 127.0.0.1 > /run/client.log 2>&1
    local client_code=$?
    wait $pid
    local server_code=$?
    local usec
    usec=$(sed -n 's/.* = \([0-9.]*\) usec\/iter.*/\1/p' /run/client.log)
    if [ $client_code = 0 ] && [ $server_code = 0 ] && [ -n "$usec" ] && ! grep -qi "invalid data" /run/client.log /run/server.log; then
        echo "@pingpong|$name|$usec|verified"
    else
        echo "@pingpong|$name|-|FAILED (client $client_code, server $server_code)"
        cat /run/server.log /run/client.log
        failed=1
    fi
}

arguments="-d rxe0 -g 1 -n $iterations -s $size -c"
c="ibv_rc_pingpong $arguments"
our="$ours/rc_pingpong $arguments"
pingpong "C <-> C" "$c" "$c"
pingpong "ours -> C" "$c" "$our"
pingpong "C -> ours" "$our" "$c"
pingpong "ours <-> ours" "$our" "$our"

# VFs: what our program did, as iproute2 sees it.
vfs() {
    local name=$1 pf=$2 netdev=$3 count=$4 mac=$5 vlan=$6
    if ! "$ours/vf_provision" "$pf" --num-vfs "$count" --mac "$mac" --vlan "$vlan"; then
        echo "@failed|vf_provision $pf"
        failed=1
    fi
    echo "@vfs|$name|$netdev|$count|$mac|$vlan|$(ip -json -d link show dev "$netdev" | tr -d '\n')"
}

echo "77 1" > /sys/bus/netdevsim/new_device
sim=$(ls /sys/bus/netdevsim/devices/netdevsim77/net)
vfs netdevsim netdevsim77 "$sim" 4 02:00:00:00:10:00 100
igb=$(basename "$(ls -d /sys/bus/pci/drivers/igb/0000* | head -1)")
port=$(ls "/sys/bus/pci/devices/$igb/net")
ip link set "$port" up
vfs igb "$igb" "$port" 3 02:00:00:00:20:00 200

# Zero-copy sends: over a netdev that takes them, and over loopback, which copies.
# An MTU that takes a datagram whole: fragments are copies.
ip link add zc0 mtu 65535 type dummy
ip addr add 10.66.0.1/24 dev zc0
ip link set zc0 up
ip neigh add 10.66.0.2 lladdr 02:00:00:00:66:02 dev zc0
for mode in "--udp 10.66.0.2:9 --count 200 --size 60000" ""; do
    # shellcheck disable=SC2086 # the options are words
    if line=$("$ours/zc_send" $mode | tee /dev/stderr | tail -1); then
        echo "@zc|${mode:-loopback}|$line"
    else
        echo "@failed|zc_send $mode"
        failed=1
    fi
done
exit $failed
