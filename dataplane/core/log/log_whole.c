// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>
#include <weir/log_msg.h>

static uint32_t messages_len(const struct log_parts *p)
{
	return (p->query ? p->query_len : 0u) + (p->reply ? p->reply_len : 0u);
}

uint32_t log_whole_len(const struct log_parts *p)
{
	return (uint32_t)sizeof(struct log_whole) + messages_len(p);
}

void log_writer_whole_put(struct log_record *r, const struct log_parts *p)
{
	uint8_t *at = (uint8_t *)(r + 1) + r->name_len;
	struct log_whole ends = {.service_port = p->service_port,
		.service_version = (uint8_t)p->ip_version,
		.has = (uint8_t)((p->query ? LOG_HAS_QUERY : 0) | (p->reply ? LOG_HAS_REPLY : 0))};
	memcpy(ends.service, p->service, p->ip_version == 6 ? 16 : 4);
	memcpy(at, &ends, sizeof(ends));
	at += sizeof(ends);
	if (p->query) {
		memcpy(at, p->query, p->query_len);
		at += p->query_len;
	}
	if (p->reply)
		memcpy(at, p->reply, p->reply_len);
}

int log_whole_read(const uint8_t *msg, size_t len, struct log_whole_view *out)
{
	struct log_record r;
	*out = (struct log_whole_view){0};
	if (len < sizeof(r))
		return -EBADMSG;
	memcpy(&r, msg, sizeof(r));
	out->record_len = sizeof(r) + r.name_len;
	if (len < out->record_len + sizeof(out->ends))
		return -EBADMSG;
	memcpy(&out->ends, msg + out->record_len, sizeof(out->ends));
	const size_t query_len = out->ends.has & LOG_HAS_QUERY ? r.query_len : 0;
	const size_t reply_len = out->ends.has & LOG_HAS_REPLY ? r.reply_len : 0;
	const uint8_t *at = msg + out->record_len + sizeof(out->ends);
	if (out->ends.has & ~(LOG_HAS_QUERY | LOG_HAS_REPLY)
		|| len != out->record_len + sizeof(out->ends) + query_len + reply_len)
		return -EBADMSG;
	out->query = query_len ? at : NULL;
	out->reply = reply_len ? at + query_len : NULL;
	return 0;
}
