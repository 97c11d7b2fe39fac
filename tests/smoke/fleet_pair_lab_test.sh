#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# tools/fleet-lab up --pair: clients of the address that keepalived moves go on while its box is drained or cut, and while Redis and
# ClickHouse servers die; the boxes share answers again by the new primary of Redis, and each query has its row.
. "$(dirname "$0")/fleet_lab_lib.sh"
. "$smoke_dir/moved_load.sh"
command -v clickhouse-server >/dev/null || { echo "skipped: no clickhouse-server"; exit 77; }

lan() { asks "$@"; }
own() { echo 198.18.100.1"$1"; }
loaded() { moved_load $address4 $address6 "$1.wild.lab.example"; }
go_on() { # go_on WHAT: none lost a query
	must "$1: clients go on" load_ends
	sed 's/^/# /' $tmp/load
	same "$1: queries lost" 0 "$(most .lost)"
}
holder() { fleet status | sed -n "s/^box\([12]\): .*$address4.*/\1/p"; }
holds_it() { [ "$(holder)" = "$1" ]; }
both() { "$1" 1 "${@:2}" && "$1" 2 "${@:2}"; }
redis_state() { ctl "$1" --json cache stats | jq -r "\"\(.redis.state) \(.redis.server)\""; }
redis_is() { [ "$(redis_state "$1")" = "$2" ]; }
# warns BOX WHAT: ready and doctor do
warns() { ctl "$1" --json ready | jq -e --arg id "$2" 'any(.reasons[]; .id == $id)' && doctor_says "$1" "$2" warning; }
doctor_says() { ctl "$1" --json doctor | jq -e --arg check "$2" --arg verdict "$3" 'any(.findings[]; .check == $check and .verdict == $verdict)'; }
ask() { asks kdig +short +timeout=2 +retry=1 "@$(own "$1")" "$2" A; }
shares() { # what box 1 asked the upstream for, box 2 has from Redis
	local name=$RANDOM$RANDOM.wild.lab.example i tier=''
	[ "$(ask 1 $name)" = 198.18.255.99 ] && sleep 0.3 && [ "$(ask 2 $name)" = 198.18.255.99 ] || return
	for ((i = 0; i < 20; i++)); do # until the row is in the log
		tier=$(ctl 2 --json log search --name $name | jq -r '.rows[0].tier // empty')
		[ -z "$tier" ] || break
		sleep 0.3
	done
	[ "$tier" = l1 ]
}
rows() { # rows ZONE: at both servers, as far as they live
	local server
	for server in 10 11; do
		there back curl -sS --max-time 10 "http://198.19.0.$server:8123/" --data-binary "SELECT sum(weight) FROM weir.queries WHERE qname LIKE '%.$1.wild.lab.example%'" 2>/dev/null
	done | awk '{ n += $1 } END { print n + 0 }'
}
# A chunk on its way to a server that is killed may be at both.
row_of_each() {
	local sent found
	sent=$(jq -s 'map(.answers + .again + .lost) | add' $tmp/load) found=$(rows "$1")
	echo "# $sent queries, $found rows, of them possibly twice: $(uncertain)"
	[ "$found" -ge "$sent" ] && [ "$found" -le $((sent + $(uncertain))) ]
}
uncertain() { both clickhouse .uncertain_rows | awk '{ n += $1 } END { print n }'; }
clickhouse() { ctl "$1" --json status | jq -r ".controlplane.clickhouse | $2"; }
clickhouse_is() {
	local said
	said=$(clickhouse "$1" '"\(.state) \(.url_number) \(.why)"') && echo "box $1: $said" && [[ $said = "$2 "* ]]
}
# A chunk of which the killed server may have rows goes to the next one after 60 s (docs/how-to/clickhouse.md).
failed_over() { local patience=$((2 * patience)) && eventually both clickhouse_is "$1"; }
is() { [ "$(asks kdig +timeout=2 +retry=0 "@$(own "$1")" "$2" A | rcode_of)" = "$3" ]; }

must "the pair is up" fleet up --pair
check "both serve" both serves balancer
check "both have Redis 1" eventually both redis_is "up 198.19.0.10:6379"
check "both have ClickHouse 1" eventually both clickhouse_is "up 1"
check "box 2 has answers of box 1 from Redis" eventually shares

echo "# the box with the address is drained"
from=$(holder) to=$((3 - $(holder)))
loaded drained
check "box $from drains" ctl "$from" drain --grace 1 --wait
must "box $to has the address" eventually holds_it $to
go_on drain
check "box $from is back" ctl "$from" undrain
check "and serves" eventually serves "$from" balancer

echo "# a change of box 1"
check "box 1 blocks a name" ctl 1 deny mail.lab.example
check "box 2, too" eventually is 2 mail.lab.example NXDOMAIN
check "and holds it" eventually held 2

echo "# the primary of Redis dies"
loaded redis
check "Redis 1 is killed" fleet cut redis1
check "both find Redis 2" eventually both redis_is "up 198.19.0.11:6379"
check "box 2 has answers of box 1 from there" eventually shares
go_on "Redis 1"
check "Redis 2 is killed" fleet cut redis2
check "both say so" eventually both warns redis
loaded none
go_on "no Redis"
check "Redis 1 and 2 boot" eval 'fleet mend redis2 && fleet mend redis1'
check "both have Redis 2 again" eventually both redis_is "up 198.19.0.11:6379"
check "and doctor is content" eventually both doctor_says redis ok
check "box 2 has answers of box 1 from there" eventually shares

echo "# ClickHouse servers die"
moved_load 198.18.100.11 fd53:0:0:100::12 one.wild.lab.example
check "ClickHouse 1 is killed" fleet cut clickhouse1
check "both send to ClickHouse 2" failed_over "up 2"
go_on "ClickHouse 1"
check "ClickHouse 1 boots" fleet mend clickhouse1
check "each query has its row" eventually row_of_each one
row_of_each one
check "both servers are killed" eval 'fleet cut clickhouse1 && fleet cut clickhouse2'
loaded two
check "both say so" eventually both warns clickhouse
go_on "no ClickHouse"
check "they boot" eval 'fleet mend clickhouse1 && fleet mend clickhouse2'
check "each query has its row" eventually row_of_each two
row_of_each two
same "no row is lost" "0 0" "$(both clickhouse '.dropped_rows + .lost_rows + .refused_rows + .partial_rows' | xargs)"
check "and doctor is content" eventually both doctor_says clickhouse ok

echo "# the box with the address is cut"
from=$(holder) to=$((3 - $(holder)))
loaded cut
began=$(now_ms)
fleet cut "box$from" &
cut=$!
must "box $to has the address" eventually holds_it $to
echo "# after $(($(now_ms) - began)) ms"
wait $cut
must "clients go on" load_ends
sed 's/^/# /' $tmp/load
check "within 5 s" test "$(most .gap_ms)" -lt 5000
must "the box boots" fleet mend "box$from"
check "and serves" eventually serves "$from" balancer
check "and leaves the address where it is" holds_it $to
check "box 2 has answers of box 1 from Redis" eventually shares
fleet_end
