# SPDX-License-Identifier: BSD-3-Clause
# Sourced by tools/fleet-lab for a pair: two boxes and the client in one network, where keepalived moves the service address by the
# shipped example; two Redis servers under three sentinels, and two ClickHouse servers that know nothing of each other.
. "$weir_root/tools/clickhouse.sh"

boxes='1 2' middle=lan spaces='client lan back box1 box2'
stores='redis1 redis2 sentinel1 sentinel2 sentinel3' # the number chooses the address
! command -v clickhouse-server >/dev/null || stores+=' clickhouse1 clickhouse2' # Debian 13 has none
net4=198.18.100 net6=fd53:0:0:100:

# --- network ---------------------------------------------------------------------------------------------------------

make_middle() { ip -n weir-fleet-lan link add lan type bridge && set_up lan lan && attach lan client $net4.2/24 $net6:2/64; }
address_options() { echo --service $net4.1"$1"/24 --service $net6:1"$1"/64 --virtual $service4/24 $service6/64; }
plug_in() {
	local number
	number=$(number_of "$1")
	ip -n "weir-client-$number" link set "wt$number" netns weir-fleet-lan && ip -n weir-fleet-lan link set "wt$number" master lan up
}

start_middle() { :; }
start_routing() {
	start_in "box$1" "keepalived$1" chrt -f 20 keepalived --dont-fork --log-console --log-detail --vrrp \
		--use-file "/run/weir-$(number_of "$1")/lab/keepalived.conf" --pid "$run/keepalived$1.main" --vrrp_pid "$run/keepalived$1.vrrp"
}

settle() {
	say "waiting for keepalived: a new box has to answer for 10 s"
	wait_for 60 all_fit || fail_up "keepalived takes a box for one that does not answer"
}
all_fit() {
	local box
	for box in $boxes; do grep -q 'VRRP_Script(weir) succeeded' "$run/keepalived$box.log" || return; done
}

ways() { # which box has the service address
	local box
	for box in $boxes; do
		inside "box$box" ip -brief address show to $service4 | sed "s/^/box$box: /"
		inside "box$box" ip -brief address show to $service6 | sed "s/^/box$box: /"
	done
}

# --- stores ----------------------------------------------------------------------------------------------------------

write_stores() {
	cat <<CONFIG
redis:
  mode: sentinel
  master_name: weir
  addresses: [$back.10, $back.11, $back.12]
CONFIG
	[[ $stores != *clickhouse* ]] || cat <<CONFIG
query_log:
  clickhouse: {urls: ['http://$back.10:8123', 'http://$back.11:8123'], flush_ms: 500}
CONFIG
}

start_stores() {
	local store
	for store in $stores; do start_store "$store" || return; done
	wait_for 30 sentinels_agree
}
sentinels_agree() { # each knows the replica and the others
	local number
	for number in 0 1 2; do
		inside back redis-cli -h $back.1$number -p 26379 info sentinel | grep -q 'status=ok.*slaves=1,sentinels=3' || return
	done
}

start_store() { # start_store STORE
	local dir=$run/$1 address=$back.$((9 + ${1: -1}))
	mkdir -p "$dir"
	case $1 in
	clickhouse*)
		write_clickhouse "$dir" "$address" 8123 9000
		start_in back "$1" clickhouse-server --config-file="$dir/config.xml" && wait_for 60 inside back curl -sSf "http://$address:8123/"
		;;
	*) # who is primary goes into these files, so a mended one goes on with that
		[ -e "$dir/conf" ] || write_redis "$1" >"$dir/conf"
		case $1 in sentinel*) set -- "$1" --sentinel ;; esac
		start_in back "$1" redis-server "$dir/conf" "${@:2}"
		;;
	esac
}
write_redis() {
	printf '%s\n' "bind $address" 'protected-mode no' "dir $dir"
	case $1 in # on one machine a connection to another address does not come from one's own
	redis*) printf '%s\n' 'save ""' "replica-announce-ip $address" ;;
	*) printf '%s\n' 'port 26379' "sentinel announce-ip $address" "sentinel monitor weir $back.10 6379 2" \
		'sentinel down-after-milliseconds weir 1000' 'sentinel failover-timeout weir 5000' ;;
	esac
	[ "$1" != redis2 ] || echo "replicaof $back.10 6379"
}

say_up() {
	cat <<END

$ kdig @$service4 www.lab.example A     (in the client's namespace)
$(inside client kdig +noall +answer @$service4 www.lab.example A)

up:      service address $service4 and $service6, which keepalived moves between two boxes
$(ways | sed 's/^/         /')
lan:     client $net4.2, box1 $net4.11, box2 $net4.12
back:    Redis on $back.10 and .11, sentinels on .10 to .12, ClickHouse on .10 and .11, the upstream (zone lab.example) on .10;
         the boxes there: $back.1 (the sync primary) and .2

try:     sudo tools/fleet-lab status
         sudo tools/fleet-lab sh box1 weirctl drain --grace 1 --wait (box2 gets the address; weirctl undrain)
         sudo tools/fleet-lab sh box1 weirctl deny ads.example       (box2 has it some 10 s later)
         sudo tools/fleet-lab cut redis1                             (box1 and box2 find redis2; then: mend redis1)
         sudo tools/fleet-lab cut clickhouse1                        (rows go to clickhouse2 within 60 s; then: mend clickhouse1)
         sudo tools/fleet-lab sh back curl http://$back.11:8123/ --data-binary 'SELECT box, sum(weight) FROM weir.queries GROUP BY box'
         sudo tools/fleet-lab cut box1                               (a power cut; then: mend box1)
stop:    sudo tools/fleet-lab down
END
}
