// SPDX-License-Identifier: BSD-3-Clause

// Claims of an interface in a folder that root and a service's user share.
#include "dataplane/xdp/xdp_place.h"
#include "tests/unit/unit.h"

#include <linux/if_xdp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <weir/xdp_steer.h>

enum { SERVICE = 64001, OTHER = 64002, GROUP = 64000, IFINDEX = 7 };

static char folder[FOLDER_MAX], path[XDP_PLACE_MAX];

// As an administrator makes the runtime directory for two users.
static int setup(void **)
{
	if (folder_make(folder, "claim") != 0)
		return -1;
	(void)xdp_place(folder, IFINDEX, path);
	return geteuid() == 0 && (chown(folder, 0, GROUP) != 0 || chmod(folder, 03771) != 0);
}

FIXTURE_OF(teardown, folder_remove(folder, ""))

// A process of that user that claims, reports and holds until its pipe closes. Its first result.
struct other {
	pid_t pid;
	int hold, rc;
};

static struct other other_claims(uid_t user)
{
	struct other o;
	int hold[2], result[2];
	assert_int_equal(pipe(hold), 0);
	assert_int_equal(pipe(result), 0);
	o.pid = fork();
	assert_true(o.pid >= 0);
	if (o.pid == 0) {
		char end;
		close(hold[1]);
		if (chdir(folder) != 0 || setresgid(GROUP, GROUP, GROUP) != 0
			|| setresuid(user, user, user) != 0)
			_exit(1);
		int rc = xdp_claim(".", IFINDEX);
		if (write(result[1], &rc, sizeof(rc)) != sizeof(rc))
			_exit(1);
		_exit(read(hold[0], &end, 1) != 0);
	}
	close(hold[0]);
	close(result[1]);
	assert_int_equal(read(result[0], &o.rc, sizeof(o.rc)), sizeof(o.rc));
	close(result[0]);
	o.hold = hold[1];
	return o;
}

static void other_ends(const struct other *o)
{
	int status;
	close(o->hold);
	assert_int_equal(waitpid(o->pid, &status, 0), o->pid);
	assert_int_equal(status, 0);
}

TEST_WITH(test_one_user, setup, teardown)
{
	assert_int_equal(xdp_claimed(folder, IFINDEX), 0);
	int fd = xdp_claim(folder, IFINDEX);
	assert_true(fd >= 0);
	assert_int_equal(xdp_claimed(folder, IFINDEX), 1);
	assert_int_equal(xdp_claim(folder, IFINDEX), -EBUSY);
	xdp_claim_end(folder, IFINDEX, fd);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(xdp_claimed(folder, IFINDEX), 0);
}

// Root sees the claim of the service's user, and takes it when that process is gone.
TEST_WITH(test_of_the_service, setup, teardown)
{
	if (geteuid() != 0)
		skip(); // it must be able to change its user
	struct other service = other_claims(SERVICE);
	assert_true(service.rc >= 0);
	assert_int_equal(xdp_claimed(folder, IFINDEX), 1);
	assert_int_equal(xdp_claim(folder, IFINDEX), -EBUSY);
	struct other stranger = other_claims(OTHER);
	assert_int_equal(stranger.rc, -EACCES);
	other_ends(&stranger);
	other_ends(&service);
	assert_int_equal(xdp_claimed(folder, IFINDEX), 0);
	int fd = xdp_claim(folder, IFINDEX);
	assert_true(fd >= 0);
	xdp_claim_end(folder, IFINDEX, fd);
	assert_int_equal(access(path, F_OK), -1);
}

// The service sees root's, and can take its place only when root's file is gone.
TEST_WITH(test_of_root, setup, teardown)
{
	if (geteuid() != 0)
		skip();
	int fd = xdp_claim(folder, IFINDEX);
	assert_true(fd >= 0);
	struct other service = other_claims(SERVICE);
	assert_int_equal(service.rc, -EACCES);
	other_ends(&service);
	xdp_claim_end(folder, IFINDEX, fd);
	service = other_claims(SERVICE);
	assert_true(service.rc >= 0);
	other_ends(&service);
}

// What stands at the name is neither followed nor changed.
static void planted(int made)
{
	assert_int_equal(made, 0);
	assert_int_equal(xdp_claim(folder, IFINDEX), -EPERM);
	assert_int_equal(xdp_claimed(folder, IFINDEX), -EPERM);
	assert_int_equal(remove(path), 0);
}

TEST_WITH(test_planted, setup, teardown)
{
	struct stat st;
	const char *target = text_from("%s/target", folder);
	int fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0604);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	planted(symlink(target, path));
	planted(link(target, path));
	planted(mkfifo(path, 0666));
	planted(mkdir(path, 0700));
	planted(mknod(path, S_IFSOCK | 0666, 0));
	assert_int_equal(symlink("nothing", path), 0);
	assert_int_equal(xdp_claim(folder, IFINDEX), -EPERM);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_int_equal(st.st_size, 1);
	close(fd);
}

// A service's user does not trust a file of the other one in its group.
TEST_WITH(test_of_the_other, setup, teardown)
{
	if (geteuid() != 0)
		skip();
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0666), 0);
	assert_int_equal(fchown(fd, OTHER, GROUP), 0);
	struct other service = other_claims(SERVICE);
	assert_int_equal(service.rc, -EPERM);
	other_ends(&service);
	close(fd);
}

// A socket that has the loopback interface's only queue; -1: not here.
static int queue_of_lo(unsigned lo)
{
	enum { FRAME = 4096, FRAMES = 4 };
	const int entries = FRAMES,
		  rings[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING};
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	void *frames = mmap(
		NULL, FRAME * FRAMES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(frames != MAP_FAILED);
	const struct xdp_umem_reg umem = {
		.addr = (uintptr_t)frames, .len = FRAME * FRAMES, .chunk_size = FRAME};
	const struct sockaddr_xdp at = {
		.sxdp_family = AF_XDP, .sxdp_ifindex = lo, .sxdp_flags = XDP_COPY};
	int rc = setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem));
	for (unsigned i = 0; i < ARRAY_LEN(rings); i++)
		rc |= setsockopt(fd, SOL_XDP, rings[i], &entries, sizeof(entries));
	return rc == 0 && bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 ? fd : -1;
}

// By the kernel's word, where a claim is a file in a folder that the other one does not have.
TEST(test_a_queue_elsewhere)
{
	if (unshare(CLONE_NEWNET) != 0 || system("ip link set lo up") != 0)
		skip();
	const unsigned lo = if_nametoindex("lo");
	assert_false(xdp_taken(lo + 1)); // of no interface
	const int fd = queue_of_lo(lo);
	if (fd < 0)
		skip();
	assert_true(xdp_taken(lo));
	close(fd);
	WAIT_FOR(!xdp_taken(lo)); // the kernel releases it on a thread of its own
}
