# SPDX-License-Identifier: BSD-3-Clause
# Sourced before _init.sh by smoke tests that take arguments (bash). Being in a function, it leaves them to _init.sh, which runs
# the test again with them.

# options 'NAME...' "$@": each --NAME VALUE sets the variable NAME (--max-keys: max_keys); anything else ends the test.
options() {
	local options_known=" $1 " option
	shift
	while [ $# -gt 0 ]; do
		option=${1#--}
		[[ $1 == --* && $option != *' '* && $options_known == *" $option "* ]] ||
			{ echo "$1: no such argument" >&2; exit 2; }
		[ $# -ge 2 ] || { echo "$1: what?" >&2; exit 2; }
		printf -v "${option//-/_}" %s "$2"
		shift 2
	done
}
