// SPDX-License-Identifier: BSD-3-Clause
// Servers stay in the image until replies to them are past.

#include "controlplane/route/route_board.h"
#include "tests/unit/unit.h"

enum { T = 50000 };

static struct hops_image image;
static struct route_past past;

FIXTURE(setup, memset(&past, 0, sizeof(past)))

// An image of servers of one version, numbered from `first`, each by the hop of its number.
static void image_of(uint8_t version, unsigned first, unsigned count)
{
	memset(&image, 0, sizeof(image));
	if (count == 0)
		return;
	image.resolvers = 2;
	image.range_count = 1;
	image.range[0] = (struct hops_range){1024, 40000};
	image.has_v4 = version == 4;
	image.has_v6 = version == 6;
	memset(version == 4 ? image.source_v4 : image.source_v6, 9, 4);
	for (unsigned i = 0; i < count; i++) {
		image.hop[i] = (struct hops_hop){.source = {2}, .destination = {2}, .mtu = 1500};
		image.hop[i].destination[5] = (uint8_t)(first + i);
		image.server[i] =
			(struct hops_server){.port = 53, .ip_version = version, .hop = (uint8_t)i};
		image.server[i].ip[0] = 32;
		image.server[i].ip[3] = (uint8_t)(first + i);
	}
	image.hop_count = image.server_count = (uint16_t)count;
}

// Each server of the image has its hop still, and a reader takes the image.
static void check(unsigned count)
{
	static struct hops_reader reader;
	struct hops_image sealed = image;
	char why[128];

	hops_image_seal(&sealed);
	assert_int_equal(hops_reader_init(&reader, &sealed, sizeof(sealed), why), 0);
	assert_int_equal(image.server_count, count);
	for (unsigned i = 0; i < count; i++) {
		const struct hops_server *s = &image.server[i];
		assert_int_equal(image.hop[s->hop].destination[5], s->ip[3]);
	}
}

static bool keep(uint8_t version, unsigned first, unsigned count, uint64_t now_ms)
{
	image_of(version, first, count);
	return route_past_keep(&past, &image, now_ms);
}

TEST_WITH(test_until_replies_are_past, setup, NULL)
{
	assert_true(keep(4, 1, 3, T));
	check(3);
	assert_true(keep(4, 3, 2, T + 1)); // 1 and 2 have gone, 4 is new
	check(4);
	assert_false(keep(4, 3, 2, T + ROUTE_PAST_MS)); // nothing to publish
	check(4);
	assert_true(keep(4, 3, 2, T + ROUTE_PAST_MS + 1));
	check(2);
	keep(4, 0, 0, T + ROUTE_PAST_MS + 2); // none at all
	check(2);
	assert_int_equal(image.resolvers, 2);
	assert_int_equal(image.range[0].last, 40000);
	keep(4, 0, 0, T + 2 * ROUTE_PAST_MS + 2);
	check(0);
	assert_int_equal(image.range_count, 0);
}

// One that comes back is as new: it stays as long once more.
TEST_WITH(test_it_comes_back, setup, NULL)
{
	keep(4, 1, 1, T);
	keep(4, 0, 0, T + 1);
	keep(4, 1, 1, T + 5000);
	check(1);
	keep(4, 0, 0, T + 5001);
	keep(4, 0, 0, T + 5000 + ROUTE_PAST_MS);
	check(1);
	keep(4, 0, 0, T + 5001 + ROUTE_PAST_MS);
	check(0);
}

TEST_WITH(test_sources, setup, NULL)
{
	keep(4, 1, 1, T);
	keep(6, 2, 1, T); // the other version has a source of its own
	check(2);
	assert_true(image.has_v4 && image.has_v6);
	image_of(4, 3, 1);
	image.source_v4[0] = 10;
	assert_true(route_past_keep(&past, &image, T));
	check(2); // that of version 6 and the new one
	assert_int_equal(image.source_v4[0], 10);
	assert_int_equal(image.server[0].ip[3], 3);
	assert_int_equal(image.server[1].ip[3], 2);
}

TEST_WITH(test_no_room, setup, NULL)
{
	keep(4, 1, HOPS_MAX, T);
	keep(4, 1 + HOPS_MAX, HOPS_MAX - 1, T); // one hop is left
	check(HOPS_MAX);
}
