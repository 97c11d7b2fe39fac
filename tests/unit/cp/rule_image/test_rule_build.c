// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/lists/list_parse.h"
#include "controlplane/rule_image/rule_rows.h"
#include "listgen.h"
#include "rule_fixture.h"

static const uint64_t everyone[4] = {~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0)};

static void add_generated(struct rule_builder *b, uint64_t seed, unsigned count)
{
	struct listgen g = {.state = seed};
	char text[LISTGEN_NAME_MAX];
	for (unsigned i = 0; i < count; i++) {
		listgen_name(&g, text);
		assert_int_equal(fixture_add(b, RULE_CLASS_BLOCK, text), 0);
	}
}

static void make_three_lists(struct rule_arena *out)
{
	struct rule_builder *b = fixture_builder();
	struct rule_source_info info = {.lines = 5, .comments = 4, .rejected = 3, .bytes = 2};
	assert_int_equal(rule_builder_source(b, "first"), 0);
	assert_int_equal(rule_builder_source(b, "sec\nond \xc3\xbc"), 0);
	add_generated(b, 1, 3000);
	add_generated(b, 1, 1000);
	rule_builder_source_info(b, &info);
	assert_int_equal(rule_builder_source(b, "third"), 0);
	add_generated(b, 1, 500);
	add_generated(b, 2, 500);
	fixture_finish(b, out);
}

TEST(test_same_input_same_bytes)
{
	struct rule_arena a, b;
	make_three_lists(&a);
	make_three_lists(&b);
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.base, b.base, a.size);
	rule_arena_free(&a);
	rule_arena_free(&b);
}

// No title of printable ASCII is changed, so that no two of these are one, however long.
TEST(test_titles)
{
	char title[RULE_TITLE_MAX], longest[RULE_TITLE_MAX];
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	rule_title_make(title, longest);
	assert_string_equal(title, longest);
	memset(longest + 40, '\\', sizeof(longest) - 41);
	rule_title_make(title, longest);
	assert_string_equal(title, longest);
	rule_title_make(title, "sec\nond \xc3\xbc");
	assert_string_equal(title, "sec\\010ond \\195\\188");
	for (unsigned n = 57; n < 64; n++) { // an escape is whole or not there
		rule_title_make(title, text_from("%.*s\n", (int)n, longest));
		assert_int_equal(strlen(title), n < 60 ? n + 4 : n);
	}
}

TEST(test_head_and_lists)
{
	struct rule_arena *a = fixture_arena();
	struct rule_reader r;
	char why[128];
	make_three_lists(a);
	const struct rule_image_head *h = a->base;
	assert_int_equal(rule_reader_init(&r, a->base, a->size, true, why), 0);
	assert_int_equal(h->input_hash, 77);
	assert_int_equal(h->created_unix_s, 1234);
	assert_int_equal(h->list_count, 4);
	assert_int_equal(h->source_count, 3);
	assert_int_equal(h->set_count, 3); // second, second and third, third
	assert_int_equal(h->entries, h->names);
	const struct rule_list_info *second = rule_list_info(&r, 2), *third = rule_list_info(&r, 3);
	assert_string_equal(second->title, "sec\\010ond \\195\\188");
	assert_int_equal(second->names + second->duplicates, 4000);
	assert_true(second->duplicates >= 1000);
	assert_int_equal(second->source, 1);
	assert_int_equal(rule_source_info(&r, 1)->rejected, 3);
	assert_string_equal(rule_source_info(&r, 1)->title, second->title);
	assert_int_equal(third->names + third->duplicates, 1000);
	assert_true(h->names > second->names && h->names < second->names + third->names);
	assert_null(rule_list_info(&r, 0));
	assert_null(rule_list_info(&r, 4));
	assert_null(rule_source_info(&r, 3));
}

TEST(test_empty_image_passes_all)
{
	struct rule_builder *b = fixture_builder();
	struct rule_arena *a = fixture_arena();
	struct rule_reader r;
	struct rule_verdict v;
	char why[128];
	fixture_finish(b, a);
	assert_int_equal(rule_reader_init(&r, a->base, a->size, true, why), 0);
	struct dns_name name = fixture_name("www.example.com");
	rule_decide(&r, &name, DNS_TYPE_A, everyone, &v);
	assert_int_equal(v.d.action, RULE_PASS);
	assert_false(v.d.matched);
}

