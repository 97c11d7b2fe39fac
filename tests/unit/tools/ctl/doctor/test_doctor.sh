#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Each verdict of `weirctl doctor` that a tree of files decides: a tree that looks like a good machine, and one file of it
# changed at a time. In namespaces of its own. usage: test_doctor.sh WEIRCTL
if [ -z "${WEIR_DOCTOR_INSIDE-}" ]; then
	[ "$(id -u)" = 0 ] && unshare --net --mount -- true || { echo "skipped: needs root for namespaces"; exit 77; }
	WEIR_DOCTOR_INSIDE=1 exec unshare --net --mount --propagation private -- "$BASH" "$0" "$@"
fi
weirctl=$1
mount -t tmpfs none /var/lib && ip link set lo up || exit 1
export WEIR_ROOT
dir=$(mktemp -d) || exit 1
chmod 755 "$dir"
trap 'rm -rf "$dir"' EXIT
WEIR_ROOT=$dir/root
config=$dir/etc/weir.yaml
bad=0
file() { # PATH TEXT: in the tree
	mkdir -p "$WEIR_ROOT/${1%/*}" && printf '%b' "$2" >"$WEIR_ROOT/$1"
}
config_of() { # PORTS [MORE]
	cat >"$config" <<CONFIG
runtime: {directory: $dir/run, state_directory: $dir/state, hugepages: ${hugepages-auto}}
dataplane: {main_lcore: 0, worker_lcores: [${lcores-0, 1}], eal_hugepages: ${eal-false}, memory_mb: 64, ports: [$1],
  service_addresses: [198.18.0.53/24, "fd53::53/64"]}
cache: {l0_mb: 64}
upstreams: {servers: [{address: ${upstream-198.18.0.9}}]}
blocking: {lists: [{name: ads, path: $dir/ads.txt}]}
CONFIG
	chmod 640 "$config"
}

good() { # a machine with nothing to mend
	rm -rf "$dir/root" "$dir/run" "$dir/state" "$dir/etc" "$dir/huge"
	mkdir -p "$dir/etc" "$dir/run/control" "$dir/state" "$dir/huge" "$dir/root/proc/irq" "$dir/root/proc/self"
	unset lcores hugepages eal upstream
	config_of '{device: net_null0}'
	echo ads.example >"$dir/ads.txt"
	chmod 644 "$dir/ads.txt"
	file etc/passwd 'root:x:0:0::/root:/bin/sh\n'
	file etc/resolv.conf 'nameserver 198.18.0.1\n'
	file proc/meminfo 'MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n'
	file proc/swaps 'Filename Type Size Used Priority\n'
	file proc/cmdline 'quiet\n'
	file proc/cpuinfo 'vendor_id : GenuineIntel\n'
	file proc/self/mounts "none $dir/huge hugetlbfs rw,pagesize=2M 0 0\n"
	cp "$weirctl" "$WEIR_ROOT/proc/self/exe"
	file proc/sys/vm/swappiness '60\n'
	file proc/sys/vm/max_map_count '65530\n'
	file proc/sys/net/core/rmem_max '4194304\n'
	file proc/sys/net/core/somaxconn '4096\n'
	file proc/sys/net/ipv6/conf/all/disable_ipv6 '0\n'
	file proc/sys/net/ipv4/conf/all/rp_filter '0\n'
	file proc/sys/net/ipv4/conf/weir0/rp_filter '0\n'
	file proc/sys/kernel/osrelease '6.1.0-32-amd64\n'
	for f in udp udp6 tcp tcp6; do file proc/net/$f '  sl local_address\n'; done
	file sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages '128\n'
	file sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages '128\n'
	file sys/devices/system/cpu/online '0-3\n'
	file sys/devices/system/cpu/isolated '0-3\n'
	file sys/devices/system/cpu/nohz_full '0-3\n'
	for c in 0 1 2 3; do
		file sys/devices/system/cpu/cpu$c/topology/thread_siblings_list "$c\n"
		file sys/devices/system/cpu/cpu$c/cpufreq/scaling_governor 'performance\n'
		mkdir -p "$WEIR_ROOT/sys/devices/system/cpu/cpu$c/node$((c / 2))"
	done
	mkdir -p "$WEIR_ROOT/sys/devices/system/node/node0"
}
device() { # ADDRESS DRIVER GROUP NODE
	local d=sys/bus/pci/devices/$1
	file $d/class '0x020000\n'
	file $d/numa_node "$4\n"
	[ "$2" = - ] || ln -s "../$2" "$WEIR_ROOT/$d/driver"
	[ "$3" = - ] && return
	mkdir -p "$WEIR_ROOT/sys/kernel/iommu_groups/$3/devices"
	ln -s "../$3" "$WEIR_ROOT/$d/iommu_group"
}

hold() { # LOCK STATE: a process holds it, and doctor sees that
	/usr/bin/python3 -c 'import fcntl, sys, time; f = open(sys.argv[1], "w"); fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(60)' "$dir/run/$1" &
	holder=$!
	for _ in $(seq 50); do "$weirctl" -c "$config" doctor processes | grep -q "$2" || break; sleep 0.1; done
}
# want CHECK VERDICT TEXT [COMMAND]: a finding, and the line below it
want() {
	local status=0
	"$weirctl" -c "$config" doctor "$1" >"$dir/out" 2>&1 || status=$?
	awk -v v="$2" -v c="$1:" -v text="$3" -v cmd="${4-}" '
		found && cmd != "" && index($0, "  do: ") == 1 && index($0, cmd) { good = 1 }
		{ found = 0 }
		$1 == v && $2 == c && index($0, text) { found = 1; if (cmd == "") good = 1 }
		END { exit !good }' "$dir/out" &&
		[ $status = "$(grep -q '^wrong ' "$dir/out" && echo 1 || echo 0)" ] && return
	bad=$((bad + 1))
	echo "not ok: doctor $1: status $status, wanted $2 \"$3\" ${4:+and \"$4\"}"
	sed 's/^/  /' "$dir/out"
}

