// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/rule_data.h>
#include <weir/rule_probe.h>

const char *const rule_class_name[RULE_CLASSES] = {
	[RULE_CLASS_BLOCK] = "block",
	[RULE_CLASS_ALLOW] = "allow",
	[RULE_CLASS_IMPORTANT_BLOCK] = "important_block",
	[RULE_CLASS_IMPORTANT_ALLOW] = "important_allow",
	[RULE_CLASS_EXCEPT] = "except",
	[RULE_CLASS_OPERATOR_DENY] = "operator_deny",
	[RULE_CLASS_OPERATOR_ALLOW] = "operator_allow",
	[RULE_CLASS_LOCAL] = "local",
	[RULE_CLASS_SAFE] = "safe",
	[RULE_CLASS_UNREWRITE] = "unrewrite",
};

const char *const rule_reply_name[RULE_REPLIES] = {
	[RULE_REPLY_GROUP] = "group",
	[RULE_REPLY_NXDOMAIN] = "nxdomain",
	[RULE_REPLY_NODATA] = "nodata",
	[RULE_REPLY_NULL] = "null",
	[RULE_REPLY_REFUSED] = "refused",
	[RULE_REPLY_DROP] = "drop",
	[RULE_REPLY_DATA] = "data",
	[RULE_REPLY_RESOLVE] = "resolve",
	[RULE_REPLY_SERVFAIL] = "servfail",
};

const char *const rule_action_name[RULE_RESOLVE + 1] = {
	[RULE_PASS] = "pass",
	[RULE_BLOCK] = "block",
	[RULE_DROP] = "drop",
	[RULE_DATA] = "data",
	[RULE_RESOLVE] = "resolve",
};

static void load_key(const struct keyhash_secret *secret, uint64_t key[RULE_KEY_WORDS])
{
	memcpy(key, secret->bytes, RULE_KEY_WORDS * sizeof(*key));
}

uint64_t rule_name_hash(const struct keyhash_secret *secret, const struct dns_name *name)
{
	uint64_t key[RULE_KEY_WORDS], chain[RULE_CHAIN_MAX + 1];
	load_key(secret, key);
	rule_chain(key, name, chain);
	return rule_suffix_hash(key, chain, name, 0);
}

static int refuse(char why[128], const char *text)
{
	strncpy(why, text, 127);
	why[127] = 0;
	return -EPROTO;
}

// Does an array of `count` things of `each` bytes lie inside the image, behind its head?
static bool fits(uint64_t size, uint64_t off, uint64_t count, uint64_t each, uint64_t align)
{
	return off >= sizeof(struct rule_image_head) && off <= size && off % align == 0
	       && count <= (size - off) / each;
}

static const char *geometry_fault(const struct rule_image_head *h)
{
	if (h->bloom_blocks == 0 || h->bloom_blocks > UINT32_MAX
		|| !fits(h->size, h->bloom_off, h->bloom_blocks, sizeof(struct rule_bloom_block),
			sizeof(struct rule_bloom_block)))
		return "bloom filter out of bounds";
	if (h->table_buckets <= RULE_WALK_MAX || h->table_buckets > UINT32_MAX
		|| !fits(h->size, h->table_off, h->table_buckets, sizeof(struct rule_bucket),
			sizeof(struct rule_bucket)))
		return "table out of bounds";
	if (h->set_count > RULE_SETS_MAX
		|| !fits(h->size, h->sets_off, h->set_count, sizeof(struct rule_set),
			sizeof(struct rule_set)))
		return "sets out of bounds";
	if (h->depths & 1 || h->depths >> (RULE_LABELS_MAX + 1))
		return "label counts out of bounds";
	return NULL;
}

static const char *tail_fault(const struct rule_image_head *h)
{
	if (h->list_count > RULE_LISTS_MAX
		|| !fits(h->size, h->lists_off, h->list_count, sizeof(struct rule_list_info), 8))
		return "lists out of bounds";
	if (h->source_count > RULE_SOURCES_MAX
		|| !fits(h->size, h->sources_off, h->source_count, sizeof(struct rule_source_info),
			8))
		return "sources out of bounds";
	if (h->index_slots >= UINT32_MAX || h->data_entries > UINT32_MAX || h->answers > UINT32_MAX
		|| h->bytes > UINT32_MAX
		|| !fits(h->size, h->index_off, h->index_slots + 1, sizeof(uint32_t), 4)
		|| !fits(
			h->size, h->entries_off, h->data_entries, sizeof(struct rule_data_entry), 8)
		|| !fits(h->size, h->answers_off, h->answers, sizeof(struct rule_data_answer), 8)
		|| !fits(h->size, h->bytes_off, h->bytes, 1, 8))
		return "records out of bounds";
	if (h->patterns > UINT32_MAX || h->prefixes > UINT32_MAX || h->texts > UINT32_MAX
		|| !fits(h->size, h->patterns_off, h->patterns, sizeof(struct rule_pattern_row), 8)
		|| !fits(h->size, h->prefixes_off, h->prefixes, sizeof(struct rule_prefix_row), 8)
		|| !fits(h->size, h->texts_off, h->texts, 1, 1))
		return "patterns and prefixes out of bounds";
	if (h->globs > UINT32_MAX
		|| !fits(h->size, h->globs_off, h->globs, sizeof(struct rule_glob_row), 8)
		|| h->glob_names > UINT32_MAX
		|| (h->glob_names > 0 && h->glob_names <= RULE_WALK_MAX)
		|| !fits(h->size, h->glob_names_off, h->glob_names, sizeof(struct rule_glob_name),
			8))
		return "globs out of bounds";
	return NULL;
}

