// SPDX-License-Identifier: BSD-3-Clause
#include "net_public.h"

#include <string.h>

struct prefix {
	uint8_t bytes[16];
	uint8_t len;
};

static const struct prefix v4_special[] = {
	{{0}, 8},                   // this network
	{{10}, 8}, {{100, 64}, 10}, // shared by carriers
	{{127}, 8}, {{169, 254}, 16}, {{172, 16}, 12}, {{192, 0, 0}, 24},
	{{192, 0, 2}, 24},                                      // documentation
	{{192, 88, 99}, 24}, {{192, 168}, 16}, {{198, 18}, 15}, // benchmarks
	{{198, 51, 100}, 24}, {{203, 0, 113}, 24}, {{224}, 3},  // multicast, reserved, broadcast
};

// Special prefixes within 2000::/3; nothing outside it is public.
static const struct prefix v6_special[] = {
	{{0x20, 0x01}, 23},             // protocol assignments, Teredo among them
	{{0x20, 0x01, 0x0d, 0xb8}, 32}, // documentation
	{{0x3f, 0xff}, 20},
};

static bool v4_public(const uint8_t *a)
{
	for (unsigned i = 0; i < ARRAY_LEN(v4_special); i++)
		if (bits_same(a, v4_special[i].bytes, v4_special[i].len))
			return false;
	return true;
}

bool net_public(const struct ip_address *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
	const uint8_t *b = a->bytes;
	if (a->version == 4)
		return v4_public(b);
	if (memcmp(b, mapped, sizeof(mapped)) == 0 || memcmp(b, nat64, sizeof(nat64)) == 0)
		return v4_public(b + 12);
	if (b[0] == 0x20 && b[1] == 0x02)
		return v4_public(b + 2);
	if (b[0] >> 5 != 1)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(v6_special); i++)
		if (bits_same(b, v6_special[i].bytes, v6_special[i].len))
			return false;
	return true;
}
