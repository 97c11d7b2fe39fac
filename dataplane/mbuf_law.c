// SPDX-License-Identifier: BSD-3-Clause

#include "mbuf_law.h"

void mbuf_law_sample(struct mbuf_law *law, uint32_t in_use)
{
	if (law->samples++ == 0 || in_use < law->floor)
		law->floor = in_use;
}

enum mbuf_breach mbuf_law_judge(struct mbuf_law *law, bool quiet)
{
	if (law->samples == 0)
		return MBUF_SOUND;
	law->samples = 0;
	uint64_t most = (uint64_t)law->base + law->tx_hold + (quiet ? 0 : law->in_flight);
	if (law->floor > most)
		return MBUF_LEAK;
	if (quiet && (uint64_t)law->floor + law->rx_vary < law->base)
		return MBUF_DOUBLE_FREE;
	return MBUF_SOUND;
}