static const char *list_fault(const struct rule_list_info *l, uint64_t source_count)
{
	const struct rule_kind *k = &l->kind;
	if (!memchr(l->title, 0, sizeof(l->title)) || !memchr(k->client, 0, sizeof(k->client)))
		return "list title without end";
	if (k->covers > RULE_COVERS_ALL || k->rule_class >= RULE_CLASSES || k->reply >= RULE_REPLIES
		|| k->types.count > RULE_TYPES_MAX)
		return "list of an unknown kind";
	if (k->zone > RULE_ZONE_ANY || k->base > RULE_LABELS_MAX || k->globs > 1)
		return "list of an unknown kind";
	if (k->globs && k->covers != RULE_COVERS_BELOW)
		return "list of globs that are not for names below";
	if (k->covers && l->source >= source_count)
		return "list of an unknown source";
	return NULL;
}

static void add_bit(uint64_t set[4], unsigned list)
{
	set[list / 64] |= UINT64_C(1) << list % 64;
}

// Makes the private copy of a list's properties.
static const char *take_list(struct rule_reader *r, unsigned list, uint64_t source_count)
{
	struct rule_list_info l = r->lists[list];
	__asm__ volatile("" : : "r"(&l) : "memory"); // a copy indeed: nothing is read a second time
	const char *fault = list_fault(&l, source_count);
	if (fault || !l.kind.covers)
		return fault;
	const uint8_t of = rule_kind_opens(&l.kind) ? RULE_CLASS_EXCEPT : l.kind.rule_class;
	r->way[list] = (struct rule_list_way){
		.rule_class = of,
		.reply = l.kind.reply,
		.source = l.source,
		.types = l.kind.types,
	};
	add_bit(r->of_class[of], list);
	if (l.kind.rule_class == RULE_CLASS_LOCAL)
		add_bit(r->local, list);
	r->unrewrites |= of == RULE_CLASS_UNREWRITE;
	if (of == RULE_CLASS_EXCEPT)
		add_bit(r->except[l.kind.base], list);
	else if (l.kind.zone == RULE_ZONE_FIRST)
		add_bit(r->zones, list);
	if (l.kind.covers & RULE_COVERS_SELF)
		add_bit(r->covers_self, list);
	if (l.kind.covers & RULE_COVERS_BELOW)
		add_bit(r->covers_below, list);
	if (l.kind.reply != RULE_REPLY_GROUP)
		add_bit(r->replies, list);
	if (l.kind.reply == RULE_REPLY_RESOLVE && l.kind.rule_class != RULE_CLASS_LOCAL)
		add_bit(r->leads, list);
	if (l.kind.globs)
		add_bit(r->globs, list);
	if (l.kind.types.count)
		add_bit(r->typed, list);
	else if (l.kind.rule_class == RULE_CLASS_BLOCK && l.kind.reply == RULE_REPLY_GROUP
		 && l.kind.zone != RULE_ZONE_FIRST) {
		if (l.kind.covers == RULE_COVERS_ALL)
			add_bit(r->plain, list);
		if (l.kind.covers == RULE_COVERS_ALL || l.kind.globs)
			add_bit(r->simple, list);
	}
	return NULL;
}

// Chooses among replies at one name in one source. As in AdGuard Home, an error beats records, and
// records beat an answer without any.
static unsigned reply_order(unsigned reply)
{
	static const uint8_t place[RULE_REPLIES] = {
		[RULE_REPLY_DROP] = 0,
		[RULE_REPLY_RESOLVE] = 1,
		[RULE_REPLY_REFUSED] = 2,
		[RULE_REPLY_SERVFAIL] = 3,
		[RULE_REPLY_NXDOMAIN] = 4,
		[RULE_REPLY_DATA] = 5,
		[RULE_REPLY_NODATA] = 6,
		[RULE_REPLY_NULL] = 7,
		[RULE_REPLY_GROUP] = 8,
	};
	return place[reply];
}

