// SPDX-License-Identifier: BSD-3-Clause

#include "api.h"

#include "api_listen.h"
#include "api_server.h"
#include "memory/heap_baselines.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/os/passed_files.h>

// As many explanations and searches as may run and wait, and a profile, leave requests for all
// else; so does GET /connections, at its most API_SOCKETS_WAITING_MAX, unless all come together.
static_assert(2 * ((int)JOB_RUNNING_MAX + (int)JOB_WAITING_MAX) + 1 < (int)API_REQUESTS_MAX);

static void on_request(void *arg, struct http_exchange *x)
{
	api_serve(arg, x, 0, CONTROL_ADMIN);
}

// Groups as the kernel knew them when the peer connected: without a call to a name service. A peer
// of more groups than there is room for is in each group, or in none: `unknown`.
static bool peer_in_group(const struct ucred *peer, int fd, gid_t group, bool unknown)
{
	gid_t groups[256];
	socklen_t len = sizeof(groups);
	if (peer->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return unknown;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

// The data plane parses what strangers send: a process that was broken into gets no verb. With two
// users their group has the data plane's and ours alone: that group names it, for it cannot leave
// it. It could remove each file that shows its user.
static bool peer_is_dataplane(const struct api *a, const struct ucred *peer, int fd)
{
	const struct publisher *p = a->deps.publisher;
	return p && publisher_paths(p)->two_users
	       && peer_in_group(peer, fd, publisher_paths(p)->group, true);
}

static bool on_admit(void *arg, const struct ucred *peer, int fd)
{
	const struct api *a = arg;
	if (peer->uid == 0 || peer->uid == geteuid())
		return true;
	if (a->group != (gid_t)-1 && !peer_is_dataplane(a, peer, fd)
		&& peer_in_group(peer, fd, a->group, false))
		return true;
	log_warning("control: uid %u, pid %d refused", peer->uid, peer->pid);
	return false;
}

static int address_fill(struct sockaddr_un *sun, const char *path)
{
	*sun = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(sun->sun_path))
		return -ENAMETOOLONG;
	memcpy(sun->sun_path, path, strlen(path) + 1);
	return 0;
}

// A socket file outlives its process. One without a listener is removed.
static int stale_remove(const struct sockaddr_un *sun)
{
	struct stat st;
	if (lstat(sun->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	int err = errno;
	close(fd);
	if (rc == 0 || err != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(sun->sun_path) < 0 ? -errno : 0;
}

static int access_set(const char *path, gid_t group)
{
	if (group != (gid_t)-1 && lchown(path, (uid_t)-1, group) < 0)
		return -errno;
	return chmod(path, group != (gid_t)-1 ? 0660 : 0600) < 0 ? -errno : 0;
}

// bind() gives the file the mode of the socket, which keeps everyone out until access_set. A umask
// would be the whole process's, and with it the mode of a file that another thread makes just then.
static int socket_listen(const char *path, gid_t group)
{
	struct sockaddr_un sun;
	int rc = address_fill(&sun, path);
	if (rc == 0)
		rc = stale_remove(&sun);
	if (rc < 0)
		return rc;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	passed_files_refuse(fd);
	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0)
		rc = -errno;
	if (rc == 0)
		rc = access_set(path, group);
	if (rc == 0 && listen(fd, API_REQUESTS_MAX) < 0)
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static int group_find(const char *name, gid_t *out)
{
	*out = (gid_t)-1;
	if (!name || !*name)
		return 0;
	char room[4096];
	struct group entry, *found = NULL;
	int err = getgrnam_r(name, &entry, room, sizeof(room), &found);
	if (!found)
		return err ? -err : -ENOENT;
	*out = found->gr_gid;
	return 0;
}

// With two users their group is the one that may read what is secret, cookies' secrets among it,
// and the data plane is in it: peer_is_dataplane. It is no group of operators.
static void group_check(struct api *a)
{
	const struct publisher *p = a->deps.publisher;
	if (!p || !publisher_paths(p)->two_users || a->group != publisher_paths(p)->group)
		return;
	log_warning("runtime.group: %s is the group of the two daemons; only root may use the "
		    "control socket; name a group of operators",
		a->deps.group);
	a->group = (gid_t)-1;
}

enum { CONTROL_FOLDER_MAX = SHM_PATH_MAX + sizeof(SHM_CONTROL) };

static void control_folder(char out[CONTROL_FOLDER_MAX], const struct publisher *p)
{
	snprintf(out, CONTROL_FOLDER_MAX, "%s/" SHM_CONTROL, publisher_paths(p)->run);
}

static int baselines_open(struct api *a, const struct api_deps *deps)
{
	char folder[CONTROL_FOLDER_MAX];
	if (!deps->publisher)
		return 0;
	control_folder(folder, deps->publisher);
	return heap_baselines_open(&a->baselines, deps->service, folder);
}

// Operators pass the folder of the socket: as its group, or as anybody where there are two users.
static void folder_give(const struct api *a)
{
	const struct publisher *p = a->deps.publisher;
	char folder[CONTROL_FOLDER_MAX];
	if (!p || publisher_paths(p)->two_users || a->group == (gid_t)-1)
		return;
	control_folder(folder, p);
	if (lchown(folder, (uid_t)-1, a->group) < 0)
		log_warning("runtime.group: chown of %s to group %s: %s", folder, a->deps.group,
			strerror(errno));
}

// Of the control socket `fd`, which the server owns from here on.
static int server_open(struct api *a, int fd)
{
	const struct http_settings settings = {.base = loop_base(a->deps.service),
		.exchanges_max = API_REQUESTS_MAX,
		.connections_max = API_CONNECTIONS_MAX,
		.connection_ms = API_CONNECTION_MS,
		.admit = on_admit,
		.handle = on_request,
		.replied = api_replied,
		.late = api_late,
		.rate = &a->rate,
		.arg = a};
	a->rate = (struct http_rate){.each_s = API_RATE_MAX, .burst = API_RATE_BURST};
	return http_server_open(&a->http, fd, &settings);
}

static int parts_open(struct api *a, int fd)
{
	int rc = server_open(a, fd);
	if (rc == 0)
		rc = job_runner_open(&a->whys, a->deps.service, JOB_RUNNER_WAIT_MS);
	if (rc == 0)
		rc = job_runner_open(&a->searches, a->deps.service, JOB_RUNNER_WAIT_MS);
	if (rc == 0)
		rc = job_runner_open(&a->profiles, a->deps.service, JOB_RUNNER_WAIT_MS);
	if (rc == 0)
		rc = mem_watch_open(&a->watch, a->deps.service);
	if (rc == 0)
		rc = baselines_open(a, &a->deps);
	if (rc == 0)
		rc = access_open(
			&a->access, a->deps.service, a->deps.state_directory, a->deps.events);
	if (rc == 0)
		rc = api_listen_open(a);
	for (const struct api_part *const *p = api_parts; rc == 0 && *p; p++)
		rc = (*p)->open ? (*p)->open(a) : 0;
	return rc;
}

static void parts_close(struct api *a)
{
	for (const struct api_part *const *p = api_parts; *p; p++)
		if ((*p)->close)
			(*p)->close(a);
	heap_baselines_close(a->baselines);
	mem_watch_close(a->watch);
	http_server_close(a->http);
	api_listen_close(a);
	access_close(a->access);
	job_runner_close(a->whys);
	job_runner_close(a->searches);
	job_runner_close(a->profiles);
}

int api_open(struct api **out, const struct api_deps *deps, char why[API_WHY_MAX])
{
	struct api *a = heap_calloc(1, sizeof(*a));
	if (!a) {
		snprintf(why, API_WHY_MAX, "control socket: out of memory");
		return -ENOMEM;
	}
	a->deps = *deps;
	LIST_INIT(&a->tails);
	LIST_INIT(&a->event_readers);
	a->start_ms = clock_mono_ms();
	int rc = group_find(deps->group, &a->group);
	if (rc < 0) {
		snprintf(why, API_WHY_MAX, "runtime.group: %s: %s", deps->group,
			rc == -ENOENT ? "no such group" : strerror(-rc));
		heap_free(a);
		return rc;
	}
	group_check(a);
	folder_give(a);
	int fd = socket_listen(deps->socket_path, a->group);
	rc = fd < 0 ? fd : parts_open(a, fd);
	if (rc < 0) {
		parts_close(a);
		snprintf(why, API_WHY_MAX, "%.150s: %s", deps->socket_path, strerror(-rc));
		heap_free(a);
		return rc;
	}
	*out = a;
	return 0;
}

void api_close(struct api *a)
{
	if (!a)
		return;
	parts_close(a);
	(void)unlink(a->deps.socket_path);
	heap_free(a);
}

const struct mem_kinds *api_kinds(const struct api *a)
{
	return a->watch ? mem_watch_kinds(a->watch) : NULL;
}
