// SPDX-License-Identifier: BSD-3-Clause
// Profiles of the control plane: heap profiles, and their comparison by call stack; CPU time,
// allocations and stacks of threads, as a file for pprof or as tables; its threads and its
// connections.

#include "cmd_heap.h"

#include "lib/ctl.h"
#include "lib/http_get.h"
#include "lib/json_doc.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"
#include "pprof_out.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/own_file.h>

// Names of the functions in files that a process has mapped.
//
// Each file is read once and kept, at most SYMBOL_FILES_MAX files. The symbol table is .symtab, or
// .dynsym of a stripped file. A file that differs from the mapped one gives wrong names: keep the
// program, or read the profile before it is replaced. libelf checks its input.

enum { SYMBOL_FILES_MAX = 64, SYMBOL_NAME_MAX = 96, SYMBOLS_MAX = 1 << 20, SEGMENTS_MAX = 64 };

struct symbol {
	uint64_t at, size;
	const char *name; // libelf's memory, while the file is open
};

struct symbol_file {
	char *path;
	int fd;
	Elf *elf; // NULL: it cannot be read as ELF
	unsigned count;
	struct symbol *symbol; // sorted by `at`
};

struct symbols {
	unsigned count;
	struct symbol_file file[SYMBOL_FILES_MAX];
};

// NULL: no memory; symbols_name() accepts it.
static struct symbols *symbols_new(void)
{
	return elf_version(EV_CURRENT) == EV_NONE ? NULL : calloc(1, sizeof(struct symbols));
}

static void symbols_free(struct symbols *s)
{
	for (unsigned i = 0; s && i < s->count; i++) {
		struct symbol_file *f = &s->file[i];
		if (f->elf)
			elf_end(f->elf);
		if (f->fd >= 0)
			close(f->fd);
		free(f->symbol);
		free(f->path);
	}
	free(s);
}

static int symbol_compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;
	return (x->at > y->at) - (x->at < y->at);
}

// Finds .symtab (SHT_SYMTAB) or .dynsym (SHT_DYNSYM).
static Elf_Scn *table_find(Elf *elf, uint32_t type, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;
	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, header) && header->sh_type == type)
			return section;
	return NULL;
}

static void table_read(struct symbol_file *f)
{
	GElf_Shdr header;
	GElf_Sym sym;
	Elf_Scn *section = table_find(f->elf, SHT_SYMTAB, &header);
	if (!section)
		section = table_find(f->elf, SHT_DYNSYM, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	if (!data || !header.sh_entsize)
		return;
	uint64_t count = header.sh_size / header.sh_entsize;
	if (count > SYMBOLS_MAX)
		count = SYMBOLS_MAX;
	f->symbol = calloc(count + 1, sizeof(*f->symbol));
	for (unsigned i = 0; f->symbol && i < count; i++) {
		if (!gelf_getsym(data, (int)i, &sym) || GELF_ST_TYPE(sym.st_info) != STT_FUNC
			|| !sym.st_value)
			continue;
		const char *name = elf_strptr(f->elf, header.sh_link, sym.st_name);
		if (name && *name)
			f->symbol[f->count++] = (struct symbol){
				.at = sym.st_value, .size = sym.st_size, .name = name};
	}
	if (f->symbol)
		qsort(f->symbol, f->count, sizeof(*f->symbol), symbol_compare);
}

// May libelf read the file? A profile or the process under examination names it, and this program
// may be root. So it must be a plain file of root, of the caller or of the owner of this program.
static bool is_trusted(int fd)
{
	struct stat st, own;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_mode & S_IWOTH)
		return false;
	return st.st_uid == 0 || st.st_uid == geteuid()
	       || (stat("/proc/self/exe", &own) == 0 && st.st_uid == own.st_uid);
}

