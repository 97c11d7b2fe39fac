// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>
#include <weir/rule_image.h>

// The octets of a block that a label fills, by how many of 16 there are.
static const uint64_t octets_kept[2][17] = {
#define OCTETS(n) ((n) >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * ((n)&7)) - 1)
#define LOW(n)    OCTETS(n)
#define HIGH(n)   ((n) > 8 ? OCTETS((n)-8) : 0)
#define EACH(f)                                                                                  \
	{                                                                                        \
		f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), f(12), \
			f(13), f(14), f(15), f(16)                                               \
	}
	EACH(LOW), EACH(HIGH)
#undef EACH
#undef HIGH
#undef LOW
#undef OCTETS
};

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static unsigned label_offsets(const struct dns_name *name, uint8_t label_off[DNS_LABELS_MAX])
{
	for (unsigned i = 0, off = 0; i < name->labels; i++) {
		label_off[i] = (uint8_t)off;
		off += name->wire[off] + 1U;
	}
	return name->labels;
}

static void load_key(const struct keyhash_secret *secret, uint64_t key[2])
{
	memcpy(key, secret->bytes, 2 * sizeof *key);
}

static inline uint64_t add_block(
	const uint64_t key[2], uint64_t hash, const uint8_t *octets, unsigned n)
{
	uint64_t low, high;
	memcpy(&low, octets, sizeof low);
	memcpy(&high, octets + sizeof low, sizeof high);
	return fold((low & octets_kept[0][n]) ^ key[0] ^ hash, (high & octets_kept[1][n]) ^ key[1]);
}

// A label of more than 15 octets, or one so near to the end of the name's buffer that reading 16
// octets would leave it.
static __attribute__((noinline)) uint64_t add_long_label(
	const uint64_t key[2], uint64_t hash, const uint8_t *label)
{
	for (unsigned left = label[0] + 1U; left > 0;) {
		uint8_t block[16] = {0};
		unsigned n = left < sizeof block ? left : sizeof block;
		memcpy(block, label, n);
		hash = add_block(key, hash, block, n);
		label += n;
		left -= n;
	}
	return hash;
}

// The hash of a suffix from that of its parent (0: the root) and where its first label begins.
static inline uint64_t add_label(
	const uint64_t key[2], uint64_t hash, const struct dns_name *name, unsigned off)
{
	const uint8_t *label = name->wire + off;
	if (unlikely_(label[0] > 15 || off > DNS_NAME_MAX - 16))
		return add_long_label(key, hash, label);
	return add_block(key, hash, label, label[0] + 1U);
}

uint64_t rule_name_hash(const struct keyhash_secret *secret, const struct dns_name *name)
{
	uint8_t label_off[DNS_LABELS_MAX];
	uint64_t key[2], hash = 0;
	unsigned n = label_offsets(name, label_off);
	load_key(secret, key);
	while (n > 0)
		hash = add_label(key, hash, name, label_off[--n]);
	return hash + !hash;
}

static int refuse(char why[128], const char *text)
{
	strncpy(why, text, 127);
	why[127] = 0;
	return -EPROTO;
}

// Does an array of `count` things of `each` octets lie inside the image, behind its head?
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
	if (h->list_count > RULE_LISTS_MAX
		|| !fits(h->size, h->lists_off, h->list_count, sizeof(struct rule_list_info), 8))
		return "lists out of bounds";
	if (h->depths & 1 || h->depths >> (RULE_LABELS_MAX + 1))
		return "label counts out of bounds";
	return NULL;
}

