# SPDX-License-Identifier: BSD-3-Clause
# Shared by tools/lab and tools/fleet-lab (bash). Sourced, never run: processes that outlive the script, each with a record
# "PID START_TIME" in $lab/WHAT.pid and its output in $lab/WHAT.log, so that another run ends exactly these; and the zone of labs.

patience=${WEIR_PATIENCE:-1} # tools/leaks: how many times as long as usual may take

# pid of a recorded process if it still is that process, else nothing
pid_of() {
	local pid started stat field
	[ -r "$lab/$1.pid" ] && read -r pid started <"$lab/$1.pid" || return 1
	{ read -r stat <"/proc/$pid/stat"; } 2>/dev/null || return 1
	field=(${stat##*) })
	[ -n "$started" ] && [ "${field[19]}" = "$started" ] || return 1
	# A killed process with threads still on their way out is a zombie that holds its files.
	case ${field[0]} in
	Z | X) [ "$(ls "/proc/$pid/task" 2>/dev/null | wc -l)" -gt 1 ] || return 1 ;;
	esac
	printf '%s\n' "$pid"
}

# spawn WHAT CMD...: in a session of its own, so that it outlives this script. The child records itself, so that a
# script that is killed right here leaves nothing unrecorded.
spawn() {
	local record=$lab/$1.pid log=$lab/$1.log
	shift
	rm -f "$record"
	# shellcheck disable=SC2016
	setsid bash -c 'stat=$(</proc/$$/stat); field=(${stat##*) }); echo "$$ ${field[19]}" >"$0"; exec "$@"' \
		"$record" "$@" >>"$log" 2>&1 </dev/null 9>&- &
	disown $!
	wait_for 60 test -s "$record"
}

# stop_process WHAT SIGNAL SECONDS: signal, wait, then kill -9
stop_process() {
	local pid i
	pid=$(pid_of "$1") || { rm -f "$lab/$1.pid"; return 0; }
	kill -"$2" "$pid" 2>/dev/null
	for ((i = 0; i < $3 * 20 * patience; i++)); do
		pid_of "$1" >/dev/null || break
		sleep 0.05
	done
	if pid=$(pid_of "$1"); then
		kill -KILL -- "-$pid" 2>/dev/null
		for ((i = 0; i < 100; i++)); do
			pid_of "$1" >/dev/null || break
			sleep 0.05
		done
	fi
	rm -f "$lab/$1.pid"
}

wait_for() { # wait_for SECONDS CMD...
	local end=$((SECONDS + $1 * patience))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

write_authority() { # an authoritative server for the zone lab.example on loopback
	mkdir -p "$lab/nsd"
	cat >"$lab/nsd/lab.example.zone" <<'ZONE'
$ORIGIN lab.example.
$TTL 300
@       IN SOA  ns.lab.example. hostmaster.lab.example. 1 3600 900 604800 60
@       IN NS   ns
@       IN MX   10 mail
@       IN TXT  "weir lab"
@       IN A    198.18.255.10
@       IN CAA  0 issue "ca.example"
ns      IN A    127.0.0.1
www     IN A    198.18.255.80
www     IN AAAA fd53:0:0:ffff::80
www     IN TXT  "hello from the lab" "second string"
www     IN MX   10 mail
www     IN HTTPS 1 . alpn="h2,h3" ipv4hint=198.18.255.80
mail    IN A    198.18.255.25
alias   IN CNAME www
_dns._udp IN SRV 0 5 53 ns
many    IN A    198.18.255.1
many    IN A    198.18.255.2
many    IN A    198.18.255.3
many    IN A    198.18.255.4
short   2 IN A  198.18.255.90
*.wild  IN A    198.18.255.99
ads     IN A    198.18.255.66
ZONE
	{
		printf '%s' 'big IN TXT'
		local i
		for i in 1 2 3 4 5 6 7 8; do printf ' "%s"' "$(printf 'x%.0s' {1..200})"; done
		printf '\n'
	} >>"$lab/nsd/lab.example.zone"
	cat >"$lab/nsd/nsd.conf" <<CONF
server:
$authority_addresses
	ip-freebind: yes
	username: ""
	chroot: ""
	zonesdir: "$lab/nsd"
	database: ""
	pidfile: "$lab/nsd/nsd.pid"
	xfrdfile: "$lab/nsd/xfrd.state"
	xfrdir: "$lab/nsd"
	zonelistfile: "$lab/nsd/zone.list"
	server-count: 1
	rrl-ratelimit: 0
	verbosity: 0
remote-control:
	control-enable: no
zone:
	name: lab.example
	zonefile: lab.example.zone
CONF
}

nsd_spawn() { # nsd_spawn [COMMAND...]: in front of it
	spawn authority "$@" "$(command -v nsd || echo /usr/sbin/nsd)" -d -c "$lab/nsd/nsd.conf"
}
