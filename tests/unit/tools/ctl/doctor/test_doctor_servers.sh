#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# How `weirctl doctor` asks servers without a control plane: DNS over UDP, TCP, TLS and HTTPS, URLs of lists, Redis,
# ClickHouse. In namespaces of its own. usage: test_doctor_servers.sh WEIRCTL SERVERS
if [ -z "${WEIR_DOCTOR_INSIDE-}" ]; then
	[ "$(id -u)" = 0 ] && unshare --net --mount -- true || { echo "skipped: needs root for namespaces"; exit 77; }
	WEIR_DOCTOR_INSIDE=1 exec unshare --net --mount --propagation private -- "$BASH" "$0" "$@"
fi
weirctl=$1
dir=$(mktemp -d) || exit 1
servers=
trap '[ -z "$servers" ] || kill $servers 2>/dev/null; rm -rf "$dir"' EXIT
bad=0
ip link set lo up
key() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "$@" 2>/dev/null; }
key -subj '/CN=authority' -keyout "$dir/ca.key" -out "$dir/ca.pem" -addext keyUsage=critical,keyCertSign
key -subj '/CN=server' -keyout "$dir/key" -out "$dir/cert" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" \
	-addext 'subjectAltName=DNS:dns.example,IP:127.0.0.2' -addext basicConstraints=critical,CA:FALSE
pin=$(openssl x509 -in "$dir/cert" -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)
other=$(printf %032d 7 | base64)
coproc SERVERS { exec /usr/bin/python3 "$2" "$dir/cert" "$dir/key"; }
servers=$SERVERS_PID
read -r -t 20 ready <&"${SERVERS[0]}" && [ "$ready" = ready ] || { echo "not ok: the servers do not start"; exit 1; }

config_of() { # SERVERS [MORE]
	cat >"$dir/weir.yaml" <<CONFIG
runtime: {directory: $dir/run}
dataplane: {ports: [{device: net_null0}], service_addresses: [198.18.0.53/24]}
upstreams: {ca_file: $dir/ca.pem, servers: [$1]}
${2-}
CONFIG
}
# want CHECK VERDICT TEXT [COMMAND]
want() {
	"$weirctl" -c "$dir/weir.yaml" doctor "$1" 2>&1 | sed "s/Could not connect/Couldn't connect/" >"$dir/out" # as libcurl 7 says it
	awk -v v="$2" -v c="$1:" -v text="$3" -v cmd="${4-}" '
		found && cmd != "" && index($0, "  do: ") == 1 && index($0, cmd) { good = 1 }
		{ found = 0 }
		$1 == v && $2 == c && index($0, text) { found = 1; if (cmd == "") good = 1 }
		END { exit !good }' "$dir/out" && return
	bad=$((bad + 1))
	echo "not ok: doctor $1: wanted $2 \"$3\" ${4:+and \"$4\"}"
	sed 's/^/  /' "$dir/out"
}

config_of '{address: 127.0.0.2}, {address: 127.0.0.3}, {address: 127.0.0.4}'
want upstreams ok '127.0.0.2:53 answers (UDP: NOERROR, TCP: REFUSED)'
want upstreams warning '127.0.0.3:53 answers in part (UDP: NOERROR, TCP: Connection refused)' 'kdig @127.0.0.3 -p 53 . NS'
want upstreams warning '127.0.0.4:53 does not answer (UDP: no reply in time' 'kdig @127.0.0.4'
config_of '{address: 127.0.0.5}, {address: 127.0.0.6}'
began=$SECONDS
want upstreams wrong '127.0.0.5:53 does not answer (UDP: no reply in time, TCP: Connection refused)' 'kdig @127.0.0.5'
want upstreams wrong '127.0.0.6:53 does not answer (UDP: Connection refused'
[ $((SECONDS - began)) -le 8 ] || { echo "not ok: $((SECONDS - began)) s"; bad=$((bad + 1)); }

# Each list of servers counts for itself.
config_of '{address: 127.0.0.2}' "forward_zones: [{name: a.example, servers: [127.0.0.6]},
  {name: b.example, servers: [127.0.0.2, 127.0.0.7]}]"
want upstreams wrong '127.0.0.6:53 does not answer'
want upstreams warning '127.0.0.7:53 does not answer'

