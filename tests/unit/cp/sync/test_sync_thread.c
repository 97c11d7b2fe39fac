// SPDX-License-Identifier: BSD-3-Clause
// The helper thread: a poll that is cut before it begins, and jobs that are on their way back when
// the process ends.

#include "controlplane/sync/sync_thread.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/heap_site.h>

static struct loop *loop;
static struct sync_thread *thread;
static sem_t begun, go;
static unsigned ended;

static int start(void **)
{
	ended = 0;
	assert_int_equal(sem_init(&begun, 0, 0) | sem_init(&go, 0, 0), 0);
	assert_int_equal(loop_new("test", &loop), 0);
	assert_int_equal(sync_thread_open(&thread, loop), 0);
	return 0;
}

static int stop(void **)
{
	loop_free(loop);
	return 0;
}

static void work(struct sync_job *, struct sync_thread *)
{
	sem_post(&begun);
	sem_wait(&go);
}

static void done(struct sync_job *j)
{
	ended++;
	heap_free(j);
}

static void poll_done(struct sync_job *j)
{
	const struct sync_poll *p = (struct sync_poll *)j;
	assert_int_equal(p->err, -ECANCELED);
	done(j);
}

static struct sync_job *job_new(void)
{
	struct sync_job *j = heap_calloc(1, sizeof(*j));
	assert_non_null(j);
	*j = (struct sync_job){.work = work, .done = done};
	return j;
}

// A primary that takes connections and says nothing.
static int primary_open(char url[SYNC_URL_MAX])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	snprintf(url, SYNC_URL_MAX, "https://127.0.0.1:%u/v1/sync", ntohs(a.sin_port));
	return fd;
}

TEST_WITH(a_poll_that_waits_is_cut_too, start, stop)
{
	struct sync_poll *p = heap_calloc(1, sizeof(*p));
	assert_non_null(p);
	const int fd = primary_open(p->url);
	p->job = (struct sync_job){.work = sync_poll_work, .done = poll_done};
	assert_int_equal(sync_thread_run(thread, job_new()), 0);
	sem_wait(&begun);
	assert_int_equal(sync_thread_run(thread, &p->job), 0);
	sync_thread_cut(thread);
	sem_post(&go);
	while (ended < 2)
		loops_settle(&loop, 1);
	sync_thread_close(thread);
	close(fd);
}

// No loop runs any more: the owner settles the jobs that were on their way back.
TEST_WITH(a_job_on_its_way_back_ends, start, stop)
{
	assert_int_equal(sync_thread_run(thread, job_new()), 0);
	assert_int_equal(sync_thread_run(thread, job_new()), 0);
	sem_wait(&begun);
	sem_post(&go);
	sem_wait(&begun); // the first one is in the mailbox
	sem_post(&go);
	sync_thread_close(thread);
	loops_settle(&loop, 1);
	assert_int_equal(ended, 2);
}