good
want config ok 'weir.yaml is good'
echo 'nonsense: 1' >>"$config"
want config wrong 'nonsense: unknown key' 'config check'
want memory unknown 'needs the configuration'
rm "$config"
want config wrong 'No such file' 'config check'
good
want processes warning 'the data plane is down' "/weir-dataplane -c $config"
want processes warning 'the control plane is down' "/weir-controlplane -c $config"
want versions unknown 'no control plane answers'
want limits unknown 'no control plane is running'
want limits ok 'no port of the configuration locks memory'
config_of '{xdp: lan0}'
want limits unknown 'no data plane is running'
hold dataplane.lock 'data plane is down'
want processes warning 'the data plane is starting or hangs' 'weirctl status'
kill $holder

# Units.
want units unknown 'systemd does not manage'
mkdir -p "$WEIR_ROOT/run/systemd/system" "$WEIR_ROOT/usr/bin"
systemctl_says() { # LOAD ACTIVE FILE
	printf '#!/bin/sh\n[ "$1" = show ] && printf "LoadState=%s\\nActiveState=%s\\nUnitFileState=%s\\nResult=exit-code\\n"\n' "$@" \
		>"$WEIR_ROOT/usr/bin/systemctl"
	chmod +x "$WEIR_ROOT/usr/bin/systemctl"
}
want processes warning 'the data plane is down' 'systemctl start weir-dataplane'
want units unknown 'No such file'
systemctl_says loaded active enabled
want units ok 'weir-controlplane: active, and started at boot'
want units ok 'weir-doctor.path: active, and started at boot'
systemctl_says loaded failed enabled
want units wrong 'weir-dataplane: failed (exit-code)' 'journalctl -u weir-dataplane'
systemctl_says loaded active disabled
want units warning 'not started at boot' 'systemctl enable weir-dataplane'
systemctl_says loaded inactive enabled
want units warning 'weir-dataplane: inactive' 'systemctl start weir-dataplane'
want units warning 'weir-doctor.timer: inactive' 'systemctl start weir-doctor.timer'
systemctl_says not-found inactive ''
want units warning 'not installed (not-found)' 'apt-get install weir'
printf '#!/bin/sh\nexit 3\n' >"$WEIR_ROOT/usr/bin/systemctl"
want units unknown 'it fails'

# Huge pages.
good
want hugepages ok 'weir can use 64.0 MiB of the free huge pages; the cache takes 64.0 MiB'
want hugepages ok 'a hugetlbfs is mounted on'
file sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages '8\n'
want hugepages warning 'the rest is ordinary memory' 'echo vm.nr_hugepages=152 '
eal=true config_of '{device: net_null0}'
want hugepages wrong 'the data plane does not start' 'echo vm.nr_hugepages=184 '
file sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages '1\n'
file sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages '1\n'
want hugepages warning 'weir can use 80.0 MiB of the free huge pages; the cache and DPDK take 128.0 MiB' 'echo vm.nr_hugepages=152 '
file sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages '32\n'
want hugepages ok 'weir can use 128.0 MiB'
rm -r "$WEIR_ROOT/sys/kernel/mm/hugepages/hugepages-1048576kB"
# A kernel with pages of 16 KiB: vm.nr_hugepages counts in 32 MiB there, regions take 2 MiB, and DPDK takes both.
file proc/meminfo 'MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\nHugepagesize: 32768 kB\n'
file sys/kernel/mm/hugepages/hugepages-32768kB/nr_hugepages '1\n'
file sys/kernel/mm/hugepages/hugepages-32768kB/free_hugepages '1\n'
want hugepages warning 'weir can use 96.0 MiB of the free huge pages' "echo 'w /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages - - - - 144' >/etc/tmpfiles.d/weir-hugepages.conf && systemd-tmpfiles --create /etc/tmpfiles.d/weir-hugepages.conf"
file sys/kernel/mm/hugepages/hugepages-32768kB/free_hugepages '2\n'
want hugepages ok 'weir can use 128.0 MiB'
rm -r "$WEIR_ROOT/sys/kernel/mm/hugepages/hugepages-32768kB"
file proc/meminfo 'MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\nHugepagesize: 2048 kB\n'
# Another process has the pages: all that are reserved would do.
hold control/controlplane.lock 'control plane is down'
file sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages '2\n'
want hugepages wrong 'weir can use 4.0 MiB of the free huge pages; DPDK takes 64.0 MiB: the data plane does not start' 'echo vm.nr_hugepages=158 '
kill $holder
file proc/self/mounts ''
want hugepages warning 'no hugetlbfs of 2 MiB pages is mounted' 'mount -t hugetlbfs -o pagesize=2M,mode=1770,gid='
file 'lib/systemd/system/dev-hugepages\x2dweir.mount' ''
want hugepages warning 'no hugetlbfs' "systemctl start 'dev-hugepages"
rm "$WEIR_ROOT/proc/self/mounts"
want hugepages unknown '/proc/self/mounts: No such file'
file proc/self/mounts "none $dir/huge hugetlbfs rw,pagesize=2M 0 0\n"
file etc/passwd 'weir-cp:x:4711:4711::/:/bin/false\n'
want hugepages warning 'the user weir-cp may not write' "systemctl start 'dev-hugepages"
mkdir "$dir/huge/weir" && chown 4711 "$dir/huge/weir"
file proc/self/mounts "none $dir/huge hugetlbfs rw,pagesize=2M 0 0\nnone $dir/huge/weir hugetlbfs rw,pagesize=2M 0 0\n"
want hugepages ok "is mounted on $dir/huge/weir"
hugepages=$dir config_of '{device: net_null0}'
want hugepages wrong "(runtime.hugepages: $dir)" "mkdir -p $dir"
hugepages=$dir/huge config_of '{device: net_null0}'
want hugepages wrong 'the user weir-cp may not write' "chgrp 4711 $dir/huge && chmod 1770 $dir/huge"
hugepages=off config_of '{device: net_null0}'
want hugepages ok 'uses none'
hugepages=auto config_of '{device: net_null0}'
rm "$WEIR_ROOT/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
want hugepages unknown 'No such file'

