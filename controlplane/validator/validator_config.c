// SPDX-License-Identifier: BSD-3-Clause
#include "validator_config.h"

#include "validator_internal.h"
#include "validator_library.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// Names that the library would answer by itself (RFC 6303, 6761, 7686, 8375 and later ones): they
// are weir's to answer (policy/special_names.h), by the operator's settings, or to ask for.
static const char *const own_names[] = {"localhost", "127.in-addr.arpa",
	"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", "home.arpa",
	"onion", "test", "invalid", "resolver.arpa", "service.arpa"};

void validator_common_write(FILE *f)
{
	fputs("server:\nverbosity: 0\nuse-syslog: no\nchroot: \"\"\nusername: \"\"\n"
	      "directory: \"\"\nunblock-lan-zones: yes\ninsecure-lan-zones: yes\n"
	      "local-zone: \"" LIBRARY_OWN_NAME "\" always_nxdomain\n",
		f);
	for (size_t i = 0; i < ARRAY_LEN(own_names); i++)
		fprintf(f, "local-zone: \"%s\" nodefault\n", own_names[i]);
}

void validator_anchors_write(FILE *f, const struct validator_settings *s)
{
	char name[DNS_NAME_TEXT_MAX];

	if (!s->keys)
		fprintf(f, "trust-anchor-file: \"%s\"\n", s->anchors);
	for (const char *key = s->keys; key && *key;) {
		int len = (int)strcspn(key, "\n");
		fprintf(f, "trust-anchor: \"%.*s\"\n", len, key);
		key += len + (key[len] != '\0');
	}
	for (unsigned i = 0; i < s->negative_count; i++)
		fprintf(f, "domain-insecure: \"%s\"\n", dns_name_to_text(&s->negative[i], name));
}

// Settings of the library that are the same for every context of the validators. Caches of answers
// are off (forward-no-cache), so these sizes are what it takes at least. It waits for the socket of
// this room longer than that needs to answer (library_be_patient), and asks once: SERVFAIL comes
// after all servers had their tries. The size of replies, and the shortest and longest wait of a
// query, hold for the recursor's library too, so they are what that one has.
static const char fixed[] =
	"module-config: \"validator iterator\"\n"
	"do-ip6: no\ndo-tcp: no\noutgoing-interface: 127.0.0.1\ndo-not-query-localhost: no\n"
	"edns-buffer-size: 1232\nmsg-cache-size: 64k\nmsg-cache-slabs: 1\n"
	"rrset-cache-size: 256k\nrrset-cache-slabs: 1\nkey-cache-size: 1m\nkey-cache-slabs: 1\n"
	"neg-cache-size: 64k\ninfra-cache-numhosts: 16\ninfra-cache-slabs: 1\n"
	"infra-keep-probing: yes\n"
	"outbound-msg-retry: 1\nval-max-restart: 1\nmax-query-restarts: 16\n"
	"cache-max-ttl: 604800\ncache-max-negative-ttl: 86400\n"
	"harden-dnssec-stripped: yes\nharden-glue: yes\nuse-caps-for-id: no\n"
	"qname-minimisation: no\naggressive-nsec: no\nprefetch: no\nprefetch-key: no\n"
	"serve-expired: no\nminimal-responses: no\nrrset-roundrobin: no\ndeny-any: no\n"
	"root-key-sentinel: no\ntrust-anchor-signaling: no\nval-clean-additional: yes\n"
	"edns-client-string-opcode: 65001\n";

int validator_config_write(const struct validator_settings *s, uint16_t port,
	const char token[VALIDATOR_TOKEN_LEN + 1], char **out, size_t *len)
{
	FILE *f = open_memstream(out, len);
	if (!f)
		return -ENOMEM;
	validator_common_write(f);
	fputs(fixed, f);
	fprintf(f, "outgoing-range: %d\nnum-queries-per-thread: %d\n", VALIDATOR_SOCKETS,
		VALIDATOR_QUESTIONS_MAX);
	fprintf(f, "edns-client-string: 127.0.0.1/32 %s\n", token);
	validator_anchors_write(f, s);
	if (s->any_date)
		fputs("val-override-date: \"-1\"\n", f);
	fprintf(f,
		"forward-zone:\nname: \".\"\nforward-addr: 127.0.0.1@%u\nforward-no-cache: yes\n",
		port);
	bool is_short = ferror(f);
	return fclose(f) == 0 && !is_short ? 0 : -ENOMEM;
}
