// SPDX-License-Identifier: BSD-3-Clause

// The messages of a process to the control plane on link.sock, with file descriptors of any kind
// beside them. A peer is welcome if it sends a whole hello of this ABI, with the number of workers
// that its worker rings have, and no descriptor; any other peer gets a refusal, and the link
// closes. No descriptor stays. Ring offsets in the header of the first worker rings, the log's too,
// are accepted only within them. While one peer is welcome another one is refused for now.
//
// The first byte: how many descriptors, and of what kind; the second: where the rest is laid over
// a sound hello, or that it stands in its place (0xff), or that its first byte says where the
// others are laid over the worker rings' header (0xfe), or that nothing is said (0xfd).

#include "controlplane/querylog/querylog.h"
#include "resolver_box.h"
#include "tests/unit/passed_files.h"

#include <event2/event.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <weir/gong.h>
#include <weir/keyhash.h>

enum {
	FDS_MASK = 3, // so many: 0 to 3
	KIND_SHIFT = 2,
	KINDS = 4, // gongs, pipes' ends, plain files, /dev/null
	ALONE = 0xff,
	OVER_RINGS = 0xfe,
	SILENT = 0xfd,
	SUM_FROM = offsetof(struct region_header, abi_version),
	SUM_AT = offsetof(struct region_header, sum),
	RING_LEAST = 64, // units
	RING_MOST = 1 << 22,
	DESCRIPTORS_MOST = 256,
	INPUT_MOST = 200,
	TURNS_MOST = 1000,
};

static unsigned descriptors_before;

static void say_nothing(int, const char *)
{
}

static unsigned descriptors(void);

FUZZ_BEGIN
{
	const struct rlimit few = {.rlim_cur = DESCRIPTORS_MOST, .rlim_max = DESCRIPTORS_MOST};
	FUZZ_CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	event_set_log_callback(say_nothing); // of descriptors that nobody can wait for
	static const struct querylog_settings log = {.box = "fuzz"};
	struct querylog *q;
	box_open();
	char path[SHM_PATH_MAX + 32];
	snprintf(path, sizeof(path), "%s/" SHM_NAME_LINK, box.paths.run);
	FUZZ_CHECK(passed_files_allow(path));
	FUZZ_CHECK(querylog_open(&q, &log) == 0);
	FUZZ_CHECK(resolver_set_log(box.resolver, q, &box.config) == 0);
	FUZZ_CHECK(querylog_start(q) == 0);
	box_link();
	close(box.dp.link_fd); // the place is free, the worker rings stay
	box_settle();
	descriptors_before = descriptors();
	return 0;
}

static int fd_open(unsigned kind)
{
	int pair[2], fd = -1;
	switch (kind) {
	case 0:
		return gong_open();
	case 1:
		FUZZ_CHECK(pipe2(pair, O_NONBLOCK | O_CLOEXEC) == 0);
		break;
	case 2:
		return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	default:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	}
	fd = pair[0];
	close(pair[1]);
	return fd;
}

static int client_open(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	FUZZ_CHECK(fd >= 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%.80s/" SHM_NAME_LINK, box.paths.run);
	FUZZ_CHECK(connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	return fd;
}

static void say(int to, const void *bytes, size_t len, const int *fds, unsigned count)
{
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FDS_MASK)] = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	if (count) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
	}
	FUZZ_CHECK(sendmsg(to, &msg, MSG_NOSIGNAL) == (ssize_t)len);
}

static void welcome_read(int fd, struct link_welcome *w)
{
	for (unsigned i = 0; i < TURNS_MOST; i++) {
		box_wait();
		ssize_t n = recv(fd, w, sizeof(*w), 0);
		if (n < 0 && errno == EAGAIN)
			continue;
		FUZZ_CHECK(n == sizeof(*w) && w->magic == SHM_MAGIC);
		FUZZ_CHECK(w->abi_version == SHM_ABI_VERSION);
		FUZZ_CHECK(w->cp_incarnation == publisher_incarnation(box.publisher));
		return;
	}
	FUZZ_CHECK(!"an answer");
}

