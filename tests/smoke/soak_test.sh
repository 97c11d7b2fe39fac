#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two minutes of tools/soak, at a rate that leaves the machine something for the other tests' sake.
exec "$BASH" "$(dirname "${BASH_SOURCE[0]}")/../../tools/soak" --minutes 2 --rate 3000
