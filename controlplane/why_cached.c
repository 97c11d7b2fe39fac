// SPDX-License-Identifier: BSD-3-Clause
#include "why_cached.h"

#include "rdata_text.h"

#include <string.h>

static void record_add(struct why *w, const struct rdata_record *r)
{
	struct dns_name name;
	struct ip_address address;
	bool leads_on = r->type == DNS_TYPE_CNAME;
	if (leads_on && dns_name_from_text(r->data, strlen(r->data), &name) == 0)
		(void)why_name_add(w, &name);
	if ((r->type == DNS_TYPE_A || r->type == DNS_TYPE_AAAA)
		&& ip_address_parse(r->data, &address) == 0)
		(void)why_address_add(w, &address);
}

void why_cached(struct why *w, const struct cache_look *look)
{
	const struct cache_entry *e = NULL;
	w->cache = WHY_CACHE_NOTHING;
	for (unsigned i = 0; i < look->count && !e; i++) {
		const struct cache_entry *c = &look->entry[i];
		if (!c->in_l1 && c->view == w->view && c->qclass == DNS_CLASS_IN
			&& c->qtype == w->qtype && c->hard_left_ms > 0)
			e = c;
	}
	if (!e)
		return;
	struct rd msg = rd_init(e->answer, e->answer_len);
	struct rdata_record r;
	uint16_t ancount;
	w->cache = WHY_CACHE_FOUND;
	if (!rdata_answer_begin(&msg, &ancount))
		return;
	for (unsigned i = 0; i < ancount && rdata_record_read(&msg, &r); i++)
		record_add(w, &r);
}
