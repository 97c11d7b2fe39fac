# SPDX-License-Identifier: BSD-3-Clause
# Boxes of a fleet, each a lab of its own: as many as `boxes` says, or two. A test sources it.
declare -F must >/dev/null || . "$(dirname "$0")/_init.sh"

boxes=$(seq "${boxes:-2}")
upstream 5301 $tmp/up.log
first=$upstream
box() { local number=$1 && shift && "$lab" --name "$number" exec "$@"; }
folder() { echo /run/weir-"$1"/lab; }
ctl() { local number=$1 && shift && "$WEIR_BUILD/tools/ctl/weirctl" -c "$(folder "$number")/weir.yaml" "$@"; }
fleet() { ctl "$1" --json fleet status | jq -r "$2"; }
result() { box "$1" kdig +timeout=1 +retry=0 "@198.18.$1.53" "$2" A | rcode_of; }
is() { [ "$(result "$1" "$2")" = "$3" ]; }
has_reason() { ctl "$1" --json ready | jq -e --arg id "$2" '[.. | objects | select(.id? == $id)] | length > 0'; }
restart() { "$lab" --name "$1" stop controlplane && "$lab" --name "$1" start controlplane; }

fleet_end() {
	[ $bad = 0 ] || { tail -n 20 /run/weir-[123]/lab/controlplane.log && ctl 1 fleet status; }
	for number in $boxes; do "$lab" --name $number down >/dev/null; done
	finish
}
# As must of _init.sh, with the logs of all boxes.
must() {
	local was=$bad
	check "$@"
	[ $bad = "$was" ] || fleet_end
}

for number in $boxes; do must "box $number is up" "$lab" --name $number up --upstream 127.0.0.1:5301; done
dir=$(folder 1)/control
mkdir -m 700 $dir
. "$smoke_dir/certificates.sh"
{ authority ca && certificate server ca IP:127.0.0.1; } 2>/dev/null
# listens CONTROL SYNC: each box serves the control API and is of the fleet from its next start on, with these keys more
listens() {
	local number
	for number in $boxes; do
		cat >>"$(folder $number)/weir.yaml" <<-END
			control: {${1:+$1, }listen: ["127.0.0.1:996$number"], certificates: [{cert: $dir/server.pem, key: $dir/server.key}]}
			sync:
			  name: box$number
		END
		[ -z "${2-}" ] || echo "  $2" >>"$(folder $number)/weir.yaml"
	done
}
# follows_box1 NUMBER TOKEN: box 1 is the primary in the box's file
follows_box1() {
	sed -i "s|^  name: box$1|&\n  primary: https://127.0.0.1:9961\n  token_file: $dir/$2.token\n  ca_file: $dir/ca.pem|" "$(folder $1)/weir.yaml"
}
