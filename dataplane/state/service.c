// SPDX-License-Identifier: BSD-3-Clause

#include "worker.h"

#include <rte_byteorder.h>

#include <string.h>

// The host bits of an IPv4 network; none of so small a network that it has no broadcast address
// (RFC 3021).
static uint32_t hosts_of(unsigned prefix_len)
{
	return prefix_len >= 31 ? 0 : UINT32_MAX >> prefix_len;
}

void service_from_config(struct worker_service *out, const struct config_dataplane *dp)
{
	*out = (struct worker_service){0};
	for (unsigned i = 0; i < dp->address_count; i++) {
		const struct ip_address *a = &dp->addresses[i];
		if (a->version == 6) {
			memcpy(out->v6[out->v6_count++], a->bytes, 16);
			continue;
		}
		memcpy(&out->v4[out->v4_count], a->bytes, 4);
		out->v4_broadcast[out->v4_count] =
			out->v4[out->v4_count] | rte_cpu_to_be_32(hosts_of(a->prefix_len));
		out->v4_count++;
	}
}
