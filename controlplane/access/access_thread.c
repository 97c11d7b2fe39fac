// SPDX-License-Identifier: BSD-3-Clause
#include "access_thread.h"

#include "base/file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>

const char *const access_log_suffix[ACCESS_LOGS] = {"", ".refused"};
static const unsigned kept[ACCESS_LOGS] = {ACCESS_LOG_KEPT, ACCESS_REFUSED_KEPT};

struct line {
	char *text; // malloced, with its newline
	size_t len;
};

struct log {
	enum access_log which;
	char path[ACCESS_LOG_PATH_MAX];
	// The lock protects these:
	unsigned first, waiting; // places in `line`, a ring
	struct line line[ACCESS_LINES_MAX];
	// The thread has these:
	int fd; // -1: not open
	size_t size;
	unsigned rotated; // since the counts were last raised
	bool is_failing;
};

struct access_thread {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct loop *service;
	// The lock protects these:
	bool stop;
	struct access_job *jobs, **jobs_end;
	struct access_thread_counts counts;
	struct log log[ACCESS_LOGS];
	struct access_job *ended; // the thread's list, while it stops
};

// A line that a power cut or a full disk has torn ends here, and not in the next one.
static int torn_end(const struct log *l)
{
	char last = '\n';
	if (l->size && pread(l->fd, &last, 1, (off_t)l->size - 1) < 0)
		return -errno;
	return last == '\n' ? 0 : file_write_fd(l->fd, "\n", 1);
}

