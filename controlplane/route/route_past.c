// SPDX-License-Identifier: BSD-3-Clause
#include "route_past.h"

#include <string.h>

static bool is_in(const struct hops_image *image, unsigned count, const struct hops_server *s)
{
	for (unsigned i = 0; i < count; i++)
		if (hops_server_is(&image->server[i], s->ip_version, s->ip, s->port))
			return true;
	return false;
}

// False: the image has no room for the hop.
static bool hop_add(struct hops_image *image, const struct hops_hop *hop, uint8_t *place)
{
	unsigned i = 0;

	while (i < image->hop_count && memcmp(&image->hop[i], hop, sizeof(*hop)) != 0)
		i++;
	if (i == HOPS_MAX)
		return false;
	if (i == image->hop_count)
		image->hop[image->hop_count++] = *hop;
	*place = (uint8_t)i;
	return true;
}

// The source address of its version. False: there is another one now.
static bool source_keep(struct hops_image *image, const struct hops_image *past, unsigned version)
{
	uint8_t *has = version == 4 ? &image->has_v4 : &image->has_v6;
	uint8_t *bytes = version == 4 ? image->source_v4 : image->source_v6;
	const uint8_t *past_bytes = version == 4 ? past->source_v4 : past->source_v6;
	const size_t len = version == 4 ? 4 : 16;

	if (!*has)
		memcpy(bytes, past_bytes, len);
	*has = 1;
	return memcmp(bytes, past_bytes, len) == 0;
}

static bool server_keep(
	struct hops_image *image, const struct hops_image *past, const struct hops_server *s)
{
	struct hops_server kept = *s;

	if (image->server_count == HOPS_SERVERS_MAX || !source_keep(image, past, s->ip_version)
		|| !hop_add(image, &past->hop[s->hop], &kept.hop))
		return false;
	if (image->range_count == 0) {
		image->resolvers = past->resolvers;
		image->range_count = past->range_count;
		memcpy(image->range, past->range, sizeof(image->range));
	}
	image->server[image->server_count++] = kept;
	return true;
}

bool route_past_keep(struct route_past *p, struct hops_image *image, uint64_t now_ms)
{
	const unsigned asked = image->server_count;
	uint64_t leaves_ms[HOPS_SERVERS_MAX] = {0};

	for (unsigned i = 0; i < p->image.server_count; i++) {
		const struct hops_server *s = &p->image.server[i];
		const uint64_t at = p->leaves_ms[i] ? p->leaves_ms[i] : now_ms + ROUTE_PAST_MS;
		const bool is_same =
			i < asked
			&& hops_server_is(&image->server[i], s->ip_version, s->ip, s->port);
		if (!is_same && now_ms < at && !is_in(image, asked, s)
			&& server_keep(image, &p->image, s))
			leaves_ms[image->server_count - 1] = at;
	}
	memcpy(p->leaves_ms, leaves_ms, sizeof(leaves_ms));
	const bool changed = memcmp(&p->image, image, sizeof(*image)) != 0;
	p->image = *image;
	return changed;
}