# Memory and swap.
good
want memory ok 'are free'
file proc/meminfo 'MemTotal: 16000000 kB\nMemAvailable: 1000 kB\n'
file sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages '100000\n'
want memory wrong 'are free for it' 'mem plan'
file proc/meminfo 'MemTotal: 16000000 kB\nMemAvailable: 1000 kB\n'
file sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages '0\n'
want memory wrong 'weir takes' 'mem plan'
rm "$WEIR_ROOT/proc/meminfo"
want memory unknown '/proc/meminfo: No such file'
want swap ok off
file proc/swaps 'Filename Type\n/dev/vda2 partition 8 0 -2\n'
want swap warning 'vm.swappiness 60' 'vm.swappiness=1'
file proc/sys/vm/swappiness '1\n'
want swap ok 'on, with vm.swappiness 1'
rm "$WEIR_ROOT/proc/sys/vm/swappiness"
want swap unknown 'vm.swappiness: No such file'
rm "$WEIR_ROOT/proc/swaps"
want swap unknown '/proc/swaps: No such file'

# IOMMU and ports.
good
want iommu ok 'no port of the configuration needs one'
want ports ok 'net_null0 is a virtual device'
config_of '{device: "net_tap0,iface=x"}'
want ports wrong 'no /dev/net/tun' 'modprobe tun'
config_of '{device: "0000:03:00.0", exception: weir0}'
want ports wrong 'no PCI device 0000:03:00.0' 'weirctl nic status'
device 0000:03:00.0 ice - 0
want iommu wrong 'off: vfio-pci needs one' 'intel_iommu=on iommu=pt'
file proc/cpuinfo 'vendor_id : AuthenticAMD\n'
want iommu wrong 'the firmware hides it' '--firmware-setup # turn on AMD-Vi'
file proc/cmdline 'quiet amd_iommu=off\n'
want iommu wrong "off by the kernel's command line" 'take away iommu=off'
file proc/cpuinfo 'vendor_id : GenuineIntel\n'
want iommu wrong 'off: vfio-pci needs one' 'intel_iommu=on iommu=pt'
file proc/cmdline 'quiet intel_iommu=on,sm_on\n'
want iommu wrong 'the firmware hides it' '--firmware-setup # turn on VT-d'
want ports wrong '0000:03:00.0: driver ice, not vfio-pci' 'weirctl nic bind 0000:03:00.0'
mkdir -p "$WEIR_ROOT/sys/kernel/iommu_groups/7"
want iommu ok 'on, groups: 1'
good
config_of '{device: "0000:03:00.0", exception: weir0}'
device 0000:03:00.0 mlx5_core - 0
want ports ok 'driver mlx5_core, which it shares'
want iommu ok 'no port of the configuration needs one'
good
config_of '{device: "0000:03:00.0", exception: weir0}'
device 0000:03:00.0 vfio-pci 7 0
file etc/passwd 'weir-dp:x:4712:4711::/:/bin/false\n'
want ports wrong '0000:03:00.0: the user weir-dp may not open it' 'weirctl nic bind 0000:03:00.0'
file dev/vfio/7 ''
chmod 600 "$WEIR_ROOT/dev/vfio/7"
want ports wrong 'mode 0600' 'weirctl nic bind 0000:03:00.0'
chown 4712:4711 "$WEIR_ROOT/dev/vfio/7"
want ports ok '0000:03:00.0: bound to vfio-pci'
mkdir -p "$WEIR_ROOT/run/systemd/system"
want ports warning 'bound to vfio-pci until the next boot' 'weirctl nic remember 0000:03:00.0'
mkdir -p "$WEIR_ROOT/etc/systemd/system/multi-user.target.wants"
ln -s /x "$WEIR_ROOT/etc/systemd/system/multi-user.target.wants/weir-nic@0000:03:00.0.service"
want ports ok '0000:03:00.0: bound to vfio-pci'
want ports ok 'no exception interface weir0: the data plane makes it'
file sys/class/net/weir0/address '02:00:00:00:00:01\n'
want ports ok 'exception interface weir0 is there'

# AF_XDP.
want xdp ok 'no port of the configuration is shared'
config_of '{xdp: lan0}'
want ports wrong 'no interface lan0' 'ip -brief link'
file sys/class/net/lan0/flags '0x1002\n'
want ports wrong 'interface lan0 is down' 'ip link set lan0 up'
file sys/class/net/lan0/flags '0x1003\n'
want ports ok 'interface lan0 is up'
want xdp ok 'kernel 6.1.0-32-amd64 has AF_XDP'
want xdp ok 'lan0 is a virtual interface'
want xdp unknown 'the receive queues of lan0'
file sys/class/net/lan0/queues/rx-0/rps_cpus '0\n'
want xdp wrong 'lan0: receive queues: 1, workers: 2' 'ethtool -L lan0 combined 2'
file sys/class/net/lan0/queues/rx-1/rps_cpus '0\n'
want xdp ok 'lan0: a worker for each receive queue (2)'
file sys/class/net/lan0/queues/rx-2/rps_cpus '0\n'
want xdp warning 'lan0: receive queues: 3, workers: 2; the kernel receives' 'ethtool -L lan0 combined 2'
rm -r "$WEIR_ROOT/sys/class/net/lan0/queues/rx-2"
mkdir -p "$WEIR_ROOT/sys/class/net/lan0/device"
ln -s ../ice "$WEIR_ROOT/sys/class/net/lan0/device/driver"
want xdp ok 'driver ice has XDP of its own, without copies'
ln -sfn ../virtio_net "$WEIR_ROOT/sys/class/net/lan0/device/driver"
want xdp ok 'driver virtio_net has XDP of its own; frames are copied'
for driver in e1000e vmxnet3; do
	ln -sfn ../$driver "$WEIR_ROOT/sys/class/net/lan0/device/driver"
	want xdp warning "driver $driver is not known to have XDP" 'weirctl xdp status'
done
file proc/sys/kernel/osrelease '6.3.0\n'
want xdp ok 'driver vmxnet3 has XDP of its own; frames are copied'
file proc/sys/kernel/osrelease '5.10.0-8\n'
want xdp wrong 'AF_XDP with busy polling needs 5.11' linux-image
rm "$WEIR_ROOT/proc/sys/kernel/osrelease"
want xdp unknown 'osrelease: No such file'
# A program without a name is on lan0; the unit's rights do not open it.
real=$weirctl weirctl=$dir/beside_program
ip link add lan0 type veth peer name far0
beside_program() { # COMMAND...: weirctl runs by it
	printf '#!/bin/sh\nexec /usr/bin/python3 "%s" lan0 %s "%s" "$@"\n' "$(dirname "$0")/xdp_attach.py" "$*" "$real" >"$weirctl"
	chmod 755 "$weirctl"
}
beside_program
if "$weirctl" -c "$config" doctor xdp | grep -q '^skipped'; then
	echo "skipped: the kernel takes no XDP program"