int rule_reader_init(
	struct rule_reader *r, const void *image, size_t size, bool verify_body, char why[128])
{
	struct rule_image_head h;
	const uint8_t *base = image;
	if (size < sizeof h)
		return refuse(why, "shorter than its head");
	if ((uintptr_t)base % CACHE_LINE)
		return refuse(why, "not aligned to a cache line");
	memcpy(&h, base, sizeof h);
	if (h.magic != RULE_IMAGE_MAGIC)
		return refuse(why, "not a rule image");
	if (h.version != RULE_IMAGE_VERSION)
		return refuse(why, "made by another version of weir");
	if (h.head_sum != contenthash(&h, offsetof(struct rule_image_head, head_sum)))
		return refuse(why, "checksum of the head differs");
	if (h.size < sizeof h || h.size > size)
		return refuse(why, "cut short");
	const char *fault = geometry_fault(&h);
	if (fault)
		return refuse(why, fault);
	if (verify_body && h.body_sum != contenthash(base + sizeof h, h.size - sizeof h))
		return refuse(why, "checksum of the body differs");
	const struct rule_list_info *lists = (const void *)(base + h.lists_off);
	for (unsigned i = 0; i < h.list_count; i++)
		if (!memchr(lists[i].title, 0, sizeof lists[i].title))
			return refuse(why, "list title without end");
	*r = (struct rule_reader){
		.base = base,
		.bloom = (const void *)(base + h.bloom_off),
		.table = (const void *)(base + h.table_off),
		.sets = (const void *)(base + h.sets_off),
		.lists = lists,
		.bloom_blocks = h.bloom_blocks,
		.table_homes = h.table_buckets - RULE_WALK_MAX,
		.depths = h.depths,
		.set_count = (uint32_t)h.set_count,
		.list_count = h.list_count,
	};
	load_key(&h.secret, r->key);
	memcpy(r->allow_lists, h.allow_lists, sizeof r->allow_lists);
	return 0;
}

// Branch-free over the eight words: an early exit costs more in mispredictions than it saves.
static inline bool bloom_holds(const struct rule_bloom_block *block, uint64_t hash)
{
	uint32_t missing = 0;
	for (unsigned i = 0; i < 8; i++)
		missing |= ~block->word[i] >> rule_bloom_bit(hash, i);
	return !(missing & 1);
}

static inline void probe_suffixes(const struct rule_reader *r, const struct dns_name *name,
	const uint8_t *label_off, struct rule_probe *p)
{
	unsigned labels = name->labels < RULE_LABELS_MAX ? name->labels : RULE_LABELS_MAX;
	unsigned n = 0;
	uint64_t hash = 0;
	label_off += name->labels;
	for (unsigned depth = 1; depth <= labels; depth++) {
		hash = add_label(r->key, hash, name, label_off[-(int)depth]);
		__builtin_prefetch(&r->bloom[rule_slot_of(hash, r->bloom_blocks)]);
		// Written in any case and kept if some rule has so many labels: no branch.
		p->hash[n] = hash + !hash;
		p->labels[n] = (uint8_t)depth;
		n += r->depths >> depth & 1;
	}
	p->hash[n] = 0; // rule_probe_bloom reads one too many
	p->count = (uint8_t)n;
	p->candidates = 0;
}

void rule_probe_hash(const struct rule_reader *r, const struct dns_query *q, struct rule_probe *p)
{
	probe_suffixes(r, &q->name, q->label_off, p);
}

void rule_probe_bloom(const struct rule_reader *r, struct rule_probe *p)
{
	unsigned n = 0;
	// Two at a time, whether there is a second one or not: most names have one or two, and a
	// branch on which it is would be mispredicted half the time.
	for (unsigned i = 0; i < p->count; i += 2) {
		bool held[2];
		for (unsigned k = 0; k < 2; k++) {
			uint64_t hash = p->hash[i + k];
			held[k] = bloom_holds(&r->bloom[rule_slot_of(hash, r->bloom_blocks)], hash);
		}
		held[1] &= i + 1 < p->count;
		if (likely_(!(held[0] | held[1])))
			continue;
		for (unsigned k = 0; k < 2; k++) {
			__builtin_prefetch(&r->table[rule_slot_of(p->hash[i + k], r->table_homes)]);
			p->candidate[n] = (uint8_t)(i + k);
			n += held[k];
		}
	}
	p->candidates = (uint8_t)n;
}

static inline unsigned matching_slots(const struct rule_bucket *b, uint64_t hash)
{
	unsigned slots = 0;
	for (unsigned i = 0; i < RULE_BUCKET_SLOTS; i++)
		slots |= (unsigned)(b->fingerprint[i] == hash) << i;
	return slots;
}

