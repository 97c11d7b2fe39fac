#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# `weirctl setup` in a network namespace with an interface eth0: a person at a terminal (setup_pty.py), and its options.
# No weir runs, and WEIR_ROOT is a tree without systemd, so it ends with the file. usage: test_setup.sh WEIRCTL
if [ -z "${WEIR_SETUP_INSIDE-}" ]; then
	[ "$(id -u)" = 0 ] && unshare --net --mount -- true || { echo "skipped: needs root for namespaces"; exit 77; }
	WEIR_SETUP_INSIDE=1 exec unshare --net --mount --propagation private -- "$BASH" "$0" "$@"
fi
weirctl=$1
here=$(dirname "$0")
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export WEIR_ROOT=$dir/root
mkdir -p "$WEIR_ROOT/proc/net" "$WEIR_ROOT/etc" "$WEIR_ROOT/usr/bin" "$WEIR_ROOT/sys/class/net/eth0" "$WEIR_ROOT/proc/sys/kernel"
ip link set lo up && ip link add eth0 type veth peer name far && ip link set eth0 up && ip link set far up &&
	ip address add 198.18.7.2/24 dev eth0 || exit 1
# Beside eth0: a TAP of weir's, a tunnel that has half of all addresses (OpenVPN), and one that has all.
ip link add wt0 type veth peer name tun0 && ip link add wlan0 type veth peer name air && ip link set wt0 up && ip link set tun0 up &&
	ip address add 198.18.5.1/24 dev wt0 || exit 1
