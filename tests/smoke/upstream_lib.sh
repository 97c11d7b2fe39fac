# SPDX-License-Identifier: BSD-3-Clause
# Sourced by the tests of upstreams over TLS and HTTPS: certificates in $dir (certificates.sh), and the servers that weir asks.

. "$smoke_dir/certificates.sh"
. "$smoke_dir/rig/servers.sh"
pin_of() {
	openssl x509 -in $dir/$1.pem -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64
}
listens() { [ -n "$(ss -Htnl "src $1")" ]; }

# unbound_start ADDRESS PORT CERTIFICATE: over TLS on 853, over HTTPS on 443; 192.0.2.77 for all names below unbound.test
unbound_start() {
	unbound_conf $dir unbound "interface: $1@$2" 'tls-port: 853' 'https-port: 443' "tls-service-key: $dir/$3.key" \
		"tls-service-pem: $dir/$3.pem" 'log-queries: yes' 'local-zone: "unbound.test" redirect' \
		'local-data: "unbound.test 60 A 192.0.2.77"' >$dir/unbound.conf
	unbound -c $dir/unbound.conf 2>>$dir/unbound.err &
	unbound=$!
	eventually listens $1:$2
}

# After lab_up, with the lab's configuration in $tmp/plain.yaml.
servers() { # servers KEYS SERVER...: the lab's configuration with these, and the authorities $ca
	local keys=$1 list= server
	shift
	for server; do list+="{$server}, "; done
	{
		sed '/^upstreams:/,/^[^ ]/{/^upstreams:/d;/^ /d}' $tmp/plain.yaml
		echo "upstreams: {servers: [${list%, }], ca_file: $dir/${ca-ca}.pem, $keys}"
	} >$config
	weirctl config reload --keep
}
of() { weirctl --json upstreams | jq -r ".upstreams[] | select(.name == \"$1\") | $2"; } # of SERVER FIELD
is() { [ "$(of "$1" "$2")" = "$3" ]; }
at_least() { [ "$(of "$1" "$2")" -ge "$3" ]; }
fails() { [ "$(client kdig +timeout=8 +retry=0 @$service "$1" A | rcode_of)" = SERVFAIL ]; }
