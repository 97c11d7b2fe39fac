// SPDX-License-Identifier: BSD-3-Clause

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/shm_region.h>

void shm_name_generation(char out[SHM_NAME_MAX], const char *stem, uint64_t generation)
{
	snprintf(out, SHM_NAME_MAX, "%s.%" PRIu64, stem, generation);
}

void shm_name_rings(char out[SHM_NAME_MAX], unsigned worker, unsigned resolver)
{
	if (resolver == 0)
		snprintf(out, SHM_NAME_MAX, "rings.%u", worker);
	else
		snprintf(out, SHM_NAME_MAX, "rings.%u.%u", worker, resolver);
}

void shm_name_answers(char out[SHM_NAME_MAX], unsigned worker, unsigned resolver)
{
	if (resolver == 0)
		snprintf(out, SHM_NAME_MAX, "answers.%u", worker);
	else
		snprintf(out, SHM_NAME_MAX, "answers.%u.%u", worker, resolver);
}

void shm_name_marks(char out[SHM_NAME_MAX], unsigned worker, uint64_t l0_generation)
{
	snprintf(out, SHM_NAME_MAX, "marks.%u.%" PRIu64, worker, l0_generation);
}

enum shm_side shm_maker(const char *name)
{
	static const char *const dataplane[] = {"rings.", "marks.", "stats", "reader"};
	for (unsigned i = 0; i < ARRAY_LEN(dataplane); i++)
		if (strncmp(name, dataplane[i], strlen(dataplane[i])) == 0)
			return SHM_DATAPLANE;
	return SHM_CONTROLPLANE;
}
