// SPDX-License-Identifier: BSD-3-Clause
#include "config_anchors.h"
#include "config_entries.h"
#include "config_file.h"
#include "config_sections.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

enum { ANCHORS_MAX = 65536 };

// weir writes names and path into settings of the validator, between quotes.
static bool is_quotable(const char *text)
{
	return !strpbrk(text, "\"\\\n\r");
}

// The same for the same names and keys, whatever their order.
static uint64_t hash_of(const struct config_dnssec *d, const char *anchors, size_t len)
{
	uint64_t part[2] = {d->keys ? 0 : contenthash(anchors, len), 0};
	for (const char *key = d->keys; key && *key;
		key += strcspn(key, "\n") + 1) // each ends in one
		part[0] += contenthash(key, strcspn(key, "\n"));
	for (unsigned i = 0; i < d->negative_count; i++)
		part[1] += contenthash(d->negative[i].wire, d->negative[i].len);
	uint64_t hash = contenthash(part, sizeof(part));
	return hash ? hash : 1;
}

// The valid keys of a file that another program keeps. Names and keys go into settings of the
// validator, between quotes.
static int keys_apply(const struct config_doc *doc, struct config_dnssec *d, const char *text)
{
	static const char key[] = "dnssec.anchors";
	d->keys = heap_malloc(strlen(text) + 1);
	if (!d->keys)
		return -ENOMEM;
	int count = config_anchors_valid(text, d->keys);
	if (count < 0 || strpbrk(d->keys, "\"\\\r"))
		return config_refuse(doc, key, "has a line that no keeper of trust anchors writes");
	return count ? 0 : config_refuse(doc, key, "has no valid key, only revoked or new ones");
}

static int anchors_apply(const struct config_doc *doc, struct config_dnssec *d)
{
	static const char key[] = "dnssec.anchors";
	char text[ANCHORS_MAX + 1];
	if (d->anchors[0] != '/')
		return config_refuse(doc, key, "must be an absolute path");
	if (!is_quotable(d->anchors))
		return config_refuse(doc, key, "must have no quote and no backslash");
	if (!d->validate)
		return 0;
	int len = config_file_read(d->anchors, text, ANCHORS_MAX);
	if (len < 0)
		return config_refuse(doc, key,
			"cannot be read: %s; the package dns-root-data has one", strerror(-len));
	if (!strstr(text, "DNSKEY") && !strstr(text, "DS"))
		return config_refuse(doc, key, "has no DNSKEY and no DS record");
	int rc = config_anchors_are_kept(text) ? keys_apply(doc, d, text) : 0;
	if (rc < 0)
		return rc;
	d->hash = hash_of(d, text, (size_t)len);
	return 0;
}

int config_dnssec_apply(const struct config_doc *doc, struct config *out)
{
	const struct config_node *r = config_section(doc, "dnssec");
	struct config_dnssec *d = &out->dnssec;
	int rc = 0;

	if (config_node_count(r, "negative_anchors")) {
		d->negative =
			heap_calloc(config_node_count(r, "negative_anchors"), sizeof(*d->negative));
		if (!d->negative)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < config_node_count(r, "negative_anchors"); i++) {
		char key[CONFIG_PATH_MAX];
		const char *text = config_node_item_text(r, "negative_anchors", i)
					   ? config_node_item_text(r, "negative_anchors", i)
					   : "";
		config_item_key(key, "dnssec.negative_anchors", i, NULL);
		rc = config_worse(rc,
			is_quotable(text)
				? config_entry_name(doc, key, text, &d->negative[i])
				: config_refuse(doc, key, "must have no quote and no backslash"));
	}
	d->negative_count = config_node_count(r, "negative_anchors");
	return d->anchors ? config_worse(rc, anchors_apply(doc, d)) : rc;
}

void config_dnssec_free(struct config *c)
{
	FREE_AND_NULL(c->dnssec.negative);
	FREE_AND_NULL(c->dnssec.keys);
}
