// SPDX-License-Identifier: BSD-3-Clause

#include <pthread.h>
#include <string.h>
#include <time.h>
#include <weir/log_recent.h>

// Global, like the log of the process: it has the messages of every module.
static struct {
	pthread_mutex_t lock;
	unsigned count;
	uint64_t changes, replaced;
	uint64_t seen[LOG_RECENT_MAX]; // `changes` at the last message of the kind
	struct log_recent kind[LOG_RECENT_MAX];
} recent = {.lock = PTHREAD_MUTEX_INITIALIZER};

// FNV-1a: an id, not a table's hash.
uint32_t log_recent_id(const char *fmt)
{
	uint32_t h = 2166136261u;
	for (const char *p = fmt; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	return h;
}

static unsigned slot_of(uint32_t id)
{
	unsigned oldest = 0;
	for (unsigned i = 0; i < recent.count; i++) {
		if (recent.kind[i].id == id)
			return i;
		if (recent.seen[i] < recent.seen[oldest])
			oldest = i;
	}
	if (recent.count < LOG_RECENT_MAX)
		return recent.count++;
	recent.replaced++;
	return oldest;
}

void log_recent_add(enum log_level level, const char *fmt, const char *text)
{
	struct timespec now;
	uint32_t id = log_recent_id(fmt);
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t unix_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	pthread_mutex_lock(&recent.lock);
	unsigned i = slot_of(id);
	struct log_recent *k = &recent.kind[i];
	if (k->id != id || k->count == 0)
		*k = (struct log_recent){.id = id, .first_unix_ms = unix_ms};
	k->level = level;
	k->count++;
	k->last_unix_ms = unix_ms;
	size_t len = strnlen(text, sizeof(k->text) - 1);
	memcpy(k->text, text, len);
	k->text[len] = '\0';
	recent.seen[i] = ++recent.changes;
	pthread_mutex_unlock(&recent.lock);
}

unsigned log_recent_copy(struct log_recent *out, unsigned max, uint64_t *replaced)
{
	uint64_t before = UINT64_MAX;
	unsigned n = 0;
	pthread_mutex_lock(&recent.lock);
	for (; n < max && n < recent.count; n++) {
		unsigned newest = LOG_RECENT_MAX;
		for (unsigned i = 0; i < recent.count; i++)
			if (recent.seen[i] < before
				&& (newest == LOG_RECENT_MAX
					|| recent.seen[i] > recent.seen[newest]))
				newest = i;
		before = recent.seen[newest];
		out[n] = recent.kind[newest];
	}
	if (replaced)
		*replaced = recent.replaced;
	pthread_mutex_unlock(&recent.lock);
	return n;
}

uint64_t log_recent_changes(void)
{
	pthread_mutex_lock(&recent.lock);
	uint64_t changes = recent.changes;
	pthread_mutex_unlock(&recent.lock);
	return changes;
}

void log_recent_counts(struct log_recent_counts *out)
{
	pthread_mutex_lock(&recent.lock);
	*out = (struct log_recent_counts){
		.used = recent.count, .replaced = recent.replaced, .bytes = sizeof(recent)};
	pthread_mutex_unlock(&recent.lock);
}
