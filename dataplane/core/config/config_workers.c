// SPDX-License-Identifier: BSD-3-Clause

#include <string.h>
#include <weir/config.h>
#include <weir/shm_abi.h>
#include <weir/url.h>

static void address_take(struct dns_block *out, const struct ip_address *a)
{
	if (a->version == 4) {
		memcpy(out->v4, a->bytes, sizeof(out->v4));
		out->has |= DNS_BLOCK_HAS_V4;
	} else if (a->version == 6) {
		memcpy(out->v6, a->bytes, sizeof(out->v6));
		out->has |= DNS_BLOCK_HAS_V6;
	}
}

void config_block_reply(
	const struct config *config, const struct config_group *group, struct dns_block *out)
{
	const struct config_blocking *all = &config->blocking;
	*out = (struct dns_block){.mode = (uint8_t)all->mode, .ttl_s = all->ttl_s};
	address_take(out, &all->custom_v4);
	address_take(out, &all->custom_v6);
	if (!group)
		return;
	if (group->block.has_mode)
		out->mode = (uint8_t)group->block.mode;
	if (group->block.has_ttl)
		out->ttl_s = group->block.ttl_s;
	address_take(out, &group->block.custom_v4);
	address_take(out, &group->block.custom_v6);
}

uint32_t config_log_sample(const struct config *c)
{
	return c->query_log.enabled ? c->query_log.sample : 0;
}

// Messages are left out if `anonymize` hides clients, as a message may hold their addresses.
uint8_t config_log_detail(const struct config *c)
{
	const struct config_query_log *q = &c->query_log;
	if (!q->enabled || !*q->dnstap.socket)
		return LOG_DETAIL_NONE;
	return q->dnstap.messages && q->anonymize == LOG_CLIENTS_WHOLE ? LOG_DETAIL_MESSAGES
								       : LOG_DETAIL_ENDS;
}

static void text_take(char out[DNS_IDENTITY_MAX + 1], const char *text)
{
	memset(out, 0, DNS_IDENTITY_MAX + 1);
	if (text)
		memcpy(out, text, strnlen(text, DNS_IDENTITY_MAX));
}

void config_identity_take(const struct config *config, struct dns_identity *out)
{
	text_take(out->version, config->identity.version);
	text_take(out->name, config->identity.name);
	text_take(out->nsid, config->identity.nsid);
}

static uint16_t kernel_hundreds(uint32_t frames)
{
	return (uint16_t)((frames + DP_KERNEL_FRAMES_UNIT - 1) / DP_KERNEL_FRAMES_UNIT);
}

static uint8_t blocking_on(const struct config_blocking *b)
{
	return !b->enabled ? BLOCKING_OFF : b->closed ? BLOCKING_CLOSED : BLOCKING_ON;
}

// Is there a list by zone transfer?
static bool takes_notify(const struct config_blocking *b)
{
	struct url url;
	bool takes = false;
	for (unsigned i = 0; i < b->list_count; i++)
		takes |= b->lists[i].url && url_parse_list(b->lists[i].url, &url) == 0 && url.axfr;
	return takes;
}

void config_for_workers(const struct config *config, struct dp_config *out)
{
	*out = (struct dp_config){
		.client_ttl_cap_s = config->cache.client_ttl_cap_s,
		.stale_ttl_s = config->cache.stale_ttl_s,
		.udp_limit = config->limits.udp_reply_size,
		.stale_mode = config->cache.stale_immediate ? STALE_IMMEDIATE : STALE_ON_FAILURE,
		.blocking_on = blocking_on(&config->blocking),
		.any_minimal = config->access.any_minimal,
		.log_sample = config_log_sample(config),
		.log_detail = config_log_detail(config),
		.log_level = (uint8_t)config->runtime.log_level,
		.log_format = (uint8_t)config->runtime.log_format,
		.rotate = config->cache.rotate,
		.takes_notify = takes_notify(&config->blocking),
		.kernel_hundreds = kernel_hundreds(config->limits.kernel_frames),
		.group_lists = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
	};
	out->cookies.is_on = config->cookies.enabled;
	out->cookies.require = (uint8_t)config->cookies.require;
	out->cookies.count = (uint8_t)config->cookies.count;
	memcpy(out->cookies.secret, config->cookies.secret, sizeof(out->cookies.secret));
	config_block_reply(config, NULL, &out->block);
	config_identity_take(config, &out->identity);
}
