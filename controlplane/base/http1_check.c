// SPDX-License-Identifier: BSD-3-Clause
#include "http1_check.h"

#include <string.h>
#include <strings.h>

enum state {
	S_METHOD, // the first byte of a request
	S_TARGET,
	S_VERSION,
	S_NAME,
	S_VALUE,
	S_BODY,
	S_SIZE, // a chunk's size
	S_EXTENSION,
	S_CHUNK,
	S_CHUNK_END,
	S_LF,    // after a CR; after the LF comes state `then`
	S_BLANK, // the line that ends a head, or the trailers
};

enum field { F_OTHER, F_HOST, F_LENGTH, F_CODING };

static const char *const fault_texts[] = {
#define X(name, text) [HTTP1_##name] = (text),
	HTTP1_FAULTS(X)
#undef X
};

const char *http1_fault_text(enum http1_fault fault)
{
	return fault_texts[fault];
}

static bool is_alnum(uint8_t b)
{
	return (b >= '0' && b <= '9') || ((b | 0x20) >= 'a' && (b | 0x20) <= 'z');
}

static bool is_token(uint8_t b)
{
	return is_alnum(b) || (b && strchr("!#$%&'*+-.^_`|~", b));
}

static bool is_text(uint8_t b)
{
	return b == '\t' || (b >= 0x20 && b != 0x7f);
}

static int hex(uint8_t b)
{
	if (b >= '0' && b <= '9')
		return b - '0';
	return (b | 0x20) >= 'a' && (b | 0x20) <= 'f' ? (b | 0x20) - 'a' + 10 : -1;
}

static void fail(struct http1_check *c, enum http1_fault fault)
{
	c->fault = (uint8_t)fault;
}

// Expects the LF that ends the line, then goes on in state `then`.
static void line_end(struct http1_check *c, enum state then)
{
	c->state = S_LF;
	c->then = (uint8_t)then;
}

static void request_end(struct http1_check *c)
{
	*c = (struct http1_check){.whole = c->whole + 1};
}

// Whether the bytes are a name or an address, with or without a port (RFC 3986 3.2.2), which weir
// does not look up. They are empty if the target has no authority.
static bool is_host(const char *p, size_t n)
{
	if (n > HTTP1_HOST_MAX)
		return false;
	const bool is_ip6 = n && p[0] == '[';
	const char *close = is_ip6 ? memchr(p, ']', n) : NULL;
	const char *const name_end = close ? close + 1 : memchr(p, ':', n);
	const size_t name = name_end ? (size_t)(name_end - p) : n;

	for (size_t i = is_ip6; i < name - (close != NULL); i++)
		if (!is_alnum((uint8_t)p[i])
			&& !(p[i] && strchr(is_ip6 ? ":." : "-._~%!$&'()*+,;=", p[i])))
			return false;
	if (name < n && p[name] != ':')
		return false;
	for (size_t i = name + 1; i < n; i++)
		if (p[i] < '0' || p[i] > '9')
			return false;
	return is_ip6 == (close != NULL) && close != p + 1;
}

static void length_end(struct http1_check *c)
{
	bool is_number = c->value_len > 0 && c->value_len <= 19;

	for (size_t i = 0; is_number && i < c->value_len; i++) {
		is_number = c->value[i] >= '0' && c->value[i] <= '9';
		c->left = c->left * 10 + (uint64_t)(c->value[i] - '0');
	}
	if (!is_number || ++c->lengths > 1)
		fail(c, HTTP1_length);
}

static void field_end(struct http1_check *c)
{
	while (c->value_len && c->value_len <= HTTP1_HOST_MAX
		&& (c->value[c->value_len - 1] == ' ' || c->value[c->value_len - 1] == '\t'))
		c->value_len--;
	if (c->field == F_HOST && (++c->hosts > 1 || !is_host(c->value, c->value_len)))
		fail(c, HTTP1_host);
	else if (c->field == F_LENGTH)
		length_end(c);
	else if (c->field == F_CODING
		 && (++c->codings > 1 || c->value_len != 7
			 || strncasecmp(c->value, "chunked", 7) != 0))
		fail(c, HTTP1_coding);
}

static void head_end(struct http1_check *c)
{
	c->at = 0;
	if (c->minor && !c->hosts)
		fail(c, HTTP1_host);
	else if (c->codings && !c->minor)
		fail(c, HTTP1_coding);
	else if (c->codings && c->lengths)
		fail(c, HTTP1_length);
	else if (!c->has_body && (c->codings || c->left))
		fail(c, HTTP1_body);
	else if (c->codings)
		c->state = S_SIZE;
	else if (c->left)
		c->state = S_BODY;
	else
		request_end(c);
}

