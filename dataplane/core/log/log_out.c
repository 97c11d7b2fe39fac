// SPDX-License-Identifier: BSD-3-Clause

#include "log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/log.h>
#include <weir/thread.h>

enum { CHUNK = 4096 };

// The process has one, as it has one stderr.
static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled, ended;
	pthread_t thread;
	const char *program;
	bool running, stopping, has_ended;
	size_t first, used; // places in `text`, which goes round
	uint64_t lost_told;
	char text[LOG_OUT_BYTES];
} out = {.lock = PTHREAD_MUTEX_INITIALIZER,
	.filled = PTHREAD_COND_INITIALIZER,
	.ended = PTHREAD_COND_INITIALIZER};

static _Atomic uint64_t lost;

uint64_t log_out_lost(void)
{
	return atomic_load_explicit(&lost, memory_order_relaxed);
}

// Text that cannot be written is lost: there is no place to report it. `waits`: wait for the reader
// of a non-blocking descriptor.
static void write_all(const char *text, size_t len, bool waits)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, text, len);
		if (n < 0 && errno == EAGAIN && waits) {
			struct pollfd reader = {.fd = STDERR_FILENO, .events = POLLOUT};
			(void)poll(&reader, 1, LOG_OUT_STOP_MS);
		} else if (n < 0 && errno != EINTR) {
			return;
		} else if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
}

static void put(const char *text, size_t len)
{
	size_t at = (out.first + out.used) % LOG_OUT_BYTES;
	size_t head = len < LOG_OUT_BYTES - at ? len : LOG_OUT_BYTES - at;
	memcpy(out.text + at, text, head);
	memcpy(out.text, text + head, len - head);
	out.used += len;
}

static size_t take(char chunk[CHUNK])
{
	size_t len = out.used < CHUNK ? out.used : CHUNK;
	size_t head = len < LOG_OUT_BYTES - out.first ? len : LOG_OUT_BYTES - out.first;
	memcpy(chunk, out.text + out.first, head);
	memcpy(chunk + head, out.text, len - head);
	out.first = (out.first + len) % LOG_OUT_BYTES;
	out.used -= len;
	return len;
}

// Behind what waited when the lines were lost.
static void tell_lost(void)
{
	char line[128];
	uint64_t all = log_out_lost(), more = all - out.lost_told;
	out.lost_told = all;
	if (more == 0)
		return;
	int n = snprintf(line, sizeof(line),
		"%s: [%llu log lines lost: nobody read the ones before]\n", out.program,
		(unsigned long long)more);
	if (!log_is_json()) {
		write_all(line, (size_t)n, true);
		return;
	}
	char object[LOG_JSON_MAX];
	(void)snprintf(line, sizeof(line), "%llu log lines lost: nobody read the ones before",
		(unsigned long long)more);
	write_all(object,
		log_json_line(object,
			&(struct log_json){
				.level = LOG_LEVEL_WARNING, .process = out.program, .text = line}),
		true);
}

static void *run(void *)
{
	char chunk[CHUNK];
	pthread_mutex_lock(&out.lock);
	while (out.used > 0 || !out.stopping) {
		if (out.used == 0) {
			pthread_cond_wait(&out.filled, &out.lock);
			continue;
		}
		size_t len = take(chunk);
		bool is_last = out.used == 0;
		pthread_mutex_unlock(&out.lock);
		write_all(chunk, len, true);
		if (is_last)
			tell_lost();
		pthread_mutex_lock(&out.lock);
	}
	out.has_ended = true;
	pthread_cond_signal(&out.ended);
	pthread_mutex_unlock(&out.lock);
	return NULL;
}

int log_out_start(const char *program)
{
	if (out.running)
		return 0;
	out.program = program;
	out.stopping = out.has_ended = false;
	int rc = thread_start(&out.thread, "weir-stderr", run, NULL);
	if (rc < 0)
		return rc;
	out.running = true;
	static bool is_registered;
	if (!is_registered)
		(void)atexit(log_out_stop);
	is_registered = true;
	return 0;
}

void log_out_stop(void)
{
	struct timespec until;
	if (!out.running)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOG_OUT_STOP_MS / 1000;
	pthread_mutex_lock(&out.lock);
	out.stopping = true;
	pthread_cond_signal(&out.filled);
	int rc = 0;
	while (!out.has_ended && rc == 0)
		rc = pthread_cond_clockwait(&out.ended, &out.lock, CLOCK_MONOTONIC, &until);
	bool has_ended = out.has_ended;
	out.running = !has_ended;
	pthread_mutex_unlock(&out.lock);
	// One that is still stuck in its reader keeps what it has: the process ends anyway.
	if (has_ended)
		pthread_join(out.thread, NULL);
}

void log_out_write(const char *text, size_t len)
{
	pthread_mutex_lock(&out.lock);
	bool is_ours = out.running && !out.stopping, fits = LOG_OUT_BYTES - out.used >= len;
	if (is_ours && fits) {
		put(text, len);
		pthread_cond_signal(&out.filled);
	}
	bool direct = !out.running;
	pthread_mutex_unlock(&out.lock);
	if (direct)
		write_all(text, len, false);
	else if (!is_ours || !fits)
		atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
}
