// SPDX-License-Identifier: BSD-3-Clause
#include "rule_compile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 16 };

typedef int (*bytes_fn)(void *arg, const void *bytes, size_t len);

// Reads a regular file of at most RULE_SOURCE_BYTES_MAX in pieces, with pauses between them.
static int read_file(const char *path, bytes_fn take, void *arg, struct pace *p)
{
	char piece[READ_SIZE];
	struct stat st;
	uint64_t total = 0;
	int err = 0;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	while (!err) {
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n == 0)
			break;
		if (n < 0) {
			err = errno == EINTR ? 0 : -errno;
			continue;
		}
		total += (uint64_t)n;
		err = total > RULE_SOURCE_BYTES_MAX ? -EFBIG : take(arg, piece, (size_t)n);
		pace(p);
	}
	close(fd);
	return err;
}

static int take_hash(void *arg, const void *bytes, size_t len)
{
	contenthash_update(arg, bytes, len);
	return 0;
}

static int take_rule_hash(void *arg, const struct list_rule *rule)
{
	const struct list_chain *chain = rule->chain;
	const uint32_t numbers[] = {rule->what, rule->rtype, rule->rdata_len, rule->ttl_s,
		rule->chain_is_dead, rule->inverts};
	contenthash_update(arg, &rule->kind, sizeof(rule->kind));
	contenthash_update(arg, numbers, sizeof(numbers));
	if (rule->what == LIST_RULE_NAME)
		contenthash_update(arg, rule->name->wire, rule->name->len);
	else if (rule->what == LIST_RULE_PATTERN)
		contenthash_update(arg, rule->pattern, rule->pattern_len);
	else
		contenthash_update(arg, &rule->prefix, sizeof(rule->prefix));
	if (rule->glob_len)
		contenthash_update(arg, rule->glob, rule->glob_len);
	if (rule->rdata_len)
		contenthash_update(arg, rule->rdata, rule->rdata_len);
	for (unsigned i = 0; chain && i < chain->count; i++) {
		contenthash_update(arg, &chain->alias[i].ttl_s, sizeof(chain->alias[i].ttl_s));
		contenthash_update(arg, chain->alias[i].target, chain->alias[i].len);
	}
	return 0;
}

static void hash_source(
	const struct rule_source *s, struct rule_source_result *r, struct pace *pace)
{
	*r = (struct rule_source_result){0};
	struct contenthash_state state;
	contenthash_begin(&state);
	if (s->path)
		r->error = read_file(s->path, take_hash, &state, pace);
	else if (s->rules)
		r->error = s->rules(s->arg, take_rule_hash, &state);
	r->content_hash = r->error ? 0 : contenthash_finish(&state);
}

// Hashes its copy if the list cannot be read.
static void hash_list(const struct rule_source *s, struct rule_source_result *r, struct pace *pace)
{
	hash_source(s, r, pace);
	if (!r->error || !s->kept)
		return;
	const struct rule_source copy = {.path = s->kept};
	struct rule_source_result kept;
	hash_source(&copy, &kept, pace);
	if (kept.error)
		return;
	r->kept = true;
	r->content_hash = kept.content_hash;
}

// What decides the content of an image: order, roles, titles as it has them and contents, and the
// code's version.
static uint64_t join_hashes(
	const struct rule_source *source, unsigned count, const struct rule_source_result *result)
{
	uint64_t joined = RULE_IMAGE_VERSION;
	for (unsigned i = 0; i < count; i++) {
		char title[RULE_TITLE_MAX];
		rule_title_make(title, source[i].title);
		// An unread source must not look like one that was read and is empty.
		uint64_t part[4] = {joined, contenthash(title, sizeof(title)),
			result[i].content_hash,
			(uint64_t)source[i].allow | (uint64_t)rule_source_lost(&result[i]) << 1
				| (uint64_t)source[i].force << 2 | (uint64_t)source[i].exact << 3
				| (uint64_t)source[i].passes_any << 4
				| (uint64_t)source[i].format << 8};
		joined = contenthash(part, sizeof(part));
	}
	return joined;
}

