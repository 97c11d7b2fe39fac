#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What meson install would put where, by its own plan, and what is in it. usage: test_install.sh WEIRCTL BUILD PREFIX SYSCONFDIR BINDIR
weirctl=$1 build=$2 prefix=$3
case $4 in /*) etc=$4 ;; *) etc=$prefix/$4 ;; esac
bin=$prefix/$5
example=$build/tools/weir.yaml.example unit=$build/tools/systemd/weir-nic@.service
bad=0
check() { # TEXT COMMAND...
	text=$1
	shift
	"$@" >/dev/null 2>&1 && return
	bad=$((bad + 1))
	echo "not ok: $text: $*"
}
check "no placeholder is left" sh -c "! grep -q @ '$example'"
check "paths are those of the installation" grep -q "$etc/weir/cookie.secrets" "$example"
check "and of no other" sh -c "! grep -v '$etc/' '$example' | grep -q /etc/weir"
check "what is installed is good" "$weirctl" config check "$example"
check "the example is no one else's to read" grep -q "'rw-r-----'" "${0%/*}/../../tools/meson.build"
check "nor is the copy" grep -q "install -m 640 weir.yaml.example weir.yaml" "${0%/*}/../../tools/meson.build"
check "the unit runs what is installed" grep -qx "ExecStart=$bin/weirctl nic bind --once %i" "$unit"
check "and again for a device that is plugged again" grep -qx "ExecReload=$bin/weirctl nic bind --once %i" "$unit"
check "before weir and the network" grep -qx "Before=weir-dataplane.service network-pre.target" "$unit"
# What docs/reference/errors.md tells operators of the supervisor.
check "the watchdog's time is as docs/reference/errors.md says" grep -q "watchdog of the shipped unit restarts .* hangs for 30 s" \
	"${0%/*}/../../docs/reference/errors.md"
doctor=$build/tools/systemd/weir-doctor
check "the check of the machine is saved" grep -qx "ExecStart=$bin/weirctl -c $etc/weir/weir.yaml doctor --save" "$doctor.service"
check "when the page asks" grep -qx "PathExists=/var/lib/weir/doctor.request" "$doctor.path"
check "and each day" grep -qx "OnUnitActiveSec=1d" "$doctor.timer"
for name in controlplane dataplane; do
	unit=$build/tools/systemd/weir-$name.service
	check "a $name that ends is started again" grep -qx "Restart=always" "$unit"
	check "a $name that hangs too" grep -qx "WatchdogSec=30" "$unit"
	check "of which systemd hears" grep -qx "Type=notify" "$unit"
done
[ $bad = 0 ] && echo "all as wanted"
exit $bad
