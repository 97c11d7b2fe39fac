// SPDX-License-Identifier: BSD-3-Clause
#include "memif_left.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/log.h>

// The value of an argument of a device, and its length; NULL: it has none.
static const char *argument(const char *device, const char *key, size_t *len)
{
	const size_t key_len = strlen(key);

	for (const char *at = strchr(device, ','); at; at = strchr(at + 1, ',')) {
		if (strncmp(at + 1, key, key_len) != 0)
			continue;
		const char *value = at + 1 + key_len;
		*len = strcspn(value, ",");
		return value;
	}
	return NULL;
}

static bool is_server(const char *device)
{
	size_t len = 0;
	const char *role = argument(device, "role=", &len);

	return strncmp(device, "net_memif", 9) == 0 && role
	       && ((len == 6 && memcmp(role, "server", len) == 0)
		       || (len == 6 && memcmp(role, "master", len) == 0));
}

// A socket that was bound and that no process has any more.
static bool is_dead(const struct sockaddr_un *address)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	int rc = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	const bool dead = rc < 0 && errno == ECONNREFUSED;
	close(fd);
	return dead;
}

static bool remove_of(const char *device)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = 0;
	const char *path = is_server(device) ? argument(device, "socket=", &len) : NULL;

	if (!path || len == 0 || len >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, path, len);
	if (!is_dead(&address))
		return false;
	if (unlink(address.sun_path) < 0) {
		log_warning("%s: a memif socket that nobody listens to, could not be removed: %s",
			address.sun_path, strerror(errno));
		return false;
	}
	log_info("%s: a memif socket that a killed process left: removed", address.sun_path);
	return true;
}

unsigned memif_left_remove(const struct config_dataplane *dp)
{
	unsigned removed = 0;

	for (unsigned i = 0; i < dp->port_count; i++)
		removed += remove_of(dp->ports[i].device);
	return removed;
}
