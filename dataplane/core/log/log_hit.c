// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>
#include <weir/log_hit.h>
#include <weir/shm_stats.h>

int log_hit_expand(const uint8_t *msg, size_t len, uint8_t out[LOG_MESSAGE_MAX])
{
	struct log_hit hit;
	if (len < sizeof hit || len > sizeof hit + LOG_HIT_NAME_MAX)
		return -EBADMSG;
	memcpy(&hit, msg, sizeof hit);
	struct log_record r = {
		.time_us = hit.time_us,
		.weight = 1,
		.client_port = hit.client_port,
		.qtype = hit.qtype,
		.qclass = 1,
		.query_len = hit.query_len,
		.reply_len = hit.reply_len,
		.rcode = hit.rcode & 0xf,
		.ede = LOG_NO_EDE,
		.list = LOG_NO_LIST,
		.upstream = LOG_NO_UPSTREAM,
		.dataplane_us = hit.dataplane_us,
		.verdict = VERDICT_hit,
		.group = hit.group,
		.flags = LOG_ANSWERED | LOG_TIER_L0 << LOG_TIER_SHIFT,
		.name_len = (uint8_t)(len - sizeof hit),
	};
	memcpy(r.client, hit.client, sizeof hit.client);
	memcpy(out, &r, sizeof r);
	memcpy(out + sizeof r, msg + sizeof hit, r.name_len);
	return (int)(sizeof r + r.name_len);
}
