// SPDX-License-Identifier: BSD-3-Clause

#include "redis_wire.h"

#include "hiredis_differs.h"

#include <hiredis/read.h>
#include <hiredis/sds.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

static size_t digits(size_t n)
{
	size_t d = 1;
	for (; n >= 10; n /= 10)
		d++;
	return d;
}

size_t redis_command_size(const struct redis_command *c)
{
	size_t size = 1 + digits(c->count) + 2;
	for (unsigned i = 0; i < c->count; i++)
		size += 1 + digits(c->word[i].len) + 2 + c->word[i].len + 2;
	return size;
}

// Writes "*12\r\n" or "$12\r\n".
static char *head_write(char *out, char kind, size_t n)
{
	*out++ = kind;
	char *end = out + digits(n);
	for (char *p = end; p > out; n /= 10)
		*--p = (char)('0' + n % 10);
	*end++ = '\r';
	*end++ = '\n';
	return end;
}

char *redis_command_write(const struct redis_command *c, char *out)
{
	out = head_write(out, '*', c->count);
	for (unsigned i = 0; i < c->count; i++) {
		out = head_write(out, '$', c->word[i].len);
		if (c->word[i].len > 0)
			memcpy(out, c->word[i].text, c->word[i].len);
		out += c->word[i].len;
		*out++ = '\r';
		*out++ = '\n';
	}
	return out;
}

static uint16_t crc16(const char *text, size_t len)
{
	uint16_t crc = 0;
	for (size_t i = 0; i < len; i++) {
		// Four bits at a time: the remainders of the 16 possible nibbles.
		static const uint16_t step[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5,
			0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce,
			0xf1ef};
		uint8_t byte = (uint8_t)text[i];
		crc = (uint16_t)(crc << 4) ^ step[(crc >> 12) ^ (byte >> 4)];
		crc = (uint16_t)(crc << 4) ^ step[(crc >> 12) ^ (byte & 15)];
	}
	return crc;
}

unsigned redis_slot(const char *key, size_t len)
{
	const char *open = memchr(key, '{', len);
	if (open) {
		const char *tag = open + 1;
		const char *close = memchr(tag, '}', len - (size_t)(tag - key));
		if (close && close > tag)
			return crc16(tag, (size_t)(close - tag)) % REDIS_SLOTS;
	}
	return crc16(key, len) % REDIS_SLOTS;
}

char *redis_out_take(struct redis_out *o, size_t len, struct growth *g)
{
	if (o->head > o->cap / 2 && o->tail + len > o->cap) {
		memmove(o->base, o->base + o->head, o->tail - o->head);
		o->tail -= o->head;
		o->head = 0;
	}
	if (o->tail + len > o->cap) {
		size_t cap = growth_cap(o->cap, o->tail + len, REDIS_OUT_CHUNK);
		char *base = heap_realloc(o->base, cap);
		if (!base)
			return NULL;
		growth_step(g, o->cap, cap);
		o->base = base;
		o->cap = cap;
	}
	char *at = o->base + o->tail;
	o->tail += len;
	return at;
}

void redis_out_sent(struct redis_out *o, size_t len, struct growth *g)
{
	o->head += len;
	if (o->head < o->tail)
		return;
	o->head = o->tail = 0;
	if (o->cap > REDIS_OUT_KEEP)
		redis_out_free(o, g);
}

void redis_out_idle(struct redis_out *o, uint64_t idle_ms, struct growth *g)
{
	if (o->tail == 0 && growth_is_over(o->cap, REDIS_OUT_CHUNK, idle_ms))
		redis_out_free(o, g);
}

void redis_out_free(struct redis_out *o, struct growth *g)
{
	FREE_AND_NULL(o->base);
	growth_step(g, o->cap, 0);
	*o = (struct redis_out){0};
}

enum { WHERE_MAX = 160, SLOT_COUNT = 16384 };

enum redis_error redis_error_kind(const struct redis_reply *reply)
{
	static const struct {
		const char *word;
		enum redis_error kind;
	} words[] = {
		{"OOM ", REDIS_ERROR_OOM},
		{"READONLY ", REDIS_ERROR_READONLY},
		{"WRONGTYPE ", REDIS_ERROR_WRONGTYPE},
		{"NOPERM ", REDIS_ERROR_DENIED},
		{"NOAUTH ", REDIS_ERROR_DENIED},
		{"MOVED ", REDIS_ERROR_MOVED},
		{"ASK ", REDIS_ERROR_ASK},
		{"CLUSTERDOWN ", REDIS_ERROR_CLUSTERDOWN},
		{"EXECABORT ", REDIS_ERROR_EXECABORT},
	};
	size_t len;
	const char *text = redis_reply_text(reply, &len);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (len >= strlen(words[i].word)
			&& memcmp(text, words[i].word, strlen(words[i].word)) == 0)
			return words[i].kind;
	}
	return REDIS_ERROR_OTHER;
}

