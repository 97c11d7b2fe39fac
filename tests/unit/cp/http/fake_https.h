// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An HTTPS server on 127.0.0.1 in a process of its own (https_server.py), with authorities that it
// makes itself. What it answers is in the path of the URL.

#include <stdint.h>
#include <sys/types.h>

struct fake_https {
	pid_t pid;
	int input; // it ends with it
	uint16_t port;
	char folder[64];
	char ca[96], other[96]; // files: of who vouches for it, of who does not
};

void fake_https_start(struct fake_https *f);
void fake_doh_start(struct fake_https *f); // of DNS over HTTPS, by HTTP/2 (doh_server.py)
void fake_https_stop(struct fake_https *f);
// How many requests it had whose line ("METHOD PATH CLIENT'S-PORT BODY") has `text`.
unsigned fake_https_count(const struct fake_https *f, const char *text);