static int file_open(const char *path)
{
	// O_NONBLOCK: the open of a FIFO must not wait for a writer.
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && !is_trusted(fd)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static struct symbol_file *file_get(struct symbols *s, const char *path)
{
	for (unsigned i = 0; i < s->count; i++)
		if (strcmp(s->file[i].path, path) == 0)
			return &s->file[i];
	if (s->count == SYMBOL_FILES_MAX)
		return NULL;
	struct symbol_file *f = &s->file[s->count];
	*f = (struct symbol_file){.path = strdup(path), .fd = -1};
	if (!f->path)
		return NULL;
	s->count++;
	f->fd = file_open(path);
	f->elf = f->fd >= 0 ? elf_begin(f->fd, ELF_C_READ, NULL) : NULL;
	if (f->elf && elf_kind(f->elf) == ELF_K_ELF)
		table_read(f);
	return f;
}

// The address for a byte of the file, as the linker set it; false: no segment has the byte.
static bool address_of(Elf *elf, uint64_t offset, uint64_t *out)
{
	size_t count;
	GElf_Phdr p;
	if (elf_getphdrnum(elf, &count) != 0)
		return false;
	for (size_t i = 0; i < count && i < SEGMENTS_MAX; i++) {
		if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_LOAD || offset < p.p_offset
			|| offset - p.p_offset >= p.p_filesz)
			continue;
		*out = offset - p.p_offset + p.p_vaddr;
		return true;
	}
	return false;
}

