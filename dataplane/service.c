// SPDX-License-Identifier: BSD-3-Clause

#include "service.h"

#include <string.h>

void service_from_config(struct worker_service *out, const struct config_dataplane *dp)
{
	*out = (struct worker_service){0};
	for (unsigned i = 0; i < dp->address_count; i++) {
		const struct ip_address *a = &dp->addresses[i];
		if (a->version == 4)
			memcpy(&out->v4[out->v4_count++], a->bytes, 4);
		else
			memcpy(out->v6[out->v6_count++], a->bytes, 16);
	}
}
