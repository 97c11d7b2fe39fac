#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# `weirctl nic` on a tree that looks like /sys, with a small stand-in for the kernel behind its files, in a network
# namespace of its own. usage: test_nic.sh WEIRCTL
if [ -z "${WEIR_NIC_INSIDE-}" ]; then
	[ "$(id -u)" = 0 ] && unshare --net -- true || { echo "skipped: needs root for a network namespace"; exit 77; }
	WEIR_NIC_INSIDE=1 exec unshare --net -- "$BASH" "$0" "$@"
fi
weirctl=$1
dir=$(mktemp -d) || exit 1
kernel=()
trap '[ ${#kernel[@]} -eq 0 ] || kill "${kernel[@]}" 2>/dev/null; rm -rf "$dir"' EXIT
sys=$dir/sys
pci=$sys/bus/pci
bad=0
mkdir -p "$pci/devices" "$sys/class/net" "$sys/kernel/iommu_groups" "$dir/usr/bin" "$dir/usr/sbin" "$dir/etc" "$dir/dev/vfio"
wants=$dir/etc/systemd/system/multi-user.target.wants
mkdir -p "$wants"
ln -s /proc "$dir/proc"
export WEIR_ROOT=$dir

# The driver "late" is loaded while udev binds a device.
cat >"$dir/usr/sbin/modprobe" <<MODPROBE
#!/bin/sh
[ "\$2" = late ] || exit 1
ln -s "$pci/late" "$pci/drivers/late"
ln -s "$pci/drivers/fake_e1000" "$pci/devices/0000:0e:00.0/driver"
MODPROBE
# systemctl --quiet enable|disable UNIT
cat >"$dir/usr/bin/systemctl" <<SYSTEMCTL
#!/bin/sh
[ -e "$dir/refuse" ] && exit 5
case \$2 in
enable) ln -s "/lib/systemd/system/weir-nic@.service" "$wants/\$3" ;;
disable) rm -f "$wants/\$3" ;;
esac
SYSTEMCTL
chmod +x "$dir/usr/sbin/modprobe" "$dir/usr/bin/systemctl"

# serve FILE DRIVER: what the kernel does when a PCI address is written to FILE.
serve() {
	local device
	while read -r device <"$1" || [ -n "$device" ]; do
		case $1 in
		*/unbind) rm -f "$pci/devices/$device/driver" ;;
		*/drivers_probe) ln -sfn "$pci/drivers/fake_e1000" "$pci/devices/$device/driver" ;;
		*) [ ! -L "$pci/devices/$device/driver" ] && [ "$(head -n 1 "$pci/devices/$device/driver_override")" = "$2" ] &&
			ln -sfn "$pci/drivers/$2" "$pci/devices/$device/driver" ;;
		esac
	done
}
for driver in fake_e1000 vfio-pci; do
	mkdir -p "$pci/drivers/$driver"
	for file in bind unbind; do
		mkfifo "$pci/drivers/$driver/$file"
		serve "$pci/drivers/$driver/$file" $driver >/dev/null 2>&1 &
		kernel+=($!)
	done
done
mkdir "$pci/late" "$pci/drivers/refuses" && mkfifo "$pci/late/bind" "$pci/drivers/refuses/bind"
serve "$pci/late/bind" late >/dev/null 2>&1 &
kernel+=($!)
serve "$pci/drivers/refuses/bind" nobody >/dev/null 2>&1 &
kernel+=($!)
mkfifo "$pci/drivers_probe"
serve "$pci/drivers_probe" - >/dev/null 2>&1 &
kernel+=($!)

