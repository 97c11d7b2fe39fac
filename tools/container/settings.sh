# SPDX-License-Identifier: BSD-3-Clause
# The variables WEIR_* of the image, and the weir.yaml that they make. Sourced by entry; docs/how-to/container.md says what each means.
# shellcheck shell=bash disable=SC2034 # variables of entry
mounted=/etc/weir/weir.yaml
secrets=/run/weir/control kept=/var/lib/weir/container # folders of files that settings name
cache_mb=64 port='' password='' page_addresses=()

# What each variable sets: errors of `weirctl config check` name the key.
declare -A settings=(
	[INTERFACE]=dataplane.ports [ADDRESS]=dataplane.service_addresses [PORT]='' [UPSTREAMS]=upstreams [DNSSEC]=dnssec [LISTS]=blocking.lists
	[BLOCKING_MODE]=blocking.mode [DOMAIN]=local.zones [DOMAIN_SERVER]=forward_zones [CLIENTS]=access [LOG_DAYS]=query_log.store
	[PRIVACY]=query_log.anonymize [PAGE_PASSWORD]='' [PAGE_PASSWORD_FILE]='' [PAGE_ADDRESS]=control.listen [PAGE_CLIENTS]=control.allow
	[TLS_NAME]=tls.name [TLS_CERTIFICATE_FILE]=tls.certificates [TLS_KEY_FILE]='' [CACHE_MB]=cache [LOG_LEVEL]=runtime.log_level
	[CONFIG]=''
)
declare -A known_list=() known_servers=()
known_interface='' known_addresses=() known_networks=()

say() { printf 'weir-container: %s\n' "$*" >&2; }
die() { say "$*" && exit 1; }
given() { [ -n "${!1-}" ]; }
# fault VARIABLE SENTENCE
fault() { say "$1: $2" && faults=$((faults + 1)); }
needs() { ! given "$1" || given "$2" || fault "$1" "it needs $2"; }
# A word of YAML, and a list of words.
word() { printf "'%s'" "${1//\'/\'\'}"; }
list() {
	local one some=
	for one; do some+="${some:+, }$(word "$one")"; done
	printf '[%s]' "$some"
}
words() { read -ra cut <<<"${1//,/ }"; } # into the array `cut`

# Exit status 1 after a sentence for each variable that is wrong by itself.
settings_check() {
	local name faults=0
	for name in $(compgen -e | grep '^WEIR_'); do
		if [ -z "${settings[${name#WEIR_}]+known}" ]; then
			fault "$name" "there is no such variable (docs/how-to/container.md has all)"
		elif [[ ${!name} == *[[:cntrl:]]* ]]; then
			fault "$name" "a line end or another control character is in it"
		elif [ "$name" != WEIR_CONFIG ] && given "$name" && [ -s "$mounted" ]; then
			fault "$name" "$mounted is mounted and counts alone: set this there"
		fi
	done
	! given TZ || [ -f "/usr/share/zoneinfo/$TZ" ] || fault TZ "there is no time zone \"$TZ\""
	for name in WEIR_PAGE_PASSWORD_FILE WEIR_TLS_CERTIFICATE_FILE WEIR_TLS_KEY_FILE; do
		! given $name || [ -f "${!name}" ] || { fault $name "there is no file \"${!name}\" to read" && continue; }
		# Root without CAP_DAC_OVERRIDE is a user as any other.
		! given $name || [ -r "${!name}" ] || fault $name "root may not read \"${!name}\" in the container: give it to root (chown root)"
	done
	! given WEIR_PAGE_PASSWORD || ! given WEIR_PAGE_PASSWORD_FILE || fault WEIR_PAGE_PASSWORD "WEIR_PAGE_PASSWORD_FILE is set, too"
	given WEIR_PAGE_PASSWORD || needs WEIR_PAGE_ADDRESS WEIR_PAGE_PASSWORD_FILE
	given WEIR_PAGE_PASSWORD || needs WEIR_PAGE_CLIENTS WEIR_PAGE_PASSWORD_FILE
	needs WEIR_DOMAIN_SERVER WEIR_DOMAIN
	needs WEIR_TLS_NAME WEIR_TLS_CERTIFICATE_FILE
	needs WEIR_TLS_CERTIFICATE_FILE WEIR_TLS_KEY_FILE
	needs WEIR_TLS_KEY_FILE WEIR_TLS_CERTIFICATE_FILE
	[[ ${WEIR_LOG_DAYS:-0} =~ ^([0-9]{1,2}|[12][0-9][0-9]|3[0-5][0-9]|36[0-5])$ ]] || fault WEIR_LOG_DAYS "\"$WEIR_LOG_DAYS\" is no number from 0 to 365"
	[[ ${WEIR_PORT:-auto} =~ ^(auto|xdp|tap|sockets)$ ]] || fault WEIR_PORT "\"$WEIR_PORT\" is none of auto, xdp, tap, sockets"
	password_check
	[ $faults = 0 ]
}

