// SPDX-License-Identifier: BSD-3-Clause
#include "validator_anchors.h"

#include "validator_library.h"

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
