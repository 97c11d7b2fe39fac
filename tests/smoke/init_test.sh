#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# _init.sh itself: a failure that a script does not look at fails the script, and a script that is killed says where it stood.
. "$(dirname "$0")/_init.sh"

# script NAME TEXT: begins a smoke test of these lines, with its status and what it says in $tmp/NAME
script() {
	printf '%s\n' ". '$smoke_dir/_init.sh'" "$2" >$tmp/$1.sh
	{ env -u WEIR_SMOKE_INSIDE SMOKE_TIMEOUT="${seconds-60}" WEIR_PATIENCE=0 bash $tmp/$1.sh 2>&1; echo "status $?"; } >$tmp/$1 &
}
# ended NAME STATUS [TEXT...]: so it did, and it says each TEXT
ended() {
	local text
	for text in "status $2" "${@:3}"; do grep -qe "$text" $tmp/$1 || { cat $tmp/$1 && return 1; }; done
}

never='never() { echo "said $((i++))" && return 1; }; i=0;'
script good 'check good true; eventually true; finish'
script bad 'check bad false; finish'
script empty 'finish'
script unread "$never check good true; eventually never; finish"
script subshell "$never check good true; same none '' \"\$(eventually never)\"; finish"
script within "$never goes_on() { eventually never; true; }; check good goes_on; finish"
script must "$never twice() { eventually never || true; }; must good twice; check never true; finish"
seconds=20 # a busy machine begins a script in ten
script hangs 'check good true; check hangs sleep 60; finish'
script waits 'check good true; eventually sleep 60; finish'
wait

check "a script without a failure" ended good 0 '^1 of 1 checks passed'
check "a failed check" ended bad 1 '^0 of 1 checks passed'
check "a script without a check" ended empty 1 '^0 of 0 checks passed'
check "a wait that nobody looks at" ended unread 1 '^not ok - eventually never' '| said 59' '^1 of 2 checks passed'
check "a wait in a subshell" ended subshell 1 '^2 of 3 checks passed'
check "a wait within a check that goes on" ended within 1 '^not ok 1 - good' '^0 of 1 checks passed'
check "the same without which nothing follows" ended must 1 '^0 of 1 checks passed'
check "a time-out in a check" ended hangs 124 '^not ok - ended in line 2 (the time-out is 20 s): hangs' '^1 of 2 checks passed'
check "a time-out in a wait" ended waits 124 '^not ok - ended in line 2 (the time-out is 20 s): eventually sleep 60'

lines() { printf '%s\n' '{"a": 1, "b": [2]}' '{"a": 2, "b": []}' '{"a": 3'; }
check "any_line finds what is not the last value, before a line that is half there" eval 'lines | any_line ".a == 1"'
check "with jq's arguments" eval 'lines | any_line ".a == (\$n | tonumber)" --arg n 2'
check "not what no value has" eval '! lines | any_line ".a == 3"'
check "nor anything in nothing" eval '! any_line true </dev/null'
finish