// What is checked must be what is used, so these are loaded once, whatever the compiler would
// rather do.
static inline unsigned load_once(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

// The union of the sets of the name's entries, masked by the group; nothing: no such name. A walk
// that a broken image makes too long stays inside the table, which has RULE_WALK_MAX buckets behind
// the last home.
static inline void find_set(const struct rule_reader *r, uint64_t hash,
	const uint64_t group_lists[4], struct rule_set *out)
{
	const struct rule_bucket *b = &r->table[rule_slot_of(hash, r->table_homes)];
	unsigned walk = load_once(&b->walk);
	const struct rule_bucket *last = b + (walk < RULE_WALK_MAX ? walk : RULE_WALK_MAX);
	*out = (struct rule_set){{0}};
	for (; b <= last; b++) {
		unsigned more = 1;
		for (unsigned slots = matching_slots(b, hash); slots; slots &= slots - 1) {
			unsigned slot = (unsigned)__builtin_ctz(slots),
				 set = load_once(&b->set[slot]);
			if (unlikely_(set >= r->set_count))
				return;
			for (unsigned w = 0; w < 4; w++)
				out->lists[w] |= r->sets[set].lists[w] & group_lists[w];
			more = b->more >> slot & 1;
		}
		if (likely_(!more))
			return;
	}
}

enum rule_rank { RANK_NONE, RANK_BLOCK_LIST, RANK_ALLOW_LIST, RANK_OPERATOR };

static inline enum rule_rank set_rank(const struct rule_reader *r, const struct rule_set *s)
{
	const uint64_t operators = 1U << RULE_LIST_ALLOW | 1U << RULE_LIST_DENY;
	uint64_t any = 0, allow = 0;
	for (unsigned w = 0; w < 4; w++) {
		any |= s->lists[w];
		allow |= s->lists[w] & r->allow_lists[w];
	}
	if (s->lists[0] & operators)
		return RANK_OPERATOR;
	return allow ? RANK_ALLOW_LIST : any ? RANK_BLOCK_LIST : RANK_NONE;
}

void rule_probe_search(const struct rule_reader *r, const struct rule_probe *p,
	const uint64_t group_lists[4], struct rule_verdict *out)
{
	enum rule_rank best = RANK_NONE;
	// Candidates come farthest first; from the back, the first of a rank is the nearest of it.
	for (unsigned c = p->candidates; c > 0 && best != RANK_OPERATOR; c--) {
		struct rule_set s;
		unsigned i = p->candidate[c - 1];
		find_set(r, p->hash[i], group_lists, &s);
		enum rule_rank rank = set_rank(r, &s);
		if (rank <= best)
			continue;
		best = rank;
		bool deny = rank == RANK_OPERATOR ? !(s.lists[0] & 1U << RULE_LIST_ALLOW)
						  : rank == RANK_BLOCK_LIST;
		out->action = deny ? RULE_BLOCK : RULE_PASS;
		out->matched = true;
		out->labels = p->labels[i];
		out->set = s;
	}
}

void rule_decide(const struct rule_reader *r, const struct dns_name *name,
	const uint64_t group_lists[4], struct rule_verdict *out)
{
	uint8_t label_off[DNS_LABELS_MAX];
	struct rule_probe p;
	(void)label_offsets(name, label_off);
	probe_suffixes(r, name, label_off, &p);
	rule_probe_bloom(r, &p);
	rule_probe_decide(r, &p, group_lists, out);
}

struct dns_name rule_verdict_name(const struct rule_verdict *v, const struct dns_name *name)
{
	struct dns_name rule = {.labels = v->labels};
	unsigned off = 0;
	for (unsigned i = v->labels; i < name->labels; i++)
		off += name->wire[off] + 1U;
	rule.len = (uint8_t)(name->len - off);
	memcpy(rule.wire, name->wire + off, rule.len);
	return rule;
}

const struct rule_list_info *rule_list_info(const struct rule_reader *r, unsigned list)
{
	return list < r->list_count ? &r->lists[list] : NULL;
}
