// SPDX-License-Identifier: BSD-3-Clause
#include "fake_http.h"

#include "tests/unit/unit.h"

enum { REPLY_MAX = 4096, PIECE = 16384 };

static bool say_text(int fd, const char *text)
{
	return fake_listener_say(fd, text, strlen(text));
}

static void reply(int fd, const char *status, const char *headers, const void *body, size_t len)
{
	char head[REPLY_MAX];
	snprintf(head, sizeof(head),
		"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", status, len,
		headers);
	if (say_text(fd, head))
		fake_listener_say(fd, body, len);
}

static void redirect(int fd, const char *to)
{
	char headers[REPLY_MAX / 2];
	snprintf(headers, sizeof(headers), "Location: %s\r\n", to);
	reply(fd, "302 Found", headers, "moved\n", 6);
}

static uint32_t crc32_of(const uint8_t *p, size_t len)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (unsigned k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static const uint8_t gzip_head[10] = {0x1f, 0x8b, 8, [9] = 0xff};

// One stored block. The bytes written, 23 more than `len`.
static size_t gzip_of(const void *text, uint16_t len, uint8_t *out)
{
	uint16_t not_len = (uint16_t)~len;
	uint32_t crc = crc32_of(text, len), size = len;
	memcpy(out, gzip_head, 10);
	out[10] = 1;
	memcpy(out + 11, &len, 2);
	memcpy(out + 13, &not_len, 2);
	memcpy(out + 15, text, len);
	memcpy(out + 15 + len, &crc, 4);
	memcpy(out + 19 + len, &size, 4);
	return 23u + len;
}

static void say_gzip(int fd, const char *headers, unsigned times)
{
	uint8_t text[1024] = "hello", out[1024];
	size_t len = 5;
	for (unsigned i = 0; i < times; i++) {
		len = gzip_of(text, (uint16_t)len, out);
		memcpy(text, out, len);
	}
	reply(fd, "200 OK", headers, text, len);
}

// A transfer coding in one chunk.
static void say_gzip_transfer(int fd)
{
	uint8_t out[64];
	char head[256];
	const size_t len = gzip_of("hello", 5, out);
	snprintf(head, sizeof(head),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n%zx\r\n", len);
	if (say_text(fd, head) && fake_listener_say(fd, out, len))
		say_text(fd, "\r\n0\r\n\r\n");
}

static void bits_put(uint8_t *out, size_t *at, unsigned bits, unsigned count)
{
	for (unsigned i = 0; i < count; i++, (*at)++)
		out[*at / 8] |= (uint8_t)((bits >> i & 1) << *at % 8);
}

// One block with fixed codes: a letter, then copies of 258 bytes from one byte back, 13 bits
// each: 50,000 times as many bytes as it has, at least, in the end.
static void say_bomb(int fd)
{
	enum { COPIES = 200000 };
	uint8_t *out = calloc(1, 16 + COPIES * 13 / 8);
	assert_non_null(out);
	memcpy(out, gzip_head, 10);
	size_t at = 80;
	bits_put(out, &at, 1 | 1 << 1, 3); // last block, fixed codes
	bits_put(out, &at, 0x89, 8);       // the letter a: 10010001 from its high bit
	for (unsigned i = 0; i < COPIES; i++) {
		bits_put(out, &at, 0xa3, 8); // length 258: 11000101 from its high bit
		bits_put(out, &at, 0, 5);    // distance 1
	}
	reply(fd, "200 OK", "Content-Encoding: gzip\r\n", out, at / 8);
	free(out);
}

static void say_list(struct fake_http *f, int fd, const char *request)
{
	char headers[256], condition[64], body[sizeof(f->body)];
	pthread_mutex_lock(&f->lock);
	snprintf(headers, sizeof(headers),
		"ETag: %s\r\nLast-Modified: Thu, 19 Nov 2026 10:00:00 GMT\r\n", f->etag);
	snprintf(condition, sizeof(condition), "If-None-Match: %s\r\n", f->etag);
	strcpy(body, f->body);
	pthread_mutex_unlock(&f->lock);
	if (strstr(request, condition))
		reply(fd, "304 Not Modified", headers, "", 0);
	else
		reply(fd, "200 OK", headers, body, strlen(body));
}

// 4 MiB whose length nobody said.
static void say_long(int fd)
{
	static char piece[PIECE];
	memset(piece, 'a', sizeof(piece));
	bool more = say_text(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	for (unsigned i = 0; more && i < 256; i++)
		more = fake_listener_say(fd, piece, sizeof(piece));
}

static void say_slowly(struct fake_http *f, int fd)
{
	bool more = say_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	for (unsigned i = 0; more && i < 1200 && !f->listener.stop; i++) {
		more = say_text(fd, "a.example\n");
		f->slow_lines++;
		fake_listener_wait(&f->listener, 50);
	}
}

// What a primary has of a list; its reply has no end of its own.
static void say_primary(struct fake_http *f, int fd)
{
	char body[sizeof(f->primary)];
	pthread_mutex_lock(&f->lock);
	strcpy(body, f->primary);
	pthread_mutex_unlock(&f->lock);
	if (*body)
		say_text(fd, "HTTP/1.0 200 OK\r\n\r\n");
	if (*body)
		fake_listener_say(fd, body, strlen(body));
	else
		reply(fd, "404 Not Found", "", "", 0);
}

static void answer(struct fake_http *f, int fd, const char *request, const char *path)
{
	char to[128];
	if (strcmp(path, "/list") == 0)
		say_list(f, fd, request);
	else if (strcmp(path, "/v1/sync/list") == 0)
		say_primary(f, fd);
	else if (strcmp(path, "/truncated") == 0)
		say_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nads.example\n");
	else if (strcmp(path, "/chunk") == 0)
		say_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nads.exam");
	else if (strcmp(path, "/gzip") == 0)
		say_gzip(fd, "Content-Encoding: gzip\r\n", 1);
	else if (strcmp(path, "/gzip2") == 0)
		say_gzip(fd, "Content-Encoding: gzip, gzip\r\n", 2);
	else if (strcmp(path, "/gzip_gzip") == 0)
		say_gzip(fd, "Content-Encoding: gzip\r\ncontent-encoding:gzip\r\n", 2);
	else if (strcmp(path, "/gzip_transfer") == 0)
		say_gzip_transfer(fd);
	else if (strcmp(path, "/br") == 0)
		reply(fd, "200 OK", "Content-Encoding: br\r\n", "\x0b\x02\x80hello\x03", 9);
	else if (strcmp(path, "/notgzip") == 0)
		reply(fd, "200 OK", "Content-Encoding: gzip\r\n", "hello", 5);
	else if (strcmp(path, "/bomb") == 0)
		say_bomb(fd);
	else if (strcmp(path, "/long") == 0)
		say_long(fd);
	else if (strcmp(path, "/saidlong") == 0)
		say_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\na");
	else if (strcmp(path, "/slow") == 0)
		say_slowly(f, fd);
	else if (strcmp(path, "/silent") == 0)
		fake_listener_wait(&f->listener, 3000);
	else if (strcmp(path, "/500") == 0)
		reply(fd, "500 Internal Server Error", "", "ads.example\n", 12);
	else if (strcmp(path, "/429") == 0)
		reply(fd, "429 Too Many Requests", "Retry-After: 3600\r\n", "", 0);
	else if (strcmp(path, "/503") == 0)
		reply(fd, "503 Service Unavailable", "Retry-After: 99999999\r\n", "", 0);
	else if (strcmp(path, "/404cut") == 0)
		say_text(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 1000\r\n\r\nads.example\n");
	else if (strcmp(path, "/204") == 0)
		reply(fd, "204 No Content", "", "", 0);
	else if (strcmp(path, "/empty") == 0)
		reply(fd, "200 OK", "", "", 0);
	else if (strcmp(path, "/html") == 0)
		reply(fd, "200 OK", "", "<html><p>Please log in</p></html>\n", 34);
	else if (strcmp(path, "/loop") == 0)
		redirect(fd, "/loop");
	else if (strcmp(path, "/hop") == 0)
		redirect(fd, "/list");
	else if (strcmp(path, "/tofile") == 0)
		redirect(fd, "file:///etc/passwd");
	else if (strcmp(path, "/tosecret") == 0) {
		snprintf(to, sizeof(to), "http://localhost:%u/500?token=secret", f->port);
		redirect(fd, to);
	} else
		reply(fd, "404 Not Found", "", "", 0);
}

static void serve(void *arg, int fd)
{
	struct fake_http *f = arg;
	char request[2048] = "", path[64] = "";
	for (size_t len = 0, n; !strstr(request, "\r\n\r\n"); len += n) {
		n = fake_listener_hear(&f->listener, fd, request + len, sizeof(request) - 1 - len);
		if (n == 0)
			return;
	}
	pthread_mutex_lock(&f->lock);
	strcpy(f->last, request);
	pthread_mutex_unlock(&f->lock);
	f->requests++;
	(void)sscanf(request, "GET %63[^ ?]", path);
	answer(f, fd, request, path);
	shutdown(fd, SHUT_WR);
}

void fake_http_start(struct fake_http *f)
{
	memset(f, 0, sizeof(*f));
	pthread_mutex_init(&f->lock, NULL);
	fake_http_body(f, "ads.example\n", "\"v1\"");
	fake_listener_start(&f->listener, 0, serve, f);
	f->port = f->listener.port;
}

void fake_http_stop(struct fake_http *f)
{
	fake_listener_stop(&f->listener);
	pthread_mutex_destroy(&f->lock);
}

void fake_http_body(struct fake_http *f, const char *body, const char *etag)
{
	pthread_mutex_lock(&f->lock);
	strcpy(f->body, body);
	strcpy(f->etag, etag);
	pthread_mutex_unlock(&f->lock);
}

void fake_http_primary(struct fake_http *f, const char *reply)
{
	pthread_mutex_lock(&f->lock);
	strcpy(f->primary, reply);
	pthread_mutex_unlock(&f->lock);
}

bool fake_http_last_has(struct fake_http *f, const char *text)
{
	pthread_mutex_lock(&f->lock);
	bool has = strstr(f->last, text) != NULL;
	pthread_mutex_unlock(&f->lock);
	return has;
}
