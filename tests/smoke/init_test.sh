#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# _init.sh itself: a failure that a script does not look at fails the script, and a script that is killed says where it stood.
. "$(dirname "$0")/_init.sh"

# script TEXT: runs a smoke test of these lines, with what it said in $tmp/script
script() {
	printf '%s\n' ". '$smoke_dir/_init.sh'" "$1" >$tmp/script.sh
	env -u WEIR_SMOKE_INSIDE SMOKE_TIMEOUT="${seconds-60}" WEIR_PATIENCE=0 bash $tmp/script.sh >$tmp/script 2>&1
}
says() { grep -q -- "$1" $tmp/script || { cat $tmp/script && false; }; }
# passes|fails TEXT SCRIPT
passes() { check "$1" script "$2"; }
fails() { check "$1" script_fails "$2"; }
script_fails() { ! script "$1"; }

never='never() { echo "said $((i++))" && sleep 0.01 && return 1; }; i=0;'
passes "a script without a failure" 'check good true; eventually true; finish'
check "says so" says '^1 of 1 checks passed'
fails "a failed check" 'check bad false; finish'
fails "a script without a check" 'finish'
fails "a wait that nobody looks at" "$never check good true; eventually never; finish"
check "with the command" says '^not ok - eventually never'
check "with what it said last" says '| said 59'
check "as a check that failed" says '^1 of 2 checks passed'
fails "a wait in a subshell" "$never check good true; same none '' \"\$(eventually never)\"; finish"
fails "a wait within a check that goes on" "$never goes_on() { eventually never; true; }; check good goes_on; finish"
check "is that check's failure" says '^0 of 1 checks passed'
fails "the same twice over" "$never twice() { eventually never || true; }; must good twice; check never true; finish"
check "ends the script" says '^0 of 1 checks passed'

seconds=2
fails "a time-out in a check" 'check good true; check hangs sleep 60; finish'
check "has the line and the check" says '^not ok - 2 s are over, in line 2: hangs'
check "and the summary" says '^1 of 2 checks passed'
fails "a time-out in a wait" 'check good true; eventually sleep 60; finish'
check "has the wait" says '^not ok - 2 s are over, in line 2: eventually sleep 60'

lines() { printf '%s\n' '{"a": 1, "b": [2]}' '{"a": 2, "b": []}' '{"a": 3'; }
check "any_line finds what is not the last value, before a line that is half there" eval 'lines | any_line ".a == 1"'
check "with jq's arguments" eval 'lines | any_line ".a == (\$n | tonumber)" --arg n 2'
check "not what no value has" eval '! lines | any_line ".a == 3"'
check "nor anything in nothing" eval '! any_line true </dev/null'
finish
