#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Level and form of the log of both processes change with a reload, and hold for a process that starts.
. "$(dirname "$0")/_init.sh"
lab_up
logs=/run/weir/lab

# behind PROCESS: what its log got since the last call of here
here() { for process in controlplane dataplane; do wc -l <$logs/$process.log >$tmp/$process.at; done; }
behind() { tail -n +$(($(cat $tmp/$1.at) + 1)) $logs/$1.log; }
# Every line is an object with these keys.
objects() {
	behind $1 | jq -es 'length > 0 and all(.[]; (.time | test("^2[0-9-]{9}T[0-9:]{8}\\.[0-9]{3}Z$")) and .process == "weir-'$1'"
		and (.level | IN("error", "warning", "info", "debug")) and (.thread | length > 0) and (.message | length > 0))'
}
set_log() { # LEVEL FORMAT
	sed -i '/log_level:/d; /log_format:/d' $config
	sed -i "s/^runtime:.*/runtime:\n  log_level: $1\n  log_format: $2/" $config
	taken_over weirctl config reload
}
# A rule image of other names, which both processes log.
change() { echo "more-$RANDOM.test" >>$list && weirctl blocklist reload; }

check "the runtime section stands alone in its line" grep -q '^runtime:$' $config
here
check "a change" change
check "is text in the control plane" eventually eval 'behind controlplane | grep -q "weir-controlplane: rules: "'
check "the form becomes JSON" set_log info json
here
check "a change" change
check "each line of the control plane is an object" eventually objects controlplane
check "with the text" eval 'behind controlplane | jq -e "select(.level == \"info\" and (.message | startswith(\"rules: \")))"'
check "a reload" weirctl config reload
check "is an event, with number and fields" eventually eval \
	'behind controlplane | jq -en "any(inputs; .event == \"config_reloaded\" and .number > 1700000000000 and .fields == {needs_restart: \"\"})"'
same "needs no restart" "" "$(weirctl --json status | jq -r '.controlplane.reload.needs_restart')"
mv $list $list.away
weirctl blocklist reload >/dev/null 2>&1
mv $list.away $list
check "a warning has its id" eventually eval \
	'behind controlplane | jq -en "any(inputs; .level == \"warning\" and (.event | not) and (.id | test(\"^W[0-9a-f]{8}$\")))"'
here
check "a control plane that is stopped" "$lab" stop controlplane
check "has objects to its end" objects controlplane
check "so has the data plane, which lost it" eventually objects dataplane
check "a control plane that starts" "$lab" start controlplane
check "has objects behind its first lines" eventually eval 'tail -n 1 $logs/controlplane.log | jq -e .message'

check "the level becomes error" set_log error json
here
weirctl blocklist reload --force >/dev/null 2>&1
check "a reload" taken_over weirctl config reload
same "logs nothing more" "" "$(behind controlplane)"
"$lab" stop controlplane >/dev/null
"$lab" start controlplane >/dev/null
same "nor does the data plane of its control plane" "" "$(behind dataplane | grep -v '"level":"error"')"
check "text and info again" set_log info text
here
check "a change" change
check "a reload" weirctl config reload
check "is text" eventually eval 'behind controlplane | grep -q "weir-controlplane: rules: "'
check "without lines of events" eval '! behind controlplane | grep -q config_reloaded'
finish
