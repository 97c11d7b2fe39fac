// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_policy.h"

#include <weir/heap_site.h>

// The file may be gone already: then there is a newer one, which the next look finds.
static bool map(struct frontend_policy *fp, const struct shm_paths *paths, uint64_t word)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX], detail[128] = "";
	struct region region = {0};
	struct policy_reader *reader = heap_malloc(sizeof(*reader));

	shm_name_generation(name, "policy", word >> 1);
	bool is_good =
		reader
		&& region_load(paths, (enum shm_where)(word & 1), name, REGION_POLICY, &region, why)
			   == 0
		&& policy_reader_init(
			   reader, region_data(&region), region_data_size(&region), detail)
			   == 0;
	if (is_good) {
		region_unmap(&fp->region);
		fp->region = region;
		fp->reader = *reader;
		fp->word = word;
	} else {
		region_unmap(&region);
	}
	heap_free(reader);
	return is_good;
}

void frontend_policy_look(struct frontend_policy *fp, struct publisher *publisher, uint64_t now_ms)
{
	uint64_t word = atomic_load_explicit(
		&publisher_directory(publisher)->current[REGION_POLICY], memory_order_acquire);

	if (word == fp->word || now_ms - fp->tried_ms < FRONTEND_POLICY_RETRY_MS)
		return;
	if (!map(fp, publisher_paths(publisher), word))
		fp->tried_ms = now_ms;
}

void frontend_policy_open(struct frontend_policy *fp)
{
	frontend_neighbours_open(&fp->neighbours);
}

void frontend_policy_close(struct frontend_policy *fp)
{
	frontend_neighbours_close(&fp->neighbours);
	region_unmap(&fp->region);
	fp->word = 0;
}

unsigned frontend_policy_leaf_of_address(
	const struct frontend_policy *fp, const union client_address *client)
{
	const struct policy_reader *r = &fp->reader;
	unsigned version;
	const uint8_t *bytes = client_bytes(client, &version);

	if (!policy_has_groups(r) && !r->has_access)
		return 0;
	return version == 4 ? policy_leaf_v4(r, bytes) : policy_leaf_v6(r, bytes);
}

unsigned frontend_policy_leaf(
	struct frontend_policy *fp, const union client_address *client, uint64_t now_ms)
{
	const struct policy_reader *r = &fp->reader;
	uint8_t mac[FRONTEND_NEIGHBOUR_MAC];
	unsigned leaf = frontend_policy_leaf_of_address(fp, client);
	unsigned group = policy_group_of(leaf);

	if (r->has_macs && frontend_neighbour_mac(&fp->neighbours, &client->any, now_ms, mac))
		leaf = leaf - group + policy_group_mac(r, mac, group);
	return leaf;
}

const struct policy_group *frontend_policy_of(const struct frontend_policy *fp, unsigned group)
{
	return &fp->reader.group[group & (POLICY_GROUPS_MAX - 1)];
}
