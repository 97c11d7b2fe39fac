// SPDX-License-Identifier: BSD-3-Clause

// Configuration files: whatever the text, a whole configuration or one line that says where it is
// wrong. An accepted one equals itself and keeps the promises of its header.

#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weir/config.h>

static void check_list(const struct config_list *l)
{
	FUZZ_CHECK(l->name && l->name[0]);
	FUZZ_CHECK(!l->path != !l->url);
	FUZZ_CHECK(!l->path || l->path[0] == '/');
	FUZZ_CHECK(!l->url || strncmp(l->url, "http", 4) == 0);
}

static void check_config(const struct config *c)
{
	char names[64] = "?";
	FUZZ_CHECK(config_needs_restart(c, c, names, sizeof names) == 0 && names[0] == '\0');
	FUZZ_CHECK(c->dataplane.port_count >= 1 && c->dataplane.port_count <= CONFIG_PORTS_MAX);
	FUZZ_CHECK(c->dataplane.worker_count >= 1);
	FUZZ_CHECK(c->upstreams.count >= 1 && c->upstreams.count <= CONFIG_UPSTREAMS_MAX);
	FUZZ_CHECK(c->cache.min_ttl_s <= c->cache.max_ttl_s);
	FUZZ_CHECK(c->limits.udp_reply_size >= 512 && c->limits.udp_reply_size <= 4096);
	for (unsigned i = 0; i < c->blocking.list_count; i++)
		check_list(&c->blocking.lists[i]);
	for (unsigned i = 0; i < c->dataplane.worker_count; i++)
		for (unsigned j = 0; j < i; j++)
			FUZZ_CHECK(c->dataplane.worker_lcores[i] != c->dataplane.worker_lcores[j]);
}

// "PATH:LINE:COLUMN: ..." in printable ASCII.
static void check_why(const char *path, const char *why)
{
	unsigned line, column;
	size_t n = strlen(path);
	FUZZ_CHECK(strncmp(why, path, n) == 0);
	FUZZ_CHECK(sscanf(why + n, ":%u:%u: ", &line, &column) == 2 && line && column);
	for (; *why; why++)
		FUZZ_CHECK(*why >= 0x20 && *why <= 0x7e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char path[32], why[CONFIG_WHY_MAX] = "";
	struct config *c = NULL;
	int fd = memfd_create("config", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int ret = config_load(path, &c, why);
	FUZZ_CHECK(ret == 0 ? c != NULL : c == NULL && ret == -EINVAL);
	if (ret == 0)
		check_config(c);
	else
		check_why(path, why);
	config_free(c);
	close(fd);
	return 0;
}
