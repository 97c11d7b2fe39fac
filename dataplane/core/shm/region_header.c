// SPDX-License-Identifier: BSD-3-Clause

#include "shm_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

const char *const region_kind_names[REGION_KINDS] = {[REGION_NONE] = "other",
	[REGION_DIRECTORY] = "directory",
	[REGION_L0] = "l0",
	[REGION_RULE_IMAGE] = "rule_image",
	[REGION_RINGS] = "rings",
	[REGION_MARKS] = "marks",
	[REGION_STATS] = "stats",
	[REGION_POLICY] = "policy",
	[REGION_HOPS] = "hops",
	[REGION_ANSWERS] = "answers",
	[REGION_READER] = "reader"};

const char *region_kind_name(uint32_t kind)
{
	return kind > REGION_NONE && kind < REGION_KINDS ? region_kind_names[kind] : "unknown";
}

int region_header_check(const uint8_t *base, size_t size, enum region_kind kind, uint64_t instance,
	const char *path, char why[SHM_WHY_MAX])
{
	const struct region_header *shared = (const struct region_header *)(const void *)base;
	uint64_t magic = atomic_load_explicit(&shared->magic, memory_order_acquire);
	if (magic == 0)
		return shm_fail(why, EPROTO, "%s: still being made", path);
	if (magic != SHM_MAGIC)
		return shm_fail(why, EPROTO,
			"%s: not a weir region (magic %016" PRIx64 ", not %016" PRIx64 ")", path,
			magic, SHM_MAGIC);
	struct region_header h;
	memcpy(&h, base, sizeof(h));
	if (h.abi_version != SHM_ABI_VERSION)
		return shm_fail(why, EPROTO,
			"%s: made by a build with ABI version %" PRIu32 ", this one has %d: "
			"both processes must be of one build",
			path, h.abi_version, SHM_ABI_VERSION);
	uint64_t sum = region_header_sum(&h);
	if (h.sum != sum)
		return shm_fail(why, EPROTO,
			"%s: damaged header (sum %016" PRIx64 ", not %016" PRIx64 ")", path, h.sum,
			sum);
	if (h.instance != instance)
		return shm_fail(why, EPROTO,
			"%s: belongs to another weir (identity %016" PRIx64 ", ours is %016" PRIx64
			")",
			path, h.instance, instance);
	if (h.kind != (uint32_t)kind)
		return shm_fail(why, EPROTO, "%s: is a region of kind %s (%" PRIu32 "), not %s",
			path, region_kind_name(h.kind), h.kind, region_kind_name(kind));
	if (h.total_size != size)
		return shm_fail(why, EPROTO, "%s: has %zu bytes, its header says %" PRIu64, path,
			size, h.total_size);
	return 0;
}
