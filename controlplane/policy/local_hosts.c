// SPDX-License-Identifier: BSD-3-Clause
#include "local_data_internal.h"

#include <errno.h>
#include <string.h>
#include <weir/log.h>

struct hosts_import {
	const struct local_data *data;
	struct local_book *book;
	unsigned names;
};

// Its reverse name would be nobody's, or is known.
static bool has_no_ptr(const struct ip_address *a)
{
	static const uint8_t zero[15];
	if (a->version == 4)
		return a->bytes[0] == 0 || a->bytes[0] == 127 || a->bytes[0] >= 224;
	return a->bytes[0] == 0xff || (memcmp(a->bytes, zero, 15) == 0 && a->bytes[15] <= 1);
}

static int host_take(
	void *arg, const struct ip_address *a, const struct dns_name *name, bool own, uint32_t line)
{
	struct hosts_import *h = arg;
	const struct local_data *d = h->data;
	struct special_name special;
	struct dns_name reverse;
	(void)line;
	if (h->names == LOCAL_HOSTS_NAMES_MAX)
		return -E2BIG;
	h->names++;
	// RFC 6761 6.3: never anything but the loopback address.
	if (special_name_of(&d->special, name, &special) && special.way == SPECIAL_LOOPBACK)
		return 0;
	struct local_item item = {.name = name,
		.voice = LOCAL_HOSTS,
		.covers = RULE_COVERS_SELF,
		.reply = RULE_REPLY_DATA,
		.rtype = a->version == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA,
		.rdata = a->bytes,
		.rdata_len = a->version == 4 ? 4 : 16,
		.ttl_s = d->ttl_s};
	int rc = local_say_data(d, h->book, &item);
	if (rc < 0 || !own || !d->hosts_ptr || has_no_ptr(a))
		return rc;
	hosts_reverse_name(a, &reverse);
	item.name = &reverse;
	item.rtype = DNS_TYPE_PTR;
	item.rdata = name->wire;
	item.rdata_len = name->len;
	return local_say_data(d, h->book, &item);
}

int local_hosts_say(const struct local_data *d, struct local_book *b)
{
	struct hosts_import h = {.data = d, .book = b};
	for (unsigned i = 0; i < d->hosts_count; i++) {
		struct hosts_counts counts = {0};
		int rc = hosts_file_read(d->hosts[i], host_take, &h, &counts);
		if (rc == -ENOMEM)
			return rc;
		if (rc < 0)
			log_warning("hosts file %s: %s", d->hosts[i],
				rc == -E2BIG ? "too many names; the rest is ignored"
					     : strerror(-rc));
		if (counts.rejected)
			log_info("hosts file %s: %llu invalid names or addresses ignored",
				d->hosts[i], (unsigned long long)counts.rejected);
	}
	return 0;
}