# The page's, in `password`; empty: no page. No program gets it as a variable.
password_check() {
	password=${WEIR_PAGE_PASSWORD-}
	export -n WEIR_PAGE_PASSWORD
	! given WEIR_PAGE_PASSWORD_FILE || IFS= read -r password 2>/dev/null <"$WEIR_PAGE_PASSWORD_FILE"
	if given WEIR_PAGE_PASSWORD_FILE || given WEIR_PAGE_PASSWORD; then
		[[ ${#password} -ge 10 && ${#password} -le 256 ]] ||
			fault "WEIR_PAGE_PASSWORD${WEIR_PAGE_PASSWORD_FILE:+_FILE}" "the password has ${#password} characters, and must have 10 to 256"
	fi
}

# What the machine has, and which names stand for what: the same as in `weirctl setup`.
known_read() {
	local what name rest text
	text=$(weirctl setup --known ${WEIR_INTERFACE:+--interface "$WEIR_INTERFACE"} 2>&1) || die "WEIR_INTERFACE: ${text#weirctl: }"
	while read -r what name rest; do
		case $what in
		interface) known_interface=$name ;;
		address) known_addresses+=("$name") ;;
		network) known_networks+=("$name") ;;
		list) known_list[$name]=$rest ;;
		servers) known_servers[$name]=$rest ;;
		esac
	done <<<"$text"
	[ -n "$known_interface" ] || [ "$port" = tap ] || die "WEIR_INTERFACE: set it, for no interface has a default route"
}