static const char *name_at(const struct symbol_file *f, uint64_t address)
{
	unsigned low = 0, high = f->count;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (f->symbol[middle].at <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	const struct symbol *s = &f->symbol[low - 1];
	return address - s->at < (s->size ? s->size : 1) ? s->name : NULL;
}

// Writes the name of the function at byte `offset` of the file, or "file+0xoffset".
static void symbols_name(
	struct symbols *s, const char *path, uint64_t offset, char out[SYMBOL_NAME_MAX])
{
	uint64_t address;
	const struct symbol_file *f = s ? file_get(s, path) : NULL;
	const char *name = NULL, *base = strrchr(path, '/');
	if (f && f->elf && f->count && address_of(f->elf, offset, &address))
		name = name_at(f, address);
	if (name)
		snprintf(out, SYMBOL_NAME_MAX, "%s", name);
	else
		snprintf(out, SYMBOL_NAME_MAX, "%.60s+0x%llx", base ? base + 1 : path,
			(unsigned long long)offset);
}

// Is it a function that allocates for its callers?
static bool is_allocator(const char *path, const char *name)
{
	static const char *const names[] = {"heap_malloc_at", "heap_calloc_at", "heap_realloc_at",
		"heap_reallocarray_at", "heap_aligned_alloc_at", "heap_strdup_at",
		"heap_strndup_at", "malloc", "calloc", "realloc", "strdup", "strndup", "__strdup",
		"__strndup"};
	if (strstr(path, "/libjemalloc."))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

// Writes the name of a frame's function; false: it is an allocator. A return address is after its
// call, which may be the last instruction of the function, hence - 1.
static bool frame_name(const struct heap_text *h, struct symbols *symbols, uint64_t address,
	char out[SYMBOL_NAME_MAX])
{
	const struct heap_map *m = heap_text_map(h, address - 1);
	if (!m) {
		snprintf(out, SYMBOL_NAME_MAX, "0x%llx", (unsigned long long)address);
		return true;
	}
	symbols_name(symbols, m->path, address - 1 - m->start + m->offset, out);
	return h->kind > HEAP_ALLOCATED || !is_allocator(m->path, out);
}

static int growth_fill(struct heap_growth *g, const struct heap_text *h, const struct heap_stack *s,
	struct symbols *symbols)
{
	char name[SYMBOL_NAME_MAX];
	for (unsigned i = 0; i < s->depth && g->depth < HEAP_DIFF_FRAMES; i++) {
		if (!frame_name(h, symbols, s->frame[i], name))
			continue;
		g->stack[g->depth] = strdup(name);
		if (!g->stack[g->depth])
			return -ENOMEM;
		g->depth++;
	}
	return 0;
}

static int side_add(
	struct heap_diff *d, const struct heap_text *h, struct symbols *symbols, bool before)
{
	for (unsigned i = 0; h && i < h->stack_count; i++) {
		const struct heap_stack *s = &h->stack[i];
		struct heap_growth *g = &d->growth[d->count++];
		*(before ? &g->bytes_before : &g->bytes) = s->bytes;
		*(before ? &g->blocks_before : &g->blocks) = s->blocks;
		*(before ? &d->bytes_before : &d->bytes) += s->bytes;
		int rc = growth_fill(g, h, s, symbols);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int stack_compare(const void *a, const void *b)
{
	const struct heap_growth *x = a, *y = b;
	for (unsigned i = 0; i < x->depth && i < y->depth; i++) {
		int c = strcmp(x->stack[i], y->stack[i]);
		if (c)
			return c;
	}
	return (x->depth > y->depth) - (x->depth < y->depth);
}

static int growth_compare(const void *a, const void *b)
{
	const struct heap_growth *x = a, *y = b;
	if (x->is_made_again != y->is_made_again)
		return x->is_made_again - y->is_made_again;
	double p = x->bytes - x->bytes_before, q = y->bytes - y->bytes_before;
	return (p < q) - (p > q);
}

static void growth_clear(struct heap_growth *g)
{
	for (unsigned i = 0; i < g->depth; i++)
		free(g->stack[i]);
	g->depth = 0;
}

// Joins equal stacks, which are neighbours.
static void equal_join(struct heap_diff *d)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < d->count; i++) {
		struct heap_growth *g = &d->growth[i], *last = &d->growth[kept ? kept - 1 : 0];
		if (kept && stack_compare(last, g) == 0) {
			last->bytes += g->bytes;
			last->blocks += g->blocks;
			last->bytes_before += g->bytes_before;
			last->blocks_before += g->blocks_before;
			growth_clear(g);
		} else {
			d->growth[kept++] = *g;
		}
	}
	d->count = kept;
}

// The growth of a site. The compiler may have inlined the function of a site into another one, so
// any site of a file may belong to a stack. So each function finally has the largest growth of any
// site in one of its files.
struct site_growth {
	const char *function, *file;
	double grown;
	bool is_there; // the second profile has it
};

static int file_compare(const void *a, const void *b)
{
	const struct site_growth *x = a, *y = b;
	int c = strcmp(x->file, y->file);
	return c ? c : strcmp(x->function, y->function);
}

static int function_compare(const void *a, const void *b)
{
	return strcmp(((const struct site_growth *)a)->function,
		((const struct site_growth *)b)->function);
}

static void sites_add(
	struct site_growth *to, unsigned *count, const struct heap_text *h, bool is_after)
{
	for (unsigned i = 0; i < h->site_count; i++)
		to[(*count)++] = (struct site_growth){h->site[i].function, h->site[i].file,
			is_after ? (double)h->site[i].bytes : -(double)h->site[i].bytes, is_after};
}

// Sorts, and joins equal sites by the sum or the largest of their growth.
static unsigned sites_join(struct site_growth *s, unsigned count,
	int (*compare)(const void *a, const void *b), bool sums)
{
	unsigned kept = 0;
	qsort(s, count, sizeof(*s), compare);
	for (unsigned i = 0; i < count; i++) {
		struct site_growth *last = &s[kept ? kept - 1 : 0];
		if (!kept || compare(last, &s[i]) != 0) {
			s[kept++] = s[i];
			continue;
		}
		last->is_there |= s[i].is_there;
		last->grown = sums ? last->grown + s[i].grown : fmax(last->grown, s[i].grown);
	}
	return kept;
}

// Gives all sites of a file the largest growth among them. They must be sorted by file.
static void files_level(struct site_growth *s, unsigned count)
{
	for (unsigned begin = 0, end; begin < count; begin = end) {
		double most = s[begin].grown;
		for (end = begin; end < count && strcmp(s[end].file, s[begin].file) == 0; end++)
			most = fmax(most, s[end].grown);
		for (unsigned i = begin; i < end; i++)
			s[i].grown = most;
	}
}

static void again_mark(struct heap_growth *g, const struct site_growth *s, unsigned count)
{
	const struct site_growth key = {.function = g->depth ? g->stack[0] : ""};
	const struct site_growth *of = bsearch(&key, s, count, sizeof(*s), function_compare);
	double growth = g->bytes - g->bytes_before;
	g->is_made_again = growth > 0 && of && of->is_there && of->grown <= growth / 2;
}

// Marks growth that the exact counts of sites contradict. Costs a sort of the sites and one of the
// functions, whatever a profile has.
static int all_again_mark(
	struct heap_diff *d, const struct heap_text *before, const struct heap_text *after)
{
	unsigned count = 0;
	if (!before || !before->site_count)
		return 0;
	struct site_growth *s = calloc(before->site_count + after->site_count, sizeof(*s));
	if (!s)
		return -ENOMEM;
	sites_add(s, &count, before, false);
	sites_add(s, &count, after, true);
	count = sites_join(s, count, file_compare, true);
	files_level(s, count);
	count = sites_join(s, count, function_compare, false);
	for (unsigned i = 0; i < d->count; i++)
		again_mark(&d->growth[i], s, count);
	free(s);
	return 0;
}

static int diff_make(struct heap_diff *out, const struct heap_text *before,
	const struct heap_text *after, struct symbols *symbols)
{
	struct heap_diff d = {0};
	size_t most = (before ? before->stack_count : 0) + after->stack_count;
	d.growth = calloc(most + 1, sizeof(*d.growth));
	if (!d.growth)
		return -ENOMEM;
	int rc = side_add(&d, before, symbols, true);
	if (rc == 0)
		rc = side_add(&d, after, symbols, false);
	if (rc == 0) {
		qsort(d.growth, d.count, sizeof(*d.growth), stack_compare);
		equal_join(&d);
		rc = all_again_mark(&d, before, after);
	}
	if (rc < 0) {
		heap_diff_free(&d);
		return rc;
	}
	qsort(d.growth, d.count, sizeof(*d.growth), growth_compare);
	*out = d;
	return 0;
}

int heap_diff_make(
	struct heap_diff *out, const struct heap_text *before, const struct heap_text *after)
{
	struct symbols *symbols = symbols_new();
	const int err = diff_make(out, before, after, symbols);
	symbols_free(symbols);
	return err;
}

// Is frame `k` the first of its function in its stack? A recursive function counts once.
static bool is_first(const struct heap_growth *g, unsigned k)
{
	for (unsigned i = 0; i < k; i++)
		if (strcmp(g->stack[i], g->stack[k]) == 0)
			return false;
	return true;
}

static int functions_add(struct heap_diff *d, const struct heap_growth *g)
{
	for (unsigned k = 0; k < g->depth; k++) {
		if (!is_first(g, k))
			continue;
		struct heap_growth *f = &d->growth[d->count];
		*f = *g;
		f->depth = 1;
		f->stack[0] = strdup(g->stack[k]);
		if (!f->stack[0])
			return -ENOMEM;
		d->count++;
	}
	return 0;
}

int heap_diff_cumulate(struct heap_diff *out, const struct heap_diff *of)
{
	struct heap_diff d = {.bytes_before = of->bytes_before, .bytes = of->bytes};
	size_t most = 1;
	for (unsigned i = 0; i < of->count; i++)
		most += of->growth[i].is_made_again ? 0 : of->growth[i].depth;
	d.growth = calloc(most, sizeof(*d.growth));
	if (!d.growth)
		return -ENOMEM;
	for (unsigned i = 0; i < of->count; i++) {
		if (of->growth[i].is_made_again || functions_add(&d, &of->growth[i]) == 0)
			continue;
		heap_diff_free(&d);
		return -ENOMEM;
	}
	qsort(d.growth, d.count, sizeof(*d.growth), stack_compare);
	equal_join(&d);
	qsort(d.growth, d.count, sizeof(*d.growth), growth_compare);
	*out = d;
	return 0;
}

void heap_diff_free(struct heap_diff *d)
{
	for (unsigned i = 0; d->growth && i < d->count; i++)
		growth_clear(&d->growth[i]);
	free(d->growth);
	d->growth = NULL;
	d->count = 0;
}

enum { RATE_MS = 1000, PEERS_MAX = 1024 };

static void sleep_ms(unsigned ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static double rate(const struct json_node *a, const struct json_node *b, const char *key)
{
	uint64_t ms = json_count(b, "monotonic_ms") - json_count(a, "monotonic_ms");
	return ms ? (double)(json_count(b, key) - json_count(a, key)) * 1000 / (double)ms : 0;
}

static void status_print(const struct json_node *before, const struct json_node *now)
{
	static const struct {
		const char *key, *text;
	} rows[] = {
		{"allocated", "by the program"},
		{"active", "pages that this is in"},
		{"resident", "of the allocator, in memory"},
		{"metadata", "its own"},
		{"threads_cached", "kept by threads for their next allocations"},
		{"profiler", "of the profile: what sampled blocks take beyond their sizes"},
		{"retained", "address space without memory"},
		{"anonymous", "pages of the process that nobody else has"},
		{"rss", "pages of the process, shared ones too"},
	};
	static const char *const heads[] = {"", ">", "", NULL};
	char text[FIGURE_MAX], other[FIGURE_MAX];
	struct table *t = table_new(heads);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		table_cell(t, "%s", rows[i].key);
		table_cell(t, "%s", figure_bytes(json_count(now, rows[i].key), text));
		table_cell(t, "%s", rows[i].text);
		table_row_end(t);
	}
	table_print(t);
	say(now, "\nallocator     {allocator}\n");
	printf("allocations   %s a second, %s out\n", figure_rate(rate(before, now, "made"), text),
		figure_count(json_count(now, "allocations") - json_count(now, "frees"), other));
	if (!say_if(now, "profiles", "profile       on, one sample in {sample:b}\n"))
		printf("profile       %s\n",
			json_flag(now, "can_profile") ? "off" : "this build has none");
}

static int cmd_heap_status(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *before = http_call_or_fail(c, false, "/heap", NULL, HTTP_SHORT_MS);
	if (!before)
		return CTL_FAILED;
	if (c->json) {
		json_doc_print(before);
		json_doc_free(before);
		return CTL_OK;
	}
	sleep_ms(RATE_MS);
	struct json_doc *now = http_call_or_fail(c, false, "/heap", NULL, HTTP_SHORT_MS);
	if (now)
		status_print(json_doc_root(before), json_doc_root(now));
	json_doc_free(before);
	json_doc_free(now);
	return now ? CTL_OK : CTL_FAILED;
}

// The binary logarithm, as text, of a number of bytes from the command line; NULL: no power of two.
static const char *sample_lg(const char *bytes, char out[8])
{
	uint64_t n = 0;
	unsigned lg = 0;
	for (const char *p = bytes; *p; p++) {
		if (*p < '0' || *p > '9' || n > UINT32_MAX)
			return NULL;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	while (n >> (lg + 1))
		lg++;
	if (n != (uint64_t)1 << lg)
		return NULL;
	snprintf(out, 8, "%u", lg);
	return out;
}

static void on_print(const struct json_node *)
{
	printf("the heap is profiled; at another rate than before, earlier allocations are not in "
	       "the "
	       "profile\n");
}

static int cmd_heap_on(struct ctl *c)
{
	char lg[8];
	const bool is_default = c->operand && strcmp(c->operand, "default") == 0;
	const char *value = c->operand ? sample_lg(c->operand, lg) : "16";
	if (!value && !is_default) {
		fprintf(stderr, "weirctl: heap on takes a power of two, in bytes, or default\n");
		return CTL_USAGE;
	}
	const struct http_param params[] = {{"sample_lg", value}, {NULL, NULL}};
	return show_call(c, true, "/heap/on", is_default ? NULL : params, HTTP_SHORT_MS, on_print);
}

static void off_print(const struct json_node *)
{
	printf("the heap is no longer profiled\n");
}

static int cmd_heap_off(struct ctl *c)
{
	return show_call(c, true, "/heap/off", NULL, HTTP_SHORT_MS, off_print);
}

static int cmd_heap_dump(struct ctl *c)
{
	char shown[256];
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	FILE *file = fopen(c->operand, "wxe");
	if (!file)
		return ctl_fail(
			c, "%s: %s", term_text(c->operand, shown, sizeof(shown)), strerror(errno));
	int rc = http_save(c, "/debug/heap", HTTP_FLUSH_MS, file);
	if (fclose(file) != 0 && rc == CTL_OK)
		rc = ctl_fail(
			c, "%s: %s", term_text(c->operand, shown, sizeof(shown)), strerror(errno));
	if (rc != CTL_OK)
		(void)remove(c->operand);
	return rc;
}

static void number_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%llu", json_count(n, key));
}

static void seconds_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%.2f", (double)json_count(n, key) / 1000);
}

static void threads_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{">id", "id", number_cell},
		{"name", "name", cell_text}, {"state", "state", cell_text},
		{">CPU s", "cpu_ms", seconds_cell}, {">waits", "waits", cell_count},
		{">preempted", "preempted", cell_count}};
	cell_rows_print(json_get(root, "threads"), columns, ARRAY_LEN(columns));
}

