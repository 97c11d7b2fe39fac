// SPDX-License-Identifier: BSD-3-Clause
#include "redis_reader.h"

#include "hiredis_differs.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

enum {
	BLOCK_SIZE = 16 << 10,
	READER_KEEP = 64 << 10, // bytes of blocks that stay when a reply was larger
	TEXTS_MAX = REDIS_REPLY_MAX,
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
	struct block *blocks;   // newest first
	size_t bytes;           // of all blocks
	size_t texts, elements; // of the reply being built
	int err;                // why an object was refused
	bool taken;             // a whole reply was returned from the blocks
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

// All blocks are free again. One stays, unless it was made for something large.
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

// Where the object of this task goes: a place in its array, or the root's.
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
		return NULL; // of RESP3
	if (len > TEXTS_MAX - r->texts) {
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
	if ((size_t)elements > REDIS_ELEMENTS_MAX - r->elements) {
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

// Objects live in the blocks.
static void make_nothing(void *)
{
}

static redisReplyObjectFunctions makers = {.createString = make_text,
	.createArray = make_array,
	.createInteger = make_integer,
	.createNil = make_nil,
	.freeObject = make_nothing,
	HIREDIS_RESP3_REFUSED};

int redis_reader_new(struct redis_reader **out, struct growth *growth)
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
	return redisReaderFeed(r->resp, bytes, len) == REDIS_OK ? 0 : -ENOMEM;
}

// The rest is the beginning of one item: its line must end soon, and hiredis buffers a whole text
// before it calls the allocator hook.
static int rest_check(const struct redis_reader *r)
{
	size_t left = r->resp->len - r->resp->pos;
	const char *rest = r->resp->buf + r->resp->pos;
	if (left > TEXTS_MAX)
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
	*out = reply;
	return 1;
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
