#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# tools/nic on a tree that looks like /sys, with a small stand-in for the kernel behind its files. usage: test_nic.sh ROOT
root=$1
dir=$(mktemp -d) || exit 1
kernel=()
trap '[ ${#kernel[@]} -eq 0 ] || kill "${kernel[@]}" 2>/dev/null; rm -rf "$dir"' EXIT
sys=$dir/sys
pci=$sys/bus/pci
bad=0
mkdir -p "$dir/bin" "$pci/devices" "$sys/class/net" "$sys/kernel/iommu_groups" "$sys/module/vfio/parameters"
export WEIR_SYS=$sys PATH=$dir/bin:$PATH
: >"$dir/addresses"

# Only addresses and routes that the test gives.
cat >"$dir/bin/ip" <<IP
#!/bin/sh
while [ "\$1" != dev ]; do shift; done
grep " \$2 " "$dir/addresses"
exit 0
IP
printf '#!/bin/sh\nexit 1\n' >"$dir/bin/modprobe"
chmod +x "$dir/bin/ip" "$dir/bin/modprobe"

# serve FILE DRIVER: what the kernel does when a PCI address is written to FILE.
serve() {
	local device
	while read -r device <"$1" || [ -n "$device" ]; do
		case $1 in
		*/unbind) rm -f "$pci/devices/$device/driver" ;;
		*/drivers_probe) ln -sfn "$pci/drivers/fake_e1000" "$pci/devices/$device/driver" ;;
		*) [ "$(head -n 1 "$pci/devices/$device/driver_override")" = "$2" ] &&
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
echo '5: lan3 inet 198.18.0.1/24' >"$dir/addresses"

# want STATUS PART ARGS...
want() {
	local status=$1 part=$2 got
	shift 2
	"$root/tools/nic" "$@" >"$dir/out" 2>&1
	got=$?
	[ $got = "$status" ] && grep -qF -- "$part" "$dir/out" && return
	bad=$((bad + 1))
	echo "not ok: nic $*: status $got, wanted $status and \"$part\""
	sed 's/^/  /' "$dir/out"
}
driver_is() { # ADDRESS DRIVER
	local now
	now=$(readlink "$pci/devices/$1/driver")
	[ "${now##*/}" = "$2" ] && return
	bad=$((bad + 1))
	echo "not ok: $1 is bound to ${now##*/}, wanted $2"
}

want 2 usage:
want 2 usage: bind
want 2 usage: status more
want 2 usage: bind a b c
want 2 usage: --nonsense status
want 0 '0000:03:00.0  fake_e1000   lan0       1     7      -' status
want 0 'IOMMU group shared with 0000:04:00.1' status
want 0 'in use: has an address' status
want 0 'no IOMMU group' status
grep -q 06:00.0 "$dir/out" && echo "not ok: a disk among the NICs" && bad=$((bad + 1))

# Nothing is written in a dry run.
want 0 'would write "vfio-pci" to bus/pci/devices/0000:03:00.0/driver_override' --dry-run bind 03:00.0
want 0 'would write "0000:03:00.0" to bus/pci/drivers/fake_e1000/unbind' bind lan0 --dry-run
want 0 'would write "0000:03:00.0" to bus/pci/drivers/vfio-pci/bind' bind lan0 --dry-run
want 0 'would write "0000:03:00.0" to bus/pci/drivers_probe' unbind lan0 --dry-run
want 0 'would write "0000:0a:00.0" to bus/pci/drivers/fake_e1000/unbind' bind lan6 --dry-run
driver_is 0000:03:00.0 fake_e1000

# What must not be taken is not.
want 1 'no network device' bind 06:00.0
want 1 'no PCI device 0000:09:00.0' bind 09:00.0
want 1 'no interface lan9' bind lan9
want 1 'neither a PCI address nor an interface' bind '../../etc'
want 1 'has an address' bind lan3
want 1 'has an address' unbind lan3
want 1 'in use: carries lan5.7' bind lan5
want 1 'IOMMU group shared with 0000:04:00.1' bind 04:00.0
want 1 'no IOMMU group' bind lan4
want 1 'the kernel has no driver uio_none' bind lan0 uio_none
for d in 03:00.0 04:00.0 05:00.0 07:00.0; do driver_is 0000:$d fake_e1000; done

# There and back.
want 0 '0000:03:00.0: fake_e1000 -> vfio-pci' bind lan0
want 0 'bound to vfio-pci already' bind 0000:03:00.0
driver_is 0000:03:00.0 vfio-pci
want 0 'bound to weir or another user program' status
want 0 '0000:03:00.0: vfio-pci -> fake_e1000' unbind 03:00.0 fake_e1000
driver_is 0000:03:00.0 fake_e1000
[ -z "$(head -n 1 "$pci/devices/0000:03:00.0/driver_override")" ] || { echo 'not ok: override left'; bad=$((bad + 1)); }
want 0 'lan3' status
want 0 '0000:05:00.0: fake_e1000 -> vfio-pci' --force bind lan3
driver_is 0000:05:00.0 vfio-pci
want 0 '0000:05:00.0: vfio-pci -> fake_e1000' unbind 05:00.0
echo "$bad bad"
[ $bad = 0 ]
