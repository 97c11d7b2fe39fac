// SPDX-License-Identifier: BSD-3-Clause
#include "access_thread.h"

#include "base/file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/log.h>
#include <weir/thread.h>

struct line {
	uint16_t len;
	char text[ACCESS_LINE_MAX];
};

struct access_thread {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct loop *service;
	char path[PATH_MAX];
	// Of the lock:
	bool stop;
	struct access_job *jobs, **jobs_end;
	struct access_thread_counts counts;
	unsigned first; // of `line`, a ring
	struct line line[ACCESS_LINES_MAX];
	// Of the thread:
	int fd; // -1: not open
	size_t size;
	unsigned rotated; // since the counts were last raised
	bool is_failing;
	struct access_job *ended; // while it stops
};

// A line that a power cut or a full disk has torn ends here, and not in the next one.
static int torn_end(const struct access_thread *t)
{
	char last = '\n';
	if (t->size && pread(t->fd, &last, 1, (off_t)t->size - 1) < 0)
		return -errno;
	return last == '\n' ? 0 : file_write_fd(t->fd, "\n", 1);
}

static void log_shut(struct access_thread *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

// False: the log was deleted, or has another name.
static bool is_at_path(const struct access_thread *t)
{
	struct stat open_one, named;
	return fstat(t->fd, &open_one) == 0 && lstat(t->path, &named) == 0
	       && open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

static int log_open(struct access_thread *t)
{
	struct stat st;
	char folder[PATH_MAX];
	if (t->fd >= 0 && !is_at_path(t))
		log_shut(t);
	if (t->fd >= 0)
		return 0;
	snprintf(folder, sizeof(folder), "%s", t->path);
	(void)!mkdir(dirname(folder), 0750);
	t->fd = open(t->path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (t->fd < 0)
		return -errno;
	t->size = fstat(t->fd, &st) == 0 ? (size_t)st.st_size : 0;
	return torn_end(t);
}

// The file becomes the newest of those that are kept, and the oldest of these goes.
static int log_rotate(struct access_thread *t)
{
	// A point, the ten digits that gcc allows for, and the end.
	char from[PATH_MAX + 12], to[PATH_MAX + 12];
	static_assert(ACCESS_LOG_KEPT < 10, "one digit");
	log_shut(t);
	for (unsigned i = ACCESS_LOG_KEPT; i > 1; i--) {
		snprintf(from, sizeof(from), "%s.%u", t->path, i - 1);
		snprintf(to, sizeof(to), "%s.%u", t->path, i);
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	snprintf(to, sizeof(to), "%s.1", t->path);
	if (rename(t->path, to) < 0 && errno != ENOENT) // it was deleted
		return -errno;
	t->rotated++;
	return 0;
}

static int log_append(struct access_thread *t, const char *text, size_t len)
{
	int rc = t->size + len > ACCESS_LOG_MAX && t->size > 0 ? log_rotate(t) : 0;
	if (rc == 0)
		rc = log_open(t);
	if (rc == 0)
		rc = file_write_fd(t->fd, text, len);
	if (rc == 0)
		t->size += len;
	return rc;
}

static void log_failed(struct access_thread *t, int rc)
{
	if (!t->is_failing)
		log_error("audit log %s: %s; entries are lost until it can be written", t->path,
			strerror(-rc));
	t->is_failing = true;
	log_shut(t);
}

// Takes up to `max` of the lines that wait. How many.
static unsigned lines_take(struct access_thread *t, struct line *out, unsigned max)
{
	unsigned n = 0;
	while (n < max && t->counts.waiting) {
		out[n++] = t->line[t->first];
		t->first = (t->first + 1) % ACCESS_LINES_MAX;
		t->counts.waiting--;
	}
	return n;
}

// Without the lock.
static void lines_write(struct access_thread *t, const struct line *line, unsigned count)
{
	unsigned failed = 0;
	int rc = 0;
	for (unsigned i = 0; i < count; i++) {
		rc = log_append(t, line[i].text, line[i].len);
		failed += rc < 0;
		if (rc < 0)
			log_failed(t, rc);
	}
	if (t->fd >= 0 && fsync(t->fd) < 0)
		log_failed(t, -errno);
	else if (failed == 0)
		t->is_failing = false;
	pthread_mutex_lock(&t->lock);
	t->counts.written += count - failed;
	t->counts.failed += failed;
	t->counts.rotated += t->rotated;
	t->counts.log_bytes = t->size;
	pthread_mutex_unlock(&t->lock);
	t->rotated = 0;
}

static void job_return(void *arg)
{
	struct access_job *j = arg;
	j->done(j);
}

static void job_run(struct access_thread *t, struct access_job *j)
{
	if (j->work)
		j->work(j);
	pthread_mutex_lock(&t->lock);
	const bool stop = t->stop;
	pthread_mutex_unlock(&t->lock);
	if (stop) {
		j->next = t->ended;
		t->ended = j;
	} else {
		loop_call_back(t->service, &j->back, job_return, j);
	}
}

static void *thread_work(void *arg)
{
	enum { BATCH = 16 };
	struct access_thread *t = arg;
	struct line batch[BATCH];
	thread_background();
	for (;;) {
		pthread_mutex_lock(&t->lock);
		while (!t->stop && !t->counts.waiting && !t->jobs)
			pthread_cond_wait(&t->wake, &t->lock);
		const unsigned n = lines_take(t, batch, BATCH);
		struct access_job *j = n ? NULL : t->jobs;
		if (j && !(t->jobs = j->next))
			t->jobs_end = &t->jobs;
		pthread_mutex_unlock(&t->lock);
		if (n)
			lines_write(t, batch, n);
		else if (j)
			job_run(t, j);
		else
			break;
	}
	return NULL;
}

int access_thread_open(struct access_thread **out, struct loop *service, const char *path)
{
	struct access_thread *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->service = service;
	t->fd = -1;
	t->jobs_end = &t->jobs;
	t->counts.bytes = sizeof(*t);
	if (snprintf(t->path, sizeof(t->path), "%s", path) >= (int)sizeof(t->path)) {
		free(t);
		return -ENAMETOOLONG;
	}
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wake, NULL);
	int rc = thread_start(&t->thread, "weir-access", thread_work, t);
	if (rc < 0) {
		pthread_cond_destroy(&t->wake);
		pthread_mutex_destroy(&t->lock);
		free(t);
		return rc;
	}
	*out = t;
	return 0;
}

void access_thread_close(struct access_thread *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	for (struct access_job *j = t->ended, *next; j; j = next) {
		next = j->next;
		j->done(j);
	}
	log_shut(t);
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void access_thread_line(struct access_thread *t, const char *line, size_t len)
{
	pthread_mutex_lock(&t->lock);
	if (len + 1 > ACCESS_LINE_MAX || t->counts.waiting == ACCESS_LINES_MAX) {
		t->counts.lost++;
	} else {
		struct line *to = &t->line[(t->first + t->counts.waiting++) % ACCESS_LINES_MAX];
		memcpy(to->text, line, len);
		to->text[len] = '\n';
		to->len = (uint16_t)(len + 1);
		if (t->counts.waiting > t->counts.most)
			t->counts.most = t->counts.waiting;
		pthread_cond_signal(&t->wake);
	}
	pthread_mutex_unlock(&t->lock);
}

void access_thread_job(struct access_thread *t, struct access_job *j)
{
	pthread_mutex_lock(&t->lock);
	j->next = NULL;
	*t->jobs_end = j;
	t->jobs_end = &j->next;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
}

void access_thread_counts(struct access_thread *t, struct access_thread_counts *out)
{
	pthread_mutex_lock(&t->lock);
	*out = t->counts;
	pthread_mutex_unlock(&t->lock);
}
