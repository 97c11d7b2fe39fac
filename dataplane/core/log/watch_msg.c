// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>
#include <weir/keyhash.h>
#include <weir/watch_msg.h>

bool watch_passes_client(const struct dp_watch *f, unsigned ip_version, const uint8_t *address)
{
	if (!f->client_version)
		return true;
	unsigned most = ip_version == 6 ? 128 : 32;
	unsigned bits = f->client_bits <= most ? f->client_bits : most, whole = bits / 8;
	if (ip_version != f->client_version || memcmp(address, f->client, whole) != 0)
		return false;
	return bits % 8 == 0 || (address[whole] ^ f->client[whole]) >> (8 - bits % 8) == 0;
}

bool watch_passes_name(const struct dp_watch *f, const uint8_t *wire, unsigned len)
{
	if (!f->name_hash)
		return true;
	for (unsigned at = 0; at < len; at += wire[at] + 1u)
		if (contenthash(wire + at, len - at) == f->name_hash)
			return true;
	return false;
}