else
	want xdp wrong 'lan0 has an XDP program of another owner, without a name' 'ip link set dev lan0 xdp off'
	beside_program setpriv --inh-caps -all --bounding-set -all,+dac_override,+dac_read_search,+sys_ptrace,+chown
	want xdp unknown 'the XDP program on lan0: no permission to open it'
fi
ip link delete lan0
weirctl=$real

# Cores.
good
want cores ok 'the data plane may use worker cores 0,1'
want cores ok 'worker cores 0,1 are isolated'
want cores ok 'worker cores 0,1 have no tick'
want cores ok 'a physical core of its own'
file sys/devices/system/cpu/nohz_full ' (null)\n'
want cores warning "worker cores 0,1 have the kernel's tick" 'update-grub: nohz_full=0,1'
file sys/devices/system/cpu/isolated '1-3\n'
want cores warning 'worker cores 0 are not isolated' 'isolcpus=managed_irq,domain,0,1 nohz_full=0,1'
file sys/devices/system/cpu/cpu0/topology/thread_siblings_list '0-1\n'
want cores warning 'workers on 0 and 1 share one physical core' lscpu
file sys/devices/system/cpu/online '0,2-3\n'
want cores wrong 'leaves out 1' '/online; done'
file sys/fs/cgroup/system.slice/cpuset.cpus.effective '1-3\n'
file sys/fs/cgroup/system.slice/weir-dataplane.service/cpuset.cpus.effective '2\n'
want cores wrong 'the cores 2 alone, which leaves out 0,1' 'AllowedCPUs'
rm -r "$WEIR_ROOT/sys/fs/cgroup/system.slice/weir-dataplane.service"
want cores wrong 'the cores 1-3 alone, which leaves out 0' 'systemctl show -p AllowedCPUs'
rm "$WEIR_ROOT/sys/devices/system/cpu/isolated" "$WEIR_ROOT/sys/devices/system/cpu/cpu0/topology/thread_siblings_list"
want cores unknown 'isolated: No such file'
want cores unknown 'the topology of core 0: No such file'
# As many as there can be: no command is cut short.
file sys/devices/system/cpu/isolated '0\n'
all=$(seq -s ', ' 101 164)
lcores=$all config_of '{device: net_null0}'
sed -i 's/memory_mb: 64/memory_mb: 4096/' "$config"
want cores warning 'are not isolated' "rcu_nocbs=$(seq -s , 101 164)"
[ "$(grep -c isolcpus= "$dir/out")" = 1 ] || { echo "not ok: isolcpus more than once"; bad=$((bad + 1)); }
lcores=auto config_of '{device: net_null0}'
want cores unknown 'chooses its cores at its start'
good
want interrupts unknown 'shows no interrupts'
mkdir -p "$WEIR_ROOT/proc/irq/24/eth0" "$WEIR_ROOT/proc/irq/25/vfio-msix[0](0000:03:00.0)" "$WEIR_ROOT/proc/irq/26"
file proc/irq/24/effective_affinity_list '2-3\n'
file proc/irq/25/effective_affinity_list '1\n'
file proc/irq/26/effective_affinity_list '1\n'
want interrupts ok 'no interrupt goes to worker cores 0,1'
file proc/irq/24/effective_affinity_list '1-3\n'
want interrupts warning 'interrupts that go to worker cores (0,1): 24' 'for i in 24; do echo 2 '
file sys/devices/system/cpu/online '0-1\n'
want interrupts warning 'interrupts that go to worker cores (0,1): 24'
grep -q ' do: ' "$dir/out" && echo "not ok: interrupts moved to a worker" && bad=$((bad + 1))
for i in $(seq 100 140); do mkdir -p "$WEIR_ROOT/proc/irq/$i/eth0" && file proc/irq/$i/effective_affinity_list '1\n'; done
want interrupts warning ' and more'
rm -r "$WEIR_ROOT"/proc/irq/1??
rm "$WEIR_ROOT/proc/irq/24/effective_affinity_list"
want interrupts unknown 'interrupts whose cores cannot be read: 1'
want governor ok 'have the governor performance'
file sys/devices/system/cpu/cpu1/cpufreq/scaling_governor 'powersave\n'
want governor warning 'worker cores 1 have another governor' 'echo performance'
rm -r "$WEIR_ROOT"/sys/devices/system/cpu/cpu?/cpufreq
want governor ok 'does not scale the frequency'
want numa ok 'one memory node'
mkdir -p "$WEIR_ROOT/sys/devices/system/node/node1"
config_of '{device: "0000:03:00.0", exception: weir0}'
device 0000:03:00.0 vfio-pci 7 1
want numa warning '0000:03:00.0 is on node 1, the worker on core 0 on node 0' 'node1/cpulist'
file sys/bus/pci/devices/0000:03:00.0/numa_node '0\n'
want numa ok 'no worker is on another memory node'

# Clock. Whether a time service keeps it, no file says.
good
want clock "$(/usr/bin/python3 -c '
import ctypes, struct  # adjtimex(2): TIME_ERROR is 5, STA_UNSYNC 0x40
t = ctypes.create_string_buffer(208)
state = ctypes.CDLL(None).adjtimex(t)
print("warning" if state == 5 or struct.unpack_from("i", t, 40)[0] & 0x40 else "ok")')" 'time service keeps it'
touch -d '+3 days' "$WEIR_ROOT/proc/self/exe"
want clock wrong 'weir was built on' 'timedatectl set-ntp true'
touch -d '-11 years' "$WEIR_ROOT/proc/self/exe"
want clock wrong 'weir was built on' 'timedatectl set-ntp true'
rm "$WEIR_ROOT/proc/self/exe"
want clock unknown 'the date of the build: No such file'