# The service addresses, in `addresses`, each with the prefix length that the interface has it with.
addresses_find() {
	local one own
	words "${WEIR_ADDRESS-}"
	[ "$port" = tap ] && [ ${#cut[@]} = 0 ] && cut=(198.18.0.53/24 fd53::53/64)
	[ ${#cut[@]} -gt 0 ] || cut=("${known_addresses[@]:0:1}")
	[ ${#cut[@]} -gt 0 ] || die "WEIR_ADDRESS: set it, for $known_interface has no address"
	addresses=()
	for one in "${cut[@]}"; do
		for own in "${known_addresses[@]}"; do [ "$one" != "${own%/*}" ] || one=$own; done
		addresses+=("$one")
	done
}

# --- sections of the file --------------------------------------------------------------------------------------------

dataplane_print() {
	local cpus first count
	cpus=$(sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status)
	first=${cpus%%[-,]*} count=$(nproc)
	printf 'dataplane:\n  main_lcore: %s\n  worker_lcores: [%s]\n' "$first" "$([ "$count" = 1 ] && echo "$first" || echo auto)"
	printf '  memory_mb: %s\n' $((count > 4 ? 64 * count : 256))
	if [ "$port" = tap ]; then
		printf "  ports: [{device: 'net_tap0,iface=wt0', exception: weir0}]\n"
	else
		printf '  ports: [{xdp: %s}]\n' "$(word "$known_interface")"
	fi
	printf '  service_addresses: %s\nfallback:\n  udp: on\n' "$(list "${addresses[@]}")"
}

blocking_print() {
	local one
	printf 'blocking:\n  mode: %s\n' "$(word "${WEIR_BLOCKING_MODE:-nxdomain}")"
	words "${WEIR_LISTS:-oisd-small}"
	[ "${cut[*]}" != none ] || return 0
	printf '  lists:\n'
	for one in "${cut[@]}"; do
		case $one in
		/*) printf '    - path: %s\n' "$(word "$one")" ;;
		*://*) printf '    - url: %s\n' "$(word "$one")" ;;
		*)
			[ -n "${known_list[$one]-}" ] || die "WEIR_LISTS: \"$one\" is no URL, no absolute path, and none of: ${!known_list[*]}"
			printf '    - {name: %s, url: %s}\n' "$(word "$one")" "$(word "${known_list[$one]}")"
			;;
		esac
	done
}

upstreams_print() {
	local one address servers
	words "${WEIR_UPSTREAMS:-quad9}"
	printf 'upstreams:\n'
	[ "$port" != sockets ] || printf '  via: kernel\n'
	[ "${cut[*]}" != recursion ] || { printf '  mode: recursive\n' && return; }
	printf '  servers:\n'
	for one in "${cut[@]}"; do
		read -ra servers <<<"${known_servers[$one]-$one}"
		for address in "${servers[@]}"; do printf '    - address: %s\n' "$(word "$address")"; done
	done
}

domain_print() {
	local zone
	given WEIR_DOMAIN || return 0
	zone=$(word "$WEIR_DOMAIN")
	given WEIR_DOMAIN_SERVER || { printf 'local:\n  zones: [{name: %s}]\n' "$zone" && return; }
	words "$WEIR_DOMAIN_SERVER"
	printf 'forward_zones:\n  - {name: %s, servers: %s}\nclient_names:\n  ptr_servers: %s\n' "$zone" "$(list "${cut[@]}")" "$(list "${cut[@]}")"
}

log_print() {
	local days=${WEIR_LOG_DAYS:-7}
	printf 'query_log:\n  anonymize: %s\n  store: {enabled: %s}\n' "$(word "${WEIR_PRIVACY:-none}")" "$([ $((10#$days)) = 0 ] && echo false ||
		printf 'true, hours: %s' $((10#$days * 24)))"
}

tls_print() {
	given WEIR_TLS_CERTIFICATE_FILE || return 0
	printf 'tls:\n  name: %s\n  certificates: [{cert: %s/tls.pem, key: %s/tls.key}]\ndot:\n  enabled: true\n' "$(word "${WEIR_TLS_NAME-}")" \
		"$secrets" "$secrets"
}

page_print() {
	[ -n "$password" ] || return 0
	words "${WEIR_PAGE_ADDRESS-}"
	[ ${#cut[@]} -gt 0 ] || cut=("${addresses[@]%/*}")
	page_addresses=("${cut[@]}")
	printf 'control:\n  page: true\n  listen: %s\n' "$(list "${cut[@]:0:4}")"
	words "${WEIR_PAGE_CLIENTS-}"
	[ ${#cut[@]} -gt 0 ] || cut=(127.0.0.0/8 ::1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 "${known_networks[@]:0:10}")
	printf '  allow: %s\n' "$(list "${cut[@]}")"
	given WEIR_TLS_CERTIFICATE_FILE || printf '  certificates: [{cert: %s/page.pem, key: %s/page.key}]\n' "$kept" "$kept"
}

# settings_print: weir.yaml, of what known_read and addresses_find have found
settings_print() {
	printf '# Made at each start of the variables WEIR_*.\nruntime:\n  group: weir-admin\n  stats_group: weir-stats\n  log_level: %s\n' \
		"$(word "${WEIR_LOG_LEVEL:-info}")"
	dataplane_print
	printf 'cache:\n  l0_mb: %s\n' "$(word "${WEIR_CACHE_MB:-$cache_mb}")"
	printf 'access:\n  allow: %s\n' "$(words "${WEIR_CLIENTS:-private local}" && list "${cut[@]}")"
	printf 'dnssec:\n  validate: %s\n' "$(word "${WEIR_DNSSEC:-false}")"
	blocking_print
	upstreams_print
	domain_print
	log_print
	tls_print
	page_print
}

# settings_try FILE [AS...]: what weir says of it (run as AS), each line with the variable that it is about
settings_try() {
	local text line key name about
	text=$("${@:2}" weirctl config check "$1" 2>&1) && return
	while IFS= read -r line; do
		key=${line#config: } about=''
		for name in "${!settings[@]}"; do
			[ -z "${settings[$name]}" ] || [[ $key != "${settings[$name]}"* ]] || about="WEIR_$name: "
		done
		say "$about$line"
	done <<<"${text//weirctl: /}"
	return 1
}
