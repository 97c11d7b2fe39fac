#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The systemd units by systemd's own tools: no mistake, how much they expose, and that they allow the system calls that
# weir allows itself. usage: test_units.sh BUILD
build=$1
tests=$(dirname "$0")
command -v systemd-analyze >/dev/null || { echo "skipped: no systemd-analyze"; exit 77; }
bad=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
# Where nothing is installed, `verify` finds neither the programs nor their pages.
for name in controlplane.service dataplane.service doctor.service doctor.timer doctor.path; do
	sed -e 's#^\(Exec[A-Za-z]*=[-+]*\)[^ ]*#\1/bin/true#' -e '/^Documentation=/d' \
		"$build/tools/systemd/weir-$name" >"$dir/weir-$name"
done
for unit in weir-doctor.timer weir-doctor.path; do
	said=$(systemd-analyze verify --man=no "$dir/$unit" 2>&1 | grep weir-doctor)
	[ -z "$said" ] || { bad=1; echo "not ok: $unit: $said"; }
done
for unit in weir-controlplane:20 weir-dataplane:40 weir-doctor:40; do
	file=$dir/${unit%:*}.service most=${unit#*:}
	said=$(systemd-analyze verify --man=no "$file" 2>&1 | grep "${unit%:*}")
	[ -z "$said" ] || { bad=1; echo "not ok: ${unit%:*}: $said"; }
	# --threshold is ten times the exposure that is printed.
	if ! systemd-analyze security --offline=true --threshold="$most" "$file" >"$dir/said" 2>&1; then
		bad=1
		echo "not ok: ${unit%:*} is more exposed than $most tenths"
		grep '✗' "$dir/said"
	fi
	tail -n 1 "$dir/said"
done
# Commands of root's ("+") have no sandbox: none reads the versions, which a hijacked control plane may write. A data plane
# needs nothing of anybody's home.
for name in controlplane dataplane; do
	! grep -E '^Exec[A-Za-z]*=[-@:!]*[+].*config check' "$build/tools/systemd/weir-$name.service" ||
		{ bad=1; echo "not ok: weir-$name: root reads the versions"; }
done
grep -qx 'ProtectHome=yes' "$build/tools/systemd/weir-dataplane.service" || { bad=1; echo "not ok: weir-dataplane sees homes"; }
calls() { # calls UNIT LIST.H
	/usr/bin/python3 "$tests/unit_calls.py" "$tests/../../include/weir/os/sandbox_calls.h" "$tests/../../$2" "$dir/$1.service" || bad=1
}
calls weir-controlplane controlplane/app/app_privilege_calls.h
calls weir-dataplane dataplane/privilege_calls.h
# Doctor has no list of its calls, so strace sees them, on a machine with an XDP program.
if [ "$(id -u)" = 0 ] && strace -qq -o /dev/null true 2>/dev/null && unshare --net true 2>/dev/null; then
	mkdir "$dir/state"
	echo "runtime: {directory: $dir/run, state_directory: $dir/state}
dataplane: {worker_lcores: [0], ports: [{xdp: lo}], service_addresses: [198.18.0.53/24]}
upstreams: {servers: [{address: 198.18.0.9}]}" >"$dir/weir.yaml"
	unshare --net /usr/bin/python3 "$tests/tools/ctl/doctor/xdp_attach.py" lo \
		strace -f -qq -o "$dir/called" "$build/tools/ctl/weirctl" -c "$dir/weir.yaml" doctor --save >"$dir/said" 2>&1
	status=$?
	[ $status = 0 ] || [ $status = 77 ] || { bad=1; echo "not ok: doctor --save: $status"; cat "$dir/said"; }
	[ $status != 0 ] || /usr/bin/python3 "$tests/unit_calls.py" "$dir/called" "$dir/weir-doctor.service" || bad=1
fi
exit $bad
