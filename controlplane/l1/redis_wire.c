// SPDX-License-Identifier: BSD-3-Clause
#include "redis_wire.h"

#include <stdio.h>
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

// "*12\r\n", "$12\r\n".
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