static void hash_known(const struct rule_source *s, struct rule_source_result *r,
	struct rule_known *known, struct pace *pace)
{
	struct file_seen before = file_seen_now(s->path);
	if (file_seen_same(&before, &known->file)) {
		*r = (struct rule_source_result){.content_hash = known->content_hash};
		return;
	}
	time_t read_unix_s = time(NULL);
	hash_list(s, r, pace);
	*known = (struct rule_known){.content_hash = r->content_hash};
	if (!r->error)
		known->file = file_seen_settled(&before, s->path, read_unix_s);
}

uint64_t rule_compile_hash(const struct rule_source *source, unsigned count,
	struct rule_source_result *result, struct rule_known *known, struct pace *pace)
{
	for (unsigned i = 0; i < count; i++) {
		if (source[i].path) {
			hash_known(&source[i], &result[i], &known[i], pace);
			continue;
		}
		hash_source(&source[i], &result[i], pace);
		if (i < RULE_LISTS_MAX)
			known[i] = (struct rule_known){0};
	}
	return join_hashes(source, count, result);
}

// A source on its way into the builder.
struct feed {
	struct list_parser parser; // reads a file
	struct contenthash_state hash;
	struct rule_builder *builder;
	struct rule_source_result *result;
	struct pace *pace;
};

static int take_rule(void *arg, const struct list_rule *rule)
{
	struct feed *f = arg;
	int err = rule_builder_rule(f->builder, rule);
	if (err != -EINVAL && err != -ENOSPC)
		return err;
	f->result->unusable++;
	f->result->no_room += err == -ENOSPC;
	return 0;
}

static int take_text(void *arg, const void *bytes, size_t len)
{
	struct feed *f = arg;
	contenthash_update(&f->hash, bytes, len);
	return list_parse_feed(&f->parser, bytes, len);
}

static int take_rule_and_hash(void *arg, const struct list_rule *rule)
{
	struct feed *f = arg;
	(void)take_rule_hash(&f->hash, rule);
	f->result->counts.names++;
	return take_rule(f, rule);
}

// -ENOMEM and -E2BIG of the builder are returned and end the build; an error of the file is in the
// result.
static int parse_file(struct feed *f, const struct rule_source *s, const char *path, bool had_names)
{
	struct rule_source_result *r = f->result;
	struct list_options options = rule_source_options(s);
	contenthash_begin(&f->hash);
	list_parse_begin(&f->parser, &options, take_rule, f);
	r->error = read_file(path, take_text, f, f->pace);
	if (!r->error)
		r->error = list_parse_end(&f->parser);
	r->counts = f->parser.counts;
	r->content_hash = contenthash_finish(&f->hash);
	if (f->parser.stopped)
		return f->parser.stopped;
	bool empty = list_counts_rules(&r->counts) == 0;
	if (!r->error && empty && list_counts_rejected(&r->counts) > 0)
		r->error = -EBADMSG;
	else if (!r->error && empty && had_names)
		r->error = -ENODATA;
	return 0;
}

// Which file of a list is read: `path`, then `kept`, then none.
struct attempt {
	unsigned from;
	int error; // error of `path`
	enum list_reject most;
};

// -EAGAIN: the builder has rules of a file that then went wrong; the next attempt leaves that file
// alone. The error of the list is reported even if its copy is in use.
static int compile_file(
	struct feed *f, const struct rule_source *s, bool had_names, struct attempt *a)
{
	const char *const file[] = {s->path, s->kept};
	struct rule_source_result *r = f->result;
	bool got = false;
	while (!got && a->from < ARRAY_LEN(file) && file[a->from]) {
		int err = parse_file(f, s, file[a->from], had_names);
		if (err)
			return err;
		got = !r->error;
		if (got)
			continue;
		if (!a->error) {
			a->error = r->error;
			a->most = list_counts_most(&r->counts);
		}
		a->from++;
		if (list_counts_rules(&r->counts))
			return -EAGAIN;
	}
	r->error = a->error;
	r->most = a->most;
	r->kept = got && a->error;
	return 0;
}

