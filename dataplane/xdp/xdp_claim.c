// SPDX-License-Identifier: BSD-3-Clause

#include "xdp_place.h"

#include <errno.h>
#include <weir/shm_region.h>
#include <weir/xdp_steer.h>

#define CLAIMS "/run"

// In a directory that is root's alone, or anybody could claim.
int xdp_claim(unsigned ifindex)
{
	char path[XDP_PLACE_MAX];
	int rc = process_lock(xdp_place(CLAIMS, ifindex, path));
	return rc == -EAGAIN ? -EBUSY : rc;
}

int xdp_claimed(unsigned ifindex)
{
	char path[XDP_PLACE_MAX];
	return process_lock_probe(xdp_place(CLAIMS, ifindex, path));
}
