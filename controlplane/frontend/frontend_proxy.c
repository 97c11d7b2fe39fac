// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_proxy.h"

#include <string.h>
#include <weir/bytes.h>

bool frontend_proxy_is_due(
	const struct config_proxy_protocol *balancers, const union client_address *peer)
{
	unsigned version;
	const uint8_t *bytes = client_bytes(peer, &version);

	for (unsigned i = 0; i < balancers->from_count; i++) {
		const struct ip_address *from = &balancers->from[i];
		if (from->version == version && bits_same(from->bytes, bytes, from->prefix_len))
			return true;
	}
	return false;
}

union client_address frontend_proxy_client(const struct proxy_header *h)
{
	union client_address client = {0};

	if (h->ip_version == 4) {
		client.v4.sin_family = AF_INET;
		client.v4.sin_port = htobe16(h->port);
		memcpy(&client.v4.sin_addr, h->ip, sizeof(client.v4.sin_addr));
	} else {
		client.v6.sin6_family = AF_INET6;
		client.v6.sin6_port = htobe16(h->port);
		memcpy(&client.v6.sin6_addr, h->ip, sizeof(client.v6.sin6_addr));
	}
	return client;
}