static enum field field_of(const struct http1_check *c)
{
	static const struct {
		enum field field;
		const char *name;
	} known[] = {
		{F_HOST, "host"}, {F_LENGTH, "content-length"}, {F_CODING, "transfer-encoding"}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (c->word_len == strlen(known[i].name)
			&& strncasecmp(c->word, known[i].name, c->word_len) == 0)
			return known[i].field;
	return F_OTHER;
}

static bool is_word(const struct http1_check *c, const char *word)
{
	return c->word_len == strlen(word) && memcmp(c->word, word, c->word_len) == 0;
}

static void method_byte(struct http1_check *c, uint8_t b)
{
	if (b == ' ' && c->at)
		*c = (struct http1_check){.whole = c->whole,
			.state = S_TARGET,
			.has_body = is_word(c, "POST") || is_word(c, "PUT")};
	else if (b == '\r' && !c->at && !c->has_blank)
		line_end(c, S_METHOD);
	else if (!is_token(b))
		fail(c, HTTP1_request_line);
	else
		c->at = 1;
	if (c->state == S_METHOD && c->at && c->word_len < HTTP1_WORD_MAX)
		c->word[c->word_len++] = (char)b;
}

static void target_byte(struct http1_check *c, uint8_t b)
{
	if (b == ' ' && c->at) {
		c->state = S_VERSION;
		c->at = 0;
	} else if (b <= ' ' || b == 0x7f) {
		fail(c, HTTP1_request_line);
	} else {
		c->at = 1;
	}
}

static void version_byte(struct http1_check *c, uint8_t b)
{
	static const char version[] = "HTTP/1.";
	const size_t len = sizeof(version) - 1;

	if (c->at < len ? b == (uint8_t)version[c->at] : c->at == len && (b == '0' || b == '1')) {
		c->minor = b == '1' && c->at == len;
		c->at++;
	} else if (b == '\r' && c->at == len + 1) {
		line_end(c, S_NAME);
	} else {
		fail(c, HTTP1_request_line);
	}
}

static void name_byte(struct http1_check *c, uint8_t b)
{
	if (b == ':' && c->word_len) {
		c->field = c->is_trailer ? F_OTHER : (uint8_t)field_of(c);
		c->word_len = 0;
		c->value_len = 0;
		c->state = S_VALUE;
	} else if (b == '\r' && !c->word_len) {
		line_end(c, S_BLANK);
	} else if (!is_token(b)) {
		fail(c, b == '\n' ? HTTP1_line_end : HTTP1_field_name);
	} else {
		if (c->word_len < HTTP1_WORD_MAX)
			c->word[c->word_len++] = (char)b;
	}
}

static void value_byte(struct http1_check *c, uint8_t b)
{
	if (b == '\r') {
		field_end(c);
		line_end(c, S_NAME);
	} else if (!is_text(b)) {
		fail(c, b == '\n' ? HTTP1_line_end : HTTP1_field_value);
	} else if (c->value_len || (b != ' ' && b != '\t')) {
		if (c->value_len < HTTP1_HOST_MAX)
			c->value[c->value_len] = (char)b;
		if (c->value_len <= HTTP1_HOST_MAX)
			c->value_len++;
	}
}

// Ends the line with a chunk's size. After the last chunk, whose size is 0, come the trailers.
static void size_end(struct http1_check *c)
{
	c->at = 0;
	c->is_trailer = c->left == 0;
	line_end(c, c->left ? S_CHUNK : S_NAME);
}

static void size_byte(struct http1_check *c, uint8_t b)
{
	const int digit = hex(b);

	if (digit >= 0 && c->at < 15) {
		c->left = c->left << 4 | (unsigned)digit;
		c->at++;
	} else if (c->at && b == ';') {
		c->state = S_EXTENSION;
	} else if (c->at && b == '\r') {
		size_end(c);
	} else {
		fail(c, HTTP1_chunk);
	}
}

static void extension_byte(struct http1_check *c, uint8_t b)
{
	if (b == '\r')
		size_end(c);
	else if (!is_text(b))
		fail(c, HTTP1_chunk);
}

static void lf_byte(struct http1_check *c, uint8_t b)
{
	if (b != '\n') {
		fail(c, c->then == S_CHUNK || c->then == S_SIZE ? HTTP1_chunk : HTTP1_line_end);
	} else if (c->then == S_BLANK && c->is_trailer) {
		request_end(c);
	} else if (c->then == S_BLANK) {
		head_end(c);
	} else {
		c->has_blank = c->then == S_METHOD;
		c->state = c->then;
	}
}

static void byte_take(struct http1_check *c, uint8_t b)
{
	switch ((enum state)c->state) {
	case S_METHOD:
		return method_byte(c, b);
	case S_TARGET:
		return target_byte(c, b);
	case S_VERSION:
		return version_byte(c, b);
	case S_NAME:
		return name_byte(c, b);
	case S_VALUE:
		return value_byte(c, b);
	case S_SIZE:
		return size_byte(c, b);
	case S_EXTENSION:
		return extension_byte(c, b);
	case S_CHUNK_END:
		return b == '\r' ? line_end(c, S_SIZE) : fail(c, HTTP1_chunk);
	case S_LF:
		return lf_byte(c, b);
	case S_BODY:
	case S_CHUNK:
	case S_BLANK:
		break;
	}
}

static size_t body_skip(struct http1_check *c, size_t n)
{
	const size_t skip = c->left < n ? (size_t)c->left : n;

	c->left -= skip;
	if (c->left == 0 && c->state == S_BODY)
		request_end(c);
	else if (c->left == 0)
		c->state = S_CHUNK_END;
	return skip;
}

size_t http1_check(struct http1_check *c, const uint8_t *p, size_t n)
{
	const uint64_t whole = c->whole;
	size_t at = 0;

	while (at < n && !c->fault && c->whole == whole) {
		if (c->state == S_BODY || c->state == S_CHUNK)
			at += body_skip(c, n - at);
		else
			byte_take(c, p[at++]);
	}
	return c->fault ? at - 1 : at;
}