# device ADDRESS CLASS DRIVER INTERFACE GROUP
device() {
	local d=$pci/devices/$1
	mkdir -p "$d"
	echo "$2" >"$d/class"
	echo 1 >"$d/numa_node"
	echo '(null)' >"$d/driver_override"
	[ "$3" = - ] || ln -s "$pci/drivers/$3" "$d/driver"
	if [ "$4" != - ]; then
		mkdir -p "$d/net/$4" "$sys/class/net/$4"
		ln -s "$d" "$sys/class/net/$4/device"
	fi
	if [ "$5" != - ]; then
		mkdir -p "$sys/kernel/iommu_groups/$5/devices"
		ln -s "$sys/kernel/iommu_groups/$5" "$d/iommu_group"
		ln -s "$d" "$sys/kernel/iommu_groups/$5/devices/$1"
	fi
}
device 0000:03:00.0 0x020000 fake_e1000 lan0 7
device 0000:04:00.0 0x020000 fake_e1000 lan1 8
device 0000:04:00.1 0x020000 fake_e1000 lan2 8
device 0000:05:00.0 0x020000 fake_e1000 lan3 9
device 0000:00:1c.0 0x060400 fake_e1000 - 7
device 0000:06:00.0 0x010802 fake_e1000 - 10
device 0000:07:00.0 0x020000 fake_e1000 lan4 -
# Addresses on a VLAN of it; a virtio device, whose interface is a level below.
device 0000:08:00.0 0x020000 fake_e1000 lan5 11
ln -s ../lan5.7 "$sys/class/net/lan5/upper_lan5.7"
device 0000:0a:00.0 0x020000 fake_e1000 - 12
mkdir -p "$pci/devices/0000:0a:00.0/virtio3/net/lan6" "$sys/class/net/lan6"
ln -s "$pci/devices/0000:0a:00.0/virtio3" "$sys/class/net/lan6/device"
# Interfaces of the kernel of these names; the others have nothing there.
device 0000:0b:00.0 0x020000 fake_e1000 lan7 13
device 0000:0c:00.0 0x020000 fake_e1000 lan8 14
device 0000:0d:00.0 0x020000 fake_e1000 lan9 15
device 0000:0e:00.0 0x020000 - - 16
device 0000:0f:00.0 0x020000 fake_e1000 lan10 17
device 0000:10:00.0 0x020000 fake_e1000 lan11 18
# One device with two interfaces.
device 0000:11:00.0 0x020000 fake_e1000 lan12 19
mkdir -p "$pci/devices/0000:11:00.0/net/lan13" "$sys/class/net/lan13"
ln -s "$pci/devices/0000:11:00.0" "$sys/class/net/lan13/device"
for name in lan0 lan3 lan7 lan8 lan9 lan10 lan11 lan13; do
	ip tuntap add $name mode tap && ip link set $name up || { echo "skipped: no tap interfaces"; exit 77; }
done
ip address add 198.18.0.1/32 dev lan3
ip address add 198.18.0.2/32 dev lan10 label lan10:1
ip address add 169.254.0.1/32 dev lan11
ip address add 198.18.0.3/32 dev lan13
ip route add 198.18.7.0/24 dev lan7
ip -6 address add fd53::1/128 dev lan8 nodad
ip -6 route add default dev lan9
ip -6 address add fe80::1/64 dev lan0 nodad # no use
mkdir "$sys/class/net/br0" && ln -s ../br0 "$sys/class/net/lan1/master"

# want STATUS PART ARGS...
want() {
	local status=$1 part=$2 got
	shift 2
	"$weirctl" nic "$@" >"$dir/out" 2>&1
	got=$?
	[ $got = "$status" ] && grep -qF -- "$part" "$dir/out" && return
	bad=$((bad + 1))
	echo "not ok: weirctl nic $*: status $got, wanted $status and \"$part\""
	sed 's/^/  /' "$dir/out"
}
driver_is() { # ADDRESS DRIVER
	local now
	for _ in 1 2 3 4 5 6 7 8 9 10; do # the stand-in takes its time
		now=$(readlink "$pci/devices/$1/driver")
		[ "${now##*/}" = "$2" ] && return
		sleep 0.1
	done
	bad=$((bad + 1))
	echo "not ok: $1 is bound to ${now##*/}, wanted $2"
}

on_boot() { # ADDRESS yes|no
	[ -L "$wants/weir-nic@$1.service" ] && now=yes || now=no
	[ $now = "$2" ] && return
	bad=$((bad + 1))
	echo "not ok: $1 at boot: $now, wanted $2"
}

want 2 'nic takes one of'
want 2 'argument is missing' bind
want 2 'too many arguments' status more
want 2 'too many arguments' bind a b c
want 2 'no such option' --nonsense status
want 2 'does not take such an option' --force status
want 0 '0000:03:00.0   fake_e1000   lan0        1      7       -         -' status
want 0 'IOMMU group shared with 0000:04:00.1' status
want 0 'in use: belongs to br0; IOMMU' status
want 0 'in use: has an address' status
want 0 'no IOMMU group' status
grep -q 06:00.0 "$dir/out" && echo "not ok: a disk among the NICs" && bad=$((bad + 1))
want 0 '"before_bind": "in use: has an address"' --json status

