// SPDX-License-Identifier: BSD-3-Clause

// Hops images: each input is laid over an image, as it is and once more with numbers that pass now
// and then and a sum that fits, so that the checks behind it are reached. Of an accepted image all
// lookups stay in bounds and find each server; the bytes are scribbled over meanwhile, as the
// reader has a copy.

#include "fuzz.h"

#include <weir/hops.h>
#include <weir/shm_msg.h>

static void ask(const struct hops_reader *r, const struct hops_image *was)
{
	for (unsigned i = 0; i < was->server_count; i++) {
		const struct hops_server *s = &was->server[i];
		const struct hops_server *found =
			hops_server_find(r, s->ip_version, s->ip, s->port);
		FUZZ_CHECK(found && memcmp(found, s, sizeof(*s)) == 0);
		FUZZ_CHECK(found->hop < was->hop_count && r->hop[found->hop].mtu >= HOPS_MTU_LEAST);
		FUZZ_CHECK(r->has_servers && (s->ip_version == 4 ? r->has_v4 : r->has_v6));
	}
	for (unsigned port = 0; port < HOPS_PORT_LEAST; port++)
		FUZZ_CHECK(!hops_port_is_ours(r, (uint16_t)port));
	if (r->has_servers)
		FUZZ_CHECK(hops_resolver_of(r, UINT16_MAX) < SHM_RESOLVERS_MAX);
}

static bool take(struct hops_image *image, const uint8_t *data, size_t len)
{
	static struct hops_reader r;
	static struct hops_image was;
	char why[128] = "";
	was = *image;
	int rc = hops_reader_init(&r, image, sizeof(*image), why);
	FUZZ_CHECK(rc == 0 || (rc == -EPROTO && why[0]));
	if (rc < 0)
		return false;
	for (size_t at = 0; len && at < sizeof(*image); at += len)
		memcpy((uint8_t *)image + at, data,
			len < sizeof(*image) - at ? len : sizeof(*image) - at);
	ask(&r, &was);
	return true;
}

// Small enough to pass now and then, some just too large: the input decides which.
static void seal(struct hops_image *h)
{
	h->hop_count = (uint16_t)(h->hop_count % (HOPS_MAX + 2));
	h->server_count = (uint16_t)(h->server_count % (h->server_count & 1 ? 9 : 1030));
	h->has_v4 %= 3;
	h->has_v6 %= 2;
	h->resolvers %= SHM_RESOLVERS_MAX + 2;
	h->range_count %= HOPS_RANGES_MAX + 2;
	for (unsigned i = 0; i < HOPS_RANGES_MAX; i++)
		h->range[i].first |= 1024;
	for (unsigned i = 0; i < HOPS_MAX; i++) {
		h->hop[i].destination[0] &= 0xfe;
		h->hop[i].source[0] = 2;
		h->hop[i].port %= 5;
		h->hop[i].vlan %= 4096;
		h->hop[i].mtu |= 1280;
	}
	for (unsigned i = 0; i < HOPS_SERVERS_MAX; i++) {
		struct hops_server *s = &h->server[i];
		s->ip_version = s->ip_version % 2 ? 6 : 4;
		if (s->ip_version == 4)
			memset(s->ip + 4, 0, sizeof(s->ip) - 4);
		s->hop %= HOPS_MAX + 1;
	}
	hops_image_seal(h);
}

static void lay(struct hops_image *image, const uint8_t *data, size_t len)
{
	const size_t room = offsetof(struct hops_image, sum);
	for (size_t at = 0; len && at < room; at += len)
		memcpy((uint8_t *)image + at, data, len < room - at ? len : room - at);
}

// A message's numbers fit together, whatever its bytes are.
static void read_messages(const uint8_t *data, size_t len)
{
	struct msg_send send;
	struct msg_heard heard;
	if (msg_send_read(&send, data, len))
		FUZZ_CHECK(sizeof(send) + send.dns_len == len && send.dns_len <= MSG_DNS_MAX);
	if (msg_heard_read(&heard, data, len))
		FUZZ_CHECK(sizeof(heard) + heard.dns_len == len && heard.kind < HEARD_KINDS);
}

static void make_good(struct hops_image *image)
{
	*image = (struct hops_image){.hop_count = 1,
		.server_count = 2,
		.source_v4 = {198, 18, 0, 53},
		.has_v4 = 1,
		.resolvers = 1,
		.range_count = 1,
		.range = {{1024, 32767}},
		.hop = {{.destination = {2}, .source = {2}, .mtu = 1500}},
		.server = {{.ip = {192, 0, 2, 1}, .port = 53, .ip_version = 4},
			{.ip = {192, 0, 2, 2}, .port = 53, .ip_version = 4}}};
	hops_image_seal(image);
}

// Or no input would get past the head; and each damage is seen.
FUZZ_BEGIN
{
	static struct hops_image image;
	make_good(&image);
	FUZZ_CHECK(take(&image, NULL, 0));
	const size_t at[] = {0, offsetof(struct hops_image, range), sizeof(image) - 1};
	for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
		((uint8_t *)&image)[at[i]] ^= 1;
		FUZZ_CHECK(!take(&image, NULL, 0));
		((uint8_t *)&image)[at[i]] ^= 1;
	}
	return 0;
}

// Four images: the input all over one, and over the head, the hops or the servers of a good one.
FUZZ_BODY(data, len)
{
	static struct hops_image image;
	const size_t from[] = {offsetof(struct hops_image, hop_count),
		offsetof(struct hops_image, hop), offsetof(struct hops_image, server)};
	read_messages(data, len);
	lay(&image, data, len);
	take(&image, data, len);
	seal(&image);
	take(&image, data, len);
	for (unsigned i = 0; i < ARRAY_LEN(from); i++) {
		make_good(&image);
		const size_t room = offsetof(struct hops_image, sum) - from[i];
		if (len)
			memcpy((uint8_t *)&image + from[i], data, len < room ? len : room);
		if (i == 0)
			seal(&image);
		hops_image_seal(&image);
		take(&image, data, len);
	}
	return 0;
}