static void log_shut(struct log *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

// False: the log was deleted, or has another name.
static bool is_at_path(const struct log *l)
{
	struct stat open_one, named;
	return fstat(l->fd, &open_one) == 0 && lstat(l->path, &named) == 0
	       && open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

static int log_open(struct log *l)
{
	struct stat st;
	char folder[ACCESS_LOG_PATH_MAX];
	if (l->fd >= 0 && !is_at_path(l))
		log_shut(l);
	if (l->fd >= 0)
		return 0;
	snprintf(folder, sizeof(folder), "%s", l->path);
	(void)!mkdir(dirname(folder), 0750);
	l->fd = open(l->path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (l->fd < 0)
		return -errno;
	l->size = fstat(l->fd, &st) == 0 ? (size_t)st.st_size : 0;
	return torn_end(l);
}

// The file becomes the newest of those that are kept, and the oldest of these goes.
static int log_rotate(struct log *l)
{
	// A point, the ten digits that gcc allows for, and the end.
	char from[ACCESS_LOG_PATH_MAX + 12], to[ACCESS_LOG_PATH_MAX + 12];
	static_assert((int)ACCESS_LOG_KEPT < 10 && (int)ACCESS_REFUSED_KEPT < 10, "one digit");
	log_shut(l);
	for (unsigned i = kept[l->which]; i > 1; i--) {
		snprintf(from, sizeof(from), "%s.%u", l->path, i - 1);
		snprintf(to, sizeof(to), "%s.%u", l->path, i);
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	snprintf(to, sizeof(to), "%s.1", l->path);
	if (rename(l->path, to) < 0 && errno != ENOENT) // it was deleted
		return -errno;
	l->rotated++;
	return 0;
}

static int log_append(struct log *l, const char *text, size_t len)
{
	int rc = l->size + len > ACCESS_LOG_MAX && l->size > 0 ? log_rotate(l) : 0;
	if (rc == 0)
		rc = log_open(l);
	if (rc == 0)
		rc = file_write_fd(l->fd, text, len);
	if (rc == 0)
		l->size += len;
	return rc;
}

static void log_failed(struct log *l, int rc)
{
	if (!l->is_failing)
		log_error("audit log %s: %s; entries are lost until it can be written", l->path,
			strerror(-rc));
	l->is_failing = true;
	log_shut(l);
}

// Takes up to `max` of the lines that wait. How many.
static unsigned lines_take(struct log *l, struct line *out, unsigned max)
{
	unsigned n = 0;
	while (n < max && l->waiting) {
		out[n++] = l->line[l->first];
		l->first = (l->first + 1) % ACCESS_LINES_MAX;
		l->waiting--;
	}
	return n;
}

// Called without the lock. Frees the texts.
static void lines_write(struct access_thread *t, struct log *l, struct line *line, unsigned count)
{
	unsigned failed = 0;
	int rc = 0;
	for (unsigned i = 0; i < count; i++) {
		rc = log_append(l, line[i].text, line[i].len);
		failed += rc < 0;
		if (rc < 0)
			log_failed(l, rc);
		FREE_AND_NULL(line[i].text);
	}
	if (l->fd >= 0 && fsync(l->fd) < 0) {
		log_failed(l, -errno);
		failed = count;
	} else if (failed == 0) {
		l->is_failing = false;
	}
	pthread_mutex_lock(&t->lock);
	t->counts.written += count - failed;
	t->counts.failed += failed;
	if (l->which == ACCESS_CHANGES) {
		t->counts.rotated += l->rotated;
		t->counts.log_bytes = l->size;
	}
	pthread_mutex_unlock(&t->lock);
	l->rotated = 0;
	if (l->which != ACCESS_CHANGES) // few lines, and no descriptor for them all the time
		log_shut(l);
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

// Changes come first. NULL if no log waits.
static struct log *log_that_waits(struct access_thread *t)
{
	for (unsigned i = 0; i < ACCESS_LOGS; i++)
		if (t->log[i].waiting)
			return &t->log[i];
	return NULL;
}

static void *thread_work(void *arg)
{
	enum { BATCH = 16 };
	struct access_thread *t = arg;
	struct line batch[BATCH];
	thread_background();
	for (;;) {
		pthread_mutex_lock(&t->lock);
		while (!t->stop && !log_that_waits(t) && !t->jobs)
			pthread_cond_wait(&t->wake, &t->lock);
		struct log *l = log_that_waits(t);
		const unsigned n = l ? lines_take(l, batch, BATCH) : 0;
		struct access_job *j = n ? NULL : t->jobs;
		if (j && !(t->jobs = j->next))
			t->jobs_end = &t->jobs;
		pthread_mutex_unlock(&t->lock);
		if (n)
			lines_write(t, l, batch, n);
		else if (j)
			job_run(t, j);
		else
			break;
	}
	return NULL;
}

int access_thread_open(struct access_thread **out, struct loop *service, const char *path)
{
	struct access_thread *t = heap_calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->service = service;
	t->jobs_end = &t->jobs;
	t->counts.bytes = sizeof(*t);
	if (strlen(path) >= PATH_MAX) {
		heap_free(t);
		return -ENAMETOOLONG;
	}
	for (unsigned i = 0; i < ACCESS_LOGS; i++) {
		struct log *l = &t->log[i];
		l->which = (enum access_log)i;
		l->fd = -1;
		snprintf(l->path, sizeof(l->path), "%s%s", path, access_log_suffix[i]);
	}
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wake, NULL);
	int rc = thread_start(&t->thread, "weir-access", thread_work, t);
	if (rc < 0) {
		pthread_cond_destroy(&t->wake);
		pthread_mutex_destroy(&t->lock);
		heap_free(t);
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
	for (unsigned i = 0; i < ACCESS_LOGS; i++)
		log_shut(&t->log[i]);
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	heap_free(t);
}

// NULL: it is too long, or there is no memory.
static char *line_make(const char *line, size_t len)
{
	char *text = len + 1 <= ACCESS_LINE_MAX ? heap_malloc(len + 1) : NULL;
	if (!text)
		return NULL;
	memcpy(text, line, len);
	text[len] = '\n';
	return text;
}

void access_thread_line(struct access_thread *t, enum access_log log, const char *line, size_t len)
{
	struct log *l = &t->log[log];
	char *text = line_make(line, len);
	pthread_mutex_lock(&t->lock);
	if (!text || l->waiting == ACCESS_LINES_MAX) {
		t->counts.lost++;
	} else {
		l->line[(l->first + l->waiting++) % ACCESS_LINES_MAX] =
			(struct line){text, len + 1};
		text = NULL;
		if (log == ACCESS_CHANGES && l->waiting > t->counts.most)
			t->counts.most = l->waiting;
		pthread_cond_signal(&t->wake);
	}
	pthread_mutex_unlock(&t->lock);
	heap_free(text);
}

unsigned access_thread_room(struct access_thread *t)
{
	pthread_mutex_lock(&t->lock);
	const unsigned waiting = t->log[ACCESS_CHANGES].waiting;
	pthread_mutex_unlock(&t->lock);
	return ACCESS_LINES_MAX - waiting;
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
	out->waiting = t->log[ACCESS_CHANGES].waiting;
	pthread_mutex_unlock(&t->lock);
}
