#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The container image, from tools/container/image on: another namespace asks over a veth as a LAN would. It answers over UDP, TCP and
# TLS, by AF_XDP and by the kernel's sockets, with the capabilities of docs/how-to/container.md and no fewer; it keeps its state over
# a restart and a kill, and stops within 5 s. crun runs it, as Docker and Podman do. WEIR_DEB=FILE.deb tests the image of that package.
set -u
SMOKE_TIMEOUT=${SMOKE_TIMEOUT:-900}
work=${WEIR_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}/container_test

# What needs the Internet, so before _init.sh: the package, and a Debian with it.
prepare() {
	local root
	root=$(cd "$(dirname "$0")/../.." && pwd)
	rm -rf --one-file-system "$work" && mkdir -p "$work" || return
	if [ -n "${WEIR_IMAGE-}" ]; then
		cp "$WEIR_IMAGE" "$work/weir.oci.tar" || return
	else
		[ -n "${WEIR_DEB-}" ] || WEIR_DEB=$("$root/tools/package" --out "$work/out" | grep '/weir_.*\.deb$') || return
		"$root/tools/container/image" --out "$work/weir.oci.tar" "$WEIR_DEB" || return
	fi
	/usr/bin/python3 "$root/tests/smoke/rig/container_bundle.py" unpack "$work/weir.oci.tar" "$work/image"
}
if [ -z "${WEIR_SMOKE_INSIDE-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "skipped: needs root for namespaces"; exit 77; }
	prepare || { echo "not ok - the image of the package"; exit 1; }
fi
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

# crun takes no mix of both versions of control groups.
mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 1
# The router and the clients are one namespace at the other end of eth0.
ip netns add lan && ip link add eth0 type veth peer name lan0 netns lan && ip address add 198.18.7.53/24 dev eth0 &&
	ip link set eth0 up && ip -n lan address add 198.18.7.1/24 dev lan0 && ip -n lan link set lan0 up && ip -n lan link set lo up &&
	ip route add default via 198.18.7.1 || exit 1
ip netns exec lan $python "$root/tests/lab/upstream.py" 53 $tmp/up.log 198.18.7.1 &
lan() { ip netns exec lan "$@"; }
ask() { lan kdig +short +timeout=1 +retry=0 @198.18.7.53 "$@" 2>/dev/null; }
answers() { [ "$(ask "$@" ok-3000.weir.net A)" = 198.18.200.1 ]; }
blocks() { lan kdig +timeout=1 +retry=0 @198.18.7.53 "$1" A | grep -q 'status: NXDOMAIN'; }

# container CAPABILITIES WORD...: starts it, as container_bundle.py says; `log` is what it says.
state=$tmp/state log=/run/weir/lab/container.log # which a failure shows
mkdir -p $state /run/weir/lab && chown 954:953 $state && chmod 750 $state
sockets=SETUID,SETGID,NET_BIND_SERVICE
xdp=$sockets,NET_ADMIN,NET_RAW,BPF,PERFMON,IPC_LOCK
network=(tmpfs:/run WEIR_INTERFACE=eth0 WEIR_UPSTREAMS=198.18.7.1 WEIR_LISTS=none)
container() {
	$python "$smoke_dir/rig/container_bundle.py" config "$work/image" $tmp/bundle $state "$@" || exit 1
	: >$log
	crun --root $tmp/crun --cgroup-manager disabled run --bundle $tmp/bundle weir >$log 2>&1 </dev/null &
	runner=$!
}
# As `podman exec` and `docker exec` do: with the groups that the image has root in.
inside() { timeout 20 crun --root $tmp/crun exec weir setpriv --groups weir,weir-admin,weir-stats -- "$@" </dev/null; }
# ends: its exit status, within what `timeout` allows
ends() { wait $runner; }
stops() {
	crun --root $tmp/crun kill weir TERM && ends
}
seconds_of() { # CMD...: it succeeds within 5 s
	local begin
	begin=$(now_ms)
	"$@" || return
	echo "$(($(now_ms) - begin)) ms"
	[ $(($(now_ms) - begin)) -le 5000 ]
}
said() { grep -qF -- "$1" $log; }
refused() { # SENTENCE WORD...: it ends with status 1 and that sentence
	local sentence=$1
	shift
	container $sockets "$@"
	ends
	[ $? = 1 ] && said "$sentence"
}
steered() { inside weirctl --json stats --interval 0 | jq -e '.dataplane.counters.rx_frames > 0'; } # frames came to its worker
answers_by_port() { answers && steered; }

# --- refused ---------------------------------------------------------------------------------------------------------
check "an unknown variable" refused "WEIR_UPSTREAM: there is no such variable" "${network[@]}" WEIR_UPSTREAM=quad9
check "an interface that is not there" refused 'WEIR_INTERFACE: this machine has no interface "eth9"' tmpfs:/run WEIR_INTERFACE=eth9
check "a value that weir refuses" refused "WEIR_PRIVACY: config: query_log.anonymize" "${network[@]}" WEIR_PRIVACY=some
check "AF_XDP that it may not make" refused "WEIR_PORT: no AF_XDP without the capabilities NET_ADMIN NET_RAW BPF PERFMON" "${network[@]}" WEIR_PORT=xdp
check "no place for what it shares" refused "cannot write to /run: give it a tmpfs" WEIR_INTERFACE=eth0
check "a variable beside a mounted file" refused "WEIR_INTERFACE: /etc/weir/weir.yaml is mounted and counts alone" tmpfs:/run WEIR_INTERFACE=eth0 \
	"$root/tools/weir.yaml:/etc/weir/weir.yaml"
echo 'correct horse battery' >$tmp/theirs && chown 1000 $tmp/theirs && chmod 600 $tmp/theirs
check "a password that is another user's" refused 'root may not read "/secret/theirs" in the container' tmpfs:/run \
	$tmp:/secret WEIR_INTERFACE=eth0 WEIR_PAGE_PASSWORD_FILE=/secret/theirs

# --- without AF_XDP --------------------------------------------------------------------------------------------------
container $sockets "${network[@]}"
must "the kernel's sockets answer over UDP" eventually answers
check "and TCP" eventually answers +tcp
check "it says so, with the rate" said "without the capabilities NET_ADMIN NET_RAW BPF PERFMON there is no AF_XDP, so the kernel's sockets answer: some 100,000"
check "the health check is good" eventually inside weirctl ready
same "no data plane runs" '' "$(pgrep -x weir-dataplane)"
check "it stops within 5 s" seconds_of stops

# As `docker run` without more: its own capabilities, a file system that it may write, 64 MiB at /dev/shm.
docker=CHOWN,DAC_OVERRIDE,FSETID,FOWNER,MKNOD,NET_RAW,SETGID,SETUID,SETFCAP,SETPCAP,NET_BIND_SERVICE,SYS_CHROOT,KILL,AUDIT_WRITE
container $docker writable "${network[@]:1}"
check "it answers without a tmpfs" eventually answers
check "and says how large the cache is" said "64 MiB of shared memory: a cache of 16 MiB"
check "it stops within 5 s" seconds_of stops
# A /run that outlives the container: nothing is written through what the data plane's user left there.
(cd "$work/image/rootfs/run/weir" && setpriv --reuid 955 --regid 953 --clear-groups -- ln -s /tmp/planted weir.yaml.new) || exit 1
container $docker writable "${network[@]:1}"
check "it answers again with the same /run" eventually answers
check "and wrote through no link" [ ! -e "$work/image/rootfs/tmp/planted" ]
stops
rm -rf --one-file-system "$work/image/rootfs/run"/*

# The page makes itself a certificate, with the addresses at which it listens.
own=$tmp/page_state && mkdir $own && chown 954:953 $own && chmod 750 $own
state=$own container $sockets "${network[@]}" "WEIR_PAGE_PASSWORD=correct horse battery"
page_is_named() { lan openssl s_client -connect 198.18.7.53:9953 </dev/null 2>/dev/null | openssl x509 -noout -checkip 198.18.7.53 | grep 'does match'; }
check "the page with a certificate of its own" eventually page_is_named
check "it stops within 5 s" seconds_of stops

# A TAP, for a try in the container itself.
container $sockets,NET_ADMIN tmpfs:/run /dev/net/tun:/dev/net/tun WEIR_PORT=tap WEIR_UPSTREAMS=198.18.7.1 WEIR_LISTS=none
tap_answers() { [ "$(inside kdig +short +timeout=1 +retry=0 @198.18.0.53 ok-3000.weir.net A)" = 198.18.200.1 ]; }
check "with a TAP it answers in the container" eventually tap_answers
check "and has a data plane" eventually said "link to the control plane is up"
check "it stops within 5 s" seconds_of stops

# --- with AF_XDP -----------------------------------------------------------------------------------------------------
certificate_make() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=dns.weir.test -addext subjectAltName=DNS:dns.weir.test \
		-keyout $tmp/tls.key -out $tmp/tls.pem 2>/dev/null
}
certificate_make
echo 'correct horse battery' >$tmp/password
network+=(WEIR_TLS_NAME=dns.weir.test WEIR_TLS_CERTIFICATE_FILE=/secret/tls.pem WEIR_TLS_KEY_FILE=/secret/tls.key $tmp:/secret
	WEIR_PAGE_PASSWORD_FILE=/secret/password TZ=Europe/Berlin)
container $xdp "${network[@]}"
must "it answers over UDP" eventually answers
check "by its data plane" eventually answers_by_port
check "over TCP" answers +tcp
check "over TLS" answers +tls-host=dns.weir.test +tls-ca=$tmp/tls.pem
certificate_make
check "a new certificate" eval 'crun --root $tmp/crun kill weir HUP && eventually answers +tls-host=dns.weir.test +tls-ca=$tmp/tls.pem'
check "the health check is good" eventually inside weirctl ready
check "the page" eval "lan curl -sk https://198.18.7.53:9953/ | grep -qi '<html'"
has_user() { inside weirctl --json password list | jq -e '.users[0].name == "admin"'; }
check "with its user" eventually has_user
check "the password is in no file of the state" eval "! grep -rqF 'correct horse' $state"
same "two users" 'weir-cp weir-dp' "$(ps -o user= -p "$(pgrep -d, -x 'weir-dataplane|weir-controlpla')" | sort | sed 's/^954$/weir-cp/; s/^955$/weir-dp/' | xargs)"
variables() { tr '\0' '\n' <"/proc/$(pgrep -x "$1")/environ" | sed 's/=.*//' | sort | xargs; }
same "no variable but two is the data plane's" 'PATH TZ' "$(variables weir-dataplane)"
check "a change by a command" inside weirctl deny ok-kept.weir.net
check "counts" eventually blocks ok-kept.weir.net
first=$(pgrep -x weir-dataplane)
kill -KILL "$first"
again() { [ -n "$(pgrep -x weir-dataplane)" ] && [ "$(pgrep -x weir-dataplane)" != "$first" ]; }
check "a data plane that is killed starts again" eventually again
check "and answers" eventually answers
first=$(pgrep -x weir-controlpla)
kill -KILL "$first"
check "so does a control plane" eventually inside weirctl ready
check "with its capabilities" eventually answers +tls-host=dns.weir.test +tls-ca=$tmp/tls.pem
check "it stops within 5 s" seconds_of stops

# --- what stays ------------------------------------------------------------------------------------------------------
container $xdp "${network[@]}"
must "it answers after a restart" eventually answers
check "the change is there" eventually blocks ok-kept.weir.net
is_noted() { ip link show dev eth0 | grep -qw "prog/xdp id $(cut -d ' ' -f 3 $state/container/xdp)"; }
check "the steering program is noted" eventually is_noted
crun --root $tmp/crun kill weir KILL && ends
container $xdp "${network[@]}" WEIR_BLOCKING_MODE=refused
must "it answers after a kill" eventually answers
is_refused() { lan kdig +timeout=1 +retry=0 @198.18.7.53 ok-kept.weir.net A | grep -q 'status: REFUSED'; }
check "the change is there, and a new variable counts" eventually is_refused
check "its data plane takes the place of the killed one's program" eventually said "AF_XDP: workers receive the queries"
check "it stops within 5 s" seconds_of stops

# A full volume: the settings cannot stay, but serve.
full=$tmp/full && mkdir $full && mount -t tmpfs -o size=16m,mode=750,uid=954,gid=953 tmpfs $full || exit 1
state=$full container $sockets "${network[@]}"
must "it answers with a small volume" eventually answers
check "it stops within 5 s" seconds_of stops
ln $full/container/weir.yaml $full/kept # so its removal frees no space
same "the volume is full" 'No space left on device' "$(cat /dev/zero 2>&1 >$full/fill | sed 's/.*: //')"
state=$full container $sockets "${network[@]}" WEIR_BLOCKING_MODE=refused
check "it answers with another variable and a full one" eventually answers
check "it says that it cannot keep them" said "cannot write to /var/lib/weir/container"
check "what it kept is whole" cmp $full/kept $full/container/weir.yaml
same "and alone" weir.yaml "$(ls $full/container)"
check "it stops within 5 s" seconds_of stops
umount $full

# --- systemd-nspawn --------------------------------------------------------------------------------------------------
mkdir -p /run/systemd/nspawn
sed "s|/var/lib/weir-container|$state|; s|WEIR_UPSTREAMS=quad9|WEIR_UPSTREAMS=198.18.7.1|; /^\[Exec\]/a Environment=WEIR_LISTS=none" \
	"$root/tools/container/weir.nspawn" >/run/systemd/nspawn/weir.nspawn
: >$log
systemd-nspawn --quiet --settings=trusted --register=no --keep-unit --console=pipe -D "$work/image/rootfs" -M weir >$log 2>&1 </dev/null &
runner=$!
check "it answers below systemd-nspawn" eventually answers
check "by its data plane" eventually said "AF_XDP: workers receive the queries"
check "with the change of the containers before" eventually blocks ok-kept.weir.net
nspawn_stops() { kill -TERM $runner && ends; }
check "it stops within 5 s" seconds_of nspawn_stops

# A mounted file has its port whatever the container may do.
cat >$tmp/mounted.yaml <<'CONFIG'
dataplane: {main_lcore: 0, worker_lcores: [0], memory_mb: 64, ports: [{xdp: eth0}], service_addresses: [198.18.7.53/24]}
upstreams: {servers: [{address: 198.18.7.1}]}
CONFIG
chmod 644 $tmp/mounted.yaml

# --- as a pod of Kubernetes ------------------------------------------------------------------------------------------
# A ConfigMap is a folder in which the kubelet moves a link to the next state.
map=$tmp/map
mkdir -m 777 $map && ln -s ..data/weir.yaml $map/weir.yaml
configmap() { # configmap STATE LINE...
	mkdir $map/..$1 && { cat $tmp/mounted.yaml && printf '%s\n' 'runtime: {group: weir-admin, stats_group: weir-stats}' "${@:2}"; } >$map/..$1/weir.yaml &&
		ln -sT ..$1 $map/..data_tmp && mv -T $map/..data_tmp $map/..data
}
configmap 1
read -ra prestop < <($python -c 'import sys, yaml
spec = list(yaml.safe_load_all(open(sys.argv[1])))[-1]["spec"]["template"]["spec"]
print(*spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"])' "$root/tools/container/daemonset-config.yaml")
container $xdp,CHOWN tmpfs:/run $map:/etc/weir TZ=Europe/Berlin
must "with a ConfigMap it answers" eventually answers_by_port
check "and is ready" eventually inside weirctl ready
configmap 2 'blocking: {deny: [ok-map.weir.net]}'
check "a new one is applied" inside timeout 60 weirctl config apply
check "and counts" eventually blocks ok-map.weir.net
check "the drain before the stop ends" inside "${prestop[@]}"
check "it is not ready then" eval '! inside weirctl ready'
check "but answers" answers
check "it stops within 5 s" seconds_of stops

# --- each capability is needed ---------------------------------------------------------------------------------------
mounted=(tmpfs:/run $tmp/mounted.yaml:/etc/weir/weir.yaml)
container $xdp "${mounted[@]}"
check "a mounted file serves" eventually answers_by_port
check "it stops within 5 s" seconds_of stops
for name in NET_ADMIN NET_RAW BPF PERFMON IPC_LOCK; do
	container "$(sed "s/,$name//" <<<$xdp)" "${mounted[@]}"
	check "without $name no data plane starts" eventually said "weir-dataplane ended with status"
	stops
done
container "${xdp/NET_BIND_SERVICE,/}" "${mounted[@]}"
check "without NET_BIND_SERVICE nothing answers over TCP" eventually grep -qE 'Permission denied' $log
check "really nothing" eval '! answers +tcp'
stops
for name in SETUID SETGID; do
	container "$(sed "s/\b$name,//" <<<$xdp)" "${network[@]}"
	ends
	check "without $name it does not start" said "it has to start as root with the capabilities SETUID and SETGID"
done
chown -R 0:0 $state
container $sockets "${network[@]}"
ends
check "a folder of another user is refused" said "/var/lib/weir is of another user than weir-cp (954)"
container $sockets,CHOWN "${network[@]}"
check "CHOWN gives it to weir-cp" eventually answers
same "all of it" '' "$(find $state ! -uid 954)"
check "it stops within 5 s" seconds_of stops
finish