mkdir "$WEIR_ROOT"/sys/class/net/{wt0,tun0,wlan0}
for name in eth0 wt0 wlan0; do echo 1 >"$WEIR_ROOT/sys/class/net/$name/type"; done
mkdir "$WEIR_ROOT/sys/class/net/wlan0/wireless" && echo 65534 >"$WEIR_ROOT/sys/class/net/tun0/type"
{ # Destination, metric and mask
	echo 'Iface Destination Gateway Flags RefCnt Use Metric Mask'
	echo 'far 00000000 010712C6 0003 0 0 0 00000080'
	echo 'tun0 00000000 010712C6 0003 0 0 50 00000000'
	echo 'wlan0 00000000 010712C6 0003 0 0 600 00000000'
	echo 'eth0 00000000 010712C6 0003 0 0 100 00000000'
} >"$WEIR_ROOT/proc/net/route"
printf 'nameserver 127.0.0.53\nnameserver 198.18.7.1\n' >"$WEIR_ROOT/etc/resolv.conf"
cp -r /proc/meminfo "$WEIR_ROOT/proc/" && echo 6.1.0 >"$WEIR_ROOT/proc/sys/kernel/osrelease"
touch "$WEIR_ROOT"/proc/net/{udp,udp6,tcp,tcp6} && echo up >"$WEIR_ROOT/sys/class/net/eth0/operstate"
ln -s /usr/bin/openssl "$WEIR_ROOT/usr/bin/openssl"
mkdir "$dir/etc"
config=$dir/etc/weir.yaml
bad=0
check() { # WHAT COMMAND...
	local what=$1
	shift
	"$@" >"$dir/checked" 2>&1 && return
	bad=$((bad + 1)) && echo "not ok - $what: $*" && tail -n 5 "$dir/checked"
}
has() { grep -qF -- "$1" "$2"; }
lacks() { ! grep -qF -- "$1" "$2"; }
shipped() {
	rm -f "$dir"/etc/*
	cat >"$config" <<CONFIG
version: 1
runtime: {directory: $dir/run, state_directory: $dir/state}
dataplane:
  main_lcore: 0                      # kept
  worker_lcores: [0]
  ports:
    - device: net_tap0,iface=wt0,persist
  service_addresses:
    - 198.18.0.53/24
upstreams:
  servers:
    - address: 9.9.9.9
  policy: failover
groups:                              # kept, too
  - {name: kids, clients: [198.18.7.9]}
CONFIG
	chmod 604 "$config"
	sha256sum "$config" >"$dir/sum"
}
same() { sha256sum -c --status "$dir/sum" && [ "$(ls "$dir/etc")" = weir.yaml ]; }
setup() { "$weirctl" -c "$config" setup "$@" </dev/null >"$dir/out" 2>"$dir/err"; }

# Without a terminal.
printf '%0300d\n' 0 >"$dir/long"
shipped
setup
check "no terminal" has 'no terminal; --yes' "$dir/err"
check "it changes nothing" same
check "what it knows" setup --known --interface eth0
for line in 'interface eth0' 'address 198.18.7.2/24' 'list oisd-small https://small.oisd.nl/' \
	'servers quad9 tls://dns.quad9.net@9.9.9.9 tls://dns.quad9.net@149.112.112.112'; do
	check "it knows: $line" grep -qxF "$line" "$dir/out"
done
check "without an interface the default" eval "setup --known && grep -qx 'interface eth0' $dir/out"
setup --known --interface eth9 && bad=$((bad + 1)) && echo "not ok - taken: --known --interface eth9"
check "an interface that is not there" has 'no interface "eth9"' "$dir/err"
check "it changes nothing" same
setup --yes --json
check "no JSON" has 'speaks to a person' "$dir/out"
for wrong in '--interface eth9|no interface "eth9"; it has far eth0 air wlan0' '--interface tun0|tun0 is no Ethernet interface' \
	"--interface wt0|wt0 is weir's own interface" '--address nonsense|"nonsense" is no IP address' \
	'--address 198.18.9.2|198.18.9.2 is in no network of the interface' '--lists nonsense|no list that setup knows' \
	'--lists /nonsense|no such file to read' '--upstreams nonsense:x:y|is not an IP address' '--upstreams 198.18.7.2|is an address of this service' \
	'--lists http://a"b|an answer is needed, without "' '--interface e"th0|an answer is needed, without "' '--password-file /dev/null|less than 10 characters' '--password-file /nonsense|No such file' \
	"--password-file $dir/long|more than 258 characters"; do
	# shellcheck disable=SC2086
	setup --yes --force ${wrong%%|*} && bad=$((bad + 1)) && echo "not ok - taken: $wrong"
	check "refused: $wrong" has "${wrong#*|}" "$dir/err"
	check "unchanged after $wrong" same
done
setup --yes --force --address ''
check "an empty answer is none" has 'an answer is needed' "$dir/err"
setup --yes --upstreams 198.18.7.3
check "nothing answers there: it refuses" has 'mend what is wrong' "$dir/err"
check "and changes nothing" same
setup --yes --upstreams tls://dns.example@203.0.113.1
check "no route to any server: it refuses" has 'none of the upstream servers could be asked' "$dir/out"
check "a good dry run" setup --yes --force --dry-run --upstreams 198.18.7.3
check "a dry run says what would be" has 'dataplane.ports:' "$dir/out"
check "and changes nothing" same
echo 'correct horse battery' >"$dir/password"
echo ads.example >"$dir/ads.txt"
check "with --force it writes" setup --yes --force --upstreams 198.18.7.3,tls://dns.example@198.18.7.4 --lists "$dir/ads.txt oisd-small" \
	--password-file "$dir/password"
check "the result is good" "$weirctl" -c "$config" config check
for line in '    - xdp: "eth0"' '    - "198.18.7.2/24"' '  main_lcore: 0                      # kept' '  policy: failover' '    - name: oisd-small' \
	"    - path: \"$dir/ads.txt\"" '    - address: "tls://dns.example@198.18.7.4"' '  page: true' '  listen: ["198.18.7.2"]' \
	'  allow: [127.0.0.0/8, "::1", "198.18.7.0/24"]' 'groups:                              # kept, too'; do
	check "it has: $line" has "$line" "$config"
done
check "and no TAP" lacks net_tap "$config"
check "with the mode from before" test "$(stat -c %a "$config")" = 604
check "which is kept" sha256sum --status -c <(sed 's/weir.yaml/weir.yaml.before/' "$dir/sum")
check "a certificate for the address" eval "openssl x509 -in $dir/etc/control.pem -noout -ext subjectAltName | grep -q 198.18.7.2"
check "a key for one reader" test "$(stat -c %a "$dir/etc/control.key")" = 400
check "no password in the file" lacks 'correct horse' "$config"
check "another address in the interface's network" setup --yes --force --dry-run --address 198.18.7.54
check "has its prefix length" has '"198.18.7.54/24"' "$dir/out"
setup --yes --force --dry-run --address 198.18.9.2 && bad=$((bad + 1)) && echo "not ok - taken: an address of another network"
check "one of another network is refused" has 'is in no network of the interface' "$dir/err"
sum=$(sha256sum <"$config")
check "once more, with what is there" setup --yes --force
check "changes nothing" test "$sum" = "$(sha256sum <"$config")"
check "and says so" has 'has all this already' "$dir/out"
check "then recursion" setup --yes --force --upstreams recursion
check "which shows what goes" has 'upstreams.servers is removed' "$dir/out"
check "has no servers" lacks 'address: "198.18.7.3"' "$config"
check "but a mode" has '  mode: recursive' "$config"
check "and back" setup --yes --force --upstreams 198.18.7.3
check "without the mode" lacks 'mode: recursive' "$config"
check "which it shows, too" has 'upstreams.mode is removed' "$dir/out"

# A running weir's memory is free for its successor.
shipped
cp "$WEIR_ROOT/proc/meminfo" "$dir/meminfo"
printf 'MemTotal: 16000000 kB\nMemAvailable: 1000 kB\n' >"$WEIR_ROOT/proc/meminfo"
setup --yes --force --dry-run --upstreams 198.18.7.3
check "too little is free" grep -q '^wrong .*memory: weir takes .* are free for it' "$dir/out"
mkfifo "$dir/ready"
for lock in dataplane.lock control/controlplane.lock; do
	mkdir -p "$dir/run/control"
	/usr/bin/python3 -c 'import fcntl, sys, time; f = open(sys.argv[1], "w"); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); time.sleep(60)' \
		"$dir/run/$lock" >"$dir/ready" &
	holder=$!
	read -r <"$dir/ready"
	setup --yes --force --dry-run --upstreams 198.18.7.3
	check "but weir has it: $lock" lacks 'memory: weir takes' "$dir/out"
	kill $holder
	wait $holder 2>/dev/null
	rm -r "$dir/run"
done
cp "$dir/meminfo" "$WEIR_ROOT/proc/meminfo"

# A running weir that has no room for a version goes on as it was.
shipped
mkdir -p "$WEIR_ROOT/run/systemd/system" "$dir/run/control"
printf '#!/bin/sh\necho "$*" >>%s/restarts\n' "$dir" >"$WEIR_ROOT/usr/bin/systemctl"
chmod 755 "$WEIR_ROOT/usr/bin/systemctl"
/usr/bin/python3 -c '
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print(flush=True)
status = b"507 No Room"
while True:
    peer = server.accept()[0]
    peer.recv(65536)
    peer.sendall(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 19\r\n\r\n{\"error\":\"no room\"}")
    peer.close()
    status = b"200 OK"' "$dir/run/control/control.sock" >"$dir/ready" &
full=$!
read -r <"$dir/ready"
setup --yes --force --upstreams 198.18.7.3 && bad=$((bad + 1)) && echo "not ok - written: what weir refuses"
check "a refused text" has 'the running weir refuses it: no room' "$dir/err"
check "changes nothing" sha256sum -c --status "$dir/sum"
check "and says so" has 'the configuration is as it was' "$dir/err"
check "without a restart" test ! -e "$dir/restarts"
kill $full
wait $full 2>/dev/null
rm -r "$dir/run" "$WEIR_ROOT/run" "$WEIR_ROOT/usr/bin/systemctl"

# Keys of the operator's.
shipped
sed -i 's/^  policy: failover/  mode: forward-first/' "$config"
check "servers before recursion" setup --yes --force --upstreams 198.18.7.3
check "stay before it" has 'mode: forward-first' "$config"
shipped
sed -i 's/9.9.9.9/198.18.7.77/; s|198.18.0.53/24|198.18.7.53/24|' "$config"
printf 'blocking:\n  lists:\n    - path: %s\n' "$dir/ads.txt" >>"$config"
printf 'control:\n  listen: [127.0.0.1:9999]\n  allow: [198.18.7.8]\n  certificates: [{cert: %s, key: %s}]\n' /a.pem /a.key >>"$config"
ln -s "$config" "$dir/link.yaml"
check "a page, by a symbolic link" "$weirctl" -c "$dir/link.yaml" setup --yes --force --password-file "$dir/password"
check "which stays one" test -L "$dir/link.yaml"
for line in '    - xdp: "eth0"' 198.18.7.77 198.18.7.53/24 "path: $dir/ads.txt" '  page: true' '  listen: [127.0.0.1:9999]' '  allow: [198.18.7.8]' /a.pem; do
	check "it keeps: $line" has "$line" "$config"
done
check "without another certificate" test ! -e "$dir/etc/control.pem"
shipped
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=weir -addext subjectAltName=IP:198.18.7.99 \
	-keyout "$dir/etc/control.key" -out "$dir/etc/control.pem" 2>"$dir/err"
sum=$(sha256sum <"$dir/etc/control.pem")
check "a page with an old certificate" setup --yes --force --password-file "$dir/password"
check "which stays" test "$sum" = "$(sha256sum <"$dir/etc/control.pem")"
check "and is named" has 'is for another address than 198.18.7.2' "$dir/out"
# It stays as it is, too, where the control plane cannot read it.
echo 'weir-cp:x:4711:4712::/nonexistent:/usr/sbin/nologin' >"$WEIR_ROOT/etc/passwd"
chmod 755 "$dir"
certificate() { # MODE of the key
	chown 0:0 "$dir"/etc/control.{key,pem} && chmod 644 "$dir/etc/control.pem" && chmod "$1" "$dir/etc/control.key"
	cp "$dir/etc/control.pem" "$dir/etc/control.key" "$dir/"
	shipped
	mv "$dir/control.pem" "$dir/control.key" "$dir/etc/" && chmod "$1" "$dir/etc/control.key"
}
certificate 600
setup --yes --force --password-file "$dir/password" && bad=$((bad + 1)) && echo "not ok - a key that weir-cp may not read"
check "a key of root alone is refused" has "control.key: the user weir-cp may not read it: change the owner or the mode of $dir/etc/control.key" "$dir/err"
check "before anything is changed" sha256sum -c --status "$dir/sum"
certificate 600
chmod 750 "$dir/etc"
setup --yes --force --password-file "$dir/password" && bad=$((bad + 1)) && echo "not ok - nor in a folder of a group"
check "a folder's group does not help it" has "or the mode of $dir/etc/control.key" "$dir/err"
chmod 755 "$dir/etc"
certificate 640
check "a key of a group, in which weir-cp may be" setup --yes --force --password-file "$dir/password"
certificate 644
check "a key for all" setup --yes --force --password-file "$dir/password"
for name in pem key; do
	certificate 644
	rm "$dir/etc/control.$name"
	sum=$(cat "$dir"/etc/control.* | sha256sum)
	setup --yes --force --password-file "$dir/password" && bad=$((bad + 1)) && echo "not ok - one file of two, without control.$name"
	check "half a certificate is refused" has "is there without $dir/etc/control.$name" "$dir/err"
	check "and stays" test "$sum" = "$(cat "$dir"/etc/control.* | sha256sum)"
	check "before anything is changed" sha256sum -c --status "$dir/sum"
	mv "$dir"/etc/control.* "$dir/"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=weir \
		-keyout "$dir/etc/control.key" -out "$dir/etc/control.pem" 2>"$dir/err"
done
# A run that ended in between leaves no certificate under these names.
rm "$WEIR_ROOT/usr/bin/openssl"
cat >"$WEIR_ROOT/usr/bin/openssl" <<'OPENSSL'
#!/bin/sh
/usr/bin/openssl "$@" && kill -9 $PPID
OPENSSL
chmod +x "$WEIR_ROOT/usr/bin/openssl"
shipped
(setup --yes --force --password-file "$dir/password") 2>/dev/null
ln -sf /usr/bin/openssl "$WEIR_ROOT/usr/bin/openssl"
check "a killed run leaves no certificate" test ! -e "$dir/etc/control.pem" -a ! -e "$dir/etc/control.key"
check "the next one" setup --yes --force --password-file "$dir/password"
check "makes it, for weir-cp alone" test "$(stat -c %u:%a "$dir/etc/control.key" "$dir/etc/control.pem" | uniq)" = 4711:400
check "and nothing else" test "$(ls "$dir/etc" | tr '\n' ' ')" = 'control.key control.pem weir.yaml weir.yaml.before '
# One that ended between both names is finished by the next.
sum=$(cat "$dir"/etc/control.{key,pem} | sha256sum)
mv "$dir/etc/control.pem" "$dir/setup.pem" && mv "$dir/etc/control.key" "$dir/"
shipped
mv "$dir/control.key" "$dir/setup.pem" "$dir/etc/"
check "a run after one that ended between both names" setup --yes --force --password-file "$dir/password"
check "ends it" test "$sum" = "$(cat "$dir"/etc/control.{key,pem} | sha256sum)"
rm "$WEIR_ROOT/etc/passwd"
shipped
touch "$dir"/etc/control.{key,pem}
setup --yes --force --password-file "$dir/password" && bad=$((bad + 1)) && echo "not ok - a page with no certificate in its file"
check "an empty one is refused" has 'control.pem: ' "$dir/err"
check "and nothing is changed" sha256sum -c --status "$dir/sum"

# Defaults on other machines.
shipped
cp "$WEIR_ROOT/etc/resolv.conf" "$dir/resolv.conf"
echo 'nameserver 198.18.0.53' >"$WEIR_ROOT/etc/resolv.conf"
setup --yes --force --dry-run
check "the address that weir has until then is no server" lacks 'address: "198.18.0.53"' "$dir/out"
check "but quad9 is one" has 'address: "tls://dns.quad9.net@9.9.9.9"' "$dir/out"
cp "$dir/resolv.conf" "$WEIR_ROOT/etc/resolv.conf"
mv "$WEIR_ROOT/proc/net/route" "$dir/route"
setup --yes --force --dry-run --upstreams 198.18.7.3
check "no default route: the first interface that is not weir's" has 'xdp: "eth0"' "$dir/out"
six=200107fc0000000000000000000000
ip address del 198.18.7.2/24 dev eth0
{ # temporary, deprecated, tentative, of the router's prefix, configured, link-local
	for address in 01:01 02:20 03:40 04:00 05:80; do echo "${six}${address%:*} 02 40 00 ${address#*:} eth0"; done
	echo 'fe800000000000000000000000000001 02 40 20 80 eth0'
} >"$WEIR_ROOT/proc/net/if_inet6"
echo "00000000000000000000000000000000 00 00000000000000000000000000000000 00 ${six}ff 00000400 1 0 3 eth0" >"$WEIR_ROOT/proc/net/ipv6_route"
setup --yes --force --dry-run --upstreams quad9
check "IPv6 alone: the interface" has 'xdp: "eth0"' "$dir/out"
check "with its configured address" has '"2001:7fc::5/64"' "$dir/out"
check "and resolvers that it reaches" has '@[2620:fe::fe]' "$dir/out"
check "alone" lacks '@9.9.9.9' "$dir/out"
# Addresses of one machine, as DHCPv6 and clouds give them.
sed -i "1i ${six}06 02 80 00 80 eth0" "$WEIR_ROOT/proc/net/if_inet6"
setup --yes --force --dry-run --upstreams quad9
check "an address with a network comes before one without" has '"2001:7fc::5/64"' "$dir/out"
check "and gets no word" lacks 'no neighbour' "$dir/out"
ip address add 198.18.8.2/32 dev eth0
setup --yes --force --dry-run --upstreams quad9
check "one of IPv4 before one of IPv6" has '"198.18.8.2/32"' "$dir/out"
echo "${six}06 02 80 00 80 eth0" >"$WEIR_ROOT/proc/net/if_inet6"
setup --yes --force --dry-run --upstreams quad9
check "one without" has '"198.18.8.2/32"' "$dir/out"
check "gets a word" has 'no neighbour is local to 198.18.8.2/32' "$dir/out"
ip address del 198.18.8.2/32 dev eth0
setup --yes --force --dry-run --upstreams quad9
check "also of IPv6" has 'no neighbour is local to 2001:7fc::6/128' "$dir/out"
zero=00000000000000000000000000000000
echo "${six}00 40 $zero 00 $zero 00000100 2 0 1 eth0" >>"$WEIR_ROOT/proc/net/ipv6_route"
setup --yes --force --dry-run --upstreams quad9
check "it has the network that the router announced" has '"2001:7fc::6/64"' "$dir/out"
rm "$WEIR_ROOT"/proc/net/{if_inet6,ipv6_route}
mv "$dir/route" "$WEIR_ROOT/proc/net/route"
ip address add 198.18.7.2/24 dev eth0
setup --yes --force --dry-run --interface wlan0 --address 198.18.7.2/24 --upstreams 198.18.7.3
check "Wi-Fi gets a word" has 'wlan0 is Wi-Fi' "$dir/out"

# At a terminal, with a server that answers at 198.18.7.4.
shipped
ip address add 198.18.7.4/32 dev lo
echo 0x1003 >"$WEIR_ROOT/sys/class/net/eth0/flags"
/usr/bin/python3 "$here/../../../../lab/upstream.py" 53 "$dir/asked" 198.18.7.4 >"$dir/up" &
trap 'kill $!; rm -rf "$dir"' EXIT
check "a person answers" /usr/bin/python3 "$here/setup_pty.py" "$weirctl" "$config" "$dir/sum"
[ $bad = 0 ] || exit 1
