// SPDX-License-Identifier: BSD-3-Clause
#include "why_find.h"

#include "lists/list_glob.h"
#include "lists/list_parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/text.h>

enum { CHUNK = 1 << 16, WANTED_MAX = 256, FOUND_MAX = 256 };

// One source being read.
struct search {
	struct why *why;
	struct why_source *about;
	const _Atomic bool *stop;
	uint64_t deadline_ms;
	unsigned wanted_count;
	struct list_wanted wanted[WANTED_MAX];
	struct dns_name name[WANTED_MAX]; // names of `wanted`
	struct list_finder finder;
	char chunk[CHUNK];
};

static bool is_late(const struct search *s)
{
	return clock_mono_ms() >= s->deadline_ms;
}

static void note(struct search *s, const char *text)
{
	snprintf(s->about->note, sizeof(s->about->note), "%s", text);
}

static bool is_same_glob(const struct why_hit *h, const struct list_rule *rule)
{
	char text[LIST_GLOB_TEXT_MAX], shown[WHY_WORD_MAX];
	if (!rule->kind.globs)
		return true;
	list_glob_text(rule->glob, rule->glob_len, rule->name, text);
	text_escape(text, shown, sizeof(shown));
	return strcmp(shown, h->text) == 0;
}

static bool rule_is_hit(const struct search *s, const struct list_rule *rule, unsigned hit)
{
	const struct why_hit *h = &s->why->hit[hit];
	if (rule->off || strcmp(h->title, s->about->title) != 0
		|| memcmp(&rule->kind, &h->kind, sizeof(h->kind)) != 0)
		return false;
	if (rule->what == LIST_RULE_NAME) {
		const struct dns_name name = why_hit_name(s->why, h);
		return h->what == WHY_NAME && dns_name_equal(&name, rule->name)
		       && is_same_glob(h, rule);
	}
	if (rule->what == LIST_RULE_PATTERN)
		return h->what == WHY_PATTERN && h->inverts == rule->inverts
		       && h->pattern_len == rule->pattern_len
		       && memcmp(h->pattern, rule->pattern, rule->pattern_len) == 0;
	return h->what == WHY_ADDRESS && memcmp(&h->prefix, &rule->prefix, sizeof(h->prefix)) == 0;
}

static void hits_add(struct search *s, const struct list_rule *rule, const char *text, size_t len)
{
	for (unsigned i = 0; i < s->why->hits; i++)
		if (rule_is_hit(s, rule, i))
			why_line_add(s->why, i, rule->line, text, len);
}

static void on_found(void *arg, const struct list_found *found)
{
	hits_add(arg, found->rule, found->text, found->text_len);
}

// What other sources than files hand over has no line, but perhaps other rules than the image.
static int on_rule(void *arg, const struct list_rule *rule)
{
	struct search *s = arg;
	hits_add(s, rule, "", 0);
	return atomic_load(s->stop) || is_late(s) ? -ECANCELED : 0;
}

static void wanted_fill(struct search *s)
{
	s->wanted_count = 0;
	for (unsigned i = 0; i < s->why->hits && s->wanted_count < WANTED_MAX; i++) {
		const struct why_hit *h = &s->why->hit[i];
		struct list_wanted *w = &s->wanted[s->wanted_count];
		if (strcmp(h->title, s->about->title) != 0)
			continue;
		*w = (struct list_wanted){0};
		if (h->what == WHY_NAME) {
			s->name[s->wanted_count] = why_hit_name(s->why, h);
			w->name = &s->name[s->wanted_count];
		} else if (h->what == WHY_PATTERN) {
			w->pattern = h->pattern;
			w->pattern_len = h->pattern_len;
		} else {
			w->prefix = &h->prefix;
		}
		s->wanted_count++;
	}
}

// All of the file goes into the hash, also what lies behind the last line that is wanted.
static int file_read(struct search *s, int fd, struct contenthash_state *hash)
{
	bool wanting = true;
	for (;;) {
		if (atomic_load(s->stop))
			return -ECANCELED;
		if (is_late(s))
			return -ETIME;
		ssize_t n = read(fd, s->chunk, sizeof(s->chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		contenthash_update(hash, s->chunk, (size_t)n);
		wanting = wanting && list_find_feed(&s->finder, s->chunk, (size_t)n);
	}
	if (wanting)
		list_find_end(&s->finder);
	return 0;
}

static int file_search(struct search *s, const struct rule_source *source, const char *path)
{
	struct list_options options = rule_source_options(source);
	struct contenthash_state hash;
	contenthash_begin(&hash);
	// A pipe or device in its place would keep us.
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err = fd < 0 ? -errno : 0;
	list_find_begin(&s->finder, &options, s->wanted, s->wanted_count, FOUND_MAX, on_found, s);
	if (!err)
		err = file_read(s, fd, &hash);
	if (fd >= 0)
		close(fd);
	uint64_t sum = contenthash_finish(&hash);
	if (err == -ETIME)
		note(s, "not read to its end: that takes too long");
	else if (err)
		note(s, strerror(-err));
	else if (s->about->content_hash && sum != s->about->content_hash)
		note(s, "changed since it was loaded: lines may be others");
	return err == -ECANCELED ? err : 0;
}

// The copy, as the build does, if the list itself is gone.
static const char *file_of(const struct rule_source *s)
{
	bool gone = s->path && s->kept && access(s->path, R_OK) && access(s->kept, R_OK) == 0;
	return gone ? s->kept : s->path;
}

static int source_search(struct search *s, const struct rule_source *source)
{
	const char *path = file_of(source);
	snprintf(s->about->path, sizeof(s->about->path), "%s", path ? path : "");
	wanted_fill(s);
	if (s->wanted_count == 0)
		return 0;
	if (path)
		return file_search(s, source, path);
	if (!source->rules)
		return 0;
	int err = source->rules(source->arg, on_rule, s);
	if (err && !atomic_load(s->stop))
		note(s, "not read to its end: that takes too long");
	return atomic_load(s->stop) ? -ECANCELED : 0;
}

static const struct rule_source *source_of(
	const struct rule_source *source, unsigned count, const struct why_source *about)
{
	char title[RULE_TITLE_MAX];
	for (unsigned i = 0; i < count; i++) {
		rule_title_make(title, source[i].title);
		if (strcmp(title, about->title) == 0)
			return &source[i];
	}
	return NULL;
}

int why_find(
	struct why *w, const struct rule_source *source, unsigned count, const _Atomic bool *stop)
{
	struct search *s = heap_malloc(sizeof(*s));
	int err = 0;
	if (!s)
		return -ENOMEM;
	s->why = w;
	s->stop = stop;
	s->deadline_ms = clock_mono_ms() + WHY_FIND_MS;
	for (unsigned i = 0; i < w->sources && !err; i++) {
		s->about = &w->source[i];
		const struct rule_source *from = source_of(source, count, s->about);
		if (from)
			err = source_search(s, from);
		else
			note(s, "no longer in the configuration");
	}
	heap_free(s);
	return err;
}
