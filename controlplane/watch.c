// SPDX-License-Identifier: BSD-3-Clause
#include "watch.h"

#include "rdata_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/dns_name.h>
#include <weir/shm_stats.h>

struct watch {
	pthread_mutex_t lock;
	char *buffer; // NULL: nobody watches
	size_t used;
	uint64_t missed; // since the last look
	uint16_t id;     // of the newest watch
	struct watch_counts counts;
};

struct line {
	char text[8192];
	size_t len;
};
static_assert(sizeof(((struct line *)0)->text) > 2 * WATCH_FRAME_MAX + 4 * 255 + 1024);

int watch_open(struct watch **out)
{
	struct watch *w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	// What our last life was shown may lie on the rings yet.
	w->id = (uint16_t)clock_mono_ms();
	*out = w;
	return 0;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	pthread_mutex_destroy(&w->lock);
	free(w->buffer);
	free(w);
}

int watch_begin(struct watch *w, uint16_t *id)
{
	int ret = 0;
	pthread_mutex_lock(&w->lock);
	if (w->buffer) {
		ret = -EBUSY;
		w->counts.refused++;
	} else {
		w->buffer = malloc(WATCH_BUFFER_MAX);
		ret = w->buffer ? 0 : -ENOMEM;
		w->used = 0;
		w->missed = 0;
		w->counts.begun += ret == 0;
		if (ret == 0)
			*id = ++w->id;
	}
	pthread_mutex_unlock(&w->lock);
	return ret;
}

void watch_end(struct watch *w)
{
	pthread_mutex_lock(&w->lock);
	free(w->buffer);
	w->buffer = NULL;
	pthread_mutex_unlock(&w->lock);
}

// Everything that is printed is bounded, and together less than a line.
static void add(struct line *l, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(l->text + l->len, sizeof l->text - l->len, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof l->text - l->len)
		l->len += (size_t)n;
}

// Names in text have backslashes, which JSON minds, and maybe quotes.
static void add_name(struct line *l, const uint8_t *wire, uint8_t len)
{
	struct dns_name name;
	char text[DNS_NAME_TEXT_MAX];
	struct rd rd = rd_init(wire, len);
	if (len == 0 || dns_name_read(&rd, &name) != 0 || rd_left(&rd) != 0)
		return;
	(void)dns_name_to_text(&name, text);
	add(l, ",\"qname\":\"");
	for (const char *p = text; *p; p++)
		add(l, *p == '\\' || *p == '"' ? "\\%c" : "%c", *p);
	add(l, "\"");
}

static void add_query(struct line *l, const struct log_record *r)
{
	char address[INET6_ADDRSTRLEN] = "", type[DNS_TYPE_TEXT_MAX];
	if (!inet_ntop(
		    r->flags & LOG_IPV6 ? AF_INET6 : AF_INET, r->client, address, sizeof address))
		address[0] = '\0';
	add(l, ",\"client\":\"%s\",\"client_port\":%u,\"group\":%u,\"qtype\":\"%s\"", address,
		r->client_port, r->group, dns_type_text(r->qtype, type));
	if (r->list != LOG_NO_LIST)
		add(l, ",\"list\":%u", r->list);
	if (r->flags & LOG_ANSWERED)
		add(l, ",\"rcode\":\"%s\",\"reply_len\":%u", dns_rcode_text(r->rcode),
			r->reply_len);
}

static void add_frame(struct line *l, const uint8_t *frame, unsigned len)
{
	static const char digits[] = "0123456789abcdef";
	add(l, ",\"frame\":\"");
	for (unsigned i = 0; i < len && l->len + 2 < sizeof l->text; i++) {
		l->text[l->len++] = digits[frame[i] >> 4];
		l->text[l->len++] = digits[frame[i] & 0xf];
	}
	add(l, "\"");
}

static bool message_read(struct watch_msg *m, const uint8_t *msg, size_t len)
{
	if (len < sizeof *m)
		return false;
	memcpy(m, msg, sizeof *m);
	return m->record.verdict < VERDICT_COUNT && m->kept <= WATCH_FRAME_MAX
	       && len == sizeof *m + m->record.name_len + m->kept;
}

static void line_make(
	struct line *l, int64_t wall_us, const struct watch_msg *m, const uint8_t *behind)
{
	const struct log_record *r = &m->record;
	l->len = 0;
	add(l, "{\"time_us\":%" PRId64 ",\"verdict\":\"%s\",\"frame_len\":%u,\"batch\":%u",
		(int64_t)(r->time_us + (uint64_t)wall_us), verdict_names[r->verdict], m->frame_len,
		m->batch);
	if (r->client_port)
		add_query(l, r);
	add_name(l, behind, r->name_len);
	add(l, ",\"stage_ns\":{");
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		add(l, "%s\"%s\":%" PRIu32, s ? "," : "", stage_names[s], m->stage_ns[s]);
	add(l, "}");
	if (m->kept)
		add_frame(l, behind + r->name_len, m->kept);
	add(l, "}\n");
}

bool watch_put(void *watch, int64_t wall_us, const uint8_t *msg, size_t len)
{
	struct watch *w = watch;
	struct watch_msg m;
	struct line l;
	bool is_sane = message_read(&m, msg, len);
	pthread_mutex_lock(&w->lock);
	w->counts.bad += !is_sane;
	bool is_wanted = is_sane && w->buffer && m.id == w->id;
	w->counts.former += is_sane && !is_wanted;
	if (is_wanted && WATCH_BUFFER_MAX - w->used >= sizeof l.text) {
		line_make(&l, wall_us, &m, msg + sizeof m);
		memcpy(w->buffer + w->used, l.text, l.len);
		w->used += l.len;
		w->counts.shown++;
	} else if (is_wanted) {
		w->missed++;
		w->counts.missed++;
	}
	pthread_mutex_unlock(&w->lock);
	return is_sane;
}

size_t watch_take(struct watch *w, char *out, uint64_t *missed)
{
	pthread_mutex_lock(&w->lock);
	size_t used = w->buffer ? w->used : 0;
	if (used)
		memcpy(out, w->buffer, used);
	*missed = w->missed;
	w->used = 0;
	w->missed = 0;
	pthread_mutex_unlock(&w->lock);
	return used;
}

void watch_counts(struct watch *w, struct watch_counts *out)
{
	pthread_mutex_lock(&w->lock);
	*out = w->counts;
	out->is_watched = w->buffer != NULL;
	pthread_mutex_unlock(&w->lock);
}

bool watch_verdicts(const char *word, uint64_t *out)
{
#define V(name) (UINT64_C(1) << VERDICT_##name)
	static const uint64_t malformed = V(formerr) | V(drop_runt) | V(drop_ip_header)
					  | V(drop_ip_csum) | V(drop_udp_header) | V(drop_udp_csum)
					  | V(drop_dns_short) | V(drop_chained);
#undef V
	uint64_t dropped = 0;
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		if (strcmp(word, verdict_names[v]) == 0) {
			*out = UINT64_C(1) << v;
			return true;
		}
		if (strncmp(verdict_names[v], "drop_", 5) == 0)
			dropped |= UINT64_C(1) << v;
	}
	if (strcmp(word, "malformed") != 0 && strcmp(word, "dropped") != 0)
		return false;
	*out = word[0] == 'm' ? malformed : dropped;
	return true;
}