int redis_host_parse(const char *host, size_t host_len, int64_t port, struct socket_address *out)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	struct ip_address ip;
	if (host_len >= sizeof(text) || port < 1 || port > UINT16_MAX)
		return -EINVAL;
	memcpy(text, host, host_len);
	text[host_len] = '\0';
	if (strlen(text) != host_len || strchr(text, '/') || ip_address_parse(text, &ip) < 0)
		return -EINVAL;
	*out = (struct socket_address){.ip = ip, .port = (uint16_t)port};
	return 0;
}

// At most 5 digits up to `end`; -1 for anything else.
static long number_read(const char *text, const char *end)
{
	long n = 0;
	if (text == end || end - text > 5)
		return -1;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = n * 10 + (*text - '0');
	}
	return n;
}

int redis_error_where(const struct redis_reply *reply, const struct socket_address *from,
	unsigned *slot, struct socket_address *out)
{
	size_t len;
	const char *text = redis_reply_text(reply, &len);
	if (!text || len >= WHERE_MAX)
		return -EINVAL;
	const char *end = text + len;
	const char *number = memchr(text, ' ', len);
	const char *host = number ? memchr(number + 1, ' ', (size_t)(end - number - 1)) : NULL;
	const char *port = host ? memrchr(host, ':', (size_t)(end - host)) : NULL;
	if (!port)
		return -EINVAL;
	long s = number_read(number + 1, host), p = number_read(port + 1, end);
	if (s < 0 || s >= SLOT_COUNT || p < 1 || p > UINT16_MAX)
		return -EINVAL;
	host++;
	struct socket_address a = *from;
	a.port = (uint16_t)p;
	if (port > host && redis_host_parse(host, (size_t)(port - host), p, &a) < 0)
		return -EINVAL;
	*slot = (unsigned)s;
	*out = a;
	return 0;
}

enum {
	BLOCK_SIZE = 16 << 10,
	READER_KEEP = 64 << 10, // bytes of blocks that stay when a reply was larger
	DEPTH_MAX = 7,
};

struct redis_reply {
	enum redis_kind kind;
	uint32_t count; // elements, or bytes of a text
	union {
		const char *text;
		int64_t integer;
		struct redis_reply *element; // `count` of them
	};
};

struct block {
	struct block *next;
	size_t size, used;
	alignas(max_align_t) char data[];
};

struct redis_reader {
	redisReader *resp;
	struct growth *growth;
	size_t most;            // bytes of one reply
	struct block *blocks;   // newest first
	size_t bytes;           // size of all blocks
	size_t texts, elements; // bytes of texts and elements in the reply being built
	int err;                // why an object was refused
	bool taken;             // a whole reply was returned from the blocks
	bool midway;            // bytes came behind the last whole reply
};