// As many as there are numbers; one more is counted, and the image refused.
TEST(test_most_lists)
{
	for (unsigned over = 0; over < 2; over++) {
		struct rule_builder *b = fixture_builder();
		struct dns_name name = fixture_name("in.all.example");
		struct rule_arena a;
		struct rule_reader r;
		struct rule_verdict v;
		char why[128];
		unsigned resting;
		for (unsigned i = 0; i < RULE_LISTS_MAX + over; i++) {
			assert_int_equal(rule_builder_source(b, ""), 0);
			assert_int_equal(fixture_add(b,
						 i == 0   ? RULE_CLASS_OPERATOR_ALLOW
						 : i == 1 ? RULE_CLASS_OPERATOR_DENY
							  : RULE_CLASS_BLOCK,
						 "in.all.example"),
				0);
		}
		assert_int_equal(rule_builder_numbers(b, &resting), RULE_LISTS_MAX + over);
		if (over) {
			assert_int_equal(rule_builder_finish(b, 0, 0, &a), -E2BIG);
			rule_builder_free(b);
			continue;
		}
		fixture_finish(b, &a);
		assert_int_equal(rule_reader_init(&r, a.base, a.size, true, why), 0);
		struct rule_match m[RULE_LABELS_MAX];
		assert_int_equal(rule_matches(&r, &name, DNS_TYPE_A, m), 1);
		assert_memory_equal(m[0].set.lists, everyone, sizeof(everyone));
		rule_decide(&r, &name, DNS_TYPE_A, everyone, &v);
		assert_int_equal(v.d.list, RULE_LIST_ALLOW);
		rule_arena_free(&a);
	}
}

static int add_rule(struct rule_builder *b, enum rule_class rule_class, enum list_rule_what what,
	const struct ip_address *prefix)
{
	struct list_rule rule = rule_of_name(rule_class, NULL);
	rule.what = what;
	rule.pattern = "x";
	rule.pattern_len = 1;
	rule.prefix = *prefix;
	return rule_builder_rule(b, &rule);
}

// Lists leave room for sources of the configuration behind them.
TEST(test_lists_leave_room)
{
	static const struct {
		enum list_rule_what what;
		unsigned most;
	} part[] = {{LIST_RULE_PATTERN, RULE_PATTERNS_MAX}, {LIST_RULE_ADDRESS, RULE_PREFIXES_MAX}};
	const struct ip_address prefix = {.version = 4, .prefix_len = 8, .bytes = {10}};
	struct rule_builder *b = fixture_builder();
	for (unsigned i = 0; i < RULE_LIST_FIRST; i++)
		assert_int_equal(rule_builder_source(b, ""), 0);
	for (unsigned i = 0; i < ARRAY_LEN(part); i++) {
		unsigned lists = 0, own = 0;
		assert_int_equal(rule_builder_list(b, "long"), 0);
		while (lists < part[i].most
			&& add_rule(b, RULE_CLASS_BLOCK, part[i].what, &prefix) == 0)
			lists++;
		assert_int_equal(add_rule(b, RULE_CLASS_BLOCK, part[i].what, &prefix), -ENOSPC);
		assert_int_equal(rule_builder_source(b, "group kids: allow"), 0);
		while (own < part[i].most
			&& add_rule(b, RULE_CLASS_OPERATOR_ALLOW, part[i].what, &prefix) == 0)
			own++;
		assert_int_equal(lists + own, part[i].most);
		assert_int_equal(own, part[i].most / 16);
	}
	rule_builder_free(b);
}