static int cmd_threads(struct ctl *c)
{
	return show_call(c, false, "/threads", NULL, HTTP_SHORT_MS, threads_print);
}

static int more_sockets_first(const void *a, const void *b)
{
	const struct json_node *const *x = a, *const *y = b;
	uint64_t of_x = json_count(*x, "sockets"), of_y = json_count(*y, "sockets");
	return (of_x < of_y) - (of_x > of_y);
}

static void peer_row(struct table *t, const struct json_node *n, const char *kind, const char *peer)
{
	table_cell_count(t, json_count(n, "sockets"));
	table_cell(t, "%s", kind);
	table_cell(t, "%s", peer);
	table_cell_count(t, json_count(n, "unread"));
	table_cell_count(t, json_count(n, "unsent"));
	table_row_end(t);
}

// The sums are over all sockets, also over sockets that the list has no room for.
static void peers_print(const struct json_node *root)
{
	static const char *const heads[] = {">sockets", "kind", "peer", ">unread", ">unsent", NULL};
	const struct json_node *list = json_get(root, "peers"), *peer[PEERS_MAX];
	const struct json_node *others = json_get(root, "other_peers");
	struct table *t = table_new(heads);
	size_t count = json_length(list) < PEERS_MAX ? json_length(list) : PEERS_MAX;
	for (size_t i = 0; i < count; i++)
		peer[i] = json_at(list, i);
	qsort(peer, count, sizeof(peer[0]), more_sockets_first);
	if (json_count(others, "sockets"))
		peer_row(t, others, "", "of further peers");
	for (size_t i = 0; i < count; i++)
		peer_row(t, peer[i], json_text(peer[i], "kind"), json_text(peer[i], "peer"));
	printf("\n");
	table_print(t);
}

