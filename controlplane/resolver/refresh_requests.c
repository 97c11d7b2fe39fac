// SPDX-License-Identifier: BSD-3-Clause
#include "refresh_internal.h"

#include <string.h>

struct refresh_request *refresh_request_take(struct refresh *f)
{
	uint32_t i = f->free;

	if (f->inflight >= f->inflight_limit || f->inflight >= REFRESH_REQUESTS)
		return NULL;
	if (i != REFRESH_NIL)
		f->free = f->request[i].next;
	else
		i = f->touched++;
	if (++f->inflight > f->inflight_most)
		f->inflight_most = f->inflight;
	return &f->request[i];
}

void refresh_request_give(struct refresh *f, struct refresh_request *q)
{
	age_remove(&f->ages, &q->age);
	q->next = f->free;
	f->free = (uint32_t)(q - f->request);
	f->inflight--;
}

void refresh_request_fill(struct refresh *f, struct refresh_request *q, const struct l0_key *key,
	const struct l0_view *v)
{
	*q = (struct refresh_request){
		.hash = key->hash,
		.qtype = key->qtype,
		.qclass = key->qclass,
		.view = key->view,
		.key_flags = key->flags,
		.name_len = v->name_len < DNS_NAME_MAX ? v->name_len : DNS_NAME_MAX,
	};
	memcpy(q->name, v->name, q->name_len);
	age_add(&f->ages, &q->age);
}