// More combinations of lists than there are set numbers: every name keeps exactly its own lists.
TEST(test_more_combinations_than_sets)
{
	enum { NAMES = 70000, LISTS = 40 };
	uint64_t *member = malloc(NAMES * sizeof(*member));
	struct rule_builder *b = fixture_builder();
	struct rule_arena *a = fixture_arena();
	struct rule_reader r;
	char why[128], text[32];
	struct listgen g = {.state = 5};
	for (unsigned i = 0; i < NAMES; i++)
		member[i] = (listgen_next(&g) | UINT64_C(1) << i % LISTS)
			    & ((UINT64_C(1) << LISTS) - 1);
	for (unsigned list = 0; list < LISTS; list++) {
		assert_int_equal(rule_builder_source(b, ""), 0); // list + 2 of the image
		for (unsigned i = 0; i < NAMES; i++) {
			if (!(member[i] >> list & 1))
				continue;
			sprintf(text, "n%u.example", i);
			assert_int_equal(fixture_add(b, RULE_CLASS_BLOCK, text), 0);
		}
	}
	fixture_finish(b, a);
	const struct rule_image_head *h = a->base;
	assert_int_equal(rule_reader_init(&r, a->base, a->size, true, why), 0);
	assert_int_equal(h->names, NAMES);
	assert_true(h->entries > NAMES + NAMES / 10);
	assert_true(h->set_count <= RULE_SETS_MAX && h->set_count > RULE_SETS_WIDE / 2);
	for (unsigned i = 0; i < NAMES; i++) {
		struct rule_verdict v;
		sprintf(text, "n%u.example", i);
		struct dns_name name = fixture_name(text);
		rule_decide(&r, &name, DNS_TYPE_A, everyone, &v);
		assert_int_equal(v.set.lists[0], member[i] << RULE_LIST_FIRST);
		// A group with one list sees that one alone.
		const uint64_t group[4] = {UINT64_C(1) << (i % LISTS + RULE_LIST_FIRST)};
		rule_decide(&r, &name, DNS_TYPE_A, group, &v);
		assert_int_equal(v.set.lists[0], group[0]);
	}
	free(member);
}

// A build holds at most twice what it makes: three quarters of a million names in one list, as many
// in two more that overlap.
TEST(test_peak)
{
	enum { NAMES = 750000 };
	struct rule_builder *b = fixture_builder();
	struct rule_arena *a = fixture_arena();
	char text[40];
	for (unsigned source = 0; source < 5; source++) {
		unsigned from = source == 4 ? NAMES / 2 : 0, to = source == 3 ? NAMES / 2 : NAMES;
		assert_int_equal(rule_builder_source(b, "x"), 0);
		for (unsigned i = from; source >= 2 && i < to; i++) {
			struct dns_name name = {.labels = 2};
			int len = sprintf(text, "n%08x", i);
			name.wire[0] = (uint8_t)len;
			memcpy(name.wire + 1, text, (size_t)len);
			memcpy(name.wire + 1 + len, "\3com", 5);
			name.len = (uint8_t)(len + 6);
			struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, &name);
			assert_int_equal(rule_builder_rule(b, &rule), 0);
		}
	}
	assert_int_equal(rule_builder_finish(b, 0, 0, a), 0);
	const struct rule_image_head *h = a->base;
	assert_int_equal(h->names, NAMES);
	assert_true(h->size < 18 * (uint64_t)NAMES);
	if (rule_builder_peak_bytes(b) > 2 * h->size)
		fail_msg("peak %zu, image %zu", rule_builder_peak_bytes(b), (size_t)h->size);
	rule_builder_free(b);
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

// The sort against qsort, on even, clustered and repeated values.
TEST(test_sort)
{
	static uint64_t a[20000], b[20000];
	struct listgen g = {.state = 3};
	for (unsigned round = 0; round < 40; round++) {
		size_t n = round < 20 ? round * 7 : listgen_next(&g) % ARRAY_LEN(a), kept = 0;
		for (size_t i = 0; i < n; i++)
			a[i] = b[i] = round % 3 == 0 ? listgen_next(&g) << 11
						     : listgen_next(&g) % (n / 2 + 1);
		qsort(b, n, sizeof(*b), compare_u64);
		for (size_t i = 0; i < n; i++)
			if (i == 0 || b[i] != b[i - 1])
				b[kept++] = b[i];
		assert_int_equal(rule_hashes_sort(a, n, NULL), kept);
		assert_memory_equal(a, b, kept * sizeof(*a));
	}
}

// A real list where there is one, else a made-up one.
static FILE *open_list(void)
{
	const char *folder = getenv("WEIR_LISTS");
	const char *command = text_from("%s/real-224k.txt.xz", folder ? folder : "");
	if (folder && access(command, R_OK) == 0) {
		command = text_from("xz -dc '%s/real-224k.txt.xz'", folder);
		return popen(command, "r");
	}
	FILE *f = tmpfile();
	struct listgen g = {.state = 8};
	char text[LISTGEN_NAME_MAX];
	for (unsigned i = 0; f && i < 150000; i++) {
		listgen_name(&g, text);
		fprintf(f, "%s\n", text);
	}
	if (f)
		rewind(f);
	return f;
}

