// SPDX-License-Identifier: BSD-3-Clause
#include "designated.h"

#include <assert.h>
#include <string.h>
#include <weir/bytes.h>

enum svcb_key {
	SVCB_ALPN = 1,
	SVCB_PORT = 3,
	SVCB_IPV4HINT = 4,
	SVCB_IPV6HINT = 6,
	SVCB_DOHPATH = 7,
};

enum { DOT_PORT = 853, HTTPS_PORT = 443 };

static const char alpn_dot[] = "\3dot", alpn_https[] = "\2h2\10http/1.1",
		  path_variable[] = "{?dns}";

// A key and the length of its value.
static void param_begin(struct wr *w, enum svcb_key key, size_t len)
{
	wr_u16(w, (uint16_t)key);
	wr_u16(w, (uint16_t)len);
}

static void hints_write(struct wr *w, const struct config_dataplane *d, unsigned version)
{
	const size_t len = version == 4 ? 4 : 16;
	size_t count = 0;

	for (unsigned i = 0; i < d->address_count; i++)
		count += d->addresses[i].version == version;
	if (count == 0)
		return;
	param_begin(w, version == 4 ? SVCB_IPV4HINT : SVCB_IPV6HINT, count * len);
	for (unsigned i = 0; i < d->address_count; i++)
		if (d->addresses[i].version == version)
			wr_bytes(w, d->addresses[i].bytes, len);
}

// The parameters in the order of their keys (RFC 9460 2.2). The room is enough for the longest
// name, path and list of addresses.
static void record_add(struct designated *out, const struct config *c, const struct dns_name *name,
	const struct config_dot *service, bool is_https)
{
	struct designated_record *r = &out->record[out->count++];
	struct wr w = wr_init(r->rdata, sizeof(r->rdata));
	const char *alpn = is_https ? alpn_https : alpn_dot;

	wr_u16(&w, (uint16_t)out->count); // priority
	wr_bytes(&w, name->wire, name->len);
	param_begin(&w, SVCB_ALPN, strlen(alpn));
	wr_bytes(&w, alpn, strlen(alpn));
	if (service->port != (is_https ? HTTPS_PORT : DOT_PORT)) {
		param_begin(&w, SVCB_PORT, sizeof(service->port));
		wr_u16(&w, service->port);
	}
	hints_write(&w, &c->dataplane, 4);
	hints_write(&w, &c->dataplane, 6);
	if (is_https) {
		param_begin(&w, SVCB_DOHPATH, strlen(service->path) + strlen(path_variable));
		wr_bytes(&w, service->path, strlen(service->path));
		wr_bytes(&w, path_variable, strlen(path_variable));
	}
	assert(wr_ok(&w));
	r->rdata_len = (uint16_t)w.pos;
}

bool designated_any(const struct config *c)
{
	return c->tls.name && c->tls.name[0] && (c->dot.enabled || c->doh.enabled);
}

void designated_make(const struct config *c, struct designated *out)
{
	struct dns_name name;

	out->count = 0;
	if (!designated_any(c) || dns_name_from_text(c->tls.name, strlen(c->tls.name), &name) < 0)
		return;
	if (c->dot.enabled)
		record_add(out, c, &name, &c->dot, false);
	if (c->doh.enabled)
		record_add(out, c, &name, &c->doh, true);
}