# The kernel's settings.
good
want kernel ok 'net.core.rmem_max is 4194304'
want kernel ok 'IPv6 is on'
file proc/sys/net/core/rmem_max '212992\n'
want kernel warning 'net.core.rmem_max is 212992' 'net.core.rmem_max=1048576'
file proc/sys/net/core/somaxconn '128\n'
want kernel warning 'net.core.somaxconn is 128' 'net.core.somaxconn=4096'
file proc/sys/vm/max_map_count '1000\n'
want kernel warning 'vm.max_map_count is 1000' 'vm.max_map_count=65530'
rm "$WEIR_ROOT/proc/sys/vm/max_map_count"
want kernel unknown 'vm.max_map_count: No such file'
file proc/sys/net/ipv6/conf/all/disable_ipv6 '1\n'
want kernel wrong 'IPv6 is off' 'disable_ipv6=0'
config_of '{device: net_null0, exception: weir0}'
want kernel ok 'rp_filter of weir0 is not strict'
file proc/sys/net/ipv4/conf/all/rp_filter '1\n'
want kernel warning 'rp_filter of weir0 is strict' 'echo 2 >/proc/sys/net/ipv4/conf/weir0/rp_filter'
file proc/sys/net/ipv4/conf/weir0/rp_filter '2\n'
want kernel ok 'rp_filter of weir0 is not strict'
rm "$WEIR_ROOT/proc/sys/net/ipv4/conf/all/rp_filter"
want kernel unknown 'rp_filter: No such file'

