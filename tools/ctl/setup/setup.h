// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the questions of `weirctl setup` lead to. The text is the whole configuration file: the one
// that is there, with the keys replaced that the answers so far decide. Nothing is on disk before
// the last question has a yes (cmd_setup.c).

#include "lib/ctl.h"

#include <limits.h>
#include <weir/config.h>

enum {
	SETUP_ANSWER_MAX = 1024, // bytes of an answer
	SETUP_BLOCK_MAX = 8192,  // of the lines that it makes
	SETUP_WHY_MAX = 1024,
	SETUP_PASSWORD_MAX = 260,
	SETUP_OWN_MAX = 256,
};

struct setup {
	struct ctl *c;
	char path[PATH_MAX];   // of the configuration, without symbolic links
	char folder[PATH_MAX]; // of it
	bool asks;             // a person sits at a terminal
	char *text;            // owned

	// Of the present configuration.
	char *before;    // its text, owned
	bool is_serving; // it serves more than the package's TAP
	// A question whose keys are not those of the shipped file: they are kept by default.
	bool keeps_addresses, keeps_lists, keeps_upstreams;
	enum upstream_mode mode;
	bool has_listen, has_page;   // of `control`
	char own[SETUP_OWN_MAX];     // its TAPs and exception interfaces (setup_answer.h)
	char interface[64];          // of the answer; "": as it was
	char shown[SETUP_BLOCK_MAX]; // what the answers changed, for the person
	unsigned address_count;
	struct ip_address address[CONFIG_ADDRESSES_MAX];
	unsigned list_count, server_count; // of the answers
	enum upstream_mode mode_next;
	char page_at[SOCKET_ADDRESS_TEXT_MAX]; // the first of control.listen
	char password[SETUP_PASSWORD_MAX];     // "": no page
};