// Nothing of it depends on what stands elsewhere in the files, as numbers of lists do.
static bool list_before(const struct rule_reader *r, unsigned a, unsigned b)
{
	const struct rule_list_way *x = &r->way[a], *y = &r->way[b];
	const struct rule_kind *one = &r->lists[a].kind, *other = &r->lists[b].kind;
	if (x->source != y->source)
		return x->source < y->source;
	if ((one->client[0] != 0) != (other->client[0] != 0))
		return one->client[0] != 0;
	if (x->reply != y->reply)
		return reply_order(x->reply) < reply_order(y->reply);
	if ((x->types.count != 0) != (y->types.count != 0))
		return x->types.count != 0;
	return memcmp(one, other, sizeof(*one)) < 0;
}

static void take_order(struct rule_reader *r)
{
	uint8_t sorted[RULE_LISTS_MAX];
	for (unsigned i = 0; i < r->list_count; i++) {
		unsigned at = i;
		for (; at > 0 && list_before(r, i, sorted[at - 1]); at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = (uint8_t)i;
	}
	for (unsigned i = 0; i < r->list_count; i++)
		r->way[sorted[i]].order = (uint8_t)i;
}

static void take_tail(struct rule_reader *r, const struct rule_image_head *h)
{
	r->index = (const void *)(r->base + h->index_off);
	r->data = (const void *)(r->base + h->entries_off);
	r->answers = (const void *)(r->base + h->answers_off);
	r->bytes = r->base + h->bytes_off;
	r->index_slots = (uint32_t)h->index_slots;
	r->data_count = (uint32_t)h->data_entries;
	r->answer_count = (uint32_t)h->answers;
	r->byte_count = (uint32_t)h->bytes;
	r->patterns = (const void *)(r->base + h->patterns_off);
	r->prefixes = (const void *)(r->base + h->prefixes_off);
	r->glob = (const void *)(r->base + h->globs_off);
	r->glob_names = (const void *)(r->base + h->glob_names_off);
	r->texts = (const void *)(r->base + h->texts_off);
	r->pattern_count = (uint32_t)h->patterns;
	r->prefix_count = (uint32_t)h->prefixes;
	r->glob_count = (uint32_t)h->globs;
	r->glob_homes = (uint32_t)(h->glob_names ? h->glob_names - RULE_WALK_MAX : 0);
	r->text_count = (uint32_t)h->texts;
	r->sources = (const void *)(r->base + h->sources_off);
	r->source_count = (uint32_t)h->source_count;
}

// Marks the names with globs.
static void take_globs(struct rule_reader *r, uint64_t slots)
{
	for (uint64_t i = 0; i < slots; i++) {
		const uint64_t hash =
			__atomic_load_n(&r->glob_names[i].fingerprint, __ATOMIC_RELAXED);
		const unsigned bit = hash % (1 << RULE_GLOB_SEEN_BITS);
		r->glob_seen[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

static void take_patterns(struct rule_reader *r)
{
	static const uint8_t allowing[] = {
		RULE_CLASS_OPERATOR_ALLOW, RULE_CLASS_IMPORTANT_ALLOW, RULE_CLASS_ALLOW};
	uint64_t have[4] = {0};
	for (uint32_t i = 0; i < r->pattern_count; i++)
		add_bit(have, r->patterns[i].list);
	for (unsigned w = 0; w < 4; w++) {
		for (unsigned i = 0; i < ARRAY_LEN(allowing); i++)
			r->pattern_allows[w] |= have[w] & r->of_class[allowing[i]][w];
		r->pattern_insists[w] = have[w] & r->of_class[RULE_CLASS_IMPORTANT_BLOCK][w];
	}
}

static unsigned lists_in(const uint64_t set[4])
{
	unsigned n = 0;
	for (unsigned w = 0; w < 4; w++)
		n += (unsigned)__builtin_popcountll(set[w]);
	return n;
}

static void away_keep(struct rule_reader *r, const uint64_t of[4])
{
	struct rule_away *a = &r->away[rule_away_slot(of)];
	if (lists_in(of) <= lists_in(a->of))
		return;
	*a = (struct rule_away){0};
	memcpy(a->of, of, sizeof(a->of));
	for (unsigned i = 0; i < RULE_LISTS_MAX; i++)
		for (unsigned w = 0; w < 4 && of[i / 64] >> i % 64 & 1; w++)
			a->away[w] |= r->takes[i][w];
}

static bool takes(const struct rule_reader *r, unsigned except, unsigned list)
{
	const struct rule_kind *e = &r->lists[except].kind, *k = &r->lists[list].kind;
	const struct rule_list_way *way = &r->way[list];
	if (r->way[except].rule_class == RULE_CLASS_UNREWRITE)
		return rule_takes_back(e, k);
	if (rule_kind_opens(e))
		return !rule_kind_opens(k)
		       && rule_opened_takes(way->source == r->way[except].source, k);
	if (way->source != r->way[except].source)
		return false;
	if (e->base == 0)
		return way->rule_class == RULE_CLASS_BLOCK
		       || (way->rule_class == RULE_CLASS_ALLOW && e->zone != RULE_ZONE_NONE);
	return way->rule_class == RULE_CLASS_BLOCK && k->base & RULE_EXCEPTED
	       && memcmp(&k->types, &e->types, sizeof(k->types)) == 0
	       && memcmp(k->client, e->client, sizeof(k->client)) == 0;
}

// What exceptions take away: nothing is added up for a question.
static void take_exceptions(struct rule_reader *r)
{
	uint64_t except[4];
	for (unsigned w = 0; w < 4; w++)
		except[w] =
			r->of_class[RULE_CLASS_EXCEPT][w] | r->of_class[RULE_CLASS_UNREWRITE][w];
	if (!lists_in(except))
		return;
	for (unsigned i = 0; i < r->list_count; i++)
		for (unsigned k = 0; k < r->list_count && except[i / 64] >> i % 64 & 1; k++)
			if (takes(r, i, k)) {
				add_bit(r->takes[i], k);
				add_bit(r->excepted, k);
			}
	for (unsigned w = 0; w < 4; w++) {
		r->plain[w] &= ~r->excepted[w];
		r->simple[w] &= ~r->excepted[w];
	}
	for (uint32_t i = 0; i < r->set_count; i++)
		for (unsigned base = 0; base <= RULE_LABELS_MAX; base++) {
			uint64_t of[4];
			for (unsigned w = 0; w < 4; w++)
				of[w] = __atomic_load_n(&r->sets[i].lists[w], __ATOMIC_RELAXED)
					& r->except[base][w];
			away_keep(r, of);
		}
}

int rule_reader_init(
	struct rule_reader *r, const void *image, size_t size, bool verify_body, char why[128])
{
	struct rule_image_head h;
	const uint8_t *base = image;
	if (size < sizeof(h))
		return refuse(why, "shorter than its head");
	if ((uintptr_t)base % CACHE_LINE)
		return refuse(why, "not aligned to a cache line");
	memcpy(&h, base, sizeof(h));
	if (h.magic != RULE_IMAGE_MAGIC)
		return refuse(why, "not a rule image");
	if (h.version != RULE_IMAGE_VERSION) {
		snprintf(why, 128, "made by another version of weir: image version %u, not %u",
			h.version, (unsigned)RULE_IMAGE_VERSION);
		return -EPROTO;
	}
	if (h.head_sum != contenthash(&h, offsetof(struct rule_image_head, head_sum)))
		return refuse(why, "checksum of the head differs");
	if (h.size < sizeof(h) || h.size > size)
		return refuse(why, "cut short");
	const char *fault = geometry_fault(&h);
	if (!fault)
		fault = tail_fault(&h);
	if (fault)
		return refuse(why, fault);
	if (verify_body && h.body_sum != contenthash(base + sizeof(h), h.size - sizeof(h)))
		return refuse(why, "checksum of the body differs");
	struct rule_reader made = {
		.base = base,
		.bloom = (const void *)(base + h.bloom_off),
		.table = (const void *)(base + h.table_off),
		.sets = (const void *)(base + h.sets_off),
		.lists = (const void *)(base + h.lists_off),
		.bloom_blocks = h.bloom_blocks,
		.table_homes = h.table_buckets - RULE_WALK_MAX,
		.depths = h.depths,
		.set_count = (uint32_t)h.set_count,
		.list_count = h.list_count,
	};
	for (unsigned i = 0; i < h.list_count; i++) {
		fault = take_list(&made, i, h.source_count);
		if (fault)
			return refuse(why, fault);
	}
	take_order(&made);
	take_tail(&made, &h);
	take_globs(&made, h.glob_names);
	take_patterns(&made);
	take_exceptions(&made);
	for (unsigned i = 0; i < h.source_count; i++)
		if (!memchr(made.sources[i].title, 0, sizeof(made.sources[i].title)))
			return refuse(why, "source title without end");
	load_key(&h.secret, made.key);
	memcpy(made.singles, h.singles, sizeof(made.singles));
	*r = made;
	return 0;
}

const struct rule_list_info *rule_list_info(const struct rule_reader *r, unsigned list)
{
	bool known = list < r->list_count
		     && (r->covers_self[list / 64] | r->covers_below[list / 64]) >> list % 64 & 1;
	return known ? &r->lists[list] : NULL;
}

const struct rule_source_info *rule_source_info(const struct rule_reader *r, unsigned source)
{
	return source < r->source_count ? &r->sources[source] : NULL;
}
