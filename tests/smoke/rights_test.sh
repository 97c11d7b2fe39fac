#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two users and the groups that the package gives them (tools/system/weir.sysusers): what a data plane that was broken into can open
# of all files, regions and sockets of weir, from its own user, groups, capabilities and filter; what operators can.
. "$(dirname "$0")/_init.sh"

# Numbers of what the package makes, by its own file.
sysusers=$root/tools/system/weir.sysusers
declare -A gid=([weir]=64000) uid=([weir-dp]=64001 [weir-cp]=64002 [alice]=64011 [carol]=64012)
number=64020
for name in $(awk '$1 == "g" && $2 != "weir" { print $2 }' "$sysusers"); do gid[$name]=$((number++)); done
must "the package has its groups" test -n "${gid[weir-admin]-}" -a -n "${gid[weir-stats]-}"
cp /etc/group $tmp/group
for name in "${!gid[@]}"; do echo "$name:x:${gid[$name]}:" >>$tmp/group; done
mount --bind $tmp/group /etc/group
groups_of() { awk -v user="$1" '$1 == "m" && $2 == user { print $3 }' "$sysusers"; }
# as USER CAPABILITIES(+name,+name) GROUP...: the words that run a command so
as() {
	local user=$1 caps=$2 name numbers=
	shift 2
	for name in "$@"; do numbers+=,${gid[$name]}; done
	echo "setpriv --reuid ${uid[$user]} --regid ${gid[$1]} --groups ${numbers#,} --inh-caps=-all$caps --ambient-caps=-all$caps" \
		"--bounding-set=-all$caps"
}
run=/run/weir
lab_up
must "both stopped" eval '"$lab" stop controlplane && "$lab" stop dataplane'
sed -i 's/^runtime:/&\n  group: weir-admin\n  stats_group: weir-stats/' $config
find -H $run -maxdepth 1 \( -type f -o -name dpdk -o -name control \) -exec rm -rf {} +
chown -R "${uid[weir-cp]}:${gid[weir]}" $run/lab/state && chown "root:${gid[weir]}" $run && chmod 3771 $run && chmod 755 $run/lab
install -d -o "${uid[weir-cp]}" -g "${gid[weir]}" -m 2751 $run/control
mapfile -t dp_groups < <(echo weir; groups_of weir-dp)
mapfile -t cp_groups < <(echo weir; groups_of weir-cp)
dp_words=$(as weir-dp ,+net_admin,+net_raw "${dp_groups[@]}")
export WEIR_DATAPLANE="$dp_words $WEIR_BUILD/dataplane/weir-dataplane"
WEIR_CONTROLPLANE="$(as weir-cp ,+net_bind_service "${cp_groups[@]}") $WEIR_BUILD/controlplane/weir-controlplane"
export WEIR_CONTROLPLANE
must "both start" eval '"$lab" start controlplane && "$lab" start dataplane'
answers() { [ "$(short ok-1.rights.test A)" = 198.18.200.1 ]; }
check "they answer" eventually answers
# So that there is what is secret.
token=$(weirctl token create ops --role admin 2>/dev/null)
check "a token" test -n "$token"
check "a password" eval 'echo "a long password" | weirctl password set eve --role admin'

# broken KIND WORDS...: of each thing of weir what such a thread can do, by its name without numbers; what it made itself apart
broken() {
	local kind=$1
	shift
	find -H $run /dev/shm $run/lab/state $(huge_mounts) -mindepth 1 ! -path "$run/lab" ! -path "$run/lab/[!s]*" ! -type d \
		! -uid "${uid[weir-dp]}" -printf '%y %p\n' | sort -u |
		"$@" "$WEIR_BUILD/tests/rights/as_dataplane" "$kind" | sed -E "s#^$run/##; s#[0-9]+\.(version|blotted)#N.\1#; s#\.[0-9.]+ # #; s# +\$##" | sort -u
}
# shellcheck disable=SC2086 # words
mine() { broken main $dp_words | grep ' '; }
of_main="control/answers read
control/controlplane.lock read
control/directory read
control/instance read
control/l0 read
control/link.sock connect
control/policy read
control/rule_image read
lab/state/config/N.blotted read
lab/state/config/current read"
check "there is what it must not open" eval "[ $(find $run/lab/state -type f | wc -l) -ge 4 ]"
same "a broken data plane opens what it needs of the control plane" "$of_main" "$(mine)"
# shellcheck disable=SC2086
same "a broken worker opens nothing" "" "$(broken worker $dp_words | grep -v ' killed$')"
# A process that closes one that it hands over would wait for its bytes (SO_LINGER).
# shellcheck disable=SC2086
same "nor has it a TCP socket" "tcp killed" "$(echo t tcp | $dp_words "$WEIR_BUILD/tests/rights/as_dataplane" main)"
# As a member of the operators' group, as versions with one group for both made it.
# shellcheck disable=SC2046
same "and as an operator it is refused" "control/control.sock connect 403" \
	"$(broken main $(as weir-dp ,+net_admin,+net_raw "${dp_groups[@]}" weir-admin) | grep '^control/control.sock')"
check "which is said" eventually grep -q "control: uid ${uid[weir-dp]}, pid [0-9]* refused" $run/lab/controlplane.log

# user NAME GROUP WORDS...: weirctl
user() { $(as "$1" "" "$2") "$WEIR_BUILD/tools/ctl/weirctl" -c $config "${@:3}"; }
sees() { user "$@" --json stats --interval 0 | jq -e '.dataplane.verdicts | add > 0'; }
check "an operator uses the socket" user alice weir-admin cache flush a.test
check "and sees the statistics by it" sees alice weir-admin
check "in all commands that show some" eval 'user alice weir-admin ports && user alice weir-admin status | grep -q "data plane *up, pid"'
check "a member of weir-stats sees them as well" sees carol weir-stats
check "but has no verb" eval '! user carol weir-stats cache flush a.test'
must "the control plane stops" "$lab" stop controlplane
check "without it, too" sees carol weir-stats
check "an operator reads the reason" eval '! user alice weir-admin ports >$tmp/said 2>&1 && grep -q "Permission denied" $tmp/said'
# In the gap of a restart the data plane's user cannot listen there, unless root lets it.
squatter='import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o777); s.listen(); print("there", flush=True)
print(s.accept()[0].recv(1 << 16))'
# shellcheck disable=SC2086 # words
check "the data plane cannot listen in its place" eval '! $dp_words $python -c "$squatter" $run/control/control.sock 2>$tmp/said'
must "as it has no right there" grep -q PermissionError $tmp/said
chmod g+w $run/control
# shellcheck disable=SC2086 # words
$dp_words $python -c "$squatter" $run/control/control.sock >$tmp/squatter &
squatter=$!
must "it listens" eventually grep -q there $tmp/squatter
check "an operator gives it no password" eval '! echo "a long password" | user alice weir-admin password set eve --role admin >$tmp/said 2>&1'
must "and reads who it is" grep "uid ${uid[weir-dp]} listens there" $tmp/said
must "it ends" wait $squatter
same "it got nothing" "there
b''" "$(<$tmp/squatter)"
finish
