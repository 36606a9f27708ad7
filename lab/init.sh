#!/bin/sh
# PID 1 of the lab's guest: load the modules, put a throw-away overlay over the host's root, hand
# over to the agent. Runs under busybox from the initramfs.
B=/bin/busybox
$B mkdir -p /proc /sys /dev /ro /rw /new
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t devtmpfs dev /dev
# Warnings reach the console too: it is all there is of a guest that hangs.
echo 5 > /proc/sys/kernel/printk
while read -r module; do
    $B insmod "/modules/$module" || echo "lab: insmod $module failed"
done < /modules/order
$B mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose root /ro || echo "lab: no root"
$B mount -t tmpfs tmpfs /rw
$B mkdir -p /rw/upper /rw/work
$B mount -t overlay -o lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work overlay /new || echo "lab: no overlay"
for fs in proc sys dev; do $B mount --move "/$fs" "/new/$fs"; done
$B mount -t tmpfs tmpfs /new/run
$B mkdir -p /new/dev/pts /new/dev/shm /new/run/lab /new/run/netns
# As `ip netns` does it the first time, so that no test leaves it behind.
$B mount --bind /new/run/netns /new/run/netns
$B mount -t devpts devpts /new/dev/pts
$B mount -t tmpfs tmpfs /new/dev/shm
$B mount -t debugfs debugfs /new/sys/kernel/debug
$B mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 share /new/run/lab || echo "lab: no share"
ulimit -l unlimited
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=linux
$B chroot /new /run/lab/agent
echo "lab: the agent ended with $?"
$B poweroff -f