static void connections_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{">fd", "fd", number_cell},
		{"kind", "kind", cell_text}, {"local", "local", cell_text},
		{"peer", "peer", cell_text}, {">unread", "unread", cell_count},
		{">unsent", "unsent", cell_count}};
	cell_rows_print(json_get(root, "sockets"), columns, ARRAY_LEN(columns));
	peers_print(root);
	say(root, "\n{open_files:u} open files, {open_sockets:u} of them sockets, {listed:u} "
		  "listed\n");
}

static int cmd_connections(struct ctl *c)
{
	return show_call(c, false, "/connections", NULL, HTTP_SHORT_MS, connections_print);
}

enum { PROFILE_MAX = 64 << 20, GROWERS = 24 };

// Reads a file and closes `fd`, which may be -errno.
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

// Opens a profile: "auto-1" to "auto-3" are the profiles that weir keeps; any other name is a
// file's.
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
		// O_NONBLOCK: the open of a FIFO must not wait for a writer.
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

// A number of a file may be larger than an integer holds.
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
	int err = heap_diff_make(&d, a->heap, b->heap);
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

static int cmd_heap_diff(struct ctl *c)
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

enum {
	SECONDS = 30,
	SECONDS_MAX = 100,
	ROWS = 24,
	STACK_TEXT = HEAP_DIFF_FRAMES * SYMBOL_NAME_MAX
};