# Nothing is written in a dry run.
want 0 'would write "vfio-pci" to /sys/bus/pci/devices/0000:03:00.0/driver_override' --dry-run bind 03:00.0
want 0 'would write "0000:03:00.0" to /sys/bus/pci/drivers/fake_e1000/unbind' bind lan0 --dry-run
want 0 'would write "0000:03:00.0" to /sys/bus/pci/drivers/vfio-pci/bind' bind lan0 --dry-run
want 0 'would write "0000:03:00.0" to /sys/bus/pci/drivers_probe' unbind lan0 --dry-run
want 0 'would write "0000:0a:00.0" to /sys/bus/pci/drivers/fake_e1000/unbind' bind lan6 --dry-run
driver_is 0000:03:00.0 fake_e1000

# What must not be taken is not.
want 1 'no network device' bind 06:00.0
want 1 'no PCI device 0000:09:00.0' bind 09:00.0
want 1 'no interface lan99' bind lan99
want 1 'neither a PCI address nor an interface' bind '../../etc'
want 1 'in use: has an address (--force' bind lan3
want 1 'has an address' unbind lan3
want 1 'in use: has a route (--force' bind lan7
want 1 'in use: has an address' bind lan8
want 1 'in use: has a route' bind lan9
want 1 'in use: has an address (--force' bind lan10
want 1 'in use: has an address (--force' bind lan11
for name in lan12 lan13 11:00.0; do
	want 1 'in use: lan13: has an address (--force' bind $name
	want 1 'lan13: has an address' unbind $name
done
want 1 'in use: carries lan5.7' bind lan5
want 1 'in use: belongs to br0' bind lan1
want 1 'IOMMU group shared with 0000:04:00.0' bind 04:00.1
want 1 'no IOMMU group' bind lan4
want 1 'the kernel has no driver uio_none' bind lan0 uio_none
want 1 'no name of a driver' bind lan0 ../fake_e1000
for d in 03:00.0 04:00.0 05:00.0 07:00.0 0b:00.0 0c:00.0 0d:00.0; do driver_is 0000:$d fake_e1000; done

# There and back, without systemd.
want 0 '0000:03:00.0: fake_e1000 -> vfio-pci' bind lan0
grep -q 'until the next boot: systemd does not manage' "$dir/out" || { echo 'not ok: no word of systemd'; bad=$((bad + 1)); }
want 0 'bound to vfio-pci already' bind 0000:03:00.0
want 1 'systemd does not manage this machine' remember 03:00.0
on_boot 0000:03:00.0 no
driver_is 0000:03:00.0 vfio-pci
want 0 'bound to weir or another user program' status
want 0 '0000:03:00.0: vfio-pci -> fake_e1000' unbind 03:00.0 fake_e1000
driver_is 0000:03:00.0 fake_e1000
[ -z "$(head -n 1 "$pci/devices/0000:03:00.0/driver_override")" ] || { echo 'not ok: override left'; bad=$((bad + 1)); }
want 0 'lan3' status
want 0 '0000:05:00.0: fake_e1000 -> vfio-pci' --force bind lan3
driver_is 0000:05:00.0 vfio-pci
want 0 '0000:05:00.0: vfio-pci -> fake_e1000' unbind 05:00.0

# A driver that came in between is the one to unbind; a bind that fails leaves the NIC to the kernel.
want 0 'late' bind 0e:00.0 late
driver_is 0000:0e:00.0 late
want 1 'refuses did not take it' bind lan0 refuses
driver_is 0000:03:00.0 fake_e1000
[ -z "$(head -n 1 "$pci/devices/0000:03:00.0/driver_override")" ] || { echo 'not ok: override left by a bind that fails'; bad=$((bad + 1)); }

# With systemd each boot repeats it, unless --once says otherwise.
mkdir -p "$dir/run/systemd/system"
want 0 'fake_e1000 -> vfio-pci' bind --once lan0
on_boot 0000:03:00.0 no
want 0 'each boot binds it again' bind lan0
on_boot 0000:03:00.0 yes
want 0 'vfio-pci     lan0        1      7       bound' status
want 0 'vfio-pci -> fake_e1000' unbind --once lan0
on_boot 0000:03:00.0 yes
want 0 '"at_boot": false' --json unbind lan0
on_boot 0000:03:00.0 no
want 0 'each boot binds it to vfio-pci' remember lan0
on_boot 0000:03:00.0 yes
want 0 'no longer' forget 03:00.0
on_boot 0000:03:00.0 no
want 0 'weirctl nic remember 0000:05:00.0' --force bind lan3
on_boot 0000:05:00.0 no
want 0 'each boot binds it' remember 05:00.0
want 0 'no longer bound at boot' unbind 05:00.0
want 0 'the next boot, which refuses it: IOMMU group shared with 0000:04:00.0' --force bind 04:00.1
on_boot 0000:04:00.1 no
want 1 'each boot would refuse it: IOMMU group shared' remember 04:00.1
want 0 'vfio-pci -> fake_e1000' unbind 04:00.1
want 1 'no PCI device' remember 09:00.0
want 0 'no longer' forget 09:00.0
: >"$dir/refuse"
want 1 '0000:03:00.0.service` ends with status 5' bind lan0
driver_is 0000:03:00.0 vfio-pci
want 0 'vfio-pci -> fake_e1000' unbind lan0