# Without a route of this machine, and with others of the list unasked.
config_of '{address: 198.18.9.9}'
want upstreams unknown '198.18.9.9:53: UDP: Network is unreachable, TCP: Network is unreachable'
config_of "{address: 'tls://dns.example@198.18.9.9'}"
want upstreams unknown '198.18.9.9:853: TLS: '
config_of '{address: 198.18.9.9}, {address: 127.0.0.6}'
want upstreams warning '127.0.0.6:53 does not answer'
config_of "{address: 'tls://dns.example'}, {address: 127.0.0.6}], bootstrap: [127.0.0.2"
want upstreams warning '127.0.0.6:53 does not answer'
want upstreams unknown 'servers with a host name, which the control plane resolves: 1'

config_of "{address: 'tls://dns.example@127.0.0.2'}, {address: 'https://dns.example@127.0.0.2/dns-query'}"
want upstreams ok '(TLS: REFUSED)'
want upstreams ok '(HTTPS: status 200, NOERROR)'
config_of "{address: 'tls://127.0.0.2'}"
want upstreams ok '(TLS: REFUSED)'
config_of "{address: 'tls://dns.example@127.0.0.2', pin: ['$pin']}"
want upstreams ok '(TLS: REFUSED)'
config_of "{address: 'tls://dns.example@127.0.0.2', pin: ['$other']}"
want upstreams wrong '(TLS: SSL' 'kdig +tls @127.0.0.2 -p 853'
config_of "{address: 'tls://other.example@127.0.0.2'}"
want upstreams wrong '(TLS: SSL' 'kdig +tls'
config_of "{address: 'tls://dns.example@127.0.0.3'}"
want upstreams wrong '(TLS: no reply in time)' 'kdig +tls'
config_of "{address: 'https://dns.example@127.0.0.3/dns-query'}"
want upstreams wrong '(HTTPS: status 500, no DNS message)' 'kdig +https @127.0.0.3 -p 443'
config_of '{address: 127.0.0.2}' "blocking: {lists: [{name: ads, url: 'http://127.0.0.2:8123/ads.txt'}, {name: gone,
  url: 'http://u:secret@127.0.0.2:8123/gone.txt'}, {name: off, url: 'http://127.0.0.9/x'}, {name: name,
  url: 'http://lists.invalid/x'}, {name: zone, url: 'axfr://127.0.0.2/zone.example'}]}"
want lists ok 'list "ads" can be fetched'
want lists warning 'list "gone" cannot be fetched: status 404' 'curl -sSI http://127.0.0.2:8123/gone.txt'
want lists warning 'list "off" cannot be fetched: Couldn'"'"'t connect' 'curl -sSI'
want lists unknown 'list "name": this machine'"'"'s resolver'
want lists unknown 'zone transfers, which the control plane makes alone: 1'
# A resolver that says nothing holds nothing up.
printf 'nameserver 127.0.0.5\n' >"$dir/resolv.conf" && mount --bind "$dir/resolv.conf" /etc/resolv.conf
began=$SECONDS
want lists unknown 'list "name": this machine'"'"'s resolver does not answer in time'
[ $((SECONDS - began)) -le 5 ] || { echo "not ok: lists: $((SECONDS - began)) s"; bad=$((bad + 1)); }
want redis ok 'not configured'
want clickhouse ok 'not configured'
printf right >"$dir/right" && printf wrong >"$dir/wrong" && chmod 600 "$dir/right" "$dir/wrong"
config_of '{address: 127.0.0.2}' "redis: {mode: standalone, addresses: [127.0.0.2]}
query_log: {clickhouse: {url: 'http://127.0.0.2:8123'}}"
want redis ok '127.0.0.2:6379 answers'
want clickhouse ok '127.0.0.2:8123/ping answers'
config_of '{address: 127.0.0.2}' "redis: {mode: standalone, addresses: [127.0.0.3]}
query_log: {clickhouse: {url: 'http://127.0.0.3:8123'}}"
want redis warning '127.0.0.3:6379: -NOAUTH Authentication required.' 'redis-cli -h 127.0.0.3 -p 6379 ping'
want clickhouse warning "Couldn't connect" 'curl -sS'
config_of '{address: 127.0.0.2}' "redis: {mode: standalone, addresses: [127.0.0.3], password_file: $dir/right}"
want redis ok '127.0.0.3:6379 answers'
config_of '{address: 127.0.0.2}' "redis: {mode: standalone, addresses: [127.0.0.3], username: weir, password_file: $dir/wrong}"
want redis warning '127.0.0.3:6379: -WRONGPASS' 'redis-cli'
echo "$bad bad"
[ $bad = 0 ]
