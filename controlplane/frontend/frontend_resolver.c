// SPDX-License-Identifier: BSD-3-Clause

// Messages to the resolvers: questions, as a worker's ask.c writes them, and what a watch shows.
#include "frontend_internal.h"

#include <string.h>
#include <weir/clock.h>

// Of the client, as a resolver's bounds and traces take it.
static void path_fill(struct return_path *path, const union client_address *client)
{
	unsigned version;
	const uint8_t *bytes = client_bytes(client, &version);

	path->ip_version = (uint8_t)version;
	path->client_udp = htobe16(client_port(client));
	memcpy(path->client_ip, bytes, version == 4 ? 4 : 16);
}

static void miss_fill(struct client_miss *c, const struct frontend *f,
	const struct frontend_question *q, const struct frontend_slot *slot)
{
	const uint64_t asked_us = slot ? slot->asked_us : clock_mono_us();

	*c = (struct client_miss){.m = {.arrival_ms = asked_us / 1000,
					  .arrival_more_us = (uint32_t)(asked_us % 1000),
					  .id = q->query.id,
					  .flags = q->query.flags,
					  .udp_size = q->query.udp_size,
					  .has_opt = q->query.has_opt,
					  .dnssec_ok = q->query.dnssec_ok,
					  .view = q->view,
					  .kind = slot ? MISS_WAITER : MISS_REFRESH,
					  .group = q->group,
					  .policy = frontend_policy_generation(&f->policy),
					  .question_len = q->query.question_len}};
	if (!slot)
		return;
	c->m.query_len = slot->query_len;
	c->ticket.slot = (uint32_t)(slot - f->slot);
	c->ticket.life = slot->life;
	c->is_stream = slot->session->transport != FRONTEND_UDP;
	path_fill(&c->m.path, &slot->client);
}

bool frontend_send(
	struct frontend *f, const struct frontend_question *q, const struct frontend_slot *slot)
{
	const size_t cookie_len = q->query.has_opt & DNS_OPT_COOKIE ? DNS_COOKIE_LEN : 0;
	const size_t question_len = q->query.question_len;
	struct client_miss c;

	uint8_t *p = ring_mesh_reserve(f->resolvers, q->resolver, MSG_MISS,
		(uint32_t)(sizeof(c) + question_len + cookie_len));
	if (!p)
		return false;
	miss_fill(&c, f, q, slot);
	memcpy(p, &c, sizeof(c));
	memcpy(p + sizeof(c), f->reply + DNS_HEADER_LEN, question_len);
	memcpy(p + sizeof(c) + question_len, q->query.cookie, cookie_len);
	return true;
}

// A watch is for people: half of the ring is left to questions.
void frontend_note_settled(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, const struct frontend_question *q, enum verdict v,
	uint16_t len)
{
	if (likely_(!publisher_is_watched(f->publisher)) || ring_mesh_is_half_full(f->resolvers, 0))
		return;
	struct client_settled note = {.address = *client,
		.arrival_us = clock_mono_us(),
		.age_s = q->age_s,
		.rcode = len ? get_u16(f->reply + 2) & DNS_FLAG_RCODE : 0,
		.qtype = q->query.qtype,
		.verdict = (uint8_t)v,
		.is_tcp = s->transport != FRONTEND_UDP,
		.name_len = q->query.question_len ? q->query.name.len : 0};
	memcpy(note.name, q->query.name.wire, note.name_len);
	void *p = ring_mesh_reserve(f->resolvers, 0, CLIENT_SETTLED, sizeof(note));
	if (p)
		memcpy(p, &note, sizeof(note));
}