# At boot weir-nic@ binds the card whose MAC address was kept, and refuses another one at that PCI address.
mac() { # INTERFACE MAC [TYPE]
	echo "$2" >"$sys/class/net/$1/address" && echo "${3:-0}" >"$sys/class/net/$1/addr_assign_type"
}
rm "$dir/refuse"
mac lan0 02:00:00:00:00:01
want 0 'each boot binds it again' bind lan0
kept() { # MAC
	local has
	has=$(cat "$dir/etc/weir/nic/0000:03:00.0" 2>/dev/null)
	[ "$has" = "$1" ] && return
	bad=$((bad + 1))
	echo "not ok: kept is '$has', wanted '$1'"
}
kept 02:00:00:00:00:01
want 0 'vfio-pci -> fake_e1000' unbind --once 03:00.0
want 0 'fake_e1000 -> vfio-pci' bind --once 03:00.0
want 0 'vfio-pci -> fake_e1000' unbind --once 03:00.0
mac lan0 02:00:00:00:00:02
want 1 '0000:03:00.0: another card is there, 02:00:00:00:00:02; each boot is to bind the card 02:00:00:00:00:01, which is not to be seen' \
	bind --once 03:00.0
driver_is 0000:03:00.0 fake_e1000
mac lan12 02:00:00:00:00:01
want 1 'the card 02:00:00:00:00:01, which is at 0000:11:00.0 (`weirctl nic bind 0000:03:00.0` takes this one' bind --once 03:00.0
mv "$pci/devices/0000:03:00.0" "$dir/gone"
want 1 'no PCI device 0000:03:00.0; each boot is to bind the card 02:00:00:00:00:01, which is at 0000:11:00.0' bind --once 03:00.0
mv "$dir/gone" "$pci/devices/0000:03:00.0"
mac lan0 02:00:00:00:00:03 3 # set by hand: says nothing of the card
want 0 'fake_e1000 -> vfio-pci' bind --once 03:00.0
want 0 'vfio-pci -> fake_e1000' unbind --once 03:00.0
mac lan0 02:00:00:00:00:02
want 0 'fake_e1000 -> vfio-pci' bind 03:00.0
kept 02:00:00:00:00:02
want 0 'no longer bound at boot' unbind 03:00.0
kept ''
want 0 'each boot binds it' remember 03:00.0
kept 02:00:00:00:00:02
want 0 'no longer' forget 03:00.0
kept ''

# A data plane of a user of its own gets the node of the group.
echo 'weir-dp:x:4711:4712::/nonexistent:/usr/sbin/nologin' >"$dir/etc/passwd"
want 1 'cannot be given to the user weir-dp: No such file' bind --once lan0
want 0 'vfio-pci -> fake_e1000' unbind --once lan0
: >"$dir/dev/vfio/7"
want 0 'would give /dev/vfio/7 to weir-dp, mode 0660' bind --dry-run lan0
for again in no yes; do
	want 0 0000:03:00.0 bind --once lan0
	[ "$(stat -c %u:%g:%a "$dir/dev/vfio/7")" = 4711:4712:660 ] && continue
	bad=$((bad + 1))
	echo "not ok: node of group 7 (again: $again): $(stat -c %u:%g:%a "$dir/dev/vfio/7")"
done
# A program that has it open.
sleep 60 <"$dir/dev/vfio/7" &
kernel+=($!)
for _ in 1 2 3 4 5 6 7 8 9 10; do [ "$(cat /proc/$!/comm)" = sleep ] || sleep 0.1; done
want 1 "sleep (pid $!) has it open: stop that first (--force" unbind --once lan0
driver_is 0000:03:00.0 vfio-pci
want 0 'vfio-pci -> fake_e1000' unbind --once --force lan0
echo "$bad bad"
[ $bad = 0 ]