static const char *stack_text(const struct heap_growth *g, char out[STACK_TEXT])
{
	size_t len = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < g->depth && len < STACK_TEXT; i++)
		len += (size_t)snprintf(
			out + len, STACK_TEXT - len, "%s%s", i ? " < " : "", g->stack[i]);
	return out;
}

// The growth of the function itself, without the functions that it calls.
static double self_of(const struct heap_diff *d, const char *function)
{
	double sum = 0;
	for (unsigned i = 0; i < d->count; i++)
		if (d->growth[i].depth && strcmp(d->growth[i].stack[0], function) == 0)
			sum += d->growth[i].bytes;
	return sum;
}

static const char *figure(enum heap_kind kind, double n, char out[FIGURE_MAX])
{
	if (kind == HEAP_CPU)
		snprintf(out, FIGURE_MAX, "%.2f s", n / 1e6);
	else
		figure_bytes(n < 9e18 ? (uint64_t)n : (uint64_t)9e18, out);
	return out;
}

static void functions_print(
	enum heap_kind kind, const struct heap_diff *d, const struct heap_diff *by)
{
	static const char *const heads[] = {">self", ">with calls", "function", NULL};
	char text[FIGURE_MAX];
	printf("%s in all\n\n", figure(kind, d->bytes, text));
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < by->count && i < ROWS; i++) {
		const char *name = by->growth[i].stack[0];
		table_cell(t, "%s", figure(kind, self_of(d, name), text));
		table_cell(t, "%s", figure(kind, by->growth[i].bytes, text));
		table_cell(t, "%s", name);
		table_row_end(t);
	}
	table_print(t);
}