// Open ones, but for the sockets that the resolver keeps in store. Worker rings may hold the bells
// of a hello that was welcome until the next one.
static unsigned descriptors(void)
{
	unsigned n = 0;
	const struct resolver_status s = box_status();
	for (int fd = 0; fd < DESCRIPTORS_MOST; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n - s.sockets.open;
}

struct input {
	struct link_hello sound;
	uint8_t said[INPUT_MOST];
	size_t len;
	unsigned count, kinds; // of descriptors
	bool is_silent;
};

static void make(struct input *in, const uint8_t *data, size_t len)
{
	*in = (struct input){.sound = {.magic = SHM_MAGIC,
				     .abi_version = SHM_ABI_VERSION,
				     .workers = box.dp.workers,
				     .dp_incarnation = box.dp.incarnation},
		.len = sizeof(in->sound),
		.count = data[0] & FDS_MASK,
		.kinds = data[0] >> KIND_SHIFT};
	memcpy(in->said, &in->sound, sizeof(in->sound));
	in->is_silent = data[1] == SILENT;
	if (data[1] == OVER_RINGS || data[1] == SILENT)
		return;
	if (data[1] == ALONE) {
		in->len = len - 2;
		memcpy(in->said, data + 2, in->len);
	} else {
		size_t at = data[1] % sizeof(in->sound), room = sizeof(in->sound) - at;
		memcpy(in->said + at, data + 2, len - 2 < room ? len - 2 : room);
	}
}

// The rings' header as it is to be, with a sum that fits unless it was the sum that was changed.
static void rings_spoil(struct region_header *h, const uint8_t *data, size_t len)
{
	size_t at = data[2] % sizeof(*h), room = sizeof(*h) - at;
	uint8_t *bytes = (uint8_t *)h;
	memcpy(bytes + at, data + 3, len - 3 < room ? len - 3 : room);
	if (at < SUM_AT)
		h->sum = contenthash(bytes + SUM_FROM, SUM_AT - SUM_FROM);
}

static bool is_ring(uint64_t units)
{
	return units >= RING_LEAST && units <= RING_MOST && __builtin_popcountll(units) == 1;
}

// A header that was taken, its log ring apart, without which a worker's rings does.
static void rings_check(const struct region_header *h)
{
	FUZZ_CHECK(h->magic == SHM_MAGIC && h->abi_version == SHM_ABI_VERSION);
	FUZZ_CHECK(h->kind == REGION_RINGS && h->index == 0);
	FUZZ_CHECK(h->incarnation == box.dp.incarnation && h->total_size == box.dp.rings[0].size);
	FUZZ_CHECK(is_ring(h->geometry[0]));
	FUZZ_CHECK(RINGS_MISS_RING + h->geometry[0] * RING_UNIT <= box.dp.rings[0].size);
}

static void welcome_check(const struct input *in, const struct link_welcome *w)
{
	struct link_hello hello;
	bool is_sound = in->len == sizeof(in->sound)
			&& memcmp(in->said, &in->sound, sizeof(in->sound)) == 0;
	if (is_sound && in->count == 0)
		FUZZ_CHECK(w->error == 0);
	if (w->error)
		return;
	memcpy(&hello, in->said, sizeof(hello));
	FUZZ_CHECK(in->len == sizeof(hello) && hello.magic == SHM_MAGIC);
	FUZZ_CHECK(hello.abi_version == SHM_ABI_VERSION);
	FUZZ_CHECK(in->count == 0);
	FUZZ_CHECK(hello.workers <= box.dp.workers);
	FUZZ_CHECK(hello.dp_incarnation == box.dp.incarnation);
}

// Sends a hello, and reads the result.
static int greet(const struct input *in, struct link_welcome *w)
{
	int fds[FDS_MASK], fd = client_open();
	for (unsigned i = 0, kinds = in->kinds; i < in->count; i++, kinds /= KINDS) {
		fds[i] = fd_open(kinds % KINDS);
		FUZZ_CHECK(fds[i] >= 0);
	}
	say(fd, in->said, in->len, fds, in->count);
	for (unsigned i = 0; i < in->count; i++)
		close(fds[i]);
	welcome_read(fd, w);
	return fd;
}

// Nothing may follow a welcome, nor change anything.
static void another_check(int welcome)
{
	struct input sound;
	struct link_welcome w;
	make(&sound, (const uint8_t[]){0, SILENT, 0}, 3);
	int fd = greet(&sound, &w);
	FUZZ_CHECK(w.error == -EBUSY);
	close(fd);
	say(welcome, "?", 1, NULL, 0);
	box_turn();
}

FUZZ_BODY(data, len)
{
	struct input in;
	struct link_welcome w;
	struct region_header *rings = (struct region_header *)(void *)box.dp.rings[0].base, was;
	if (len < 3 || len > INPUT_MOST)
		return 0;
	make(&in, data, len);
	memcpy(&was, rings, sizeof(was));
	if (data[1] == OVER_RINGS)
		rings_spoil(rings, data, len);
	int fd = -1;
	if (in.is_silent) {
		fd = client_open();
	} else {
		fd = greet(&in, &w);
		if (data[1] != OVER_RINGS)
			welcome_check(&in, &w);
		else if (w.error == 0)
			rings_check(rings);
		if (w.error == 0)
			another_check(fd);
	}
	close(fd);
	for (unsigned i = 0; i < 3; i++) // and the control plane sees it
		box_turn();
	memcpy(rings, &was, sizeof(was));
	// Again, as the store may have grown since its status was taken.
	for (unsigned i = 0; descriptors() > descriptors_before + box.dp.workers + 1; i++) {
		FUZZ_CHECK(i < TURNS_MOST);
		box_wait();
	}
	return 0;
}
