#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Steps 2 and 3 of the README at home: a person answers `weirctl setup` on a machine whose interface eth0 leads to a router
# and a tablet, and the tablet resolves and is blocked. Then a setup that does not come up goes back. package_test.sh has
# step 1. In place of systemd there is a script that starts both processes; WEIR_ROOT leads weirctl to it.
. "$(dirname "$0")/_init.sh"
mount -t bpf bpf /sys/fs/bpf 2>/dev/null

step() { # NUMBER: the command of README.md, without sudo and comment
	awk '/^## At home/ { on = 1 } on && /^```/ { n++; next } on && n == 1 { sub(/ *#.*/, ""); sub(/^sudo /, ""); print }' "$root/README.md" |
		sed -n "$1p"
}
same "the README has three steps" "apt install ./weir_*.deb" "$(step 1)"
same "the second is setup" "weirctl setup" "$(step 2)"

# The router and the tablet are one namespace at the other end of eth0.
ip netns add lan && ip link add eth0 type veth peer name lan0 netns lan && ip address add 198.18.7.53/24 dev eth0 &&
	ip link set eth0 up && ip -n lan address add 198.18.7.1/24 dev lan0 && ip -n lan address add 198.18.7.40/24 dev lan0 &&
	ip -n lan link set lan0 up && ip -n lan link set lo up && ip route add default via 198.18.7.1 || exit 1
lan() { ip netns exec lan "$@"; }
lan $python "$root/tests/lab/upstream.py" 53 $tmp/up.log 198.18.7.1 &
echo 'nameserver 198.18.7.1' >$tmp/resolv.conf && mount --bind $tmp/resolv.conf /etc/resolv.conf || exit 1

# The machine as the package leaves it.
etc=/run/etc-weir
mkdir -p $etc /run/state /run/root/run/systemd/system /run/root/usr/bin
for place in proc sys etc; do ln -s /$place /run/root/$place; done
ln -s "$(command -v openssl)" /run/root/usr/bin/openssl
config=$etc/weir.yaml
sed "s|/var/lib/weir|/run/state|; s|worker_lcores: \[1\]|worker_lcores: [0]|; s|memory_mb: 256|memory_mb: 64|" \
	"$root/tools/weir.yaml" >$config
echo ads.example >$etc/ads.txt
cat >/run/root/usr/bin/systemctl <<STUB
#!/bin/bash
echo "\$*" >>$tmp/calls
cat $tmp/pids 2>/dev/null | xargs -r kill
for pid in \$(cat $tmp/pids 2>/dev/null); do while kill -0 \$pid 2>/dev/null; do sleep 0.1; done; done
: >$tmp/pids
mkdir -p /run/weir
[ ! -e $tmp/broken ] || { rm $tmp/broken && exit 1; }
for program in dataplane controlplane; do
	setsid "$WEIR_BUILD/\$program/weir-\$program" -c $config >>$tmp/\$program.log 2>&1 </dev/null &
	echo \$! >>$tmp/pids
done
STUB
chmod +x /run/root/usr/bin/systemctl
/run/root/usr/bin/systemctl start
export PATH=$WEIR_BUILD/tools/ctl:$PATH WEIR_CONFIG=$config
up() { weirctl status >/dev/null; }
short() { lan kdig +short +timeout=1 +retry=0 @198.18.7.53 "$@" 2>/dev/null; }
answers() { [ "$(short ok-3000.weir.net A)" = 198.18.200.1 ]; }
must "weir serves its own machine" eventually up
same "and no client of the network" '' "$(short ok-3000.weir.net A)"

begin=$(now_ms)
person() { # ANSWERS... -- COMMAND: at a terminal
	WEIR_ROOT=/run/root $python "$smoke_dir/rig/person.py" "$@"
}
home() { # the list alone is no default
	# shellcheck disable=SC2046
	person '[eth0]: =' '[198.18.7.53/24]: =' "[oisd-small]: =$etc/ads.txt" '[198.18.7.1]: =' 'no page]: =' 'no [no]: =yes' -- $(step 2) | tee $tmp/screen
	return "${PIPESTATUS[0]}"
}
must "step 2: the defaults but for the list" home
password=$(tr -d '\r' <$tmp/screen | sed -n 's/^password: \([a-z2-9-]*\) .*/\1/p')
lookup=$(step 3)
same "step 3: a kdig" "kdig @ADDRESS www.debian.org" "$lookup"
# shellcheck disable=SC2086
check "the tablet resolves" eval "lan ${lookup/ADDRESS/198.18.7.53} | grep -q 'status: NOERROR'"
same "and is blocked" NXDOMAIN "$(lan kdig @198.18.7.53 ads.example | sed -n 's/.*status: \([A-Z]*\).*/\1/p')"
echo "from step 2 to the answer: $((($(now_ms) - begin) / 1000)) s"
check "queries reach the workers" eval '[ "$(weirctl --json xdp status | jq .ports[0].counters.steered)" -gt 0 ]'
check "the page" eval "curl -sk https://198.18.7.53:9953/ | grep -qi '<html'"
same "for the user" admin "$(weirctl --json password list | jq -r '.users[].name')"
check "with the password that setup has made and shown" test ${#password} = 19
same "which logs in" 200 "$(curl -sk -o /dev/null -w '%{http_code}' -d user=admin -d "password=$password" -H 'Origin: https://198.18.7.53:9953' https://198.18.7.53:9953/v1/session)"
check "and is nowhere in the file" eval '! grep -q -- "$password" $etc/*'
same "the change is a version" true "$(weirctl --json config history | jq '.versions | length >= 2')"
check "the file from before is kept" grep -q net_tap0 $config.before

# systemd cannot start the units: all is as before.
touch $tmp/broken
sum=$(sha256sum <$config)
WEIR_ROOT=/run/root weirctl setup --yes --force --lists none >$tmp/said 2>&1
same "a setup that does not come up fails" 1 $?
check "and says so" grep -q 'the configuration from before is in force again' $tmp/said
same "with the file from before" "$sum" "$(sha256sum <$config)"
check "the tablet resolves again" eventually answers
cat $tmp/pids | xargs -r kill
finish