static void profile_json(enum heap_kind kind, const struct heap_diff *d, const struct heap_diff *by)
{
	char text[STACK_TEXT];
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	json_put_text(root, "unit", kind == HEAP_CPU ? "us" : "bytes");
	json_put_real(root, "total", d->bytes);
	struct json_node *list = json_put_array(root, "functions");
	for (unsigned i = 0; i < by->count; i++) {
		struct json_node *n = json_put_object(list, NULL);
		json_put_text(n, "function", by->growth[i].stack[0]);
		json_put_real(n, "self", self_of(d, by->growth[i].stack[0]));
		json_put_real(n, "total", by->growth[i].bytes);
	}
	list = json_put_array(root, "stacks");
	for (unsigned i = 0; i < d->count; i++) {
		struct json_node *n = json_put_object(list, NULL);
		json_put_real(n, "total", d->growth[i].bytes);
		json_put_real(n, "count", d->growth[i].blocks);
		json_put_text(n, "stack", stack_text(&d->growth[i], text));
	}
	json_doc_end(doc);
}

// Prints thread by thread, so that equal stacks are not joined.
static int threads_show(const struct ctl *c, const struct heap_text *h, struct symbols *symbols)
{
	char text[STACK_TEXT], shown[STACK_TEXT];
	struct json_doc *doc = c->json ? json_doc_new() : NULL;
	struct json_node *list = doc ? json_put_array(json_doc_root(doc), "threads") : NULL;
	struct heap_text *one = malloc(sizeof(*one));
	int err = one ? 0 : -ENOMEM;
	for (unsigned i = 0; err == 0 && i < h->stack_count; i++) {
		struct heap_diff d;
		*one = *h;
		one->stack = &h->stack[i];
		one->stack_count = 1;
		err = diff_make(&d, NULL, one, symbols);
		if (err < 0)
			break;
		stack_text(&d.growth[0], text);
		heap_diff_free(&d);
		if (list) {
			struct json_node *n = json_put_object(list, NULL);
			json_put_text(n, "thread", h->stack[i].label);
			json_put_text(n, "stack", text);
			continue;
		}
		printf("%s\n", term_text(h->stack[i].label, shown, sizeof(shown)));
		printf("    %s\n", term_text(text, shown, sizeof(shown)));
	}
	free(one);
	if (doc)
		json_doc_end(doc);
	return err;
}

static int profile_show(const struct ctl *c, const struct heap_text *h)
{
	struct heap_diff d = {0}, by = {0};
	struct symbols *symbols = symbols_new();
	int err;
	if (h->kind == HEAP_THREADS) {
		err = threads_show(c, h, symbols);
	} else {
		err = diff_make(&d, NULL, h, symbols);
		if (err == 0)
			err = heap_diff_cumulate(&by, &d);
		if (err == 0 && c->json)
			profile_json(h->kind, &d, &by);
		else if (err == 0)
			functions_print(h->kind, &d, &by);
		heap_diff_free(&by);
		heap_diff_free(&d);
	}
	symbols_free(symbols);
	return err < 0 ? ctl_fail(c, "%s", strerror(-err)) : CTL_OK;
}

// Writes thread by thread, each with its name.
static int threads_put(struct pprof_out *p, const struct heap_text *h, struct symbols *symbols)
{
	struct heap_text *one = malloc(sizeof(*one));
	int err = one ? 0 : -ENOMEM;
	for (unsigned i = 0; err == 0 && i < h->stack_count; i++) {
		struct heap_diff d;
		*one = *h;
		one->stack = &h->stack[i];
		one->stack_count = 1;
		err = diff_make(&d, NULL, one, symbols);
		if (err == 0 && d.count)
			pprof_out_sample(p, &d.growth[0], h->stack[i].label);
		if (err == 0)
			heap_diff_free(&d);
	}
	free(one);
	return err;
}

static int pprof_write(const struct heap_text *h, FILE *f)
{
	struct heap_diff d = {0};
	struct symbols *symbols = symbols_new();
	struct pprof_out *p = pprof_out_new(h->kind, f);
	int err = !p                        ? -ENOMEM
		  : h->kind == HEAP_THREADS ? threads_put(p, h, symbols)
					    : diff_make(&d, NULL, h, symbols);
	for (unsigned i = 0; err == 0 && i < d.count; i++)
		pprof_out_sample(p, &d.growth[i], NULL);
	int ended = p ? pprof_out_end(p) : 0;
	heap_diff_free(&d);
	symbols_free(symbols);
	return err ? err : ended;
}

