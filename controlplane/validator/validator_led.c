// SPDX-License-Identifier: BSD-3-Clause
#include "validator_internal.h"

#include <weir/dns_proto.h>
#include <weir/dns_query.h>

// Replies that lead to a name which is not the library's to ask for (validator.h). The library's
// own queries for keys and DS sets have no CNAME that matters: it gets no such reply either.

uint64_t validator_asked_hash(
	const struct validators *v, const struct dns_name *name, uint16_t qtype)
{
	const uint64_t hash = keyhash(&v->secret, name->wire, name->len) ^ qtype;
	return hash ? hash : 1;
}

// `asked`: 0: all of the context.
static struct validation *next_of(
	struct validators *v, const struct validator_context *c, uint64_t asked, unsigned *at)
{
	while (*at < v->question_touched) {
		struct validation *q = &v->question[(*at)++];
		if (q->asked && (!asked || q->asked == asked) && q->context == c)
			return q;
	}
	return NULL;
}

static void mark(struct validation *q)
{
	q->context->led += !q->is_led;
	q->is_led = true;
}

static unsigned mark_all(struct validators *v, const struct validator_context *c, uint64_t asked)
{
	unsigned marked = 0, at = 0;
	for (struct validation *one; (one = next_of(v, c, asked, &at)); marked++)
		mark(one);
	return marked;
}

void validator_led_join(struct validators *v, struct validation *q)
{
	unsigned at = 0;

	if (!q->context->led)
		return;
	for (const struct validation *other; (other = next_of(v, q->context, q->asked, &at));)
		if (other->is_led)
			mark(q);
}

static bool has_alias(const uint8_t *msg, const struct dns_query *q)
{
	return get_u16(msg + 6) > 0 && q->qtype != DNS_TYPE_CNAME && q->qtype != DNS_TYPE_ANY;
}

bool validator_led_mark(
	struct validators *v, const struct validator_fetch *f, const uint8_t *msg, size_t len)
{
	struct dns_query q = {.qclass = DNS_CLASS_IN};
	struct rd rd = rd_init(f->question, f->question_len);

	if (dns_name_read(&rd, &q.name) < 0)
		return false;
	q.qtype = rd_u16(&rd);
	if (!has_alias(msg, &q) || !v->owner.leads_on(v->owner.arg, &f->servers, &q, msg, len))
		return false;
	// A name that no question has is a hop of one, the library does not say of which: of those
	// that are marked weir asks again only for those that fail.
	if (!mark_all(v, f->context, validator_asked_hash(v, &q.name, q.qtype)))
		(void)mark_all(v, f->context, 0);
	return true;
}