static int generate(struct feed *f, const struct rule_source *s)
{
	contenthash_begin(&f->hash);
	int err = s->rules ? s->rules(s->arg, take_rule_and_hash, f) : 0;
	f->result->content_hash = contenthash_finish(&f->hash);
	return err;
}

static int compile_source(struct rule_builder *b, const struct rule_source *s, bool had_names,
	struct rule_source_result *r, struct attempt *attempt, struct pace *pace)
{
	struct feed f = {.builder = b, .result = r, .pace = pace};
	*r = (struct rule_source_result){0};
	int err = s->path ? rule_builder_list(b, s->title) : rule_builder_source(b, s->title);
	if (!err)
		err = s->path ? compile_file(&f, s, had_names, attempt) : generate(&f, s);
	if (err)
		return err;
	if (rule_source_lost(r))
		r->content_hash = 0;
	struct rule_source_info info = {
		.names = list_counts_rules(&r->counts) - r->unusable,
		.lines = r->counts.lines,
		.comments = r->counts.comments,
		.rejected = list_counts_rejected(&r->counts) + r->unusable,
		.bytes = r->counts.bytes,
		.content_hash = r->content_hash,
	};
	rule_builder_source_info(b, &info);
	return 0;
}

// Why the build failed; `source`: NULL at the end.
static void explain(const struct rule_builder *b, const struct rule_source *source, int err,
	char why[RULE_COMPILE_WHY_MAX])
{
	unsigned resting, numbers = rule_builder_numbers(b, &resting);
	if (err == -E2BIG && numbers > RULE_LISTS_MAX) {
		snprintf(why, RULE_COMPILE_WHY_MAX,
			"too many lists, one for each kind of rules that a source has: %u needed, "
			"%u at most; %u of these are free a minute after the next image",
			numbers, (unsigned)RULE_LISTS_MAX, resting);
		return;
	}
	const char *reason = err == -E2BIG ? "too many names, sources or records" : strerror(-err);
	if (source)
		snprintf(why, RULE_COMPILE_WHY_MAX, "list %.64s: %s", source->title, reason);
	else
		snprintf(why, RULE_COMPILE_WHY_MAX, "cannot build the image: %s", reason);
}

static int compile_all(struct rule_builder *b, const struct rule_source *source, unsigned count,
	const struct rule_compile_options *options, struct rule_source_result *result,
	struct attempt *attempt, struct rule_arena *out, char why[RULE_COMPILE_WHY_MAX])
{
	for (unsigned i = 0; i < count; i++) {
		bool had_names = options->had_names && options->had_names[i];
		int err = compile_source(
			b, &source[i], had_names, &result[i], &attempt[i], options->pace);
		if (err) {
			explain(b, &source[i], err, why);
			return err;
		}
		if (result[i].error && !options->partial) {
			snprintf(why, RULE_COMPILE_WHY_MAX, "list %.64s: %s", source[i].title,
				rule_source_error_text(result[i].error, result[i].most));
			return result[i].error;
		}
	}
	int err = rule_builder_finish(
		b, join_hashes(source, count, result), options->created_unix_s, out);
	if (err)
		explain(b, NULL, err, why);
	return err;
}

int rule_compile(const struct rule_source *source, unsigned count,
	const struct rule_compile_options *options, struct rule_source_result *result,
	struct rule_arena *out, size_t *peak_bytes, char why[RULE_COMPILE_WHY_MAX])
{
	struct attempt attempt[RULE_SOURCES_MAX] = {0};
	int err;
	do { // once more for each file that goes wrong in the middle
		struct rule_builder *b;
		err = rule_builder_new(
			&options->secret, options->before, options->before_count, &b);
		if (err) {
			snprintf(why, RULE_COMPILE_WHY_MAX, "no memory");
			return err;
		}
		rule_builder_pace(b, options->pace);
		err = compile_all(b, source, count, options, result, attempt, out, why);
		*peak_bytes = rule_builder_peak_bytes(b);
		rule_builder_free(b);
	} while (err == -EAGAIN);
	return err;
}
