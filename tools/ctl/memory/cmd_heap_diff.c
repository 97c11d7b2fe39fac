// SPDX-License-Identifier: BSD-3-Clause
// Two heap profiles compared: what grew, by call stack.

#include "heap_diff.h"
#include "lib/ctl.h"
#include "lib/http_get.h"
#include "lib/json_doc.h"
#include "lib/table_out.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/own_file.h>

enum { PROFILE_MAX = 64 << 20, GROWERS = 24 };

// Takes the descriptor, or -errno.
static char *text_read(int fd, int *err)
{
	struct stat st;
	char *text = NULL;
	*err = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : 0;
	if (*err == 0 && (!S_ISREG(st.st_mode) || st.st_size > PROFILE_MAX))
		*err = -EPROTO;
	if (*err == 0 && !(text = calloc(1, (size_t)st.st_size + 1)))
		*err = -ENOMEM;
	if (*err == 0 && read(fd, text, (size_t)st.st_size) != (ssize_t)st.st_size)
		*err = -EIO;
	if (fd >= 0)
		close(fd);
	if (*err == 0)
		return text;
	free(text);
	return NULL;
}

struct profile {
	char *text;
	struct heap_text *heap;
};

static int profile_read(const struct ctl *c, const char *path, struct profile *p, int err)
{
	char shown[256];
	if (err == 0)
		err = heap_text_read(&p->heap, p->text);
	if (err == 0)
		return CTL_OK;
	return ctl_fail(c, "%s: %s", term_text(path, shown, sizeof(shown)),
		err == -EPROTO ? "is no heap profile" : strerror(-err));
}

// "auto-1" to "auto-3": what weir keeps by itself. Any other name is a file's.
static int profile_open(struct ctl *c, const char *name, struct profile *p)
{
	char path[PATH_MAX];
	int err = 0, fd;
	snprintf(path, sizeof(path), "%s", name);
	if (strncmp(name, "auto-", 5) == 0 && name[5] >= '1' && name[5] <= '3' && !name[6]) {
		if (ctl_open(c) != CTL_OK)
			return CTL_FAILED;
		snprintf(path, sizeof(path), "%s/" SHM_CONTROL "/heap-%s", c->paths.run, name);
		fd = own_file_open(path, O_RDONLY, 0);
	} else {
		// Without O_NONBLOCK a FIFO in this place would hang us.
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		fd = fd < 0 ? -errno : fd;
	}
	p->text = text_read(fd, &err);
	return profile_read(c, path, p, err);
}

static int profile_now(struct ctl *c, struct profile *p)
{
	size_t len = 0;
	FILE *f = ctl_open(c) == CTL_OK ? open_memstream(&p->text, &len) : NULL;
	if (!f)
		return CTL_FAILED;
	int rc = http_save(c, "/debug/heap", HTTP_FLUSH_MS, f);
	bool is_whole = fclose(f) == 0;
	return rc == CTL_OK ? profile_read(c, "now", p, is_whole ? 0 : -ENOMEM) : rc;
}

static void profile_close(struct profile *p)
{
	heap_text_free(p->heap);
	free(p->text);
}

// What a file says may be more than an integer holds.
static uint64_t bytes(double n)
{
	return n < 9e18 ? (uint64_t)n : (uint64_t)9e18;
}

static const char *signed_bytes(double n, char out[FIGURE_MAX])
{
	char text[FIGURE_MAX];
	snprintf(out, FIGURE_MAX, "%c%.28s", n < 0 ? '-' : '+',
		figure_bytes(bytes(n < 0 ? -n : n), text));
	return out;
}

static void growth_print(const struct heap_growth *g)
{
	char a[FIGURE_MAX], b[FIGURE_MAX], shown[SYMBOL_NAME_MAX * 4];
	printf("%12s %12s %+12.0f  ", signed_bytes(g->bytes - g->bytes_before, a),
		figure_bytes(bytes(g->bytes), b), g->blocks - g->blocks_before);
	for (unsigned i = 0; i < g->depth; i++)
		printf("%s%s", i ? " < " : "", term_text(g->stack[i], shown, sizeof(shown)));
	printf("\n");
}

static void diff_print(const struct heap_diff *d, bool cumulative, unsigned left_out)
{
	char a[FIGURE_MAX], b[FIGURE_MAX];
	unsigned made_again = 0;
	printf("%s in all, %s now\n\n", signed_bytes(d->bytes - d->bytes_before, a),
		figure_bytes(bytes(d->bytes), b));
	printf("%12s %12s %12s  %s\n", "growth", "now", "blocks",
		cumulative ? "function, and all that it calls" : "allocated by");
	for (unsigned i = 0; i < d->count; i++) {
		made_again += d->growth[i].is_made_again;
		if (i < GROWERS && d->growth[i].bytes > d->growth[i].bytes_before
			&& !d->growth[i].is_made_again)
			growth_print(&d->growth[i]);
	}
	if (made_again)
		printf("%u stacks made their blocks again: by exact counts they did not grow\n",
			made_again);
	if (left_out)
		printf("%u lines over what is read were left out\n", left_out);
}

static void growth_json(struct json_node *list, const struct heap_growth *g)
{
	struct json_node *n = json_put_object(list, NULL);
	char stack[HEAP_DIFF_FRAMES * (SYMBOL_NAME_MAX + 3)];
	size_t len = 0;
	stack[0] = '\0';
	for (unsigned k = 0; k < g->depth; k++)
		len += (size_t)snprintf(
			stack + len, sizeof(stack) - len, "%s%s", k ? " < " : "", g->stack[k]);
	json_put_real(n, "growth", g->bytes - g->bytes_before);
	json_put_real(n, "bytes", g->bytes);
	json_put_real(n, "blocks", g->blocks - g->blocks_before);
	json_put_bool(n, "made_again", g->is_made_again);
	json_put_text(n, "stack", stack);
}

static void diff_json(const struct heap_diff *d)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	json_put_real(root, "growth", d->bytes - d->bytes_before);
	json_put_real(root, "bytes", d->bytes);
	struct json_node *list = json_put_array(root, "growers");
	for (unsigned i = 0; i < d->count; i++)
		growth_json(list, &d->growth[i]);
	json_doc_end(doc);
}

static int cumulated(struct heap_diff *d)
{
	struct heap_diff by_function;
	int err = heap_diff_cumulate(&by_function, d);
	if (err < 0)
		return err;
	heap_diff_free(d);
	*d = by_function;
	return 0;
}

static int profiles_compare(const struct ctl *c, const struct profile *a, const struct profile *b)
{
	struct heap_diff d = {0};
	struct symbols *symbols = symbols_new();
	int err = heap_diff_make(&d, a->heap, b->heap, symbols);
	symbols_free(symbols);
	if (err == 0 && c->cumulative)
		err = cumulated(&d);
	if (err < 0) {
		heap_diff_free(&d);
		return ctl_fail(c, "%s", strerror(-err));
	}
	if (c->json)
		diff_json(&d);
	else
		diff_print(&d, c->cumulative, a->heap->left_out + b->heap->left_out);
	heap_diff_free(&d);
	return CTL_OK;
}

int cmd_heap_diff(struct ctl *c)
{
	struct profile a = {0}, b = {0};
	int rc = profile_open(c, c->operand, &a);
	if (rc == CTL_OK)
		rc = c->type ? profile_open(c, c->type, &b) : profile_now(c, &b);
	if (rc == CTL_OK)
		rc = profiles_compare(c, &a, &b);
	profile_close(&a);
	profile_close(&b);
	return rc;
}