static void *block_take(struct redis_reader *r, size_t len)
{
	len = (len + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct block *b = r->blocks;
	if (!b || b->size - b->used < len) {
		size_t size = len > BLOCK_SIZE ? len : BLOCK_SIZE;
		b = heap_malloc(sizeof(*b) + size);
		if (!b) {
			r->err = -ENOMEM;
			return NULL;
		}
		*b = (struct block){.next = r->blocks, .size = size};
		r->blocks = b;
		growth_step(r->growth, r->bytes, r->bytes + size);
		r->bytes += size;
	}
	void *p = b->data + b->used;
	b->used += len;
	return p;
}

// Empties the blocks, and frees all but one of at most `keep` bytes.
static void blocks_reset(struct redis_reader *r, size_t keep)
{
	while (r->blocks && (r->blocks->next || r->blocks->size > keep)) {
		struct block *b = r->blocks;
		r->blocks = b->next;
		growth_step(r->growth, r->bytes, r->bytes - b->size);
		r->bytes -= b->size;
		heap_free(b);
	}
	if (r->blocks)
		r->blocks->used = 0;
	r->texts = r->elements = 0;
	r->taken = false;
}

// Where the object of this task goes: into its array, or to the root of the reply.
static struct redis_reply *reply_place(const redisReadTask *task, enum redis_kind kind)
{
	struct redis_reply *at;
	if (task->parent)
		at = &((struct redis_reply *)task->parent->obj)->element[task->idx];
	else
		at = block_take(task->privdata, sizeof(*at));
	if (at)
		*at = (struct redis_reply){.kind = kind};
	return at;
}

static void *make_text(const redisReadTask *task, char *text, size_t len)
{
	struct redis_reader *r = task->privdata;
	enum redis_kind kind = task->type == REDIS_REPLY_STRING   ? REDIS_TEXT
			       : task->type == REDIS_REPLY_STATUS ? REDIS_STATUS
								  : REDIS_ERROR;
	if (kind == REDIS_ERROR && task->type != REDIS_REPLY_ERROR)
		return NULL; // a type of RESP3
	if (len > r->most - r->texts) {
		r->err = -EMSGSIZE;
		return NULL;
	}
	r->texts += len;
	char *copy = block_take(r, len + 1);
	struct redis_reply *at = copy ? reply_place(task, kind) : NULL;
	if (!at)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	at->text = copy;
	at->count = (uint32_t)len;
	return at;
}

static unsigned depth(const redisReadTask *task)
{
	unsigned n = 0;
	for (; task->parent; task = task->parent)
		n++;
	return n;
}

static void *make_array(const redisReadTask *task, hiredis_count elements)
{
	struct redis_reader *r = task->privdata;
	if (task->type != REDIS_REPLY_ARRAY || depth(task) > DEPTH_MAX)
		return NULL;
	if ((size_t)elements > r->most / REDIS_ELEMENT_BYTES - r->elements) {
		r->err = -EMSGSIZE;
		return NULL;
	}
	r->elements += (size_t)elements;
	struct redis_reply *element = NULL;
	if (elements > 0) {
		element = block_take(r, (size_t)elements * sizeof(*element));
		if (!element)
			return NULL;
		memset(element, 0, (size_t)elements * sizeof(*element));
	}
	struct redis_reply *at = reply_place(task, REDIS_ARRAY);
	if (at) {
		at->element = element;
		at->count = (uint32_t)elements;
	}
	return at;
}

static void *make_integer(const redisReadTask *task, long long value)
{
	struct redis_reply *at = reply_place(task, REDIS_INTEGER);
	if (at)
		at->integer = value;
	return at;
}

static void *make_nil(const redisReadTask *task)
{
	return reply_place(task, REDIS_NIL);
}

// Objects live in blocks, which blocks_reset frees.
static void make_nothing(void *)
{
}

static redisReplyObjectFunctions makers = {.createString = make_text,
	.createArray = make_array,
	.createInteger = make_integer,
	.createNil = make_nil,
	.freeObject = make_nothing,
	HIREDIS_RESP3_REFUSED};

int redis_reader_new(struct redis_reader **out, size_t most, struct growth *growth)
{
	struct redis_reader *r = heap_calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->resp = redisReaderCreateWithFunctions(&makers);
	if (!r->resp) {
		heap_free(r);
		return -ENOMEM;
	}
	r->resp->privdata = r;
	r->most = most;
	r->growth = growth;
	*out = r;
	return 0;
}

void redis_reader_free(struct redis_reader *r)
{
	if (!r)
		return;
	blocks_reset(r, 0);
	redisReaderFree(r->resp);
	heap_free(r);
}

int redis_reader_feed(struct redis_reader *r, const void *bytes, size_t len)
{
	assert(len <= REDIS_REPLY_MAX);
	r->midway |= len > 0;
	return redisReaderFeed(r->resp, bytes, len) == REDIS_OK ? 0 : -ENOMEM;
}

// Bounds the incomplete item that is left: its line must end soon, and hiredis buffers a whole text
// before it calls make_text.
static int rest_check(const struct redis_reader *r)
{
	size_t left = r->resp->len - r->resp->pos;
	const char *rest = r->resp->buf + r->resp->pos;
	if (left > r->most)
		return -EMSGSIZE;
	if (left > REDIS_LINE_MAX && !memchr(rest, '\n', REDIS_LINE_MAX))
		return -EBADMSG;
	return 0;
}

int redis_reader_next(struct redis_reader *r, const struct redis_reply **out)
{
	void *reply = NULL;
	if (r->taken)
		blocks_reset(r, READER_KEEP);
	if (redisReaderGetReply(r->resp, &reply) != REDIS_OK)
		return r->err ? r->err : -EBADMSG;
	if (!reply)
		return rest_check(r);
	r->taken = true;
	r->midway = r->resp->pos < r->resp->len;
	*out = reply;
	return 1;
}

bool redis_reader_is_midway(const struct redis_reader *r)
{
	return r->midway;
}

void redis_reader_idle(struct redis_reader *r, uint64_t idle_ms)
{
	bool between = r->taken || !r->blocks || r->blocks->used == 0;
	if (between && growth_is_over(r->bytes, BLOCK_SIZE, idle_ms))
		blocks_reset(r, 0);
}

size_t redis_reader_bytes(const struct redis_reader *r)
{
	size_t buf = r->resp->buf ? sdslen(r->resp->buf) + sdsavail(r->resp->buf) : 0;
	return sizeof(*r) + sizeof(*r->resp) + r->bytes + buf;
}

enum redis_kind redis_reply_kind(const struct redis_reply *reply)
{
	return reply->kind;
}

const char *redis_reply_text(const struct redis_reply *reply, size_t *len)
{
	bool text = reply->kind == REDIS_TEXT || reply->kind == REDIS_STATUS
		    || reply->kind == REDIS_ERROR;
	*len = text ? reply->count : 0;
	return text ? reply->text : NULL;
}

int64_t redis_reply_integer(const struct redis_reply *reply)
{
	return reply->kind == REDIS_INTEGER ? reply->integer : 0;
}

unsigned redis_reply_count(const struct redis_reply *reply)
{
	return reply->kind == REDIS_ARRAY ? reply->count : 0;
}

const struct redis_reply *redis_reply_at(const struct redis_reply *reply, unsigned i)
{
	return i < redis_reply_count(reply) ? &reply->element[i] : NULL;
}