# The machine's resolver.
good
want resolvconf ok 'resolvers of the machine: 1, none of them is weir'
file etc/resolv.conf '# x\n'
want resolvconf warning 'has no nameserver' "editor $WEIR_ROOT/etc/resolv.conf"
file etc/resolv.conf '# x\nnameserver 198.18.0.53\n'
want resolvconf wrong 'asks weir itself and no other' "editor $WEIR_ROOT/etc/resolv.conf"
file etc/resolv.conf 'nameserver fd53::53\nnameserver 198.18.0.1\n nameserver\t198.18.0.53\nsearch nameserver.198.18.0.53\n'
want resolvconf warning 'asks weir itself among others' "sed -i --follow-symlinks -e "
sed -n "s|  do: ||; s|/etc/resolv.conf|$WEIR_ROOT&|p" "$dir/out" | sh
[ "$(cat "$WEIR_ROOT/etc/resolv.conf")" = "nameserver 198.18.0.1
search nameserver.198.18.0.53" ] || { echo "not ok: the command on resolv.conf"; bad=$((bad + 1)); }
want resolvconf ok 'none of them is weir'
rm "$WEIR_ROOT/etc/resolv.conf"
want resolvconf unknown 'resolv.conf: No such file'

# Port 53 of 198.18.0.53 and fd53::53, in the words of /proc/net: on x86 the bytes of each are turned.
row() { printf '  sl\n   1: %s:%s 00000000:0000 %s 00000000:00000000 00:00000000 00000000 0 0 777 2\n' "$@"; }
good
want port53 ok 'no other program'
row 0100007F 0035 07 >"$WEIR_ROOT/proc/net/udp"
want port53 ok 'no other program'
row 350012C6 0035 01 >"$WEIR_ROOT/proc/net/tcp"
want port53 ok 'no other program'
row 350012C6 0035 07 >"$WEIR_ROOT/proc/net/udp"
mkdir -p "$WEIR_ROOT/proc/4242/fd"
want port53 wrong 'UDP 198.18.0.53 port 53 is taken by a process of another namespace' 'ss -lnup'
ln -s 'socket:[777]' "$WEIR_ROOT/proc/4242/fd/5"
file proc/4242/comm 'dnsmasq\n'
want port53 wrong 'UDP 198.18.0.53 port 53 is taken by dnsmasq (pid 4242)' 'systemctl status 4242'
file proc/4242/cgroup '0::/user.slice/user-1000.slice/user@1000.service/app.slice/dnsmasq.service\n'
want port53 wrong 'taken by dnsmasq' 'systemctl status 4242'
file proc/4242/cgroup '0::/system.slice/docker.service\n'
want port53 wrong 'taken by dnsmasq' 'systemctl status 4242'
mkdir -p "$WEIR_ROOT/proc/1/fd" && ln -s 'socket:[777]' "$WEIR_ROOT/proc/1/fd/9"
want port53 wrong 'is taken by dnsmasq (pid 4242)' 'systemctl list-sockets'
rm -r "$WEIR_ROOT/proc/1"
file proc/4242/cgroup '0::/system.slice/dnsmasq.service\n'
want port53 wrong 'taken by dnsmasq' 'systemctl disable --now dnsmasq.service'
file proc/4242/comm 'weir-controlpla\n'
want port53 ok 'no other program'
file proc/4242/comm 'named\n'
file proc/4242/cgroup '0::/system.slice/named.service\n'
file proc/net/udp ''
row 00000000 0035 0A >"$WEIR_ROOT/proc/net/tcp"
want port53 wrong 'TCP 0.0.0.0 port 53 is taken by named' 'systemctl disable --now named.service'
file proc/net/tcp ''
row 000053FD000000000000000053000000 0035 07 >"$WEIR_ROOT/proc/net/udp6"
want port53 wrong 'UDP fd53::53 port 53 is taken by named' 'systemctl disable --now named.service'
row 0000000000000000FFFF0000350012C6 0035 07 >"$WEIR_ROOT/proc/net/udp6"
want port53 wrong 'UDP 198.18.0.53 port 53 is taken by named' 'systemctl disable --now named.service'
rm "$WEIR_ROOT/proc/net/udp6" "$WEIR_ROOT/proc/net/udp"
want port53 unknown '/proc/net/udp: No such file'

# Operators.
good
want groups ok 'no runtime.group'
want groups ok 'both processes have one user, root'
file etc/passwd 'weir-cp:x:4711:4710::/:/bin/false\nweir-dp:x:4712:4710::/:/bin/false\n'
want groups ok 'no runtime.group'
groups_of() { # GROUP STATS_GROUP
	sed -i "s/^runtime: {.*hugepages/runtime: {${1:+group: $1, }${2:+stats_group: $2, }directory: ${dir//\//\\/}\/run, hugepages/" "$config"
}
file etc/group 'weir:x:4710:\nadm:x:4:weir-cp,weir-dp\nstaff:x:50:weir-dp\nsys:x:3:weir-cp\n'
groups_of adm ''
want groups warning "user weir-dp is in adm (runtime.group)" 'gpasswd -d weir-dp adm'
want groups warning 'no runtime.stats_group' 'below "group: adm" add "stats_group: weir-stats"'
groups_of sys staff
want groups ok 'user weir-dp is not in runtime.group'
want groups warning 'user weir-cp is not in staff (runtime.stats_group)' 'usermod -aG staff weir-cp'
groups_of staff sys
want groups warning 'user weir-cp is not in staff (runtime.group)' 'usermod -aG staff weir-cp'
want groups warning 'user weir-dp is not in sys (runtime.stats_group)' 'usermod -aG sys weir-dp'
groups_of adm adm
grep -q stats_group "$config" || { echo "not ok: the rig has no stats_group" && bad=$((bad + 1)); }
"$weirctl" -c "$config" doctor groups | grep -q 'no runtime.stats_group\|is not in' && echo "not ok: groups" && bad=$((bad + 1))
file etc/passwd 'weir-cp:x:4711:4710::/:/bin/false\nweir-dp:x:4712:4::/:/bin/false\n'
want groups warning "user weir-dp is in adm (runtime.group)" 'its own group is adm'
file etc/group 'weir:x:4710:\n'
want groups unknown '/etc/group has no adm'

# Ends of certificates and of lists of revoked ones.
good
want certificates ok 'the configuration names no certificates'
at() { date -u -d "$1 days" +%Y%m%d%H%M%SZ; }
pem() { # FILE DAYS NAME: an authority of the last month, with its key
	: >"$dir/index" && cat >"$dir/ca.conf" <<-CA &&
		[ca]
		default_ca = own
		[own]
		database = $dir/index
		new_certs_dir = $dir
		rand_serial = yes
		default_md = sha256
		copy_extensions = copy
		policy = any
		[any]
		commonName = supplied
	CA
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$3" -keyout "$dir/$1.key" -out "$dir/$1.csr" \
		-addext basicConstraints=critical,CA:TRUE &&
		openssl ca -batch -notext -selfsign -config "$dir/ca.conf" -keyfile "$dir/$1.key" -in "$dir/$1.csr" -out "$dir/$1.pem" \
			-startdate "$(at -60)" -enddate "$(at "$2")"
} >"$dir/openssl" 2>&1
list_of() { # AUTHORITY DAYS: its list, made a month before
	openssl ca -config "$dir/ca.conf" -gencrl -cert "$dir/$1.pem" -keyfile "$dir/$1.key" -out "$dir/$1.crl" \
		-crl_lastupdate "$(at -30)" -crl_nextupdate "$(at "$2")"
} >"$dir/openssl" 2>&1
pem own 90 dns.example && pem soon 12 soon.example && pem over -1 over.example && pem first 900 'first authority' && pem other 900 'other authority' ||
	{ echo "not ok: openssl" && bad=$((bad + 1)); }
day() { date -u -d "$1 days" +%Y-%m-%d; }
own_of() { # FILE: weir's own certificate
	config_of '{device: net_null0}'
	echo "tls: {certificates: [{cert: $dir/$1.pem, key: $dir/$1.key}]}" >>"$config"
}
trust() { # FILE...: those of upstream servers
	(cd "$dir" && cat "$@" >ca.pem)
	config_of '{device: net_null0}'
	sed -i "s|^upstreams: {|&ca_file: $dir/ca.pem, |" "$config"
}
own_of own
want certificates ok "tls.certificates: $dir/own.pem is good until $(day 90)"
own_of soon
want certificates warning "the certificate of \"soon.example\" in $dir/soon.pem ends on $(day 12)" "openssl x509 -noout -subject -enddate -in $dir/soon.pem"
own_of over
want certificates wrong "the certificate of \"over.example\" in $dir/over.pem ended on $(day -1)" 'openssl x509'
own_of none
want certificates unknown "tls.certificates: $dir/none.pem: No such file"
trust first.pem over.pem
want certificates warning "the certificate of \"over.example\" in $dir/ca.pem ended on $(day -1)" 'openssl x509'
trust first.pem
want certificates ok "upstreams.ca_file: $dir/ca.pem is good until $(day 900)"
list_of first 20 || { echo "not ok: openssl ca" && bad=$((bad + 1)); }
trust first.pem first.crl
want certificates ok "upstreams.ca_file: $dir/ca.pem is good until $(day 20)"
trust first.pem first.crl other.pem
want certificates warning "$dir/ca.pem has lists of revoked certificates, and none of \"other authority\"" 'openssl x509'
list_of first 3
trust first.pem first.crl
want certificates warning "the list of revoked certificates of \"first authority\" in $dir/ca.pem ends on $(day 3)" "openssl crl -noout -issuer -nextupdate -in $dir/ca.pem"
list_of first -2
trust first.pem first.crl
want certificates wrong "ended on $(day -2)" 'openssl crl'
want certificates wrong 'no certificate of that authority is good' 'openssl crl'

# Permissions.
good
want files ok 'the user root may read it'
want files ok 'runtime.directory'
want files ok 'may read 1 of the files that the configuration names'
chmod 644 "$config"
want files warning 'every user may read' "chmod o-rwx $config"
rm "$dir/ads.txt"
want files wrong 'list "ads": there is no file '"$dir/ads.txt" 'config check'
grep -q chgrp "$dir/out" && echo "not ok: chgrp of a missing file" && bad=$((bad + 1))
mkdir "$dir/ads.txt"
want files wrong 'is not a regular file' 'ls -ld'
rmdir "$dir/ads.txt"
echo ads.example >"$dir/ads.txt"
chmod 600 "$dir/ads.txt"
chmod 640 "$config"
file etc/passwd 'weir-cp:x:4711:4711::/:/bin/false\nweir-dp:x:4712:4711::/:/bin/false\n'
want files wrong 'list "ads": the user weir-cp may not read it' "chgrp 4711 $dir/ads.txt && chmod g+r $dir/ads.txt"
want files wrong 'configuration: the user weir-cp may not read it' "chgrp 4711 $config"
want files wrong 'configuration: the user weir-dp may not read it' "chgrp 4711 $config"
want files wrong 'runtime.directory: the user weir-dp may not write' 'install -d -o root -g 4711 -m 3771'
want files wrong 'runtime.state_directory: the user weir-cp may not write' 'install -d -o weir-cp -g 4711 -m 0750'
want files wrong 'run/control is no folder that the user weir-cp alone may write to' 'install -d -o weir-cp -g 4711 -m 2751'
rmdir "$dir/run/control"
want files warning 'run/control is not there yet: the user weir-dp could make it first' 'install -d -o weir-cp -g 4711 -m 2751'
install -d -o 4711 -m 770 "$dir/run/control"
want files wrong 'run/control is no folder that the user weir-cp alone may write to'
chmod 750 "$dir/run/control"
want files ok "run/control is the user weir-cp's alone"
chgrp 4711 "$config" "$dir/run" "$dir/ads.txt"
chmod 3770 "$dir/run"
chmod 640 "$dir/ads.txt"
chown 4711 "$dir/state"
want files ok 'configuration '"$config"': the user weir-dp may read it'
want files ok 'the user weir-cp may write to it'
want files ok 'the user weir-cp may read 1 of the files that the configuration names'
for key in "redis: {mode: standalone, addresses: [127.0.0.1], password_file: $dir/secret}" \
	"cookies: {secret_file: $dir/secret}" "local: {hosts_files: [$dir/secret]}"; do
	rm -f "$dir/secret" && echo 0123456789abcdef0123456789abcdef >"$dir/secret"
	chmod 600 "$dir/secret"
	config_of '{device: net_null0}'
	echo "$key" >>"$config"
	want files wrong "_file" "chgrp 4711 $dir/secret"
	chgrp 4711 "$dir/secret"
	chmod 640 "$dir/secret"
	want files ok 'may read 2 of the files that the configuration names'
done
# Secrets in line, which the data plane's user reads with the rest.
config_of '{device: net_null0}'
echo "redis: {mode: standalone, addresses: [127.0.0.1], password: hunter2, sentinel_password: hunter2}
events: {webhooks: [{url: 'https://u:hunter2@chat.example/'}]}" >>"$config"
want files warning "the user weir-dp may read redis.password in $config" 'install -o weir-cp -m 0400 /dev/stdin /etc/weir/redis.password # then redis.password_file'
want files warning "the user weir-dp may read redis.sentinel_password in $config" 'redis.sentinel_password_file'
want files warning "may read a user or password of 1 URLs in $config" 'grep -n'
grep -q hunter2 "$dir/out" && echo "not ok: the secret is shown" && bad=$((bad + 1))
chmod 600 "$config"
want files wrong 'the user weir-dp may not read it' 'chmod g+r'
grep -q 'may read redis' "$dir/out" && echo "not ok: it may not" && bad=$((bad + 1))
chmod 640 "$config"
config_of '{device: net_null0}'
echo "include: ['$dir/part*.yaml']" >>"$config"
echo 'cache: {min_ttl: 1}' >"$dir/part.yaml"
chmod 600 "$dir/part.yaml"
want files wrong "configuration: the user weir-cp may not read it: $dir/part.yaml" "chgrp 4711 $dir/part.yaml"
want files wrong "configuration: the user weir-dp may not read it: $dir/part.yaml" "chgrp 4711 $dir/part.yaml"
chgrp 4711 "$dir/part.yaml"
chmod 644 "$dir/part.yaml"
want files ok "configuration $dir/part.yaml: the user weir-dp may read it"
want files warning "every user may read $dir/part.yaml" "chmod o-rwx $dir/part.yaml"
mkdir "$dir/conf.d"
sed -i "s|^include:.*|include: ['$dir/conf.d/*.yaml']|" "$config"
chmod 710 "$dir/conf.d"
want files wrong "configuration: the user weir-cp may not read the folder: $dir/conf.d" "chgrp 4711 $dir/conf.d"
chmod 777 "$dir/conf.d"
want files wrong "every user may add to the configuration in $dir/conf.d" "chmod o-w $dir/conf.d"
config_of '{device: net_null0}'
sed -i "s|state_directory: [^,]*|state_directory: /var/lib/weir|" "$config"
want files wrong 'runtime.state_directory: the user weir-cp may not write' 'install -d -o weir-cp'
file lib/systemd/system/weir-controlplane.service ''
want files ok 'runtime.state_directory /var/lib/weir: it is made at the start'
chmod 700 "$dir/etc"
want files wrong "etc: mode 0700" "chgrp 4711 $dir/etc && chmod g+x $dir/etc"
chown 4711 "$dir/etc" && chmod 600 "$dir/etc"
want files wrong "configuration: the user weir-cp may not read it" "chmod u+x $dir/etc"
chown 0:4711 "$dir/etc"
want files wrong "configuration: the user weir-cp may not read it" "chmod g+x $dir/etc"
# A group that others are in stays.
chgrp 50 "$dir/etc" && chmod 710 "$dir/etc"
want files wrong "configuration: the user weir-cp may not read it" "ls -ld $dir/etc #"
chmod 755 "$dir/etc"
# Folders of the log; names that a shell would split.
mkdir "$dir/a log's"
config_of '{device: net_null0}'
echo "query_log: {store: {directory: \"$dir/a log's\"}}" >>"$config"
want files wrong 'query_log.store.directory: the user weir-cp may not write' "-m 0750 '$dir/a log'\\''s'"

# Servers as a control plane reports them: it tests one, which does not answer.
good
/usr/bin/python3 - "$dir/run" <<'CONTROL' &
import fcntl, http.server, json, socketserver, sys, threading
ROWS = [("tested", "alone", "suspect", 9), ("late", "all", "suspect", 9), ("gone", "all", "down", 9), ("well", "all", "up", 9),
        ("new", "all", "up", 0), ("off", "all", "drained", 0)]
REPLIES = {"/status": {"pid": 12}, "/upstreams": {"upstreams": [dict(zip(("name", "set", "state", "answered"), r)) for r in ROWS]},
           "/upstream/test": {"udp": {"answered": False}}}


class Control(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(REPLIES[self.path.split("?")[0]]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET

    def log_message(self, *_):
        pass


lock = open(sys.argv[1] + "/control/controlplane.lock", "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
threading.Timer(60, sys.exit).start()
threading.Thread(target=socketserver.UnixStreamServer(sys.argv[1] + "/control/control.sock", Control).serve_forever, daemon=True).start()
CONTROL
holder=$!
for _ in $(seq 50); do "$weirctl" -c "$config" doctor processes | grep -q 'control plane is up' && break; sleep 0.1; done
want upstreams wrong 'tested (alone) does not answer' 'weirctl upstream test tested'
# The control plane may name any process: doctor takes no user, limits or program of another one.
chown 7 "$dir/state"
file proc/12/status 'Uid:\t7\t7\t7\t7\nGid:\t7\t7\t7\t7\nVmSwap:\t64 kB\n'
file proc/12/limits 'Max core file size 0 0 bytes\n'
for program in /usr/lib/systemd/systemd /tmp/weir-controlplane-not; do
	ln -sfn $program "$WEIR_ROOT/proc/12/exe"
	want versions warning 'names process 12 as its own, which does not run weir-controlplane' 'systemctl status weir-controlplane'
	want limits unknown 'no control plane is running'
	for check in files swap; do "$weirctl" -c "$config" doctor $check; done | grep -qE 'the user 7|in swap' && {
		echo "not ok: the user or memory of another process"
		bad=$((bad + 1))
	}
done
# The number may be that of its own PID namespace, as in a container.
elsewhere='names process 12 as its own, which is not its number here'
mkdir -p "$WEIR_ROOT/proc/self/ns" "$WEIR_ROOT/proc/12/ns"
ln -s 'pid:[1]' "$WEIR_ROOT/proc/self/ns/pid"
ln -s 'pid:[1]' "$WEIR_ROOT/proc/12/ns/pid"
want versions warning 'names process 12 as its own, which does not run weir-controlplane' 'systemctl status weir-controlplane'
ln -sfn 'pid:[2]' "$WEIR_ROOT/proc/12/ns/pid"
want versions unknown "$elsewhere"
rm "$WEIR_ROOT/proc/12/exe" # a kernel thread
want versions unknown "$elsewhere"
for program in /usr/lib/weir/weir-controlplane '/usr/lib/weir/weir-controlplane (deleted)'; do
	ln -sfn "$program" "$WEIR_ROOT/proc/12/exe"
	want limits ok 'weir-controlplane: no core dumps'
	want swap warning 'of the control plane lie in swap' 'swapoff -a'
done
chown 0 "$dir/state"
want upstreams warning 'late (all) did not answer the last queries' 'weirctl upstream test late'
want upstreams warning 'gone (all) does not answer' 'weirctl upstream test gone'
want upstreams ok 'well (all) answers'
want upstreams unknown 'new (all): weir has no answer of it yet'
want upstreams warning 'off (all) is drained by an operator' 'weirctl upstream undrain off'
kill $holder

# All of them, in both forms.
good
upstream=127.0.0.9 config_of '{device: net_null0}'
"$weirctl" -c "$config" doctor >"$dir/out"
tail -n 1 "$dir/out" | grep -Eqx '[0-9]+ ok, [0-9]+ warnings, 1 wrong, [0-9]+ not checked' || {
	echo "not ok: the good machine"
	bad=$((bad + 1))
	cat "$dir/out"
}
want upstreams wrong '127.0.0.9:53 does not answer' 'kdig @127.0.0.9 -p 53 . NS'
"$weirctl" --json -c "$config" doctor | python3 -c '
import json, sys
d = json.load(sys.stdin)
v = [f["verdict"] for f in d["findings"]]
assert v.count("wrong") == d["wrong"] == 1 and v.count("ok") == d["ok"] and v.count("unknown") == d["not_checked"], d
assert all("do" in f for f in d["findings"] if f["verdict"] in ("wrong", "warning")), d' || bad=$((bad + 1))
"$weirctl" -c "$config" doctor nonsense 2>"$dir/out"
[ $? = 2 ] && grep -q 'doctor takes one of: config processes' "$dir/out" || { echo "not ok: a check of no name"; bad=$((bad + 1)); }
# --save: the findings in the state directory, for its group, whatever is found.
saved=$dir/state/doctor
save() { "$weirctl" -c "$config" doctor --save "$@" >"$dir/out" 2>&1; }
expect() { # TEXT COMMAND...
	text=$1
	shift
	"$@" >"$dir/said" 2>&1 && return
	bad=$((bad + 1))
	echo "not ok: $text"
	sed 's/^/  /' "$dir/said" "$dir/out"
}
good
chown 7:77 "$dir/state" && touch "$dir/state/doctor.request" && echo kept >"$dir/other" && ln -s "$dir/other" "$saved"
sed -i 's#ads.txt#missing.txt#' "$config" # which is wrong
expect "saved, with something wrong" save
expect "as root's file, for the group of the directory" [ "$(stat -c '%a %u:%g %F' "$saved")" = '640 0:77 regular file' ]
expect "in place of a link, not behind it" grep -qx kept "$dir/other"
expect "nothing is left beside it" [ "$(ls "$dir/state")" = doctor ]
expect "the report" jq -e '.format == 1 and (.checked_unix_s - now | fabs) < 60 and .wrong > 0 and .left_out == 0
	and ([.findings[].verdict] | . == sort_by(. == "ok")) and any(.findings[]; .check == "files" and .verdict == "wrong" and .do)
	and (.ok + .warnings + .wrong + .not_checked) == (.findings | length)' "$saved"
expect "is what it prints" [ "$(jq '.findings | length' "$saved")" = "$(grep -cE '^(ok|warning|wrong|unknown) ' "$dir/out")" ]
long=$(printf '"%.0s' $(seq 200)) # two bytes of JSON each
sed -i '/^blocking/d' "$config"
{
	echo "blocking: {lists: [{name: l0, path: $dir/missing.txt}"
	for i in $(seq 253); do echo ", {name: l$i, path: '$dir/$long$i'}"; done
	echo ']}'
} >>"$config"
expect "saved, with more than there is room for" save
expect "which it counts" jq -e '.wrong >= 254 and (.findings | length) == 128 and all(.findings[]; .verdict != "ok")
	and (.ok + .warnings + .wrong + .not_checked) == (.findings | length) + .left_out' "$saved"
expect "within the bound" [ "$(stat -c %s "$saved")" -le 131072 ]
cp "$saved" "$dir/before" && mkdir "$dir/state/doctor.tmp"
expect "a folder in the way is an error" eval '! save && grep -q "the report is not saved: .*/doctor: Is a directory" "$dir/out"'
expect "the report before stays" cmp "$saved" "$dir/before"
rm -r "$dir/state"
expect "so is no state directory" eval '! save && grep -q "the report is not saved: .*/doctor: No such file" "$dir/out"'
expect "no check beside it" eval 'save ports; [ $? = 2 ]'
echo "$bad bad"
[ $bad = 0 ]