// Shows the profile as tables, or writes it to `to` in pprof's format.
static int parsed_show(
	const struct ctl *c, const char *path, unsigned timeout_ms, bool is_cpu, FILE *to)
{
	struct heap_text *h = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return ctl_fail(c, "%s", strerror(errno));
	int rc = http_save(c, path, timeout_ms, f);
	int err = fclose(f) == 0 ? 0 : -ENOMEM;
	if (rc == CTL_OK && err == 0)
		err = is_cpu ? heap_text_read_cpu(&h, text, len) : heap_text_read(&h, text);
	if (rc == CTL_OK && err == 0 && to)
		err = pprof_write(h, to);
	if (rc == CTL_OK && err < 0)
		rc = ctl_fail(c, "profile: %s", strerror(-err));
	else if (rc == CTL_OK && !to)
		rc = profile_show(c, h);
	heap_text_free(h);
	free(text);
	return rc;
}

static bool is_pprof(const char *name)
{
	size_t len = strlen(name);
	return len > 3 && strcmp(name + len - 3, ".pb") == 0;
}

static int file_save(const struct ctl *c, const char *path, unsigned timeout_ms, bool is_cpu)
{
	char shown[256];
	FILE *f = fopen(c->output, "wxe");
	int rc = !f                    ? CTL_FAILED
		 : is_pprof(c->output) ? parsed_show(c, path, timeout_ms, is_cpu, f)
				       : http_save(c, path, timeout_ms, f);
	if (!f || (fclose(f) != 0 && rc == CTL_OK))
		rc = ctl_fail(
			c, "%s: %s", term_text(c->output, shown, sizeof(shown)), strerror(errno));
	if (f && rc != CTL_OK)
		(void)remove(c->output);
	return rc;
}

static int cmd_profile(struct ctl *c)
{
	const bool is_cpu = strcmp(c->operand, "cpu") == 0;
	unsigned seconds = c->given & CTL_OPT_SECONDS ? c->seconds : SECONDS;
	char path[64];
	if (!is_cpu && strcmp(c->operand, "alloc") != 0 && strcmp(c->operand, "threads") != 0) {
		fprintf(stderr, "weirctl: profile takes cpu, alloc or threads\n");
		return CTL_USAGE;
	}
	if (!seconds || seconds > SECONDS_MAX) {
		fprintf(stderr, "weirctl: --seconds takes 1 to %d\n", SECONDS_MAX);
		return CTL_USAGE;
	}
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	if (is_cpu)
		snprintf(path, sizeof(path), "/profile/cpu?seconds=%u", seconds);
	else
		snprintf(path, sizeof(path), "/profile/%s", c->operand);
	unsigned timeout_ms = (is_cpu ? seconds * 1000 : 0) + HTTP_FLUSH_MS;
	return c->output ? file_save(c, path, timeout_ms, is_cpu)
			 : parsed_show(c, path, timeout_ms, is_cpu, NULL);
}

CTL_COMMANDS = {
	{"heap", "status", 0, 0, 0, cmd_heap_status, "",
		"Show the control plane's heap: its allocations per second, and whether it is "
		"profiled."},
	{"heap", "on", 0, 1, 0, cmd_heap_on, "[BYTES|default]",
		"Profile the heap: one sample per BYTES, a power of two (65536); default: 524288, "
		"as from the start."},
	{"heap", "off", 0, 0, 0, cmd_heap_off, "", "Stop profiling the heap."},
	{"heap", "dump", 1, 1, 0, cmd_heap_dump, "FILE",
		"Write the heap profile to the new FILE: for heap diff, jeprof or pprof."},
	{"heap", "diff", 1, 2, CTL_OPT_CUMULATIVE, cmd_heap_diff,
		"[--cumulative] FILE|auto-N [FILE]",
		"Show the growth from the first profile to the second, or to now, by call stack; "
		"--cumulative: by function, with all that it calls."},
	{"profile", NULL, 1, 1, CTL_OPT_SECONDS | CTL_OPT_OUTPUT, cmd_profile,
		"cpu|alloc|threads [--seconds S] [-o FILE]",
		"Profile the control plane: CPU time of S seconds (30), allocations since its "
		"start, what each thread does; -o: as a file for pprof, in its own format if FILE "
		"ends in .pb."},
	{"threads", NULL, 0, 0, 0, cmd_threads, "", "List the threads of the control plane."},
	{"connections", NULL, 0, 0, 0, cmd_connections, "",
		"List the sockets of the control plane."},
};
