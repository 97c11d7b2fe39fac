# SPDX-License-Identifier: BSD-3-Clause
# Sourced (bash): the upstream of tools/soak and tools/strangers, nsd with a zone whose names say by their end which record they have.
. "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

# soak_up: nsd on 127.0.0.1 port 5301, a list in $tmp/soak.list, and the lab with both.
soak_up() {
	mkdir -p $tmp/nsd
	cat >$tmp/nsd/zone <<'ZONE'
$ORIGIN soak.test.
$TTL 5
@       IN SOA ns hostmaster 1 3600 900 604800 5
@       IN NS ns
ns      IN A 127.0.0.1
*.hot   3600 IN A 198.18.254.1
*.hot   3600 IN A 198.18.254.2
*.new   IN A 198.18.254.3
*.new   IN AAAA fd53::feed
*.churn IN A 198.18.254.4
ZONE
	{ nsd_conf $tmp/nsd 127.0.0.1@5301 'do-ip6: no' && nsd_zone soak.test zone; } >$tmp/nsd/conf
	nsd -d -c $tmp/nsd/conf &
	for ((i = 0; i < 2000; i++)); do echo "b$i.blocked.test"; done >$tmp/soak.list
	"$lab" up --upstream 127.0.0.1:5301 --list $tmp/soak.list >$tmp/up.out 2>&1 ||
		{ echo "the lab does not start" >&2 && tail -n 20 $tmp/up.out /run/weir/lab/*.log >&2 && return 1; }
	# Queries wait while the worker has no CPU, as they would in a NIC's larger queue.
	client ip link set wt0 txqueuelen 10000
}