struct names {
	struct dns_name *name;
	size_t count, room;
	struct rule_builder *builder;
};

static int take_rule(void *arg, const struct list_rule *rule)
{
	struct names *n = arg;
	if (n->count == n->room) {
		n->room = n->room ? n->room * 2 : 1024;
		n->name = realloc(n->name, n->room * sizeof(*n->name));
		assert_non_null(n->name);
	}
	n->name[n->count++] = *rule->name;
	return rule_builder_rule(n->builder, rule);
}

static bool blocked(const struct rule_reader *r, const char *text, size_t len)
{
	struct dns_name name;
	struct rule_verdict v;
	if (dns_name_from_text(text, len, &name) != 0)
		return false;
	rule_decide(r, &name, DNS_TYPE_A, everyone, &v);
	return v.d.action == RULE_BLOCK;
}

// List names hold no escapes, so they are under 254 bytes as text.
static void copy_text(char to[256], const char *from)
{
	assert_true(strlen(from) < 256);
	memcpy(to, from, strlen(from) + 1);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

// Is the name or a parent of it in the sorted array of texts? The oracle.
static bool listed(const char (*text)[256], size_t count, const char *name)
{
	for (; name; name = strchr(name, '.') ? strchr(name, '.') + 1 : NULL)
		if (bsearch(name, text, count, sizeof(*text), compare_names))
			return true;
	return false;
}

TEST(test_whole_list)
{
	static struct list_parser p;
	struct list_options options = {0};
	struct names n = {.builder = fixture_builder()};
	struct rule_arena *a = fixture_arena();
	struct rule_reader r;
	char why[128], piece[8192], text[DNS_NAME_TEXT_MAX + 64];
	FILE *f = open_list();
	assert_non_null(f);
	assert_int_equal(rule_builder_source(n.builder, ""), 0);
	assert_int_equal(rule_builder_source(n.builder, ""), 0);
	assert_int_equal(rule_builder_source(n.builder, "real"), 0);
	list_parse_begin(&p, &options, take_rule, &n);
	for (size_t len; (len = fread(piece, 1, sizeof(piece), f)) > 0;)
		assert_int_equal(list_parse_feed(&p, piece, len), 0);
	assert_int_equal(list_parse_end(&p), 0);
	fclose(f);
	assert_true(n.count >= 150000);
	assert_int_equal(rule_builder_finish(n.builder, 0, 0, a), 0);
	assert_int_equal(rule_reader_init(&r, a->base, a->size, true, why), 0);
	const struct rule_image_head *h = a->base;
	double each = (double)h->size / (double)h->names;
	size_t peak = rule_builder_peak_bytes(n.builder);
	print_message("%zu names, %.2f bytes a name, peak %.2f\n", (size_t)h->names, each,
		(double)peak / (double)h->names);
	assert_true(each < 18);
	assert_true(peak < 2 * h->size + sizeof(struct rule_sets));
	rule_builder_free(n.builder);

	char(*sorted)[256] = calloc(n.count, sizeof(*sorted));
	for (size_t i = 0; i < n.count; i++)
		copy_text(sorted[i], dns_name_to_text(&n.name[i], text));
	qsort(sorted, n.count, sizeof(*sorted), compare_names);
	size_t tried = 0;
	for (size_t i = 0; i < n.count; i++) {
		char one[256] = {0};
		dns_name_to_text(&n.name[i], text);
		copy_text(one, text);
		if (!blocked(&r, one, strlen(one)))
			fail_msg("%s is not blocked", one);
		int len = snprintf(text, sizeof(text), "w%zu.%s", i, one);
		assert_true(len > 253 || blocked(&r, text, (size_t)len));
		// Look-alikes: glued in front, glued behind, the parent.
		const char *parent = strchr(one, '.');
		const char *forms[3] = {text, text + 600, parent ? parent + 1 : "x"};
		snprintf(text, 600, "x%s", one);
		snprintf(text + 600, 400, "%sx", one);
		if (tried++ * 3 >= 120000)
			continue;
		for (unsigned k = 0; k < 3; k++)
			if (!listed((const char(*)[256])sorted, n.count, forms[k])
				&& blocked(&r, forms[k], strlen(forms[k])))
				fail_msg("%s is blocked", forms[k]);
	}
	free(sorted);
	free(n.name);
}
