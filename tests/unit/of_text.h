// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names, addresses and files that a test writes as text. A text that is none fails the test.

#include <weir/config_filter.h>
#include <weir/dns_name.h>

static inline struct dns_name name_of_text(const char *text)
{
	struct dns_name name;
	assert_int_equal(dns_name_from_text(text, strlen(text), &name), 0);
	return name;
}

// Or a prefix.
static inline struct ip_address address_of_text(const char *text)
{
	struct ip_address address;
	assert_int_equal(ip_address_parse(text, &address), 0);
	return address;
}

// `usual_port`: that of a text without one.
static inline struct socket_address socket_of_text(const char *text, uint16_t usual_port)
{
	struct socket_address address = {0};
	assert_int_equal(socket_address_parse(text, usual_port, &address), 0);
	return address;
}

static inline struct socket_address socket_here(uint16_t its_port)
{
	return socket_of_text("127.0.0.1", its_port);
}

// A new file, or all that is in it.
static inline void bytes_to_file(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static inline void text_to_file(const char *path, const char *text)
{
	bytes_to_file(path, text, strlen(text));
}

static inline void file_end(void *path)
{
	(void)unlink((const char *)path);
}

// The path of a new file with this text, which goes behind the case.
static inline char *file_with(const char *text)
{
	char *path = text_from("/tmp/weir-test-file-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	text_to_file(path, text);
	unit_at_end(file_end, path);
	return path;
}
