#!/bin/bash
# What `cargo xtask demo` does in the guest. Arguments: the folder of our programs, iterations,
# message size. Every line that starts with @ is a result for the host; the rest is for the log.
set -u
ours=$1 iterations=$2 size=$3
arguments=(-d rxe0 -g 1 -n "$iterations" -s "$size" -c)
failed=0

fail() {
    echo "@failed|$*"
    failed=1
}

# pingpong NAME SERVER CLIENT: two programs with the same arguments, one serving.
pingpong() {
    local name=$1 server=$2 client=$3 pid code usec
    timeout 60 "$server" "${arguments[@]}" > /run/server.log 2>&1 &
    pid=$!
    # Ready once it listens on its TCP port.
    for _ in $(seq 200); do
        ss -Hltn "sport = :18515" | grep -q . && break
        sleep 0.05
    done
    timeout 60 "$client" "${arguments[@]}" 127.0.0.1 > /run/client.log 2>&1
    code=$?
    [ $code = 0 ] || kill $pid
    wait $pid
    code="client $code, server $?"
    usec=$(sed -n 's/.* = \([0-9.]*\) usec\/iter.*/\1/p' /run/client.log)
    if [ "$code" = "client 0, server 0" ] && [ -n "$usec" ] && ! grep -qi "invalid data" /run/*.log; then
        echo "@pingpong|$name|$usec|verified"
    else
        cat /run/server.log /run/client.log
        fail "ping-pong $name ($code)"
    fi
}

theirs=$(command -v ibv_rc_pingpong)
pingpong "C <-> C" "$theirs" "$theirs"
pingpong "ours -> C" "$theirs" "$ours/rc_pingpong"
pingpong "C -> ours" "$ours/rc_pingpong" "$theirs"
pingpong "ours <-> ours" "$ours/rc_pingpong" "$ours/rc_pingpong"

# vfs NAME PF NETDEV COUNT MAC VLAN: what our program did, as iproute2 sees it.
vfs() {
    local name=$1 pf=$2 netdev=$3 count=$4 mac=$5 vlan=$6
    "$ours/vf_provision" "$pf" --num-vfs "$count" --mac "$mac" --vlan "$vlan" || fail "vf_provision $pf"
    echo "@vfs|$name|$netdev|$count|$mac|$vlan|$(ip -json -d link show dev "$netdev" | tr -d '\n')"
}

echo "77 1" > /sys/bus/netdevsim/new_device
sim=$(ls /sys/bus/netdevsim/devices/netdevsim77/net)
vfs netdevsim netdevsim77 "$sim" 4 02:00:00:00:10:00 100
igb=$(basename "$(ls -d /sys/bus/pci/drivers/igb/0000* | head -1)")
port=$(ls "/sys/bus/pci/devices/$igb/net")
ip link set "$port" up
vfs igb "$igb" "$port" 3 02:00:00:00:20:00 200

# sends PATH ARGUMENTS…: zero-copy sends, and what the program says became of them.
sends() {
    local path=$1 said
    shift
    if said=$(timeout 60 "$ours/zc_send" "$@"); then
        echo "$said"
        echo "@zc|$path|$(tail -1 <<< "$said")"
    else
        echo "$said"
        fail "zc_send $*"
    fi
}

# A netdev that takes zero-copy, with an MTU that takes a datagram whole: fragments are copies.
ip link add zc0 mtu 65535 type dummy
ip addr add 10.66.0.1/24 dev zc0
ip link set zc0 up
ip neigh add 10.66.0.2 lladdr 02:00:00:00:66:02 dev zc0
sends "UDP over dummy" --udp 10.66.0.2:9 --count 200 --size 60000
# Loopback copies, whatever is asked for.
sends "TCP over loopback"
exit $failed
